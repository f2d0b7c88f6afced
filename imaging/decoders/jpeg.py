"""JPEG, by libvips: libjpeg-turbo, which shrinks on its DCT coefficients."""

import math
from typing import TYPE_CHECKING

from imaging.decoders.header import common_header, read_exif_block, text_of
from imaging.errors import CorruptPhotoError, UnsupportedFormatError
from imaging.files.credentials import credentials_of
from imaging.files.jpeg import declares_gain_map, hidden_kind, manifest_store, odd_kind
from imaging.formats import InputFormat

if TYPE_CHECKING:
    import pyvips

    from imaging.bridge.source import OpenPhoto
    from imaging.header import ImageHeader
    from imaging.plan import Load

__all__ = ["decode", "header", "peak_bytes"]


def header(photo: "OpenPhoto") -> "ImageHeader":
    try:
        image = photo.load()
    except CorruptPhotoError:
        # Whole, perhaps, and of a kind that libvips does not open.
        _refuse(hidden_kind(photo.header))
        raise
    _refuse(odd_kind(photo.header))
    has_gain_map = declares_gain_map(photo.header) or _declares_apples(photo, image)
    most = min(photo.limits.max_gain_map_pixels, image.width * image.height)
    return common_header(
        photo,
        image,
        chroma=text_of(image, "jpeg-chroma-subsample"),
        credentials=credentials_of(manifest_store(photo.header)),
        has_gain_map=has_gain_map,
        # It stands behind the pixels.
        gain_map_pixels=most if has_gain_map else 0,
    )


def _declares_apples(photo: "OpenPhoto", image: "pyvips.Image") -> bool:
    if photo.format is not InputFormat.JPEG or b"MPF\0" not in photo.header:
        return False
    # Imported on first use: most photos have no pictures behind them.
    from imaging.files.mpf import declares_apple_gain_map

    return declares_apple_gain_map(photo.header, read_exif_block(image))


def _refuse(kind: str | None) -> None:
    if kind is not None:
        raise UnsupportedFormatError(
            f"Expected a JPEG of 8 bits in grey, RGB or CMYK but received {kind}"
        )


def decode(photo: "OpenPhoto", header: "ImageHeader", load: "Load") -> "pyvips.Image":
    image = photo.load(access="sequential", fail_on=load.fail_on, shrink=load.shrink)
    if load.shrink == 1:
        return image
    # libvips drops what shrink-on-load leaves beyond whole pixels; rounding to the nearest instead
    # keeps the picture where it was (46 dB instead of 36 for 6023 x 3383 shrunk by 8).
    columns = max(1, math.floor(header.width / load.shrink + 0.5))
    rows = max(1, math.floor(header.height / load.shrink + 0.5))
    if (columns, rows) == (image.width, image.height):
        return image
    with photo.decoding():
        return image.embed(0, 0, columns, rows, extend="copy")


def peak_bytes(header: "ImageHeader", load: "Load") -> float:
    """The coefficients of a progressive JPEG: two bytes for each sample of each component."""
    del load
    if not header.interlaced:
        return 0
    halved = header.bands == 3 and header.chroma == "4:2:0"
    return header.width * header.height * (3 if halved else 2 * header.bands)
