"""How the picture of a HEIC or AVIF is laid out: its tiles, what is cropped, how it is turned.

Source: ISO/IEC 23008-12, 6.5 (``clap``, ``irot``, ``imir``), 6.6.2.3 (``grid``).
"""

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from imaging.errors import CorruptPhotoError, TruncatedPhotoError
from imaging.files.heif import Container, Item, Property, Read, size_of

__all__ = ["Layout", "Tiles", "parts_of_tiles", "read_layout", "received"]

_TRANSFORMS: Final = frozenset({b"clap", b"irot", b"imir"})
_WHOLE: Final = frozenset({b"hvc1", b"av01", b"iden", b"iovl"})
"""What is decoded in one piece, as stored."""

_Matrix = tuple[int, int, int, int]

# What turns a stored picture upright, as EXIF numbers it: to the right and down of the upright
# picture, in steps to the right and down of the stored one.
_ORIENTATIONS: Final[dict[_Matrix, int]] = {
    (1, 0, 0, 1): 1,
    (-1, 0, 0, 1): 2,
    (-1, 0, 0, -1): 3,
    (1, 0, 0, -1): 4,
    (0, 1, 1, 0): 5,
    (0, -1, 1, 0): 6,
    (0, -1, -1, 0): 7,
    (0, 1, -1, 0): 8,
}
_FIRST_SIDEWAYS: Final = 5
_TURN_LEFT: Final = (0, 1, -1, 0)
_MIRRORS: Final = ((1, 0, 0, -1), (-1, 0, 0, 1))
"""By ``imir``'s axis: 0 exchanges top and bottom, 1 left and right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiles:
    """A grid of coded pictures that can be decoded one by one.

    Attributes:
        columns: In a row.
        rows: Of tiles.
        width: Of each, in pixels.
        height: Of each.
        items: Their numbers, row by row.
    """

    columns: int
    rows: int
    width: int
    height: int
    items: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How the primary picture is put together.

    Attributes:
        width: Columns as coded, before anything is cropped.
        height: Rows as coded.
        left: Columns that are cropped, of the coded picture.
        top: Rows that are cropped.
        shown_width: Columns that are left of it.
        shown_height: Rows that are left of it.
        orientation: What turns it upright, as EXIF numbers it.
        tiles: None where it can only be decoded whole.
    """

    width: int
    height: int
    left: int
    top: int
    shown_width: int
    shown_height: int
    orientation: int
    tiles: Tiles | None

    @property
    def is_cropped(self) -> bool:
        return (self.shown_width, self.shown_height) != (self.width, self.height)

    @property
    def upright_size(self) -> tuple[int, int]:
        """The width and the height as shown, upright."""
        size = self.shown_width, self.shown_height
        return size[::-1] if self.orientation >= _FIRST_SIDEWAYS else size


def read_layout(container: Container, read: Read) -> Layout | None:
    """Return the layout of the primary picture; None where only a decoder can tell.

    That is a picture whose parts are themselves turned or cropped, which a decoder that leaves the
    whole as stored would not do either, or whose alpha is turned and cropped in a way of its own.

    Raises:
        CorruptPhotoError: What the file says of it cannot be.
    """
    item = container.items[container.primary]
    tiles = None
    if item.kind == b"grid":
        width, height, tiles = _grid(container, item, read)
    elif item.kind in _WHOLE:
        width, height = _size(item)
    else:
        return None
    alphas = tuple(container.alphas(item.id))
    outer = {item.id, *(aux.id for aux in alphas)}
    if any(_transforms(part) for part in container.picture() if part.id not in outer):
        return None
    layout = _turned(item, width, height, tiles)
    return layout if all(_goes_along(aux, item, layout) for aux in alphas) else None


def parts_of_tiles(container: Container, tiles: Tiles) -> tuple[tuple[Item, ...], ...]:
    """Return what each tile of the primary picture is made of: it, and the alpha of its place.

    Alpha of another layout is a part of every tile.
    """
    alphas = [
        (aux, container.references.get((b"dimg", aux.id), ()))
        for aux in container.alphas(container.primary)
    ]

    def parts(at: int) -> tuple[Item, ...]:
        numbers = [tiles.items[at]]
        for aux, made_of in alphas:
            numbers.append(made_of[at] if len(made_of) == len(tiles.items) else aux.id)
        return tuple(part for number in numbers for part in container.picture(number))

    return tuple(map(parts, range(len(tiles.items))))


def received(container: Container, tiles: Tiles) -> tuple[bool, ...]:
    """Tell of each tile whether the file has all its bytes.

    Raises:
        CorruptPhotoError: The directory lacks a part, or says nothing of where it lies.
    """

    def is_there(parts: tuple[Item, ...]) -> bool:
        try:
            for part in parts:
                container.check_item(part)
        except TruncatedPhotoError:
            return False
        return True

    return tuple(map(is_there, parts_of_tiles(container, tiles)))


def _transforms(item: Item) -> list[Property]:
    return [held for held in item.properties if held.kind in _TRANSFORMS]


def _goes_along(aux: Item, item: Item, layout: Layout) -> bool:
    """Tell whether alpha is turned and cropped with its colours.

    With no transformation of its own it may be meant for the colours as coded, or as shown. Where
    it has not the size of those as shown, libheif would squeeze it into them.
    """
    own = _transforms(aux)
    return own == _transforms(item) or (not own and size_of(aux) != layout.upright_size)


def _size(item: Item) -> tuple[int, int]:
    size = size_of(item)
    if size is None or 0 in size:
        raise CorruptPhotoError(f"Expected item {item.id} to have a size but it has none")
    return size


def _grid(container: Container, item: Item, read: Read) -> tuple[int, int, Tiles]:
    body = container.bytes_of(item, read)
    wide = len(body) > 1 and body[1] & 1
    if len(body) < (12 if wide else 8):
        raise CorruptPhotoError(f"Expected a grid in item {item.id} but it ends too soon")
    rows, columns = body[2] + 1, body[3] + 1
    width, height = struct.unpack_from(">II" if wide else ">HH", body, 4)
    numbers = container.references.get((b"dimg", item.id), ())
    missing = [number for number in numbers if number not in container.items]
    if missing or len(numbers) != rows * columns:
        raise CorruptPhotoError(
            f"Expected {rows} x {columns} tiles in a grid but received "
            f"{len(numbers) - len(missing)}"
        )
    sizes = {_size(container.items[number]) for number in numbers}
    tile_width, tile_height = next(iter(sizes))
    if (
        len(sizes) > 1
        or not 0 < width <= tile_width * columns
        or not 0 < height <= tile_height * rows
    ):
        raise CorruptPhotoError(
            f"Expected tiles that cover {width} x {height} but received {rows} x {columns} of "
            f"{tile_width} x {tile_height}"
        )
    return (
        width,
        height,
        Tiles(columns=columns, rows=rows, width=tile_width, height=tile_height, items=numbers),
    )


def _times(one: _Matrix, other: _Matrix) -> _Matrix:
    a, b, c, d = one
    e, f, g, h = other
    return (a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h)


def _turned(item: Item, width: int, height: int, tiles: Tiles | None) -> Layout:
    """Apply the transformations of a picture, in their order, to its frame."""
    turn: _Matrix = (1, 0, 0, 1)
    left, top, shown_width, shown_height = 0, 0, width, height
    for held in item.properties:
        if held.kind == b"irot" and held.body:
            for _ in range(held.body[0] & 3):
                turn = _times(_TURN_LEFT, turn)
        elif held.kind == b"imir" and held.body:
            turn = _times(_MIRRORS[held.body[0] & 1], turn)
        elif held.kind == b"clap":
            sideways = turn[0] == 0
            size = (shown_height, shown_width) if sideways else (shown_width, shown_height)
            crop = _aperture(held.body, *size)
            across, down, shown_width, shown_height = _stored(crop, size, turn)
            left, top = left + across, top + down
    return Layout(
        width=width,
        height=height,
        left=left,
        top=top,
        shown_width=shown_width,
        shown_height=shown_height,
        orientation=_ORIENTATIONS[turn],
        tiles=tiles,
    )


def _stored(
    crop: tuple[int, int, int, int], size: tuple[int, int], turn: _Matrix
) -> tuple[int, int, int, int]:
    """Return where a crop of the turned picture, of ``size``, lies in the one that is stored."""
    left, top, width, height = crop
    # Twice the way from the picture's centre to the crop's: whole numbers.
    across, down = 2 * left + width - size[0], 2 * top + height - size[1]
    a, b, c, d = turn
    # The inverse of a turn is its transpose.
    across, down = a * across + c * down, b * across + d * down
    if a == 0:
        width, height, size = height, width, size[::-1]
    return (across + size[0] - width) // 2, (down + size[1] - height) // 2, width, height


def _aperture(body: bytes, width: int, height: int) -> tuple[int, int, int, int]:
    """Return what a ``clap`` leaves of a picture, in whole pixels, as libheif rounds them.

    Source: ISO/IEC 14496-12, 12.1.4; ``Box_clap`` in libheif's ``box.cc``.
    """
    if len(body) < 32:
        raise CorruptPhotoError("Expected a clean aperture but it ends too soon")
    values = struct.unpack(">IIIIiIiI", body[:32])
    if 0 in values[1::2]:
        raise CorruptPhotoError("Expected a clean aperture but it divides by 0")
    across, down, right, below = (
        Fraction(numerator, denominator)
        for numerator, denominator in zip(values[::2], values[1::2], strict=True)
    )
    # libheif rounds the left edge down, the upper one to the nearest row.
    left = (right + Fraction(width - 1, 2) - (across - 1) / 2).__floor__()
    top = _rounded(below + Fraction(height - 1, 2) - (down - 1) / 2)
    begin, columns = _within(left, left + _rounded(across), width)
    above, rows = _within(top, top + _rounded(down), height)
    return begin, above, columns, rows


def _rounded(value: Fraction) -> int:
    return (value + Fraction(1, 2)).__floor__()


def _within(begin: int, end: int, size: int) -> tuple[int, int]:
    """Return where a span begins and how long it is, of what lies within ``size``."""
    begin, end = max(0, begin), min(size, end)
    if begin >= end:
        raise CorruptPhotoError("Expected an aperture within the picture but it lies beside it")
    return begin, end - begin
