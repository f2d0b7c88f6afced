"""PNG, by libvips."""

from typing import TYPE_CHECKING, Final

from imaging.decoders.header import common_header

if TYPE_CHECKING:
    import pyvips

    from imaging.bridge.source import OpenPhoto
    from imaging.header import ImageHeader
    from imaging.plan import Load

__all__ = ["decode", "header", "peak_bytes"]

_INTERLACED: Final = 1.46
"""Of the whole picture's bytes: an interlaced PNG is decoded to memory, and read from there."""


def header(photo: "OpenPhoto") -> "ImageHeader":
    return common_header(photo, photo.load())


def decode(photo: "OpenPhoto", header: "ImageHeader", load: "Load") -> "pyvips.Image":
    del header
    return photo.load(access="sequential", fail_on=load.fail_on)


def peak_bytes(header: "ImageHeader", load: "Load") -> float:
    del load
    return header.picture_bytes * _INTERLACED if header.interlaced else 0
