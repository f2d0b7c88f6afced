"""Request bodies as they are on the wire."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import BinaryIO


class TruncatedBodyError(ConnectionError):
    """The client hung up before the end of its request body."""


class LengthBody(io.RawIOBase):
    """A body whose length the header states.

    Args:
        stream: the connection, just behind the header.
        length: what `Content-Length` says.
    """

    def __init__(self, stream: BinaryIO | io.BufferedIOBase, length: int) -> None:
        self._stream = stream
        self._left = length

    def readable(self) -> bool:
        """Return true, as io asks of a stream that is read."""
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        """Fill as much of the buffer as one read of the connection gives; 0 only at the end.

        Raises:
            TruncatedBodyError: the connection ended first.
        """
        if not self._left:
            return 0
        data = _read_some(self._stream, min(len(buffer), self._left))
        self._left -= len(data)
        buffer[: len(data)] = data
        return len(data)


class ChunkedBody(io.RawIOBase):
    """A body in chunks, each behind its size, with trailers behind the last.

    HTTP's own chunked coding and the `aws-chunked` one inside it are the same on the wire, except
    for what stands behind a size's semicolon, which nothing here needs.

    Args:
        stream: the connection or the outer body, at the first size.

    Attributes:
        trailers: by name in lower case, complete once the body has ended.
    """

    def __init__(self, stream: BinaryIO | io.BufferedIOBase) -> None:
        self._stream = stream
        self._left = 0
        self._begun = False
        self._ended = False
        self.trailers: dict[str, str] = {}

    def readable(self) -> bool:
        """Return true, as io asks of a stream that is read."""
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        """Fill as much of the buffer as one chunk holds; 0 only behind the last chunk.

        Raises:
            TruncatedBodyError: the connection ended first.
        """
        if not self._left and not self._ended:
            self._next_chunk()
        if self._ended:
            return 0
        data = _read_some(self._stream, min(len(buffer), self._left))
        self._left -= len(data)
        buffer[: len(data)] = data
        return len(data)

    def _next_chunk(self) -> None:
        if self._begun:
            self._line()
        self._begun = True
        self._left = int(self._line().partition(b";")[0], 16)
        if not self._left:
            while line := self._line().strip():
                name, _, value = line.decode("latin-1").partition(":")
                self.trailers[name.strip().lower()] = value.strip()
            self._ended = True

    def _line(self) -> bytes:
        line = self._stream.readline()
        if not line.endswith(b"\n"):
            raise TruncatedBodyError("the connection ended between two chunks")
        return line


def _read_some(stream: BinaryIO | io.BufferedIOBase, size: int) -> bytes:
    # Whatever has arrived: waiting for the full size would turn a slow upload into bursts.
    data = stream.read1(size) if isinstance(stream, io.BufferedIOBase) else stream.read(size)
    if not data:
        raise TruncatedBodyError("the connection ended before the request body did")
    return data
