"""Which codec a WebP's pixels are in, and one of its chunks, wherever it is; pure.

Source: RFC 9649, 2.
"""

import struct
from typing import Final

__all__ = ["ChunkAhead", "is_lossless"]

_BEGIN: Final = 12
_CHUNK_BYTES: Final = 8
_FRAME_BYTES: Final = 16


class ChunkAhead:
    """Finds one chunk of a WebP that passes by from its first byte on, and holds nothing else.

    Attributes:
        found: What was found of it; None before that.
    """

    def __init__(self, kind: bytes, most: int) -> None:
        self._kind = kind
        self._most = most
        self._skip = _BEGIN
        self._head = b""
        self._wanted = 0
        self.found: bytes | None = None

    def feed(self, piece: memoryview) -> None:
        """Take the next bytes of the file."""
        while piece:
            if self._skip:
                passed = min(self._skip, len(piece))
                self._skip -= passed
            elif self._wanted:
                passed = min(self._wanted, len(piece))
                self._wanted -= passed
                self.found = ((self.found or b"") + piece[:passed])[: self._most]
            else:
                passed = min(_CHUNK_BYTES - len(self._head), len(piece))
                self._head += piece[:passed]
                if len(self._head) == _CHUNK_BYTES:
                    self._begin()
            piece = piece[passed:]

    def _begin(self) -> None:
        kind, length = struct.unpack("<4sI", self._head)
        self._head = b""
        if kind == self._kind and self.found is None:
            self._wanted = length
        else:
            self._skip = length + length % 2


def is_lossless(header: bytes) -> bool:
    """Tell whether a WebP's first picture is lossless, wherever its chunk is.

    Args:
        header: The file's first bytes. Where no picture begins in them, the answer is that which
            takes more memory.
    """
    at = _BEGIN
    while at + _CHUNK_BYTES <= len(header):
        kind, length = struct.unpack_from("<4sI", header, at)
        if kind == b"VP8L":
            return True
        if kind == b"VP8 ":
            return False
        at += _CHUNK_BYTES
        # A frame's own chunks follow where it lies and for how long.
        at += _FRAME_BYTES if kind == b"ANMF" else length + length % 2
    return True
