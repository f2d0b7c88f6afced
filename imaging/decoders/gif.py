"""GIF, by libvips: libnsgif."""

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from imaging.decoders.header import common_header
from imaging.files.credentials import credentials_of
from imaging.files.gif import application, read_blocks

if TYPE_CHECKING:
    import pyvips

    from imaging.bridge.source import OpenPhoto
    from imaging.header import ImageHeader
    from imaging.plan import Load

__all__ = ["decode", "header", "peak_bytes"]

_CREDENTIALS: Final = b"C2PA_GIF\x01\0\0"

_TABLES_BYTES: Final = 1 << 20
_TABLES_BYTES_PER_PIXEL: Final = 4
_BYTES_PER_PIXEL: Final = 4.0
_RESTORED_BYTES_PER_PIXEL: Final = 4


def header(photo: "OpenPhoto") -> "ImageHeader":
    blocks = read_blocks(photo.encoded())
    store = application(photo.encoded(), _CREDENTIALS)
    # Before its decoder looks at each.
    photo.limits.check("max_frames", blocks.frames)
    photo.limits.check("max_metadata_bytes", blocks.metadata_bytes)
    photo.limits.check("max_pixels", blocks.largest)
    read = common_header(
        photo,
        photo.load(),
        metadata_bytes=blocks.metadata_bytes,
        credentials=credentials_of(store),
    )
    held = read.width * read.height if blocks.restores else 0
    return replace(read, coded_pixels=held)


def decode(photo: "OpenPhoto", header: "ImageHeader", load: "Load") -> "pyvips.Image":
    del header
    return photo.load(access="sequential", fail_on=load.fail_on)


def peak_bytes(header: "ImageHeader", load: "Load") -> float:
    """Tables, the file, one frame, and the one before where it comes back."""
    del load
    pixels = header.width * header.height
    tables = min(_TABLES_BYTES, pixels * _TABLES_BYTES_PER_PIXEL)
    held = tables + header.size + pixels * _BYTES_PER_PIXEL
    return held + header.coded_pixels * _RESTORED_BYTES_PER_PIXEL
