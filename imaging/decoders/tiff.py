"""TIFF, by libvips: libtiff, which seeks, and decodes a level of a pyramid."""

from typing import TYPE_CHECKING, Final

from imaging.decoders.header import common_header, number_of
from imaging.errors import CorruptPhotoError
from imaging.files.exif import read_exif, read_strip_rows
from imaging.header import ImageHeader, Level

if TYPE_CHECKING:
    import pyvips

    from imaging.bridge.source import OpenPhoto
    from imaging.plan import Load

__all__ = ["decode", "header", "peak_bytes"]

# A level's side may be off by rounding at each halving; libvips' thumbnail allows as much.
_LEVEL_TOLERANCE: Final = 5

_STRIPS_BYTES: Final = 18 << 20
_TILES_BYTES: Final = 17 << 20
"""At most: blocks of ranged GETs that are kept, and libtiff's strips and tiles."""


def header(photo: "OpenPhoto") -> ImageHeader:
    """*Cost*: the directory of each page, also."""
    image = photo.load()
    tiled = image.get_typeof("tile-width")
    return common_header(
        photo,
        image,
        # A TIFF is an EXIF block itself.
        exif=read_exif(photo.read_at),
        levels=_levels(photo, image),
        tile=(number_of(image, "tile-width", 0), number_of(image, "tile-height", 0))
        if tiled
        else None,
        strip_rows=None if tiled else read_strip_rows(photo.read_at),
    )


def _levels(photo: "OpenPhoto", image: "pyvips.Image") -> tuple[Level, ...]:
    """Return the pyramid: one by sub-IFDs, else pages that halve one after the other.

    Source: ``vips_thumbnail_get_tiff_pyramid_*`` in libvips' ``thumbnail.c``.
    """
    subifds = number_of(image, "n-subifds", 0)
    if subifds:
        places = [(0, subifd) for subifd in range(subifds)]
    else:
        places = [(page, -1) for page in range(1, number_of(image, "n-pages", 1))]
    levels = []
    for halvings, (page, subifd) in enumerate(places, start=1):
        try:
            level = photo.load(page=page, subifd=subifd)
        except CorruptPhotoError:
            return ()
        if (
            abs(level.width - (image.width >> halvings)) > _LEVEL_TOLERANCE
            or abs(level.height - (image.height >> halvings)) > _LEVEL_TOLERANCE
        ):
            return ()
        levels.append(Level(width=level.width, height=level.height, page=page, subifd=subifd))
    return tuple(levels)


def decode(photo: "OpenPhoto", header: ImageHeader, load: "Load") -> "pyvips.Image":
    del header
    return photo.load(access="sequential", fail_on=load.fail_on, page=load.page, subifd=load.subifd)


def peak_bytes(header: ImageHeader, load: "Load") -> float:
    """Tiles or a strip as they are in the file, and blocks of it."""
    width, height = load.decoded(header)
    samples = width * height * header.bands * header.sample_bytes
    if header.tile is not None:
        return min(_TILES_BYTES, samples)
    rows = min(header.strip_rows or height, height)
    return min(_STRIPS_BYTES, samples) + min(header.size / header.n_pages, samples) * rows / height
