"""A file in memory, as far as it came; who reads beyond that makes it come."""

import os
from typing import Final

from imaging.streams import ByteSource, position_after, read_some

__all__ = ["Kept"]

_CHUNK_BYTES: Final = 64 << 10


class Kept:
    """A ByteSource that may be read at any position, over one that is read from start to end.

    What a decoder skips has come before what it reads: the directory of a HEIC is in front of its
    pixels mostly, and then the first of them are decoded while the last are on their way.

    *Cost*: memory of the file's size, which is taken as far as it is filled.

    *Thread*: one at a time reads; what came may be looked at from any.

    Attributes:
        memory: All bytes; 0 where they have not come.

    Args:
        source: It; its first bytes were read.
        head: Those.
    """

    def __init__(self, source: ByteSource, head: memoryview) -> None:
        self.memory = bytearray(source.size)
        self._view = memoryview(self.memory)
        self._view[: len(head)] = head
        self._came = len(head)
        self._source = source
        self._at = 0

    @property
    def size(self) -> int:
        return len(self.memory)

    def wait(self, end: int) -> None:
        """Read on until the bytes before ``end`` are there, or all that there are.

        Raises:
            SourceError: They cannot be read.
        """
        end = min(end, self.size)
        while self._came < end:
            self._came += self._read_on(self._view[self._came : self._came + _CHUNK_BYTES])

    def _read_on(self, buffer: memoryview) -> int:
        return read_some(self._source, buffer, at=self._came)

    def finish(self) -> None:
        """Read on to the end, and once more there, where a source checks its checksum.

        Raises:
            SourceError: The rest cannot be read, or is not what it was.
        """
        self.wait(self.size)
        self._read_on(memoryview(bytearray(1)))

    def read(self, at: int, length: int) -> bytes:
        """Return up to ``length`` bytes from ``at``, fewer at the end; the position stays."""
        self.wait(at + length)
        return bytes(self._view[at : at + length])

    def readinto(self, buffer: memoryview) -> int:
        chunk = self._view[self._at : self._at + len(buffer)]
        self._at += len(chunk)
        self.wait(self._at)
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = position_after(offset, whence, at=self._at, size=self.size)
        return self._at

    def close(self) -> None:
        """Close the source."""
        self._source.close()
