"""WebP, by libwebp."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from imaging.plan import PlannedRendition

__all__ = ["encoded_bytes", "options", "peak_bytes"]

_EFFORT: Final = 2
_ENCODED_BYTES_PER_PIXEL: Final = 0.4
_FULL_CHROMA: Final = 2
"""How many times as many bytes there are at a quality that keeps chroma whole."""

_BYTES_PER_PIXEL: Final = 5.7
_OPAQUE_BYTES_PER_PIXEL: Final = 4.1
_ALPHA_BYTES_PER_PIXEL: Final = 16.8
"""Alpha is compressed without loss, by another encoder, which holds nothing where alpha is the same
all over."""

_ANIMATED_BYTES_PER_PIXEL: Final = 60.0
"""Of one frame: the encoder holds its neighbours, and tries each in several ways."""

_AGAIN: Final = 1.3
"""A rendition that is encoded several times, to fit, finds less freed memory in one piece."""


def options(planned: "PlannedRendition") -> dict[str, object]:
    del planned
    return {"effort": _EFFORT}


def encoded_bytes(planned: "PlannedRendition", bands: int) -> float:
    del bands
    chroma = _FULL_CHROMA if planned.has_full_chroma else 1
    return planned.pixels * planned.frames * _ENCODED_BYTES_PER_PIXEL * chroma


def peak_bytes(planned: "PlannedRendition", bands: int) -> float:
    pixels = planned.pixels
    if planned.frames > 1:
        held = pixels * _ANIMATED_BYTES_PER_PIXEL
    elif bands in {2, 4}:
        # A canvas around the picture is opaque.
        shown = planned.placement.width * planned.placement.height
        held = pixels * _OPAQUE_BYTES_PER_PIXEL + min(pixels, shown) * _ALPHA_BYTES_PER_PIXEL
    else:
        held = pixels * _BYTES_PER_PIXEL
    return held if planned.max_bytes is None else held * _AGAIN
