"""GIF, by libvips: libnsgif."""

from typing import TYPE_CHECKING, Final

from imaging.decoders.header import common_header
from imaging.files.credentials import credentials_of
from imaging.files.gif import application, check_whole

if TYPE_CHECKING:
    import pyvips

    from imaging.bridge.source import OpenPhoto
    from imaging.header import ImageHeader
    from imaging.plan import Load

__all__ = ["decode", "header", "peak_bytes"]

_CREDENTIALS: Final = b"C2PA_GIF\x01\0\0"

_TABLES_BYTES: Final = 1 << 20
_TABLES_BYTES_PER_PIXEL: Final = 4
_BYTES_PER_PIXEL: Final = 3.2


def header(photo: "OpenPhoto") -> "ImageHeader":
    check_whole(photo.encoded())
    store = application(photo.encoded(), _CREDENTIALS)
    return common_header(photo, photo.load(), credentials=credentials_of(store))


def decode(photo: "OpenPhoto", header: "ImageHeader", load: "Load") -> "pyvips.Image":
    del header
    return photo.load(access="sequential", fail_on=load.fail_on)


def peak_bytes(header: "ImageHeader", load: "Load") -> float:
    """Tables, the file, and one frame."""
    del load
    pixels = header.width * header.height
    tables = min(_TABLES_BYTES, pixels * _TABLES_BYTES_PER_PIXEL)
    return tables + header.size + pixels * _BYTES_PER_PIXEL
