"""JPEG, by libjpeg-turbo."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from imaging.plan import PlannedRendition

__all__ = ["encoded_bytes", "options", "peak_bytes"]

_OPTIMISED_PIXELS: Final = 1 << 17
"""Up to here a JPEG gets Huffman tables of its own. Above, they save 1 to 3 % for twice the CPU,
and all of its coefficients would have to be held."""

_BYTES_PER_PIXEL: Final = 0.4
_FULL_CHROMA: Final = 2
"""How many times as many bytes there are at a quality that keeps chroma whole."""

_SCANS_SAMPLE_BYTES: Final = 3.2
_AGAIN: Final = 1.3
"""A rendition that is encoded several times, to fit, finds less freed memory in one piece."""


def options(planned: "PlannedRendition") -> dict[str, object]:
    return {
        "optimize_coding": planned.pixels <= _OPTIMISED_PIXELS,
        "interlace": planned.spec.progressive,
    }


def encoded_bytes(planned: "PlannedRendition", bands: int) -> float:
    del bands
    chroma = _FULL_CHROMA if planned.has_full_chroma else 1
    return planned.pixels * _BYTES_PER_PIXEL * chroma


def peak_bytes(planned: "PlannedRendition", bands: int) -> float:
    """The coefficients of a progressive JPEG; any other is encoded row by row."""
    del bands
    if not planned.spec.progressive:
        return 0
    held = planned.samples * _SCANS_SAMPLE_BYTES
    return held if planned.max_bytes is None else held * _AGAIN
