"""Where encoded bytes come from and where they go: two protocols, and how they are read.

Every implementation passes ``tests/contract``.
"""

import os
from collections.abc import Callable
from typing import Protocol

from imaging.errors import RenditionsError, SourceError


class ByteSource(Protocol):
    """The encoded photo, readable from the start, and seekable.

    *Thread*: one reader at a time, but not always the same thread (libvips reads from its workers).
    """

    @property
    def size(self) -> int:
        """The whole length in bytes, known before the first read."""
        ...

    def readinto(self, buffer: memoryview) -> int:
        """Fill some of ``buffer`` and return how many bytes; 0 only at the true end.

        Raises:
            SourceError: The bytes end before ``size``, or cannot be read.
        """
        ...

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move to ``offset`` (``whence`` as for ``io.IOBase.seek``) and return the new position."""
        ...

    def close(self) -> None:
        """Release what is held; safe to call again."""
        ...


class ByteSink(Protocol):
    """One rendition's encoded bytes on their way out; nothing is visible before ``commit``."""

    def write(self, data: memoryview) -> None:
        """Take all of ``data``, which is valid during the call only.

        Raises:
            SinkError: The bytes could not be taken.
        """
        ...

    def commit(self) -> None:
        """Make what was written visible, whole.

        It may return before that; the implementation then says how to wait.
        """
        ...

    def abort(self) -> None:
        """Forget what was written, leaving nothing behind; safe after a failed ``commit``."""
        ...


def position_after(offset: int, whence: int, *, at: int, size: int) -> int:
    """Return where a seek from ``at`` leads in ``size`` bytes.

    Raises:
        SourceError: Before the first byte.
    """
    position = offset + {os.SEEK_SET: 0, os.SEEK_CUR: at, os.SEEK_END: size}[whence]
    if position < 0:
        raise SourceError(f"Expected a position of 0 or more but received {position}")
    return position


def read_some(source: ByteSource, buffer: memoryview, *, at: int) -> int:
    """Fill some of ``buffer`` from ``source``, which is at ``at``; 0 only at the true end.

    Raises:
        SourceError: Whatever else went wrong, a source that breaks its contract included.
    """
    try:
        count = source.readinto(buffer)
    except RenditionsError:
        raise
    except Exception as error:
        raise SourceError(f"Expected to read the photo: {error}") from error
    if count < 0:
        raise SourceError(f"Expected 0 or more bytes from the source but received {count}")
    if count == 0 and at < source.size:
        # A decoder that has all its pixels does not read what follows them.
        raise SourceError(f"Expected {source.size} bytes but they ended at {at}")
    return count


def fill(buffer: memoryview, read: Callable[[memoryview], int]) -> int:
    """Fill ``buffer`` by as many calls of ``read`` as it takes; less comes at the end alone."""
    filled = 0
    while filled < len(buffer) and (count := read(buffer[filled:])):
        filled += count
    return filled
