"""What AVIF and HEIC share: their container, and colours that are given by numbers."""

from typing import TYPE_CHECKING

from imaging.decoders.header import read_profile
from imaging.errors import CorruptPhotoError
from imaging.files.boxes import Cicp, read_cicp

if TYPE_CHECKING:
    import pyvips

    from imaging.bridge.source import OpenPhoto

__all__ = ["cicp_of", "load_header"]


def load_header(photo: "OpenPhoto") -> "pyvips.Image":
    """Return libvips' image of a photo, for its header.

    Raises:
        TruncatedPhotoError: The file ends before what it consists of.
        CorruptPhotoError: The header cannot be read.
        SourceError: The bytes cannot be read.
    """
    try:
        return photo.load()
    except CorruptPhotoError:
        # Imported on first use: most photos are whole. libvips' loader also reads EXIF, which often
        # comes last, and only says that it failed.
        from imaging.files.heif import read_container

        read_container(photo.read_at, photo.size).check_extents()
        raise


def cicp_of(photo: "OpenPhoto", image: "pyvips.Image") -> Cicp | None:
    """Return the colours that are given by numbers; None where an ICC profile gives them."""
    return None if read_profile(image) else read_cicp(photo.read_at)
