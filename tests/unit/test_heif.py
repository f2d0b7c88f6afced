"""The directory of a HEIC or AVIF is read within bounds, and held against the bytes that are there.

A decoder paints a tile that is missing in one colour, and reports success: what is asserted here is
that no such picture is ever handed out.
"""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
import pyvips

from imaging.errors import (
    CorruptPhotoError,
    OverLimitError,
    RejectedPhotoError,
    TruncatedPhotoError,
    UnsupportedFormatError,
)
from imaging.files.heif import from_memory, read_container
from imaging.files.heif_units import check_picture
from imaging.formats import OutputFormat
from imaging.specs import RenditionSpec
from tests.photos import avif, heic, scene, truncated
from tests.photos.heif import Part, assembled, coded, grid, grid_heic
from tests.rendering import rendered

SPEC = RenditionSpec(name="a", width=96, height=96, formats=(OutputFormat.PNG,))

SHAPES = (
    # Columns and rows of tiles of 64, and the pixels that are shown of them.
    (1, 1, 64, 64),
    (1, 1, 63, 41),
    (2, 1, 128, 64),
    (1, 2, 50, 127),
    (2, 2, 128, 128),
    (3, 2, 190, 100),
    (2, 3, 127, 191),
    (4, 3, 256, 192),
    (5, 5, 301, 299),
    (8, 6, 512, 384),
    (6, 8, 383, 511),
    (13, 7, 831, 447),
    (20, 15, 1280, 960),
    (30, 30, 1901, 1911),
)
KINDS = {"8-bit": {}, "10-bit": {"bits": 10}, "alpha": {"alpha": True}}
GRIDS = {
    f"{columns}x{rows}-{width}x{height}-{kind}": (columns, rows, width, height, options)
    for columns, rows, width, height in SHAPES
    for kind, options in KINDS.items()
}


def grid_of(name: str) -> bytes:
    """Return one of the 42 grids."""
    columns, rows, width, height, options = GRIDS[name]
    return grid_heic(columns, rows, width, height, **options)  # type: ignore[arg-type]


def checked(data: bytes) -> None:
    """Raise what is wrong with the file."""
    check_picture(read_container(from_memory(data), len(data)), from_memory(data))


def picture_of(data: bytes) -> pyvips.Image:
    """Return the rendition of a photo."""
    return rendered(data, SPEC).images["a"]


def test_there_are_42_grids() -> None:
    """Each shape as 8 bits, as 10 bits and with alpha."""
    assert len(GRIDS) == 42


@pytest.mark.parametrize("name", GRIDS)
def test_a_grid_that_is_cut_is_refused_before_a_pixel(name: str) -> None:
    """At 10 to 90 %, and without its last byte; the code says that bytes are missing."""
    data = grid_of(name)
    checked(data)
    for part in (*(tenth / 10 for tenth in range(1, 10)), 1 - 1 / len(data)):
        with pytest.raises(TruncatedPhotoError):
            checked(truncated(data, part))


@pytest.mark.parametrize("name", GRIDS)
def test_a_grid_with_zeroed_bytes_is_refused(name: str) -> None:
    """Runs of any length from four bytes on, anywhere in the pixels; and whole tiles."""
    data = grid_of(name)
    start = data.index(b"mdat") + 4
    draw = random.Random(name)
    for _ in range(20):
        length = draw.choice((4, 16, 500, 5_000, 100_000))
        at = draw.randrange(start, len(data) - 3)
        run = min(length, len(data) - at)
        with pytest.raises(CorruptPhotoError):
            checked(data[:at] + bytes(run) + data[at + run :])


@pytest.mark.parametrize(
    "name", ["1x1-63x41-8-bit", "3x2-190x100-10-bit", "5x5-301x299-alpha", "13x7-831x447-8-bit"]
)
def test_no_rendition_comes_of_a_damaged_grid(name: str) -> None:
    """Cut or zeroed, it is refused on the way that every photo takes; whole, it is rendered."""
    data = grid_of(name)
    start = data.index(b"mdat") + 4
    assert picture_of(data).width in range(40, 97)
    for broken in (
        *(truncated(data, tenth / 10) for tenth in range(1, 10)),
        data[:start] + bytes(len(data) - start),
        data[: len(data) // 2] + bytes(300) + data[len(data) // 2 + 300 :],
    ):
        with pytest.raises(CorruptPhotoError):
            picture_of(broken)


def test_a_zeroed_directory_is_refused_or_leaves_the_picture() -> None:
    """Runs of four bytes, all over it: a picture of one colour never comes of it."""
    data = grid_heic(3, 2, 190, 100)
    end = data.index(b"mdat")
    refused = 0
    for at in range(8, end - 4, 5):
        broken = data[:at] + bytes(4) + data[at + 4 :]
        try:
            image = picture_of(broken)
        except RejectedPhotoError:
            refused += 1
        else:
            # What was told of colour, of size and of orientation may have changed.
            assert image.flatten().deviate() > 35
    assert refused > 50


@pytest.mark.parametrize("make", [lambda: heic(96, 64), lambda: avif(96, 64)], ids=["heic", "avif"])
def test_what_encoders_write_is_whole(make: Callable[[], bytes]) -> None:
    """And half of it is not."""
    data = make()
    checked(data)
    with pytest.raises(TruncatedPhotoError):
        checked(truncated(data, 0.5))


def test_a_zeroed_avif_is_refused() -> None:
    """Its units have no checksum either, but lengths and types."""
    data = avif(96, 64)
    start = data.index(b"mdat") + 4
    with pytest.raises(CorruptPhotoError):
        checked(data[:start] + bytes(len(data) - start))


def _one() -> Part:
    return coded(scene(64, 64))


def test_a_tile_that_no_item_is_makes_a_corrupt_photo() -> None:
    """The grid names an item that the file does not have."""
    data = assembled([grid(2, 1, 128, 64, (1, 7)), replace(_one(), hidden=True)])
    with pytest.raises(CorruptPhotoError, match="Expected item 8, a tile, but there is none"):
        checked(data)


def test_a_picture_without_bytes_is_corrupt() -> None:
    """It is an item, and the directory does not say where it lies."""
    data = bytearray(assembled([_one()]))
    at = data.index(b"iloc") + 4
    # No items; what follows of the box is not looked at.
    data[at + 6 : at + 8] = b"\0\0"
    with pytest.raises(CorruptPhotoError, match="names none"):
        checked(bytes(data))


def test_items_that_refer_to_each_other_end() -> None:
    """Each is looked at once, however they are linked."""
    parts = [
        Part(kind=b"iden", data=b"", made_of=(1,)),
        Part(kind=b"iden", data=b"", made_of=(0, 1)),
    ]
    data = assembled(parts)
    container = read_container(from_memory(data), len(data))
    assert {item.id for item in container.picture()} == {1, 2}


def test_random_directories_raise_nothing_but_what_is_theirs_to_raise() -> None:
    """Bytes flipped at random in the directory: refused, or read; nothing else, and soon."""
    data = grid_heic(4, 3, 256, 192, alpha=True)
    end = data.index(b"mdat")
    draw = random.Random(1)
    for _ in range(3_000):
        broken = bytearray(data)
        for _ in range(draw.choice((1, 2, 8))):
            broken[draw.randrange(end)] = draw.randrange(256)
        try:
            checked(bytes(broken))
        except (CorruptPhotoError, OverLimitError, UnsupportedFormatError):
            continue
