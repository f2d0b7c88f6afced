"""Views of another source: a part of it, or the whole with other bytes at its ends."""

import os
from typing import Final

from imaging.streams import ByteSource, position_after

__all__ = ["Between", "Part"]

_READ_BYTES: Final = 1 << 20


class Part:
    """The bytes of ``source`` from ``start`` on, ``size`` of them, as a source of their own.

    *Cost*: 1 MiB buffered, so that a source which fetches what it is asked for makes few requests.
    None of them reaches beyond the part. Closing it closes ``source``.
    """

    def __init__(self, source: ByteSource, start: int, size: int) -> None:
        self._source = source
        self._start = start
        self._size = size
        self._at = 0
        self._chunk = b""
        self._chunk_at = 0

    @property
    def size(self) -> int:
        return self._size

    def readinto(self, buffer: memoryview) -> int:
        offset = self._at - self._chunk_at
        if not 0 <= offset < len(self._chunk):
            self._fetch()
            offset = 0
        chunk = self._chunk[offset : offset + len(buffer)]
        buffer[: len(chunk)] = chunk
        self._at += len(chunk)
        return len(chunk)

    def _fetch(self) -> None:
        chunk = memoryview(bytearray(max(0, min(_READ_BYTES, self._size - self._at))))
        self._source.seek(self._start + self._at)
        filled = 0
        while filled < len(chunk) and (count := self._source.readinto(chunk[filled:])):
            filled += count
        self._chunk, self._chunk_at = bytes(chunk[:filled]), self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = position_after(offset, whence, at=self._at, size=self._size)
        return self._at

    def close(self) -> None:
        self._source.close()


class Between:
    """``source`` between ``first``, which takes the place of its first bytes, and ``last``.

    *Cost*: no buffer. Closing it closes ``source``.
    """

    def __init__(self, source: ByteSource, first: bytes, last: bytes) -> None:
        self._source = source
        # Views: the whole photo may be among it, and a slice of bytes is a copy.
        self._first = memoryview(first)
        self._last = memoryview(last)
        self._at = 0

    @property
    def size(self) -> int:
        return self._source.size + len(self._last)

    def readinto(self, buffer: memoryview) -> int:
        at, end = self._at, self._source.size
        if at < len(self._first):
            count = self._copied(self._first[at:], buffer)
        elif at >= end:
            count = self._copied(self._last[at - end :], buffer)
        else:
            self._source.seek(at)
            count = self._source.readinto(buffer[: end - at])
        self._at += count
        return count

    def _copied(self, data: memoryview, buffer: memoryview) -> int:
        count = min(len(data), len(buffer))
        buffer[:count] = data[:count]
        return count

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = position_after(offset, whence, at=self._at, size=self.size)
        return self._at

    def close(self) -> None:
        self._source.close()
