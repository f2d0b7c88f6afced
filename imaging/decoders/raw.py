"""Camera raw: the JPEG that the camera put into it, by the JPEG decoder; no raw is developed."""

from typing import TYPE_CHECKING

from imaging.decoders import jpeg
from imaging.decoders.preview import preview_header
from imaging.errors import TruncatedPhotoError
from imaging.files.raw import read_raw
from imaging.header import ImageHeader

if TYPE_CHECKING:
    import pyvips

    from imaging.bridge.source import OpenPhoto
    from imaging.plan import Load

__all__ = ["decode", "header", "peak_bytes"]


def header(photo: "OpenPhoto") -> ImageHeader:
    raw = read_raw(photo.read_at, photo.size)
    if raw is None:
        raise TruncatedPhotoError("Expected a camera raw but its header ends too soon")
    return preview_header(photo, raw)


def decode(photo: "OpenPhoto", header: ImageHeader, load: "Load") -> "pyvips.Image":
    import pyvips

    image = jpeg.decode(photo, header, load).copy()
    # The raw's, which its preview may lack.
    image.set_type(pyvips.GValue.gint_type, "orientation", header.orientation)
    return image


def peak_bytes(header: ImageHeader, load: "Load") -> float:
    """As of a JPEG."""
    return jpeg.peak_bytes(header, load)
