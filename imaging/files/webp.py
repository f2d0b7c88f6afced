"""Which codec a WebP's pixels are in; pure.

Source: RFC 9649, 2.
"""

import struct
from typing import Final

__all__ = ["is_lossless"]

_BEGIN: Final = 12
_CHUNK_BYTES: Final = 8
_FRAME_BYTES: Final = 16


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
