"""HEIC and AVIF: the header by libvips, the picture by libheif, tile by tile where it is a grid."""

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from imaging.decoders.header import common_header, read_exif_block, read_profile
from imaging.errors import CorruptPhotoError, TruncatedPhotoError
from imaging.formats import InputFormat

if TYPE_CHECKING:
    import pyvips

    from imaging.bridge.source import OpenPhoto
    from imaging.files.heif import Container
    from imaging.files.heif_layout import Layout
    from imaging.header import ImageHeader
    from imaging.limits import Limits
    from imaging.plan import Load

__all__ = ["decode", "header", "peak_bytes"]

_LIBRARY_BYTES: Final = 4 << 20

_HEVC_PLANES: Final = 0.6
_AV1_PLANES: Final = {"4:0:0": 4.0, "4:2:0": 10.5, "4:2:2": 12.0}
_AV1_FULL_PLANES: Final = 13.5
"""Bytes a pixel beside the samples of a picture that is decoded whole: libheif copies the planes
that dav1d has."""

_METADATA: Final = frozenset({b"Exif", b"mime", b"uri "})

_AV1_BESIDE_ALPHA: Final = 0.5
"""Of those: colours and alpha are converted one after the other."""

_ROWS_OF_TILES: Final = 2
_TILES_AHEAD: Final = 8


def header(photo: "OpenPhoto") -> "ImageHeader":
    """Return the header: sides as stored, and what turns them upright by the container.

    An EXIF orientation beside that is ignored, as the standard wants it: phones write both.

    Raises:
        TruncatedPhotoError: The file ends before what the picture consists of.
        CorruptPhotoError: The header cannot be read.
        SourceError: The bytes cannot be read.
        UnsupportedFormatError: There is no decoder for its codec here.
    """
    # Imported on first use: they load a library.
    from imaging.decoders.heif_picture import agreed, check_codec, described
    from imaging.files.coded_size import coded_pixels
    from imaging.files.credentials import credentials_of
    from imaging.files.heif import manifest_store, read_container
    from imaging.files.heif_colour import read_chroma, read_cicp
    from imaging.files.heif_gain_map import find_gain_map
    from imaging.files.heif_layout import read_layout

    check_codec(photo.format)
    container = read_container(photo.read_at, photo.size)
    container.check_kinds()
    layout = read_layout(container, photo.read_at)
    truncation = _tolerated_truncation(container, layout)
    _check_metadata(container, photo.limits)
    pixels = coded_pixels(container)
    try:
        image = described(photo)
    except CorruptPhotoError:
        if truncation is None:
            raise
        # Metadata that the library needs lie behind the end.
        raise truncation from None
    layout = agreed(layout, image)
    common = replace(
        common_header(
            photo,
            image,
            cicp=None if read_profile(image) else read_cicp(container),
            chroma=read_chroma(container),
            credentials=credentials_of(manifest_store(photo.read_at, photo.size)),
            coded_pixels=pixels,
            n_tiles=len(container.references.get((b"dimg", container.primary), ())) or 1,
        ),
        orientation=1,
    )
    if layout is None:
        return common
    gain_map = find_gain_map(container, photo.read_at, read_exif_block(image))
    return replace(
        common,
        # One that lies over what is cropped would have to be cropped with it.
        has_gain_map=gain_map is not None and not layout.is_cropped,
        gain_map_pixels=0 if gain_map is None else coded_pixels(container, gain_map.item),
        width=layout.shown_width,
        height=layout.shown_height,
        orientation=layout.orientation,
        tile=(layout.tiles.width, layout.tiles.height) if layout.tiles else None,
    )


def _check_metadata(container: "Container", limits: "Limits") -> None:
    """Raise OverLimitError for EXIF and XMP, which may name the same bytes of the file often."""
    held = sum(
        extent.length or container.size
        for item in container.items.values()
        if item.kind in _METADATA
        for extent in item.extents
    )
    limits.check("max_metadata_bytes", held)


def _tolerated_truncation(
    container: "Container", layout: "Layout | None"
) -> TruncatedPhotoError | None:
    """Return what is wrong with a grid that is half there at least; None where nothing is.

    Such a grid may be asked for all the same; where it is not, the decoder refuses it.

    Raises:
        TruncatedPhotoError: Less is there, or it is no grid.
        CorruptPhotoError: The directory lacks a part.
    """
    from imaging.files.heif_layout import received

    try:
        container.check_extents()
    except TruncatedPhotoError as error:
        there = received(container, layout.tiles) if layout and layout.tiles else ()
        if not there or 2 * sum(there) < len(there):
            raise
        return error
    return None


def decode(photo: "OpenPhoto", header: "ImageHeader", load: "Load") -> "pyvips.Image":
    from imaging.decoders.heif_picture import part_of, picture_of

    return (part_of if load.fail_on == "none" else picture_of)(photo, header, load)


def peak_bytes(header: "ImageHeader", load: "Load") -> float:
    """The file, and some rows of tiles; or the whole picture, as planes and as samples."""
    del load
    held = _LIBRARY_BYTES + header.size
    if header.tile is None:
        planes = _HEVC_PLANES * header.sample_bytes
        if header.format is InputFormat.AVIF:
            planes = _AV1_PLANES.get(header.chroma, _AV1_FULL_PLANES)
            if header.has_alpha:
                planes *= _AV1_BESIDE_ALPHA
        pixels = header.width * header.height
        return held + header.picture_bytes + pixels * planes
    width, height = header.tile
    across = -(-header.width // width)
    tiles = min(_ROWS_OF_TILES * across + _TILES_AHEAD, across * -(-header.height // height))
    return held + tiles * width * height * header.bands * header.sample_bytes
