"""One module for each format that can be encoded; pure: libvips does the work.

A module is imported when the first rendition of its format is planned.
"""

from typing import TYPE_CHECKING, Protocol, assert_never

from imaging.formats import OutputFormat

if TYPE_CHECKING:
    from imaging.plan import PlannedRendition

__all__ = ["Encoder", "encoder_of"]


class Encoder(Protocol):
    """What a module of this package has."""

    def options(self, planned: "PlannedRendition") -> dict[str, object]:
        """Return the options of libvips' saver, beside its quality and the metadata to keep.

        What each costs and saves: docs/adr/0007-encoder-settings.md.
        """
        ...

    def encoded_bytes(self, planned: "PlannedRendition", bands: int) -> float:
        """Return the bytes of the encoded rendition, of a photo with much detail."""
        ...

    def peak_bytes(self, planned: "PlannedRendition", bands: int) -> float:
        """Return the most bytes that the encoder holds beside the encoded ones."""
        ...


def encoder_of(format_: OutputFormat) -> Encoder:
    """Return the encoder of a format."""
    found: Encoder
    match format_:
        case OutputFormat.JPEG:
            from imaging.encoders import jpeg

            found = jpeg
        case OutputFormat.WEBP:
            from imaging.encoders import webp

            found = webp
        case OutputFormat.AVIF:
            from imaging.encoders import avif

            found = avif
        case OutputFormat.PNG:
            from imaging.encoders import png

            found = png
        case OutputFormat.GIF:
            from imaging.encoders import gif

            found = gif
        case _:
            assert_never(format_)
    return found
