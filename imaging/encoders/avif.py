"""AVIF, by libaom through libheif."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from imaging.plan import PlannedRendition

__all__ = ["encoded_bytes", "options", "peak_bytes"]

_EFFORT: Final = 0
_ENCODED_BYTES_PER_PIXEL: Final = 0.3
_FULL_CHROMA: Final = 2
"""How many times as many bytes there are at a quality that keeps chroma whole."""

_TABLES_BYTES: Final = 7 << 20
_SAMPLE_BYTES: Final = 13.0
_FULL_CHROMA_SAMPLE_BYTES: Final = 11.3

_AGAIN: Final = 1.5
"""A rendition that is encoded several times, to fit, finds less freed memory in one piece."""


def options(planned: "PlannedRendition") -> dict[str, object]:
    del planned
    return {"effort": _EFFORT, "compression": "av1"}


def encoded_bytes(planned: "PlannedRendition", bands: int) -> float:
    del bands
    chroma = _FULL_CHROMA if planned.has_full_chroma else 1
    return planned.pixels * _ENCODED_BYTES_PER_PIXEL * chroma


def peak_bytes(planned: "PlannedRendition", bands: int) -> float:
    samples = planned.samples + (planned.pixels if bands in {2, 4} else 0)
    each = _FULL_CHROMA_SAMPLE_BYTES if planned.has_full_chroma else _SAMPLE_BYTES
    held = _TABLES_BYTES + samples * each
    return held if planned.max_bytes is None else held * _AGAIN
