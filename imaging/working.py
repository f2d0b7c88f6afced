"""What libvips holds while it decodes, resizes, sharpens and searches a picture; pure.

It works in strips, several for each of its threads, whose number is not known in detail: the
figures here were fitted to what ``make calibrate`` measured.
"""

from typing import TYPE_CHECKING, Final

from imaging.formats import Reading
from imaging.geometry import place_mark
from imaging.header import ImageHeader
from imaging.specs import Position

if TYPE_CHECKING:
    from imaging.geometry import Placement
    from imaging.plan import Load, PlannedRendition

__all__ = [
    "KEPT_ENCODER",
    "KEPT_PLANES",
    "decoding_bytes",
    "marking_bytes",
    "resizing_bytes",
    "searching_bytes",
]

_MB: Final = 1 << 20

# What malloc keeps of a decoder's planes, and of what an encoder held; of freed strips, all.
KEPT_PLANES: Final = 0.8
KEPT_ENCODER: Final = 0.44

# So many lines of the wider picture are held, and so many more for each of its lines that goes into
# one line of the narrower picture.
_STRIP_LINES: Final = 420
_STRIP_LINES_PER_FACTOR: Final = 340
_MAX_STRIP_FACTOR: Final = 3.6

# With alpha the colours are multiplied by it before the resize, as floats.
_ALPHA_LINES: Final = 900
_ALPHA_LINES_PER_FACTOR: Final = 180
_FLOAT_BYTES: Final = 4
_GREY_AND_ALPHA: Final = 2
_GREY_LINES: Final = 0.4

# A picture in memory is not decoded, so its strips take fewer lines.
_DERIVED_LINES: Final = 260
_DERIVED_LINES_PER_FACTOR: Final = 480

# In linear light each sample has two bytes.
_LINEAR_LINES: Final = 700
_LINEAR_LINES_PER_FACTOR: Final = 260
_LINEAR_BYTES: Final = 2

_MAX_STRIPS: Final = 1.8
"""Times the whole picture at most, which counts where it has few lines."""

_SEEKING_STRIPS: Final = 1.1
"""How many times as much is held of a file in strips whose decoder seeks."""

_CONVERSION_BYTES: Final = 2 * _MB
"""Tables of littlecms, and the profile, which may have a megabyte."""

_SHARPEN_BYTES: Final = 4 * _MB
"""And as much again with alpha."""

_SHARPEN_ROWS: Final = 480
_SHARPEN_OPAQUE: Final = 2.5
_SHARPEN_ALPHA: Final = 7.0
"""Bytes for each of a sharpened picture's, in so many of its rows: 16 bits of Lab, or floats."""

_MARK_BYTES: Final = 8
"""Of a pixel of a mark: decoded, and once more while it is put together."""

_MARK_LINES: Final = 420
"""As of strips that are decoded."""

_SEARCH_BYTES: Final = 76 * _MB
"""Where there is alpha, libvips looks for entropy among floats, however small the picture is."""


def _factor(columns: int, made: int) -> float:
    return min(max(1.0, columns / made), _MAX_STRIP_FACTOR)


def decoding_bytes(header: ImageHeader, load: "Load", columns: int) -> float:
    """Return what is held from the decoder to a picture of ``columns``, in the photo's colours."""
    width, height = load.decoded(header)
    factor = _factor(width, columns)
    if header.has_alpha and width != columns:
        sample = _FLOAT_BYTES
        lines = _ALPHA_LINES + _ALPHA_LINES_PER_FACTOR * factor
        if header.bands == _GREY_AND_ALPHA:
            lines *= _GREY_LINES
    else:
        sample = header.sample_bytes
        lines = _STRIP_LINES + _STRIP_LINES_PER_FACTOR * factor
    strips = width * header.bands * sample * min(lines, height * _MAX_STRIPS)
    if header.format.row.reading is Reading.RANGES and header.tile is None:
        strips *= _SEEKING_STRIPS
    if header.has_profile or header.interpretation in {"cmyk", "lab", "labs"}:
        strips += _CONVERSION_BYTES
    return strips


def resizing_bytes(
    header: ImageHeader,
    rendition: "PlannedRendition",
    bands: int,
    made_from: tuple[int, int] | None,
) -> float:
    """Return what it takes to make a picture from another in memory, and to sharpen it.

    Args:
        header: The photo's.
        rendition: What the picture is for.
        bands: Of the picture, of a byte each.
        made_from: Width and height of the other.
    """
    placement, spec = rendition.placement, rendition.spec
    columns, rows = made_from or (1, 1)
    taken: float = 0
    if (columns, rows) != (placement.width, placement.height):
        factor = _factor(columns, placement.width)
        if spec.linear:
            sample = _FLOAT_BYTES if header.has_alpha else _LINEAR_BYTES
            lines = _LINEAR_LINES + _LINEAR_LINES_PER_FACTOR * factor
        else:
            sample = _FLOAT_BYTES if header.has_alpha else 1
            lines = _DERIVED_LINES + _DERIVED_LINES_PER_FACTOR * factor
        taken += columns * bands * sample * min(lines, rows * _MAX_STRIPS)
    if spec.sharpen is not None:
        height = min(placement.height, _SHARPEN_ROWS)
        each = _SHARPEN_ALPHA if header.has_alpha else _SHARPEN_OPAQUE
        taken += placement.width * bands * height * each
        taken += _SHARPEN_BYTES * (2 if header.has_alpha else 1)
    return taken


def marking_bytes(rendition: "PlannedRendition", bands: int) -> float:
    """Return what a watermark takes: its picture, itself scaled, and strips of both as floats."""
    watermark = rendition.spec.watermark
    if watermark is None:
        return 0
    columns, rows = watermark.size
    box = place_mark(rendition.placement.output, watermark)
    width, _ = rendition.placement.output
    pictures = columns * rows * _MARK_BYTES + box.width * box.height * _MARK_BYTES
    strips = (columns + box.width) * _MARK_LINES * (bands + 1) * _FLOAT_BYTES
    return pictures + strips + width * bands * _MARK_LINES


def searching_bytes(header: ImageHeader, placement: "Placement") -> float:
    """Return what it takes to find out which part of a picture to keep."""
    if placement.search is not Position.ENTROPY or not header.has_alpha:
        return 0
    return _SEARCH_BYTES
