"""One module for each format that can be encoded, by its name in the table of formats; pure.

A module is imported when the first rendition of its format is planned.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

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
    return cast("Encoder", import_module(f"imaging.encoders.{format_.value}"))
