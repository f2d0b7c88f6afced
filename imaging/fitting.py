"""Finds the best quality at which an encoded picture is no larger than it may be."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

__all__ = ["LOWEST_QUALITY", "Fitted", "fit"]

LOWEST_QUALITY: Final = 10
"""Below this a photo falls apart into blocks, and hardly gets smaller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """An encoded picture.

    Attributes:
        data: Its bytes.
        quality: The ``Q`` that it was encoded with.
        fits: Whether it is no larger than asked; if not, it is the smallest that was tried.
    """

    data: bytearray
    quality: int
    fits: bool


def fit(encode: Callable[[int], bytearray], *, quality: int, max_bytes: int) -> Fitted:
    """Return ``encode(quality)`` if that fits, else what fits at the best quality below.

    Bytes grow with quality, so the search halves what lies between :data:`LOWEST_QUALITY`, or
    ``quality`` if that is lower still, and ``quality``.

    *Cost*: at most 8 encodes: one, and 7 to search the 90 qualities below 100.
    """
    smallest = data = encode(quality)
    if len(data) <= max_bytes:
        return Fitted(data=data, quality=quality, fits=True)
    best: Fitted | None = None
    lowest = low = min(LOWEST_QUALITY, quality)
    high = quality - 1
    while low <= high:
        middle = (low + high + 1) // 2
        data = encode(middle)
        if len(data) <= max_bytes:
            best = Fitted(data=data, quality=middle, fits=True)
            low = middle + 1
        else:
            smallest = data
            high = middle - 1
    return best or Fitted(data=smallest, quality=lowest, fits=False)
