"""Reads an :class:`ImageHeader` off an open photo; no pixel is decoded."""

from typing import Final

import pyvips

from imaging.bridge import OpenPhoto
from imaging.errors import CorruptPhotoError
from imaging.files.boxes import read_chroma, read_cicp
from imaging.files.exif import ExifFields, read_exif, read_strip_rows
from imaging.files.jpeg import declares_gain_map
from imaging.formats import InputFormat
from imaging.header import ImageHeader, Level

__all__ = ["read_header"]

# A level's side may be off by rounding at each halving; libvips' thumbnail allows as much.
_LEVEL_TOLERANCE: Final = 5


_PROFILE_SPACES: Final[dict[int | str, bytes]] = {1: b"GRAY", 3: b"RGB ", "cmyk": b"CMYK"}

# Formats whose colours may be given by numbers.
_HEIF: Final = frozenset({InputFormat.AVIF, InputFormat.HEIC})


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


def _profile_fits(image: pyvips.Image) -> bool | None:
    """Tell whether the embedded profile is one for such bands; None without one.

    libvips and viewers ignore one that is not: editors leave RGB profiles in grey photos.

    Source: ICC.1:2022, 7.2: colour space at 16, "acsp" at 36.
    """
    if not image.get_typeof("icc-profile-data"):
        return None
    profile = bytes(image.get("icc-profile-data"))  # type: ignore[arg-type]  # no blobs
    colour_bands = image.bands - image.hasalpha()
    space = _PROFILE_SPACES.get("cmyk" if image.interpretation == "cmyk" else colour_bands)
    return profile[16:20] == space and profile[36:40] == b"acsp"


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


def _chroma(photo: OpenPhoto, image: pyvips.Image) -> str:
    if photo.format is InputFormat.AVIF:
        return read_chroma(photo.read_at)
    known = image.get_typeof("jpeg-chroma-subsample")
    return str(image.get("jpeg-chroma-subsample")) if known else ""


def read_header(photo: OpenPhoto) -> ImageHeader:
    """Return what the header of ``photo`` says.

    *Cost*: the header's bytes; for a TIFF also those of each page's directory.

    Raises:
        TruncatedPhotoError: The file ends before what an AVIF or HEIC consists of.
        CorruptPhotoError: The header cannot be read.
        SourceError: The bytes cannot be read.
    """
    try:
        image = photo.load()
    except CorruptPhotoError:
        if photo.format in _HEIF:
            # Its loader reads EXIF, too, which often comes last, and only says that it failed.
            from imaging.files.heif import read_container

            read_container(photo.read_at, photo.size).check_extents()
        raise
    n_pages = _number(image, "n-pages", 1)
    orientation = _number(image, "orientation", 1)
    tiff = photo.format is InputFormat.TIFF
    fits = _profile_fits(image)
    return ImageHeader(
        format=photo.format,
        loader=str(image.get("vips-loader")),
        width=image.width,
        height=image.height,
        bands=image.bands,
        band_format=str(image.format),
        interpretation=str(image.interpretation),
        has_alpha=bool(image.hasalpha()),
        has_profile=fits is True,
        has_foreign_profile=fits is False,
        has_gain_map=declares_gain_map(photo.header),
        cicp=read_cicp(photo.read_at) if fits is None and photo.format in _HEIF else None,
        orientation=orientation if 1 <= orientation <= 8 else 1,  # noqa: PLR2004 - EXIF's range
        n_pages=n_pages,
        interlaced=bool(image.get_typeof("interlaced") and image.get("interlaced")),
        size=photo.size,
        exif=_exif(photo, image),
        levels=_levels(photo, image, n_pages) if tiff else (),
        chroma=_chroma(photo, image),
        tile=(
            (_number(image, "tile-width", 0), _number(image, "tile-height", 0))
            if tiff and image.get_typeof("tile-width")
            else None
        ),
        strip_rows=(
            read_strip_rows(photo.read_at) if tiff and not image.get_typeof("tile-width") else None
        ),
        lossless=b"VP8L" in photo.head,
    )
