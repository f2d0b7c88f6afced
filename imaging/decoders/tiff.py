"""TIFF through libtiff, which is shown the one directory that is the photo, and nothing else.

libtiff hands out samples as they are stored, and libvips takes some of them for other colours. The
directory says what they mean; here they are converted to what libvips has a word for.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final, assert_never

from imaging.decoders.header import common_header
from imaging.decoders.preview import preview_header
from imaging.errors import CorruptPhotoError, TruncatedPhotoError
from imaging.files.credentials import (
    MAX_STORE_BYTES,
    STORE_TAG,
    Credentials,
    credentials_of,
)
from imaging.files.exif import read_exif
from imaging.files.jpeg_scans import ScanCounter
from imaging.files.raw import read_raw
from imaging.files.tiff import open_tiff
from imaging.files.tiff_picture import (
    Numbers,
    Space,
    TiffPhoto,
    TiffPicture,
    find_picture,
    picture_of,
)
from imaging.formats import InputFormat
from imaging.header import ImageHeader, Level

if TYPE_CHECKING:
    import pyvips

    from imaging.bridge.source import OpenPhoto
    from imaging.plan import Load

__all__ = ["decode", "header", "peak_bytes"]

_STRIPS_BYTES: Final = 12 << 20
_TILES_BYTES: Final = 4 << 20
"""At most: blocks of ranged GETs that are kept, and libtiff's strips and tiles."""

_LARGE_BLOCK: Final = 1 << 20
"""Pixels of a strip or tile."""

_PIECE_BYTES: Final = 64 << 10
_SCANS_BYTES: Final = 2
"""Of each sample of a progressive JPEG, while it is decoded."""

_COEFFICIENTS: Final = 529
_REFERENCE: Final = 532
_PROFILE: Final = 34675

_BT601: Final = (0.299, 0.587, 0.114)
_TOLERANCE: Final = 0.02
_FULL_RANGE: Final = (0.0, 255.0, 128.0, 255.0, 128.0, 255.0)

_SIGNED_WHITE: Final = {8: 127, 16: 32767, 32: 2147483647}


def header(photo: "OpenPhoto") -> ImageHeader:
    """*Cost*: the directories, and where the photo's strips or tiles are.

    Most camera raw begins as a TIFF: the header is then that of its preview.
    """
    raw = read_raw(photo.read_at, photo.size)
    if raw is not None:
        credentials = _credentials(photo)
        read = preview_header(photo, raw)
        return replace(read, credentials=credentials or read.credentials)
    # A TIFF is an EXIF block itself.
    exif = read_exif(photo.read_at)
    found = _open(photo)
    picture = found.picture
    levels = (Level(width=level.width, height=level.height, at=level.at) for level in found.levels)
    photo.limits.check("max_metadata_bytes", picture.metadata_bytes)
    photo.limits.check("max_pixels", picture.block_pixels)
    has_scans = _has_scans(photo, picture)
    # Other strips are decoded row by row.
    is_held = has_scans or picture.tile is not None or picture.is_apart
    return common_header(
        photo,
        _load(photo, picture, InputFormat.TIFF.row.fail_on),
        exif=exif,
        interlaced=has_scans,
        coded_pixels=picture.block_pixels if is_held else 0,
        n_pages=found.n_pages,
        levels=tuple(levels),
        tile=picture.tile,
        strip_rows=picture.strip_rows,
        credentials=_credentials(photo),
    )


def _credentials(photo: "OpenPhoto") -> Credentials | None:
    """Return those of the first directory, which is the photo's or, of a camera raw, its preview's.

    *Cost*: the directory again, and what they take.
    """
    tiff = open_tiff(photo.read_at, photo.size)
    try:
        store = tiff.directory(tiff.first).data(STORE_TAG, MAX_STORE_BYTES) if tiff else None
    except (CorruptPhotoError, TruncatedPhotoError):
        return None
    return credentials_of(store)


def decode(photo: "OpenPhoto", header: ImageHeader, load: "Load") -> "pyvips.Image":
    del header
    picture = _open(photo).picture
    if load.level:
        picture = picture_of(picture.directory.tiff.directory(load.level))
        photo.show(*picture.alone())
    return _load(photo, picture, load.fail_on)


def peak_bytes(header: ImageHeader, load: "Load") -> float:
    """Tiles or a strip as they are in the file, and blocks of it."""
    width, height = load.decoded(header)
    samples = width * height * header.bands * header.sample_bytes
    block = header.coded_pixels * header.bands * header.sample_bytes
    scans = header.coded_pixels * header.bands * _SCANS_BYTES if header.interlaced else 0
    if header.tile is not None:
        return max(min(_TILES_BYTES, samples), block) + scans
    rows = min(header.strip_rows or height, height)
    encoded = min(header.size / header.n_pages, samples) * rows / height
    if header.coded_pixels and not scans:
        # A strip of a band, and those of all bands put together.
        encoded += block + block / header.bands
    return min(_STRIPS_BYTES, samples) + encoded + scans


def _open(photo: "OpenPhoto") -> TiffPhoto:
    """Return which picture of the file is the photo, and show libtiff that one.

    Raises:
        UnsupportedFormatError: Its samples are not decoded here.
        CorruptPhotoError: A directory contradicts itself.
        TruncatedPhotoError: The file ends before the photo does.
    """
    tiff = open_tiff(photo.read_at, photo.size)
    if tiff is None:
        raise TruncatedPhotoError("Expected the header of a TIFF but it ends too soon")
    found = find_picture(tiff, photo.limits.max_frames)
    photo.show(*found.picture.alone())
    return found


def _has_scans(photo: "OpenPhoto", picture: TiffPicture) -> bool:
    """Tell whether a large strip or tile is a progressive JPEG, all of whose samples are held.

    *Cost*: the head of each, of those with a megapixel or more; all of a progressive one.

    Raises:
        OverLimitError: One has too many scans.
    """
    found = False
    if not picture.is_jpeg or picture.block_pixels < _LARGE_BLOCK:
        return found
    for at, length in picture.blocks():
        counter = ScanCounter()
        for begin in range(at, at + length, _PIECE_BYTES):
            counter.take(photo.read_at(begin, min(_PIECE_BYTES, at + length - begin)))
            photo.limits.check("max_scans", counter.scans)
            if not counter.is_progressive:
                break
        found |= counter.is_progressive
    return found


def _load(photo: "OpenPhoto", picture: TiffPicture, fail_on: str) -> "pyvips.Image":
    """Return the lazy image of ``picture``, which was shown, to be evaluated once, from the top.

    libtiff reports a damaged strip as an error, and a damaged tile as a warning only. It also warns
    of strips that are whole, such as those with old fax codes.

    *Shape*: ``b-w``, ``srgb``, ``grey16``, ``rgb16``, ``scrgb``, ``lab``, ``xyz`` or ``cmyk``; with
    alpha where the picture has it, not premultiplied.
    """
    image = photo.load(access="sequential", fail_on="warning" if picture.tile else fail_on)
    with photo.decoding():
        return _read(image, picture)


def _read(image: "pyvips.Image", picture: TiffPicture) -> "pyvips.Image":
    # libvips turns subsampled YCbCr into RGB and a fourth band, which is no alpha.
    colours = 3 if picture.space is Space.YCBCR else image.bands - picture.extra
    alpha = None if picture.alpha is None else image[colours + picture.alpha]
    if colours < image.bands:
        space = image.interpretation
        image = image.extract_band(0, n=colours).copy(interpretation=space)
    if image.interpretation == "multiband" and colours == 1:
        image = image.copy(interpretation="b-w" if picture.bits <= 8 else "grey16")
    if picture.inverted:
        image = image.invert()
    image = _in_known_colours(image, picture)
    if alpha is None:
        return image
    joined = image.bandjoin(_scaled_alpha(alpha, picture, image).cast(image.format))
    joined = joined.copy(interpretation=image.interpretation)
    if not picture.premultiplied:
        return joined
    return joined.unpremultiply().cast(joined.format)


def _scaled_alpha(
    alpha: "pyvips.Image", picture: TiffPicture, image: "pyvips.Image"
) -> "pyvips.Image":
    """Return alpha in the range that libvips gives it beside such colours."""
    opaque = {"scrgb": 1, "grey16": 65535, "rgb16": 65535}.get(str(image.interpretation), 255)
    if image.interpretation == "cmyk" and image.format == "ushort":
        opaque = 65535
    match picture.numbers:
        case Numbers.FLOAT:
            stored = 1.0
        case Numbers.SIGNED:
            stored = _SIGNED_WHITE[picture.bits]
        case Numbers.UNSIGNED:
            stored = 2**picture.bits - 1 if picture.bits >= 8 else 255
        case _:
            assert_never(picture.numbers)
    return alpha if stored == opaque else alpha * (opaque / stored)


def _in_known_colours(image: "pyvips.Image", picture: TiffPicture) -> "pyvips.Image":
    match picture.space:
        case Space.GREY | Space.RGB:
            return _READERS[picture.numbers](image, picture)
        case Space.CIELAB:
            return _from_cielab(image, picture)
        case Space.ICCLAB:
            return _from_icclab(image, picture)
        case Space.YCBCR_PLAIN:
            return _from_ycbcr(image, picture)
        case Space.PALETTE | Space.CMYK | Space.YCBCR | Space.LOGLUV:
            return image
        case _:
            assert_never(picture.space)


def _deep(image: "pyvips.Image") -> "pyvips.Image":
    return image.cast("ushort").copy(interpretation="grey16" if image.bands == 1 else "rgb16")


def _from_unsigned(image: "pyvips.Image", picture: TiffPicture) -> "pyvips.Image":
    return _deep(image >> 16) if picture.bits == 32 else image


def _from_signed(image: "pyvips.Image", picture: TiffPicture) -> "pyvips.Image":
    """Take 0 for black and the largest number for white."""
    return _deep((image * (65535 / _SIGNED_WHITE[picture.bits])).rint())


def _from_float(image: "pyvips.Image", picture: TiffPicture) -> "pyvips.Image":
    """Take 0 for black and 1 for white: of the profile's curve, or of light without a profile."""
    if _PROFILE in picture.directory.entries:
        return _deep((image * 65535).rint())
    if image.bands > 1:
        return image.copy(interpretation="scrgb")
    # libvips knows grey light as three bands only.
    light = image.bandjoin(image).bandjoin(image).copy(interpretation="scrgb")
    return light.colourspace("rgb16")[1].copy(interpretation="grey16")


_READERS: Final["Mapping[Numbers, Callable[[pyvips.Image, TiffPicture], pyvips.Image]]"] = {
    Numbers.UNSIGNED: _from_unsigned,
    Numbers.SIGNED: _from_signed,
    Numbers.FLOAT: _from_float,
}


def _lab(light: "pyvips.Image", a: "pyvips.Image", b: "pyvips.Image") -> "pyvips.Image":
    return light.bandjoin(a).bandjoin(b).cast("float").copy(interpretation="lab")


def _from_cielab(image: "pyvips.Image", picture: TiffPicture) -> "pyvips.Image":
    """TIFF 6.0, section 23: a and b are signed."""
    if picture.numbers is Numbers.FLOAT:
        return image.copy(interpretation="lab")
    white, half, step = (255, 128, 1) if picture.bits == 8 else (65535, 32768, 256)
    a, b = (
        (band >= half).ifthenelse(band - 2.0 * half, band) / step for band in (image[1], image[2])
    )
    return _lab(image[0] * (100 / white), a, b)


def _from_icclab(image: "pyvips.Image", picture: TiffPicture) -> "pyvips.Image":
    """As ICC's profiles of version 2 encode it: a and b are offset, white of 16 bits is 0xFF00."""
    white, step = (255, 1) if picture.bits == 8 else (0xFF00, 256)
    return _lab(image[0] * (100 / white), image[1] / step - 128, image[2] / step - 128)


def _from_ycbcr(image: "pyvips.Image", picture: TiffPicture) -> "pyvips.Image":
    """TIFF 6.0, section 21, with its coefficients and its range."""
    directory = picture.directory
    red, green, blue = directory.fractions(_COEFFICIENTS, 3) or _BT601
    if abs(red + green + blue - 1) > _TOLERANCE or green <= 0:
        # A writer's mistake: light is made of all of them.
        red, green, blue = _BT601
    black, white, _, cb_white, _, cr_white = directory.fractions(_REFERENCE, 6) or _FULL_RANGE
    scale = 1 if picture.bits == 8 else 257
    light = (image[0] - black * scale) * (255 / ((white - black) or 255))
    cb = (image[1] - 128.0 * scale) * (127 / ((cb_white - 128) or 127))
    cr = (image[2] - 128.0 * scale) * (127 / ((cr_white - 128) or 127))
    r = light + cr * (2 - 2 * red)
    b = light + cb * (2 - 2 * blue)
    g = (light - r * red - b * blue) / green
    rgb = r.bandjoin(g).bandjoin(b).rint().cast(image.format)
    return rgb.copy(interpretation="srgb" if picture.bits == 8 else "rgb16")
