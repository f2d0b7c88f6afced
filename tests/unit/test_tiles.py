"""A grid is shown to libvips as a TIFF of which only the directory exists."""

import random
import threading

import pytest
import pyvips

from imaging.decoders.tiles import Ahead, Grid, image_of


def drawn(seed: int) -> tuple[Grid, pyvips.Image, list[bytes]]:
    """Return a grid, the picture that it shows, and its tiles, which reach beyond it."""
    draw = random.Random(seed)
    grid = Grid(
        width=draw.randrange(1, 200),
        height=draw.randrange(1, 200),
        tile_width=16 * draw.randrange(1, 5),
        tile_height=16 * draw.randrange(1, 5),
        bands=draw.randrange(1, 5),
        sample_bytes=draw.choice((1, 2)),
    )
    columns, rows = grid.columns * grid.tile_width, grid.rows * grid.tile_height
    sample = draw.randbytes(columns * rows * grid.bands * grid.sample_bytes)
    band_format = "uchar" if grid.sample_bytes == 1 else "ushort"
    canvas = pyvips.Image.new_from_memory(sample, columns, rows, grid.bands, band_format)
    tiles = [
        bytes(
            canvas.crop(
                column * grid.tile_width, row * grid.tile_height, grid.tile_width, grid.tile_height
            ).write_to_memory()
        )
        for row in range(grid.rows)
        for column in range(grid.columns)
    ]
    return grid, canvas.crop(0, 0, grid.width, grid.height), tiles


def prepared(number: int) -> None:
    """Wait for nothing before a tile is decoded."""


def never(error: BaseException) -> None:
    """Take a failure that there should not be."""
    raise AssertionError from error


@pytest.mark.parametrize("seed", range(40))
def test_any_grid_comes_out_as_it_is(seed: int) -> None:
    """Sizes, bands and depths drawn at random; each sample is where it was."""
    grid, expected, tiles = drawn(seed)
    image = image_of(grid, lambda number: memoryview(tiles[number]), never)
    assert (image.width, image.height, image.bands) == (grid.width, grid.height, grid.bands)
    assert image.format == expected.format
    assert image.hasalpha() == (grid.bands in {2, 4})
    assert bytes(image.write_to_memory()) == bytes(expected.write_to_memory())


def test_a_tile_is_read_once_and_in_order() -> None:
    """Each is decoded when its row is due, and let go of when it was read."""
    grid = Grid(width=640, height=480, tile_width=64, tile_height=48, bands=3, sample_bytes=1)
    asked: list[int] = []

    def read_tile(number: int) -> memoryview:
        asked.append(number)
        return memoryview(bytes(grid.tile_bytes))

    image_of(grid, read_tile, never).resize(0.3).copy_memory()
    assert sorted(asked) == list(range(grid.count))
    rows = [number // grid.columns for number in asked]
    assert rows == sorted(rows)


def test_what_a_tile_raises_is_captured() -> None:
    """Libvips only fails; why is what the decoder said, the first time."""
    grid = Grid(width=64, height=64, tile_width=16, tile_height=16, bands=1, sample_bytes=1)
    captured: list[BaseException] = []

    def read_tile(number: int) -> memoryview:
        if number == 5:
            raise ValueError("tile 5")
        return memoryview(bytes(grid.tile_bytes))

    with pytest.raises(pyvips.Error):
        image_of(grid, read_tile, captured.append).copy_memory()
    assert str(captured[0]) == "tile 5"


def test_tiles_ahead_are_decoded_by_as_many_threads_as_there_are() -> None:
    """Side by side, each decoder by one thread at a time, and no more than two for each ahead."""
    together = threading.Barrier(2, timeout=30)
    under_way: list[int] = []
    made = 0

    def make():  # type: ignore[no-untyped-def]  # noqa: ANN202 - a reader of tiles
        nonlocal made
        made += 1
        busy = threading.Lock()

        def read_tile(number: int) -> memoryview:
            assert busy.acquire(blocking=False)
            under_way.append(number)
            # Nobody gets past alone.
            together.wait()
            busy.release()
            return memoryview(bytes([number]))

        return read_tile

    ahead = Ahead(make, prepared, needed=range(10), threads=2)
    for number in range(10):
        assert bytes(ahead.read_tile(number)) == bytes([number])
        assert max(under_way) < number + 4
    assert made == 2
    assert sorted(under_way) == list(range(10))


def test_tiles_that_are_passed_over_are_let_go_of() -> None:
    """A crop needs only some; what was decoded for nothing does not stay."""
    ahead = Ahead(
        lambda: lambda number: memoryview(bytes([number])), prepared, needed=range(100), threads=2
    )
    for number in range(0, 100, 9):
        assert bytes(ahead.read_tile(number)) == bytes([number])
        assert len(ahead._waiting) <= 8


def test_tiles_that_nobody_needs_are_not_decoded_ahead() -> None:
    """Of a crop, those beside it; what libvips asks for all the same is there."""
    decoded: list[int] = []

    def read_tile(number: int) -> memoryview:
        decoded.append(number)
        return memoryview(bytes([number]))

    ahead = Ahead(lambda: read_tile, prepared, needed=[7, 8, 12, 13], threads=2)
    for number in (7, 8, 12, 13, 20):
        assert bytes(ahead.read_tile(number)) == bytes([number])
    assert sorted(decoded) == [7, 8, 12, 13, 20]


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((0, 0, 96, 64), [0, 1, 2, 3, 4, 5]),
        ((32, 32, 32, 32), [4]),
        ((31, 0, 2, 33), [0, 1, 3, 4]),
        ((64, 0, 1, 1), [2]),
    ],
)
def test_the_tiles_of_a_rectangle(box: tuple[int, int, int, int], expected: list[int]) -> None:
    """Those that have a pixel of it, and no other."""
    grid = Grid(width=96, height=64, tile_width=32, tile_height=32, bands=3, sample_bytes=1)
    assert grid.tiles_of(*box) == expected
