"""OutputFormat -> libvips' saver and its options."""

from typing import Final, assert_never

from imaging.formats import OutputFormat

__all__ = ["saver"]

_AVIF_EFFORT: Final = 1
_WEBP_EFFORT: Final = 2


def saver(output: OutputFormat, quality: int | None) -> tuple[str, dict[str, object]]:
    """Return the name of the saver for ``output`` and its options.

    Only EXIF is kept, and the image carries no more of that than the copyright.
    """
    match output:
        case OutputFormat.JPEG:
            return "jpegsave_target", {"Q": quality, "optimize_coding": True, "keep": "exif"}
        case OutputFormat.WEBP:
            return "webpsave_target", {"Q": quality, "effort": _WEBP_EFFORT, "keep": "exif"}
        case OutputFormat.AVIF:
            return "heifsave_target", {
                "Q": quality,
                "effort": _AVIF_EFFORT,
                "compression": "av1",
                "keep": "exif",
            }
        case OutputFormat.PNG:
            return "pngsave_target", {"keep": "exif"}
        case _:
            assert_never(output)
