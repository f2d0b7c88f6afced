"""Where encoded bytes come from and where they go: two protocols, and what seeking means.

Every implementation passes ``tests/contract``.
"""

import os
from typing import Protocol

from imaging.errors import SourceError


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
