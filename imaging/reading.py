"""Reads an :class:`ImageHeader` off an open photo; no pixel is decoded."""

from typing import Final

import pyvips

from imaging.bridge import OpenPhoto
from imaging.errors import CorruptPhotoError
from imaging.exif import ExifFields, read_exif
from imaging.formats import InputFormat
from imaging.header import ImageHeader, Level

__all__ = ["read_header"]

# A level's side may be off by rounding at each halving; libvips' thumbnail allows as much.
_LEVEL_TOLERANCE: Final = 5


def _number(image: pyvips.Image, field: str, default: int) -> int:
    value = image.get(field) if image.get_typeof(field) else default
    return value if isinstance(value, int) else default


def _exif(photo: OpenPhoto, image: pyvips.Image) -> ExifFields:
    """Return the fields of the photo's EXIF block; a TIFF is one itself."""
    if photo.format is InputFormat.TIFF:
        return read_exif(photo.read_at)
    if not image.get_typeof("exif-data"):
        return {}
    # pyvips' stubs know of no blobs.
    block = bytes(image.get("exif-data")).removeprefix(b"Exif\0\0")  # type: ignore[arg-type]
    return read_exif(lambda at, length: block[at : at + length])


def _levels(photo: OpenPhoto, image: pyvips.Image, n_pages: int) -> tuple[Level, ...]:
    """Return the pyramid of a TIFF: one by sub-IFDs, else pages that halve one after the other.

    Source: ``vips_thumbnail_get_tiff_pyramid_*`` in libvips' ``thumbnail.c``.
    """
    subifds = _number(image, "n-subifds", 0)
    if subifds:
        places = [(0, subifd) for subifd in range(subifds)]
    else:
        places = [(page, -1) for page in range(1, n_pages)]
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


def read_header(photo: OpenPhoto) -> ImageHeader:
    """Return what the header of ``photo`` says.

    *Cost*: the header's bytes; for a TIFF also those of each page's directory.

    Raises:
        CorruptPhotoError: The header cannot be read.
        SourceError: The bytes cannot be read.
    """
    image = photo.load()
    n_pages = _number(image, "n-pages", 1)
    orientation = _number(image, "orientation", 1)
    tiff = photo.format is InputFormat.TIFF
    return ImageHeader(
        format=photo.format,
        loader=str(image.get("vips-loader")),
        width=image.width,
        height=image.height,
        bands=image.bands,
        band_format=str(image.format),
        interpretation=str(image.interpretation),
        has_alpha=bool(image.hasalpha()),
        has_profile=bool(image.get_typeof("icc-profile-data")),
        orientation=orientation if 1 <= orientation <= 8 else 1,  # noqa: PLR2004 - EXIF's range
        n_pages=n_pages,
        interlaced=bool(image.get_typeof("interlaced") and image.get("interlaced")),
        size=photo.size,
        exif=_exif(photo, image),
        levels=_levels(photo, image, n_pages) if tiff else (),
    )
