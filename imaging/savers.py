"""Planned rendition -> libvips' saver and its options."""

from typing import Final, assert_never

from imaging.formats import OutputFormat
from imaging.plan import PlannedRendition

__all__ = ["saver"]

# What each setting costs and saves: docs/adr/0007-encoder-settings.md.
_AVIF_EFFORT: Final = 0
_WEBP_EFFORT: Final = 2
_GIF_EFFORT: Final = 1
_OPTIMISED_PIXELS: Final = 1 << 17
"""Up to here a JPEG gets Huffman tables of its own. Above, they save 1 to 3 % for twice the CPU,
and all of its coefficients would have to be held."""


def saver(
    planned: PlannedRendition, quality: int | None, *, keep: str
) -> tuple[str, dict[str, object]]:
    """Return the name of the saver for ``planned`` and its options.

    ``keep`` is libvips'.
    """
    options: dict[str, object] = {"keep": keep}
    if quality is not None:
        options["Q"] = quality
    match planned.format:
        case OutputFormat.JPEG:
            width, height = planned.placement.output
            # Chroma is halved below Q 90: libvips' own rule.
            return "jpegsave_target", options | {
                "optimize_coding": width * height <= _OPTIMISED_PIXELS,
                "interlace": planned.spec.progressive,
            }
        case OutputFormat.WEBP:
            return "webpsave_target", options | {"effort": _WEBP_EFFORT}
        case OutputFormat.AVIF:
            return "heifsave_target", options | {"effort": _AVIF_EFFORT, "compression": "av1"}
        case OutputFormat.PNG:
            return "pngsave_target", options
        case OutputFormat.GIF:
            return "gifsave_target", options | {"effort": _GIF_EFFORT}
        case _:
            assert_never(planned.format)
