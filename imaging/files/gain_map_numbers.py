"""How the values of a gain map are to be read, and Apple's way to say it.

Apple names a headroom only: in the XMP of the gain map, or in the maker note of the photo's EXIF.

Source: https://developer.apple.com/documentation/appkit/applying-apple-hdr-effect-to-your-photos
and ``avifjpeg.c`` of libavif, which reads the values as exponents between 0 and the headroom.
"""

import math
import re
import struct
from dataclasses import dataclass
from typing import Final

from imaging.files.tiff import Directory, Tiff, open_block

__all__ = [
    "APPLE",
    "GainMapNumbers",
    "Triple",
    "apple_numbers",
    "lets_follow_apples",
    "names_headroom",
    "noted_stops",
]

APPLE: Final = b"urn:com:apple:photo:2020:aux:hdrgainmap"
"""What Apple calls the auxiliary picture that is a gain map."""

_APPLE_MAKE: Final = "Apple"
_APPLE_MAKER: Final = b"Apple iOS\0"

_HEADROOM: Final = re.compile(rb"HDRGainMapHeadroom(?:=\"|>)\s*([0-9.eE+-]{1,32})")

# EXIF's make, the pointer to its own directory, its maker note, and of Apple's: how bright the
# scene was, and by how much the picture was darkened for SDR.
_MAKE: Final = 0x010F
_EXIF_DIRECTORY: Final = 0x8769
_MAKER_NOTE: Final = 0x927C
_HDR_HEADROOM: Final = 33
_HDR_GAIN: Final = 48

_MAX_NOTE_BYTES: Final = 1 << 16
_MAX_XMP_BYTES: Final = 1 << 16

# Light up to 10,000 cd/m2, of which 203 are white, takes 6 stops.
_MAX_STOPS: Final = 32
_MAX_GAMMA: Final = 32

Triple = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class GainMapNumbers:
    """How the values of a gain map are to be read.

    Attributes:
        minimum: What 0 stands for, as a power of 2.
        maximum: What 255 stands for, as a power of 2.
        gamma: Of the steps between.
        offset_sdr: Added to the SDR light before it is multiplied.
        offset_hdr: Taken from the product.
        capacity: From which to which power of 2 above SDR white a display applies it.
        in_base_colours: Whether it multiplies in the colours of the SDR picture.
    """

    minimum: Triple
    maximum: Triple
    gamma: Triple
    offset_sdr: Triple
    offset_hdr: Triple
    capacity: tuple[float, float]
    in_base_colours: bool

    @property
    def is_plausible(self) -> bool:
        """Whether a camera may have meant these numbers; broken ones are infinite, or near it."""
        exponents = (*self.minimum, *self.maximum, *self.capacity)
        return (
            all(abs(value) <= _MAX_STOPS for value in exponents)
            and all(0 < value <= _MAX_GAMMA for value in self.gamma)
            and all(abs(value) <= 1 for value in (*self.offset_sdr, *self.offset_hdr))
            and all(low <= high for low, high in zip(self.minimum, self.maximum, strict=True))
            and 0 <= self.capacity[0] < self.capacity[1]
        )


def apple_numbers(xmp: bytes | None, exif: bytes) -> GainMapNumbers | None:
    """Return the numbers of Apple's gain map; None where no headroom above white is named.

    Args:
        xmp: The gain map's own; None where it has none.
        exif: The photo's EXIF block, from its byte order on; empty where it has none.

    Raises:
        CorruptPhotoError: The directories of the EXIF block cannot be read.
    """
    stops = None if xmp is None else _said_stops(xmp)
    if stops is None:
        stops = noted_stops(exif)
    if stops is None or stops <= 0:
        return None
    return GainMapNumbers(
        minimum=(0.0, 0.0, 0.0),
        maximum=(stops, stops, stops),
        gamma=(1.0, 1.0, 1.0),
        offset_sdr=(0.0, 0.0, 0.0),
        offset_hdr=(0.0, 0.0, 0.0),
        capacity=(0.0, stops),
        in_base_colours=True,
    )


def names_headroom(xmp: bytes) -> bool:
    """Tell whether a gain map's own XMP names a headroom, whichever."""
    return _HEADROOM.search(xmp[:_MAX_XMP_BYTES]) is not None


def _said_stops(xmp: bytes) -> float | None:
    """Return the headroom that a gain map's own XMP names, as a power of 2."""
    said = _HEADROOM.search(xmp[:_MAX_XMP_BYTES])
    if said is None:
        return None
    try:
        headroom = float(said[1])
    except ValueError:
        return None
    return math.log2(headroom) if 0 < headroom < math.inf else None


def lets_follow_apples(exif: bytes) -> bool:
    """Tell whether one of the pictures behind a photo may be Apple's gain map, by the photo's EXIF.

    A maker note decides by its headroom. Where software took it out, the make is enough: the gain
    map's own XMP may name the headroom.

    Raises:
        CorruptPhotoError: The directories of the EXIF block cannot be read.
    """
    tiff = open_block(exif)
    if tiff is None or tiff.directory(tiff.first).text(_MAKE) != _APPLE_MAKE:
        return False
    return not _maker_note(tiff) or (noted_stops(exif) or 0) > 0


def _maker_note(tiff: Tiff) -> bytes:
    """Return the maker note; empty where there is none."""
    pointer = tiff.directory(tiff.first).integer(_EXIF_DIRECTORY, 0)
    return tiff.directory(pointer).data(_MAKER_NOTE, _MAX_NOTE_BYTES) if pointer else b""


def noted_stops(exif: bytes) -> float | None:
    """Return the headroom by Apple's maker note, as a power of 2; None without the two numbers.

    Raises:
        CorruptPhotoError: The directories of the EXIF block cannot be read.
    """
    tiff = open_block(exif)
    note = b"" if tiff is None else _maker_note(tiff)
    # Behind its name and its version stands a directory, whatever the byte order of the rest, whose
    # places count from the name.
    if not note.startswith(_APPLE_MAKER) or note[12:14] != b"MM":
        return None
    first = 14
    held = open_block(b"MM\0*" + struct.pack(">I", first) + note[8:])
    if held is None:
        return None
    noted = held.directory(first)
    bright, gain = _rational(noted, _HDR_HEADROOM), _rational(noted, _HDR_GAIN)
    if bright is None or gain is None:
        return None
    if bright < 1:
        return 1.8 - 20 * gain if gain <= 0.01 else 1.601 - 0.101 * gain
    return 3.0 - 70 * gain if gain <= 0.01 else 2.303 - 0.303 * gain


def _rational(directory: Directory, tag: int) -> float | None:
    data = directory.data(tag, 8)
    if len(data) < 8:
        return None
    top, bottom = struct.unpack(">ii", data)
    return top / bottom if bottom else None
