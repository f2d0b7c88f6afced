"""AVIF: by dav1d where that shows the same picture as libvips, else by libvips."""

from typing import TYPE_CHECKING, Final

from imaging.decoders.header import common_header
from imaging.decoders.heif import cicp_of, load_header
from imaging.files.boxes import read_chroma

if TYPE_CHECKING:
    import pyvips

    from imaging.bridge.source import OpenPhoto
    from imaging.header import ImageHeader
    from imaging.plan import Load

__all__ = ["decode", "header", "peak_bytes"]

_LIBAOM_BYTES_PER_PIXEL: Final = 14.6
_DAV1D_BYTES_PER_PIXEL: Final = 2.5
_PLANES: Final = {"4:2:0": 1.5, "4:2:2": 2.0}
_FULL_PLANES: Final = 3.0
"""Bytes a pixel of light and colour, beside the samples that are made of them."""


def header(photo: "OpenPhoto") -> "ImageHeader":
    image = load_header(photo)
    return common_header(
        photo,
        image,
        cicp=cicp_of(photo, image),
        chroma=read_chroma(photo.read_at),
    )


def decode(photo: "OpenPhoto", header: "ImageHeader", load: "Load") -> "pyvips.Image":
    del header
    image = photo.load(access="sequential", fail_on=load.fail_on)
    # Imported on first use: it loads a library.
    from imaging.decoders import libavif

    return libavif.decode(photo.encoded(), image)


def peak_bytes(header: "ImageHeader", load: "Load") -> float:
    """The file, the codec's planes and the samples that are made of them, whole."""
    del load
    pixels = header.width * header.height
    if header.band_format == "uchar" and header.bands >= 3:
        planes = _PLANES.get(header.chroma, _FULL_PLANES) + _DAV1D_BYTES_PER_PIXEL
        return header.size + header.picture_bytes + pixels * planes
    return header.size + pixels * _LIBAOM_BYTES_PER_PIXEL
