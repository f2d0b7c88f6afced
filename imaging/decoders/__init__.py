"""One module for each format that can be decoded.

A module is imported when the first photo of its format arrives, but for JPEG's, which most photos
need; the library behind one is imported when it first decodes.
"""

from typing import TYPE_CHECKING, Protocol, assert_never

from imaging.formats import InputFormat

if TYPE_CHECKING:
    import pyvips

    from imaging.bridge.source import OpenPhoto
    from imaging.header import ImageHeader
    from imaging.plan import Load

__all__ = ["Decoder", "decoder_of"]


class Decoder(Protocol):
    """What a module of this package has."""

    def header(self, photo: "OpenPhoto") -> "ImageHeader":
        """Return what the header says; no pixel is decoded.

        *Cost*: the header's bytes; all bytes of a format whose header is not read alone.

        Raises:
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


def decoder_of(format_: InputFormat) -> Decoder:
    """Return the decoder of a format."""
    found: Decoder
    match format_:
        case InputFormat.JPEG:
            from imaging.decoders import jpeg

            found = jpeg
        case InputFormat.PNG:
            from imaging.decoders import png

            found = png
        case InputFormat.WEBP:
            from imaging.decoders import webp

            found = webp
        case InputFormat.GIF:
            from imaging.decoders import gif

            found = gif
        case InputFormat.TIFF:
            from imaging.decoders import tiff

            found = tiff
        case InputFormat.AVIF:
            from imaging.decoders import avif

            found = avif
        case InputFormat.HEIC:
            from imaging.decoders import heic

            found = heic
        case _:
            assert_never(format_)
    return found
