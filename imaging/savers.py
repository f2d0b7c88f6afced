"""OutputFormat -> libvips' saver and its options."""

from typing import Final, assert_never

from imaging.formats import OutputFormat

__all__ = ["saver"]

_AVIF_EFFORT: Final = 1
_WEBP_EFFORT: Final = 2


def saver(output: OutputFormat, quality: int | None, *, keep: str) -> tuple[str, dict[str, object]]:
    """Return the name of the saver for ``output`` and its options.

    ``keep`` is libvips'.
    """
    match output:
        case OutputFormat.JPEG:
            return "jpegsave_target", {"Q": quality, "optimize_coding": True, "keep": keep}
        case OutputFormat.WEBP:
            return "webpsave_target", {"Q": quality, "effort": _WEBP_EFFORT, "keep": keep}
        case OutputFormat.AVIF:
            return "heifsave_target", {
                "Q": quality,
                "effort": _AVIF_EFFORT,
                "compression": "av1",
                "keep": keep,
            }
        case OutputFormat.PNG:
            return "pngsave_target", {"keep": keep}
        case _:
            assert_never(output)
