"""One module for each format that can be decoded, by its name in the table of formats.

A module is imported when the first photo of its format arrives, and the library behind it when it
first decodes.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from imaging.formats import InputFormat

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyvips

    from imaging.bridge.source import OpenPhoto
    from imaging.header import ImageHeader
    from imaging.plan import Load

__all__ = ["Decoder", "FramesDecoder", "Strip", "decoder_of", "frames_decoder_of", "read_header"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """The pages of an animated photo below each other.

    Attributes:
        image: All of them, lazy, to be evaluated once, from the top.
        page_height: Rows of each, of which the photo's are the first.
        pages: Which are the photo's frames, in order.
    """

    image: "pyvips.Image"
    page_height: int
    pages: "Sequence[int]"


class Decoder(Protocol):
    """What a module of this package has."""

    def header(self, photo: "OpenPhoto") -> "ImageHeader":
        """Return what the header says; no pixel is decoded.

        *Cost*: the header's bytes; all bytes of a format whose header is not read alone.

        Raises:
            TruncatedPhotoError: The file ends before what it consists of.
            CorruptPhotoError: The header cannot be read.
            SourceError: The bytes cannot be read.
        """
        ...

    def decode(self, photo: "OpenPhoto", header: "ImageHeader", load: "Load") -> "pyvips.Image":
        """Return the picture as ``load`` says, lazy, to be evaluated once, from the top.

        *Shape*: as ``header`` says, in the size that ``load`` gives.

        Raises:
            CorruptPhotoError: The picture cannot be decoded.
            SourceError: The bytes cannot be read.
        """
        ...

    def peak_bytes(self, header: "ImageHeader", load: "Load") -> float:
        """Return the most bytes that the decoder holds; pure."""
        ...


class FramesDecoder(Protocol):
    """What a module of a format that has frames has beside."""

    def frames(self, photo: "OpenPhoto", header: "ImageHeader", load: "Load") -> Strip:
        """Return the frames, at their full size, whatever ``load`` says of it.

        Raises:
            CorruptPhotoError: The picture cannot be decoded.
            SourceError: The bytes cannot be read.
        """
        ...

    def strip_bytes(self, header: "ImageHeader", frames: int) -> int:
        """Return what the decoder holds of ``frames`` beside what one takes."""
        ...


def read_header(photo: "OpenPhoto") -> "ImageHeader":
    """Return what the header of ``photo`` says: :meth:`Decoder.header` of its format."""
    with photo.refusing():
        return decoder_of(photo.format).header(photo)


def decoder_of(format_: InputFormat) -> Decoder:
    """Return the decoder of a format."""
    return cast("Decoder", import_module(f"imaging.decoders.{format_.value}"))


def frames_decoder_of(format_: InputFormat) -> FramesDecoder:
    """Return the decoder of a format that has frames."""
    return cast("FramesDecoder", decoder_of(format_))
