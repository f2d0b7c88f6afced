"""Sources and sinks in memory and on a file system."""

import io
import os
import tempfile
from pathlib import Path
from typing import Self

from imaging.errors import SinkError, SourceError
from imaging.streams import position_after

__all__ = ["FileSink", "FileSource", "MemorySink", "MemorySource"]


class MemorySource:
    """A photo that is in memory already. *Cost*: no copy of ``data``."""

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        self._view = memoryview(data).cast("B")
        self._at = 0

    @property
    def size(self) -> int:
        return len(self._view)

    def readinto(self, buffer: memoryview) -> int:
        chunk = self._view[self._at : self._at + len(buffer)]
        buffer[: len(chunk)] = chunk
        self._at += len(chunk)
        return len(chunk)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = position_after(offset, whence, at=self._at, size=self.size)
        return self._at

    def close(self) -> None:
        """Nothing is held."""


class FileSource:
    """A photo on disk. *Cost*: one file descriptor; 256 KiB buffered.

    Raises:
        SourceError: The file cannot be opened, or shrinks while it is read.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file = io.BufferedReader(io.FileIO(path), buffer_size=256 << 10)
        except OSError as error:
            msg = f"Expected a readable file at {path}: {error.strerror}"
            raise SourceError(msg) from error
        self._path = path
        self._size = os.fstat(self._file.fileno()).st_size

    @property
    def size(self) -> int:
        return self._size

    def readinto(self, buffer: memoryview) -> int:
        try:
            count = self._file.readinto(buffer)
        except OSError as error:
            msg = f"Expected to read {self._path}: {error.strerror}"
            raise SourceError(msg) from error
        if count == 0 and len(buffer) and self._file.tell() < self._size:
            msg = f"Expected {self._size} bytes of {self._path}; it ended at {self._file.tell()}"
            raise SourceError(msg)
        return count

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(
            position_after(offset, whence, at=self._file.tell(), size=self._size)
        )

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class MemorySink:
    """A rendition kept in memory: ``data`` is None until it is committed."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.data: bytes | None = None

    def write(self, data: memoryview) -> None:
        self._parts.append(bytes(data))

    def commit(self) -> None:
        self.data = b"".join(self._parts)

    def abort(self) -> None:
        self._parts.clear()


class FileSink:
    """A rendition on disk: written beside its place and renamed into it by ``commit``.

    Missing folders are made. *Cost*: one file descriptor.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Unique, so that two processes that make the same rendition cannot mix their bytes.
            descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        except OSError as error:
            raise self._failed(error) from error
        self._temporary = Path(name)
        self._file = os.fdopen(descriptor, "wb")

    def _failed(self, error: OSError) -> SinkError:
        return SinkError(f"Expected to write {self._path}: {error.strerror}")

    def write(self, data: memoryview) -> None:
        try:
            self._file.write(data)
        except OSError as error:
            raise self._failed(error) from error

    def commit(self) -> None:
        try:
            self._file.close()
            # mkstemp makes files that only their owner can read.
            self._temporary.chmod(0o644)
            self._temporary.replace(self._path)
        except OSError as error:
            raise self._failed(error) from error

    def abort(self) -> None:
        self._file.close()
        self._temporary.unlink(missing_ok=True)
