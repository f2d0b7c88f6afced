"""Which part of a photo its renditions show, so that tiles beside it need not be decoded; pure."""

import math
from collections.abc import Sequence
from typing import Final

from imaging.geometry import Box, Placement, as_stored
from imaging.header import ImageHeader

__all__ = ["region_of"]

_REACH: Final = 4
"""Pixels beyond which a resize looks at none, for each that goes into one of the smaller picture,
and so many more: Lanczos3 reaches 3, and the shrink before it rounds to whole pixels."""


def region_of(
    header: ImageHeader, base: tuple[int, int], placements: Sequence[Placement]
) -> Box | None:
    """Return the part of the stored photo that renditions show something of; None for all of it.

    Whatever stands beside it in the decoded photo, their pixels are the same.

    Args:
        header: The photo's.
        base: Width and height, upright, of what all are made from.
        placements: Where the pixels of each go; of its parent too, where it is made from another.
    """
    if not (header.format.row.leaves_out_tiles and header.tile):
        return None
    width, height = header.upright
    spans = []
    for placement in placements:
        crop = placement.crop
        if crop is None or placement.search is not None:
            return None
        across = _span(crop.left, crop.width, (placement.width, base[0], width))
        down = _span(crop.top, crop.height, (placement.height, base[1], height))
        spans.append((*across, *down))
    left, right, top, below = zip(*spans, strict=True)
    box = Box(
        left=min(left),
        top=min(top),
        width=max(right) - min(left),
        height=max(below) - min(top),
    )
    if (box.width, box.height) == (width, height):
        return None
    return as_stored(box, header.upright, header.orientation)


def _beside(span: tuple[float, float], made: int, of: int) -> tuple[float, float]:
    """Return what a resize of a side from ``of`` to ``made`` pixels looks at to make ``span``."""
    factor = of / made
    reach = _REACH * (max(factor, 1) + 1) if made != of else 0
    return span[0] * factor - reach, span[1] * factor + reach


def _span(begin: int, length: int, sides: tuple[int, int, int]) -> tuple[int, int]:
    """Return the pixels of the photo that a crop needs along one side, from the first to the last.

    Args:
        begin: The first pixel of the crop.
        length: Of the crop.
        sides: Of the resized picture, of the base that it is made from, and of the photo.
    """
    resized, base, photo = sides
    first, last = _beside(_beside((begin, begin + length), resized, base), base, photo)
    return max(0, math.floor(first)), min(photo, math.ceil(last))
