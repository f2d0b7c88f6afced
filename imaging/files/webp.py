"""Which codec a WebP's pixels are in, how large it says they are, and one chunk of it; pure.

Source: RFC 9649, 2; RFC 6386, 9.1, for the sides of VP8.
"""

import struct
from collections.abc import Iterator
from typing import Final

from imaging.errors import OverLimitError

__all__ = ["ChunkAhead", "check_canvas", "is_lossless", "picture_pixels"]

_BEGIN: Final = 12
_CHUNK_BYTES: Final = 8
_FRAME_BYTES: Final = 16
_HEAD_BYTES: Final = 10
_PICTURES: Final = frozenset({b"VP8 ", b"VP8L"})


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
    for kind, _ in _chunks(header):
        if kind in _PICTURES:
            return kind == b"VP8L"
    return True


def _chunks(header: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the kind of each chunk, and its first bytes; a frame's own chunks follow the frame."""
    at = _BEGIN
    while at + _CHUNK_BYTES <= len(header):
        kind, length = struct.unpack_from("<4sI", header, at)
        at += _CHUNK_BYTES
        yield kind, header[at : at + _HEAD_BYTES]
        # Behind where a frame lies, and for how long it is shown.
        at += _FRAME_BYTES if kind == b"ANMF" else length + length % 2


def check_canvas(header: bytes) -> None:
    """Hold the canvas of a still WebP against its picture, which has to fill it.

    Raises:
        OverLimitError: One is larger than the other. A decoder refuses that, and does not say so.
    """
    canvas = None
    for kind, body in _chunks(header):
        if kind == b"ANMF":
            return
        if kind == b"VP8X":
            canvas = _side(body[4:7], 24) + 1, _side(body[7:10], 24) + 1
        sides = _sides(kind, body)
        if sides is None:
            continue
        if canvas is not None and canvas != sides:
            larger, smaller = sorted((canvas, sides), key=lambda one: -one[0] * one[1])
            named = "{} x {} and {} x {}".format(*canvas, *sides)
            raise OverLimitError(
                f"pixels of a WebP that names {named}",
                actual=larger[0] * larger[1],
                maximum=smaller[0] * smaller[1],
            )
        return


def picture_pixels(header: bytes) -> int:
    """Return the pixels of a WebP's first picture; 0 where none begins in ``header``."""
    for kind, body in _chunks(header):
        if (sides := _sides(kind, body)) is not None:
            return sides[0] * sides[1]
    return 0


def _side(data: bytes, bits: int) -> int:
    return int.from_bytes(data, "little") & (1 << bits) - 1


def _sides(kind: bytes, body: bytes) -> tuple[int, int] | None:
    """Return width and height of a picture; None for another chunk."""
    if kind == b"VP8L":
        bits = _side(body[1:5], 32)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        return _side(body[6:8], 14), _side(body[8:10], 14)
    return None
