"""Where every pixel goes: integer arithmetic on dimensions, without an image."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from imaging.specs import MAX_DIMENSION, Fit, Position, RenditionSpec, Watermark

__all__ = [
    "Box",
    "FocalPoint",
    "Placement",
    "as_stored",
    "focal_point_from_text",
    "is_sideways",
    "place",
    "place_mark",
    "scaled",
]

_FRACTION: Final = r"\s*(0?\.\d{1,9}|[01](?:\.\d{0,9})?)\s*"

_MAX_SEARCHED: Final = 1 << 26
"""Pixels of a resized photo that are searched at most; only very long, thin photos have more."""

# How many halves of the surplus pixels are cropped at the left, and at the top.
_GRAVITIES: Final[Mapping[Position, tuple[int, int]]] = {
    Position.CENTRE: (1, 1),
    Position.NORTH: (1, 0),
    Position.NORTHEAST: (2, 0),
    Position.EAST: (2, 1),
    Position.SOUTHEAST: (2, 2),
    Position.SOUTH: (1, 2),
    Position.SOUTHWEST: (0, 2),
    Position.WEST: (0, 1),
    Position.NORTHWEST: (0, 0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FocalPoint:
    """Where a photo's subject is, as fractions of the upright width and height; 0,0 is top left."""

    x: float
    y: float


def focal_point_from_text(text: str) -> FocalPoint | None:
    """Return the point that ``text``, such as ``0.3,0.7``, names; None if it names none."""
    found = re.fullmatch(f"{_FRACTION},{_FRACTION}", text, re.ASCII)
    if found is None or max(x := float(found[1]), y := float(found[2])) > 1:
        return None
    return FocalPoint(x=x, y=y)


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A rectangle of whole pixels; ``left`` and ``top`` count from the top left corner."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """How one upright photo becomes one rendition: resize, then crop, then pad.

    Attributes:
        width: Columns after the resize.
        height: Rows after the resize.
        crop: The part of the resized photo that is kept; None for the whole.
        search: ``attention`` or ``entropy``: how its pixels decide where ``crop`` lies; its
            ``left`` and ``top`` are then the centre's. None where the plan decides.
        canvas: Where the photo lies on a larger background (``left`` and ``top`` are the photo's,
            ``width`` and ``height`` the canvas's); None for no padding.
    """

    width: int
    height: int
    crop: Box | None = None
    search: Position | None = None
    canvas: Box | None = None

    @property
    def output(self) -> tuple[int, int]:
        """Width and height of the finished rendition."""
        last = self.canvas or self.crop or self
        return last.width, last.height


def place_mark(output: tuple[int, int], watermark: Watermark) -> Box:
    """Return where a watermark lies on a finished rendition, and how large it is there.

    It has its share of the width, or less where it would not lie within the margins.

    Args:
        output: Width and height of the rendition.
        watermark: The watermark.
    """
    margin = int(watermark.margin * min(output))
    room = output[0] - 2 * margin, output[1] - 2 * margin
    columns, rows = watermark.size
    factor = min(watermark.width * output[0] / columns, room[0] / columns, room[1] / rows)
    width = min(max(1, round(factor * columns)), room[0])
    height = min(max(1, round(factor * rows)), room[1])
    halves = _GRAVITIES[watermark.position]
    return Box(
        left=margin + (room[0] - width) * halves[0] // 2,
        top=margin + (room[1] - height) * halves[1] // 2,
        width=width,
        height=height,
    )


def is_sideways(orientation: int) -> bool:
    """Tell whether EXIF ``orientation``, 1 to 8, swaps width and height (5 to 8 do)."""
    return orientation >= 5


def as_stored(box: Box, upright: tuple[int, int], orientation: int) -> Box:
    """Return where a part of an upright picture lies in the picture as it is stored.

    Args:
        box: The part.
        upright: Width and height of the upright picture.
        orientation: EXIF's number of what turns the stored one upright.
    """
    left, top = box.left, box.top
    right, below = upright[0] - left - box.width, upright[1] - top - box.height
    across, down = {
        1: (left, top),
        2: (right, top),
        3: (right, below),
        4: (left, below),
        5: (top, left),
        6: (top, right),
        7: (below, right),
        8: (below, left),
    }[orientation]
    if is_sideways(orientation):
        return Box(left=across, top=down, width=box.height, height=box.width)
    return Box(left=across, top=down, width=box.width, height=box.height)


def scaled(side: int, numerator: int, denominator: int) -> int:
    """Return ``side * numerator / denominator``, rounded half up, at least 1.

    Rounds as libvips does (VIPS_RINT in ``resize.c``), so that dimensions agree with its own.
    """
    return max(1, (2 * side * numerator + denominator) // (2 * denominator))


def _scale(
    width: int, height: int, spec: RenditionSpec, *, cover: bool, max_side: int
) -> tuple[int, int]:
    """Return the factor that ``spec`` asks for, as numerator and denominator."""
    factors = [
        (asked, side)
        for asked, side in ((spec.width, width), (spec.height, height))
        if asked is not None
    ] or [(1, 1)]
    if not cover:
        # A side that is left free has a maximum too.
        factors += [(max_side, side) for side in (width, height)]
    # Compared as fractions: two floats may tie where the integers do not.
    chosen = factors[0]
    for factor in factors[1:]:
        larger = factor[0] * chosen[1] > chosen[0] * factor[1]
        if larger == cover:
            chosen = factor
    numerator, denominator = chosen
    if spec.without_enlargement and numerator > denominator:
        return 1, 1
    return numerator, denominator


def _centred(inner: int, outer: int) -> int:
    return (outer - inner) // 2


def _crop(
    columns: int, rows: int, kept: tuple[int, int], position: Position, focal: FocalPoint | None
) -> Box:
    """Return where ``kept`` lies in the resized photo."""
    spare = columns - kept[0], rows - kept[1]
    if position is Position.FOCAL_POINT and focal is not None:
        # As near to the middle as the edges allow.
        wanted = focal.x * columns - kept[0] / 2, focal.y * rows - kept[1] / 2
        left, top = (
            min(max(0, math.floor(place + 0.5)), most)
            for place, most in zip(wanted, spare, strict=True)
        )
    else:
        halves = _GRAVITIES.get(position, _GRAVITIES[Position.CENTRE])
        left, top = (side * half // 2 for side, half in zip(spare, halves, strict=True))
    return Box(left=left, top=top, width=kept[0], height=kept[1])


def place(
    width: int,
    height: int,
    spec: RenditionSpec,
    focal: FocalPoint | None = None,
    *,
    max_side: int = MAX_DIMENSION,
) -> Placement:
    """Return how an upright photo of ``width`` x ``height`` becomes the rendition of ``spec``.

    Args:
        width: Of the upright photo.
        height: Of the upright photo.
        spec: What is asked.
        focal: For the position ``focal-point``; without one that is the centre.
        max_side: The longest side that every format of the rendition can have. A free side that
            would be longer makes the whole smaller, or with ``cover`` is cropped.
    """
    if spec.fit is Fit.FILL:
        asked = (spec.width or width, spec.height or height)
        if spec.without_enlargement:
            asked = (min(asked[0], width), min(asked[1], height))
        return Placement(width=asked[0], height=asked[1])

    factor = _scale(width, height, spec, cover=spec.fit is Fit.COVER, max_side=max_side)
    columns, rows = scaled(width, *factor), scaled(height, *factor)
    if spec.fit is Fit.COVER:
        kept = (min(spec.width or max_side, columns), min(spec.height or max_side, rows))
        if kept == (columns, rows):
            return Placement(width=columns, height=rows)
        searched = (
            spec.position in {Position.ATTENTION, Position.ENTROPY}
            and columns * rows <= _MAX_SEARCHED
        )
        return Placement(
            width=columns,
            height=rows,
            crop=_crop(columns, rows, kept, spec.position, focal),
            search=spec.position if searched else None,
        )
    if spec.fit is Fit.CONTAIN:
        canvas = (spec.width or columns, spec.height or rows)
        box = Box(
            left=_centred(columns, canvas[0]),
            top=_centred(rows, canvas[1]),
            width=canvas[0],
            height=canvas[1],
        )
        padded = None if canvas == (columns, rows) else box
        return Placement(width=columns, height=rows, canvas=padded)
    return Placement(width=columns, height=rows)
