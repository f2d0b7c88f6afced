"""The chunks of a PNG: the colours that they tell by numbers, and what follows the pixels; pure.

Source: https://www.w3.org/TR/png-3/, 4.3 and 11.3.2.
"""

import struct
from collections.abc import Iterator, Mapping
from typing import Final

from imaging.errors import CorruptPhotoError, UnsupportedFormatError
from imaging.files.cicp import Cicp
from imaging.files.icc import SRGB_PRIMARIES, Gamma, gamma_profile
from imaging.files.tiff import open_block

__all__ = ["LateOrientation", "chunks", "is_crushed", "read_cicp_of_png", "read_gamma"]

_BEGIN: Final = 8
_HEAD_BYTES: Final = 8
_CRC_BYTES: Final = 4
_ORIENTATION: Final = 274
_MAX_EXIF: Final = 1 << 20
"""Bytes of a block that are looked at; cameras write up to 64 kB."""

_GREY: Final = frozenset({0, 4})
_SRGB_GAMMA: Final = 45455
_GAMMA_TOLERANCE: Final = 1500
"""From 1/2.27 to 1/2.13: writers mean sRGB by it, whose own curve is near 2.2."""

_PRIMARIES_TOLERANCE: Final = 0.002


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and content of the chunks before the pixels, as far as they are whole."""
    at = _BEGIN
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if kind == b"IDAT" or end > len(data):
            return
        yield kind, data[at + 8 : end - 4]
        at = end


def is_crushed(data: bytes) -> bool:
    """Tell whether it is what Apple's tools make of a PNG, which is none any more."""
    return data[_BEGIN + 4 : _BEGIN + 8] == b"CgBI"


def read_cicp_of_png(found: Mapping[bytes, bytes]) -> Cicp | None:
    """Return the colours of the chunk ``cICP``, which outranks all others."""
    content = found.get(b"cICP", b"")
    # Other matrices, and narrow range, are not for PNG's RGB.
    if len(content) != 4 or content[2:] != b"\0\1":
        return None
    return Cicp(primaries=content[0], transfer=content[1])


def read_gamma(found: Mapping[bytes, bytes]) -> Gamma | None:
    """Return what ``gAMA`` and ``cHRM`` say; None for sRGB, and where others count."""
    gamma = found.get(b"gAMA", b"")
    header = found.get(b"IHDR", b"")
    if {b"iCCP", b"sRGB", b"cICP"} & found.keys() or len(gamma) != 4 or len(header) < 13:
        return None
    (exponent,) = struct.unpack(">I", gamma)
    if not 1000 <= exponent <= 1_000_000:
        # No display has such a curve.
        return None
    primaries: tuple[float, ...] = SRGB_PRIMARIES
    if len(found.get(b"cHRM", b"")) == 32:
        primaries = tuple(value / 100_000 for value in struct.unpack(">8I", found[b"cHRM"]))
    near = all(
        abs(one - other) <= _PRIMARIES_TOLERANCE
        for one, other in zip(primaries, SRGB_PRIMARIES, strict=True)
    )
    is_grey = header[9] in _GREY
    if abs(exponent - _SRGB_GAMMA) <= _GAMMA_TOLERANCE and (near or is_grey):
        return None
    found_gamma = Gamma(exponent=100_000 / exponent, primaries=None if is_grey else primaries)
    try:
        gamma_profile(found_gamma)
    except ValueError:
        return None
    return found_gamma


class LateOrientation:
    """Looks, while a PNG's bytes go by, for an orientation behind the pixels.

    ``eXIf`` may stand there. By then the plan is made, and the picture decoded, for another shape.
    """

    def __init__(self) -> None:
        self._skip = _BEGIN
        self._head = bytearray()
        self._exif: bytearray | None = None
        self._follows = False

    def feed(self, data: memoryview) -> None:
        """Take the next bytes of the file, from its first on. *Cost*: a step for each chunk."""
        while data:
            if self._skip:
                part, data = data[: self._skip], data[self._skip :]
                self._skip -= len(part)
                if self._follows and self._exif is not None:
                    self._exif += part
                continue
            needed = _HEAD_BYTES - len(self._head)
            self._head += data[:needed]
            data = data[needed:]
            if len(self._head) == _HEAD_BYTES:
                self._enter(*struct.unpack(">I4s", self._head))
                self._head.clear()

    def _enter(self, length: int, kind: bytes) -> None:
        self._skip = length + _CRC_BYTES
        self._follows = False
        if kind == b"IDAT":
            # A block before the pixels counts, and was read.
            self._exif = bytearray() if self._exif is None else self._exif
        elif kind == b"eXIf":
            self._follows = self._exif is not None and not self._exif and length <= _MAX_EXIF

    def check(self) -> None:
        """Check that the photo is upright without what follows its pixels.

        Raises:
            UnsupportedFormatError: It is not.
        """
        orientation = _orientation(bytes(self._exif or b""))
        if 2 <= orientation <= 8:
            raise UnsupportedFormatError(
                "Expected a PNG that says before its pixels how it is turned but received one with "
                f"orientation {orientation} behind them (eXIf after IDAT): export it anew"
            )


def _orientation(block: bytes) -> int:
    """Return the orientation in an EXIF block; 1 where there is none."""
    tiff = open_block(block)
    try:
        return 1 if tiff is None else tiff.directory(tiff.first).integer(_ORIENTATION, 1)
    except CorruptPhotoError:
        return 1
