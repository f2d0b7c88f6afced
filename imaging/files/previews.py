"""The JPEGs that a camera put into its raw file, and what the raw says of itself; pure."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from imaging.errors import TruncatedPhotoError
from imaging.files.exif import ExifFields
from imaging.files.tiff import ReadAt

__all__ = ["JpegPlace", "Preview", "Raw", "largest_preview"]

_SMALLEST_SIDE: Final = 1000
_SMALLEST_SHARE: Final = 4
"""A preview whose longer side is shorter than the one, and than that part of the raw's, is none."""

_MAX_SEGMENTS: Final = 200
"""Of a JPEG's header that are looked at."""

_MAX_PLACES: Final = 32
"""Of one raw that are looked at; cameras write up to four."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A whole JPEG inside a raw.

    Attributes:
        at: Its first byte in the file.
        length: Its bytes.
        width: Columns.
        height: Rows.
    """

    at: int
    length: int
    width: int
    height: int

    def is_too_small(self, raw: "Raw") -> bool:
        """Tell whether it is a thumbnail rather than the picture."""
        side = max(self.width, self.height)
        return side < _SMALLEST_SIDE and _SMALLEST_SHARE * side < max(raw.width, raw.height)


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """What a camera raw says of itself.

    Attributes:
        kind: The maker's name for such a file, such as ``Canon CR2``.
        width: Columns of the sensor's picture, as stored; 0 where it does not say.
        height: Rows of it.
        orientation: The EXIF orientation of the raw, 1 to 8: that of previews without one.
        exif: The EXIF fields that are known here.
        preview: The largest JPEG in it; None without one.
    """

    kind: str
    width: int
    height: int
    orientation: int = 1
    exif: ExifFields = field(default_factory=dict)
    preview: Preview | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JpegPlace:
    """Where a JPEG may be, largest first where they are sorted."""

    length: int
    at: int


def largest_preview(read_at: ReadAt, size: int, places: Iterable[JpegPlace]) -> Preview | None:
    """Return the largest, by its bytes, of ``places`` that holds a JPEG which can be shown.

    *Cost*: the header of each JPEG down to the one that is returned.

    Raises:
        TruncatedPhotoError: The file ends before the largest does.
    """
    found = {place for place in islice(places, _MAX_PLACES) if place.at > 0 and place.length > 0}
    for place in sorted(found, key=lambda place: (-place.length, place.at)):
        if place.at + place.length > size:
            raise TruncatedPhotoError(
                f"Expected a preview up to byte {place.at + place.length:,} of a camera raw but "
                f"its {size:,} bytes end too soon"
            )
        dimensions = _jpeg_size(read_at, place.at, place.at + place.length)
        if dimensions is not None:
            width, height = dimensions
            return Preview(at=place.at, length=place.length, width=width, height=height)
    return None


def _jpeg_size(read_at: ReadAt, at: int, end: int) -> tuple[int, int] | None:
    """Return width and height of the JPEG at ``at``; None where viewers would not show it.

    A sensor's samples are lossless JPEGs (SOF3), or of more than 8 bits.
    """
    if read_at(at, 2) != b"\xff\xd8":
        return None
    at += 2
    for _ in range(_MAX_SEGMENTS):
        head = read_at(at, 10)
        if len(head) < 10 or head[0] != 0xFF or at >= end:
            return None
        marker, length = head[1], int.from_bytes(head[2:4], "big")
        if marker == 0xFF:
            at += 1
            continue
        if marker in {0xC0, 0xC1, 0xC2}:
            precision, height, width, components = struct.unpack_from(">BHHB", head, 4)
            shown = precision == 8 and components in {1, 3} and width and height
            return (width, height) if shown else None
        if 0xC3 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            return None
        at += 2 + length
    return None
