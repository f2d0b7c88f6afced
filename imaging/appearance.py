"""What a photo looks like in a few bytes: to show before it is loaded, and to find duplicates.

Imported by the first photo that has a sidecar: the two libraries cost 40 ms, once.
"""

import base64
from collections import Counter
from typing import Final

import dhash
import pyvips
import thash

from imaging.blurhash import blurhash
from imaging.palette import palette
from imaging.rendition import Appearance

__all__ = ["appearance_of"]

_SIDE: Final = 24
"""Longer side of the picture that all this is computed from. A ThumbHash holds seven waves a side;
from 100 pixels, its maximum, it costs ten times as much."""

_HASH_SIDE: Final = 8
_COARSE: Final = 5
_OPAQUE: Final = 128


def appearance_of(image: pyvips.Image, aspect: tuple[int, int]) -> Appearance:
    """Return the appearance of ``image``.

    *Shape*: uchar, any bands and profile, in memory or lazy on what is.
    *Cost*: 6 ms.

    Args:
        image: The whole picture, upright; a small one.
        aspect: Width and height of the photo, which a stretched picture gets back.
    """
    longest = max(aspect)
    width, height = (max(1, round(_SIDE * side / longest)) for side in aspect)
    small = _rgba(image, width, height)
    pixels = bytes(small.write_to_memory())
    # On white, as a viewer shows it.
    flat = small.flatten(background=[255, 255, 255])
    greys = flat.colourspace("b-w")
    side = _HASH_SIDE + 1
    bits = bytes(greys.resize(side / width, vscale=side / height).write_to_memory())
    shown = _shown(pixels)
    return Appearance(
        dominant_colour=_dominant(shown),
        palette=palette(shown) or ("#ffffff",),
        blurhash=blurhash(width, height, bytes(flat.write_to_memory())),
        thumbhash=base64.b64encode(
            bytes(thash.rgba_to_thumb_hash_pure(width, height, list(pixels)))
        ).decode(),
        perceptual_hash=f"{dhash.dhash_int(list(bits), size=_HASH_SIDE):032x}",
    )


def _rgba(image: pyvips.Image, width: int, height: int) -> pyvips.Image:
    """Return ``image`` in 8 bits of sRGB with alpha, ``width`` x ``height``, in memory."""
    alpha = image.hasalpha()
    scale, vscale = width / image.width, height / image.height
    if alpha:
        image = image.premultiply()
    image = image.resize(scale, vscale=vscale)
    if alpha:
        image = image.unpremultiply().cast("uchar")
    if image.get_typeof("icc-profile-data"):
        image = image.icc_transform("srgb", embedded=True, depth=8)
    image = image.colourspace("srgb")
    if not alpha:
        image = image.bandjoin(255)
    return image.cast("uchar").copy_memory()


def _shown(pixels: bytes) -> list[tuple[int, int, int]]:
    """Return the colours of the pixels that are rather opaque."""
    quads = zip(pixels[::4], pixels[1::4], pixels[2::4], pixels[3::4], strict=True)
    return [(r, g, b) for r, g, b, alpha in quads if alpha >= _OPAQUE]


def _dominant(shown: list[tuple[int, int, int]]) -> str:
    if not shown:
        return "#ffffff"
    bins = Counter((r >> _COARSE, g >> _COARSE, b >> _COARSE) for r, g, b in shown)
    (fullest, _), *_ = bins.most_common(1)
    alike = [pixel for pixel in shown if tuple(value >> _COARSE for value in pixel) == fullest]
    means = (round(sum(band) / len(alike)) for band in zip(*alike, strict=True))
    return "#" + "".join(f"{value:02x}" for value in means)
