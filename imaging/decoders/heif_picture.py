"""The picture of a HEIC or AVIF, for libvips: a grid tile by tile, anything else whole.

Imported when the first HEIC or AVIF arrives.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Final

import pyvips

from imaging.colour import needs_depth
from imaging.decoders.header import read_exif_block
from imaging.decoders.heif_tiles import Arrivals
from imaging.decoders.libheif import AV1, HEVC, Picture, can_decode
from imaging.decoders.tiles import TILE_MULTIPLE, Ahead, Grid, ReadTile, image_of
from imaging.errors import CorruptPhotoError, UnsupportedFormatError
from imaging.fields import copy_metadata
from imaging.files.heif import CODED, read_container
from imaging.files.heif_colour import Limited, read_limited
from imaging.files.heif_gain_map import GainMapItem, find_gain_map
from imaging.files.heif_layout import Layout, Tiles, read_layout, received
from imaging.files.heif_units import check_picture
from imaging.formats import InputFormat
from imaging.geometry import Box

if TYPE_CHECKING:
    from imaging.bridge.source import OpenPhoto
    from imaging.header import ImageHeader
    from imaging.plan import Load

__all__ = [
    "agreed",
    "check_codec",
    "described",
    "gain_map_of",
    "part_of",
    "picture_of",
    "tiles_received",
]

_FORMATS: Final = {1: "uchar", 2: "ushort"}
_INTERPRETATIONS: Final = {
    (1, "uchar"): "b-w",
    (1, "ushort"): "grey16",
    (3, "uchar"): "srgb",
    (3, "ushort"): "rgb16",
    (4, "uchar"): "srgb",
    (4, "ushort"): "rgb16",
}
"""By bands and format of a sample."""

_DEEP_BITS: Final = 16
_WITH_ALPHA: Final = frozenset({2, 4})
_LIMITED_BLACK: Final = 16
_LIMITED_WHITE: Final = 235
"""Of 255."""


def check_codec(format_: InputFormat) -> None:
    """Raise UnsupportedFormatError if the codec of a format was left out of this build."""
    if not can_decode(HEVC if format_ is InputFormat.HEIC else AV1):
        raise UnsupportedFormatError(
            f"Expected a photo of a format that is decoded here but {format_.value} is left out"
        )


def described(photo: "OpenPhoto") -> pyvips.Image:
    """Return what libvips says of the photo: sizes as shown, and metadata; it decodes nothing."""
    return photo.load()


def agreed(layout: Layout | None, image: pyvips.Image) -> Layout | None:
    """Return ``layout`` if libheif, whose reading ``image`` is, has the same upright size.

    It may round a crop in another way. What the two do not agree on is left to it, whole.
    """
    if layout is None:
        return None
    return layout if layout.upright_size == (image.width, image.height) else None


def picture_of(photo: "OpenPhoto", header: "ImageHeader", load: "Load") -> pyvips.Image:
    """Return the primary picture; thumbnails, depth and gain maps are not looked at.

    *Shape*: as stored, in full range; uchar, or ushort for more than 8 bits whose colours are
    converted with more than 8. Tiles of a grid beside the region of ``load`` are grey.

    *Cost*: the file; of a grid two rows of tiles, and four tiles for each thread; of another
    picture the codec's planes and the samples that are made of them, whole. A tile is decoded once
    its bytes have come, whatever of the file follows.

    *Thread*: libvips' workers read the file and decode the tiles of a grid; above one of them,
    threads of its own decode.

    Raises:
        TruncatedPhotoError: The file ends before the picture does.
        CorruptPhotoError: The picture is damaged, or cannot be decoded.
    """
    file = _File(photo)
    file.container.check_extents()
    return _picture(photo, header, load, file)


def part_of(photo: "OpenPhoto", header: "ImageHeader", load: "Load") -> pyvips.Image:
    """Return what was received of a grid that is truncated; any other picture as above.

    *Shape*: as above; a tile that is not there is grey, 128 of 255, and opaque.

    Raises:
        TruncatedPhotoError: It is no grid of tiles that can be decoded one by one.
        CorruptPhotoError: What is there is damaged.
    """
    return _picture(photo, header, load, _File(photo))


def tiles_received(photo: "OpenPhoto") -> tuple[int, int]:
    """Return how many tiles the file has of a grid, and of how many."""
    file = _File(photo)
    layout = read_layout(file.container, file.read)
    assert layout is not None  # noqa: S101 - the header says that it is a grid
    assert layout.tiles is not None  # noqa: S101 - as above
    there = received(file.container, layout.tiles)
    return sum(there), len(there)


class _File:
    """The bytes of a photo, as they come, and their directory."""

    def __init__(self, photo: "OpenPhoto") -> None:
        self._photo = photo
        self.read = photo.read_at
        self.container = read_container(self.read, photo.size)

    def opened(self, item: int, *, upright: bool) -> Picture:
        """Return a picture; libheif reads everything now but what a codec decodes."""
        container = self.container
        end = max(
            (
                extent.offset + extent.length if extent.length else container.size
                for other in container.items.values()
                if other.kind not in CODED
                for extent in other.extents
                if not extent.in_idat
            ),
            default=0,
        )
        data = self._photo.in_memory(end)
        return Picture(data, item, upright=upright, max_pixels=container.max_pixels())


def _picture(photo: "OpenPhoto", header: "ImageHeader", load: "Load", file: _File) -> pyvips.Image:
    """Return the primary picture, with grey tiles where the file has none or none is needed."""
    told = described(photo)
    container = file.container
    layout = agreed(read_layout(container, file.read), told)

    def opened() -> Picture:
        return file.opened(container.primary, upright=layout is None)

    picture = opened()
    grid = _grid(picture, layout)
    if grid is None or layout is None or layout.tiles is None:
        check_picture(container, file.read)
        image = _whole(picture)
    else:
        tiles = layout.tiles
        there = received(container, tiles)
        region = load.region or Box(left=0, top=0, width=header.width, height=header.height)
        wanted = grid.tiles_of(
            layout.left + region.left, layout.top + region.top, region.width, region.height
        )
        arrivals = Arrivals(container, file.read, tiles, there, wanted[-1])
        read_tile = _reader(
            lambda: _tile_reader(opened(), grid, tiles),
            arrivals.wait_for,
            [number for number in wanted if there[number]],
            _grey(picture, grid),
        )
        image = image_of(grid, read_tile, photo.capture)
    limited = read_limited(container, file.read)
    if picture.sample_bytes > 1 and not (
        picture.is_premultiplied or limited.grey or limited.alpha or needs_depth(told, header)
    ):
        image = image.maplut(_rounding(picture.bits))
    image = _finished(image, picture, layout, limited)
    copy_metadata(told, image)
    return image


def _reader(
    make: Callable[[], ReadTile],
    prepare: Callable[[int], None],
    wanted: Sequence[int],
    grey: memoryview,
) -> ReadTile:
    """Return what decodes the ``wanted`` tiles, and gives ``grey`` for any other.

    Args:
        make: Makes what decodes a tile, for one thread of as many as libvips has.
        prepare: As of :class:`imaging.decoders.tiles.Ahead`.
        wanted: The tiles that are decoded, in rising order.
        grey: The samples of a tile that is not.
    """
    threads = max(1, pyvips.vips_lib.vips_concurrency_get())
    decode = Ahead(make, prepare, wanted, threads).read_tile if threads > 1 else make()
    decoded = frozenset(wanted)

    def read_tile(number: int) -> memoryview:
        prepare(number)
        return decode(number) if number in decoded else grey

    return read_tile


def _grey(picture: Picture, grid: Grid) -> memoryview:
    """Return the samples of a tile that is not decoded: in the middle of the range, and opaque."""
    has_alpha = picture.bands in _WITH_ALPHA
    samples = [1 << (picture.bits - 1)] * (picture.bands - has_alpha)
    samples += [(1 << picture.bits) - 1] * has_alpha
    pixel = b"".join(value.to_bytes(picture.sample_bytes, "little") for value in samples)
    return memoryview(pixel * (grid.tile_width * grid.tile_height))


@cache
def _rounding(bits: int) -> pyvips.Image:
    """Return the table that rounds so many bits to 8.

    The resize that follows works on bytes with SIMD, and on anything else without: of 12 megapixels
    of 10 bits, made half as large, it takes 26 ms instead of 200, and the table takes 26.
    """
    values = 1 << bits
    table = bytes((value * 510 + values - 1) // (2 * (values - 1)) for value in range(values))
    return pyvips.Image.new_from_memory(table, values, 1, 1, "uchar")


def gain_map_of(photo: "OpenPhoto") -> tuple[GainMapItem, pyvips.Image] | None:
    """Return what the photo says of its gain map, and that picture; None where it cannot be read.

    *Shape*: as stored, which is as the photo is; uchar, one band or three.

    *Cost*: the gain map, whole: a quarter of the photo's sides, or a half.
    """
    file = _File(photo)
    found = find_gain_map(file.container, file.read, read_exif_block(described(photo)))
    if found is None:
        return None
    try:
        check_picture(file.container, file.read, found.item)
        picture = file.opened(found.item, upright=False)
        image = _finished(_whole(picture), picture, None, Limited(grey=False, alpha=False))
    except CorruptPhotoError:
        # The photo is whole without it.
        return None
    image = image.extract_band(0, n=found.bands) if image.bands > found.bands else image
    return found, image if image.format == "uchar" else (image >> 8).cast("uchar")


def _grid(picture: Picture, layout: Layout | None) -> Grid | None:
    """Return the picture as a grid for libvips; None where it has to be decoded whole."""
    if layout is None or layout.tiles is None:
        return None
    tiles = layout.tiles
    if (
        tiles.width % TILE_MULTIPLE
        or tiles.height % TILE_MULTIPLE
        or not picture.has_tiles(tiles.columns, tiles.rows, tiles.width, tiles.height)
    ):
        return None
    grid = Grid(
        width=layout.width,
        height=layout.height,
        tile_width=tiles.width,
        tile_height=tiles.height,
        bands=picture.bands,
        sample_bytes=picture.sample_bytes,
    )
    # A grid may have more tiles than it shows.
    return grid if (grid.columns, grid.rows) == (tiles.columns, tiles.rows) else None


def _tile_reader(picture: Picture, grid: Grid, tiles: Tiles) -> ReadTile:
    row_bytes = grid.tile_width * grid.bands * grid.sample_bytes

    def read_tile(number: int) -> memoryview:
        row, column = divmod(number, tiles.columns)
        samples = picture.tile(column, row)
        if (samples.width, samples.height) != (tiles.width, tiles.height):
            raise CorruptPhotoError(
                f"Expected a tile of {tiles.width} x {tiles.height} but received one of "
                f"{samples.width} x {samples.height}"
            )
        return samples.packed(row_bytes)

    return read_tile


def _whole(picture: Picture) -> pyvips.Image:
    """Return all of ``picture``, in libheif's own memory."""
    samples = picture.whole()
    columns = samples.width * picture.bands
    stride = samples.stride // picture.sample_bytes
    image = pyvips.Image.new_from_memory(
        samples.memory, stride, samples.height, 1, _FORMATS[picture.sample_bytes]
    )
    if stride != columns:
        image = image.crop(0, 0, columns, samples.height)
    return image.bandfold(factor=picture.bands)


def _finished(
    image: pyvips.Image, picture: Picture, layout: Layout | None, limited: Limited
) -> pyvips.Image:
    """Return decoded samples as the picture that they are of: full range, straight, cropped."""
    band_format = image.format
    if band_format == _FORMATS[2]:
        # libheif leaves them at the low end.
        image = (image << (_DEEP_BITS - picture.bits)).cast(band_format)
    if layout is not None and layout.is_cropped:
        image = image.crop(layout.left, layout.top, layout.shown_width, layout.shown_height)
    image = _stretched(image, picture, limited)
    image = image.copy(interpretation=_INTERPRETATIONS[picture.bands, str(band_format)])
    if picture.is_premultiplied:
        image = image.unpremultiply().cast(band_format)
    if layout is not None:
        image.set_type(pyvips.GValue.gint_type, "orientation", layout.orientation)
    return image


def _stretched(image: pyvips.Image, picture: Picture, limited: Limited) -> pyvips.Image:
    """Return light alone, and alpha, in their full range: libheif does so for colours only."""
    has_alpha = picture.bands in _WITH_ALPHA
    stretched = [limited.grey] * (picture.bands - has_alpha) + [limited.alpha] * has_alpha
    if not any(stretched):
        return image
    unit = 1 << (_DEEP_BITS - 8) if picture.sample_bytes > 1 else 1
    white = (1 << 8 * picture.sample_bytes) - 1
    gain = white / ((_LIMITED_WHITE - _LIMITED_BLACK) * unit)
    gains = [gain if one else 1.0 for one in stretched]
    offsets = [-_LIMITED_BLACK * unit * gain if one else 0.0 for one in stretched]
    return image.linear(gains, offsets).rint().cast(image.format)
