"""HEIC: its header by libvips, its pixels by libheif."""

from typing import TYPE_CHECKING, Final

from imaging.decoders.header import common_header
from imaging.decoders.heif import cicp_of, load_header

if TYPE_CHECKING:
    import pyvips

    from imaging.bridge.source import OpenPhoto
    from imaging.header import ImageHeader
    from imaging.plan import Load

__all__ = ["decode", "header", "peak_bytes"]

_LIBRARY_BYTES: Final = 4 << 20
_BYTES_PER_PIXEL: Final = 0.6
"""Beside the samples."""


def header(photo: "OpenPhoto") -> "ImageHeader":
    image = load_header(photo)
    return common_header(photo, image, cicp=cicp_of(photo, image))


def decode(photo: "OpenPhoto", header: "ImageHeader", load: "Load") -> "pyvips.Image":
    del header
    image = photo.load(access="sequential", fail_on=load.fail_on)
    # Imported on first use: it loads a library.
    from imaging.decoders import libheif

    return libheif.decode(photo.encoded(), image)


def peak_bytes(header: "ImageHeader", load: "Load") -> float:
    """The file, and the whole picture as planes and as samples."""
    del load
    pixels = header.width * header.height
    return _LIBRARY_BYTES + header.size + header.picture_bytes + pixels * _BYTES_PER_PIXEL
