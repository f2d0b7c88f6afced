"""PNG, by libpng through libvips."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from imaging.plan import PlannedRendition

__all__ = ["encoded_bytes", "options", "peak_bytes"]

_BYTES_PER_SAMPLE: Final = 2.5 / 3


def options(planned: "PlannedRendition") -> dict[str, object]:
    del planned
    return {}


def encoded_bytes(planned: "PlannedRendition", bands: int) -> float:
    return planned.pixels * bands * _BYTES_PER_SAMPLE


def peak_bytes(planned: "PlannedRendition", bands: int) -> float:
    """Nothing: it works row by row."""
    del planned, bands
    return 0
