"""GIF, by cgif through libvips."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from imaging.plan import PlannedRendition

__all__ = ["encoded_bytes", "options", "peak_bytes"]

_EFFORT: Final = 1
_ENCODED_BYTES_PER_PIXEL: Final = 0.7
_BYTES_PER_PIXEL: Final = 12.2
_ANIMATED_BYTES_PER_PIXEL: Final = 25.0
"""Of one frame: the encoder holds its neighbours, and tries each in several ways."""


def options(planned: "PlannedRendition") -> dict[str, object]:
    del planned
    return {"effort": _EFFORT}


def encoded_bytes(planned: "PlannedRendition", bands: int) -> float:
    del bands
    return planned.pixels * planned.frames * _ENCODED_BYTES_PER_PIXEL


def peak_bytes(planned: "PlannedRendition", bands: int) -> float:
    del bands
    animated = planned.frames > 1
    return planned.pixels * (_ANIMATED_BYTES_PER_PIXEL if animated else _BYTES_PER_PIXEL)
