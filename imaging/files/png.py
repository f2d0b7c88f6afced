"""The chunks of a PNG before its pixels, and the colours that they tell by numbers; pure.

Source: https://www.w3.org/TR/png-3/, 4.3 and 11.3.2.
"""

import struct
from collections.abc import Iterator, Mapping
from typing import Final

from imaging.files.cicp import Cicp
from imaging.files.icc import SRGB_PRIMARIES, Gamma, gamma_profile

__all__ = ["chunks", "is_crushed", "read_cicp_of_png", "read_gamma"]

_BEGIN: Final = 8
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
