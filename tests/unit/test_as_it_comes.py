"""A HEIC is decoded while it comes: each tile once its bytes are there, whatever follows them."""

import random
import struct
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Final, NamedTuple

import pytest
import pyvips

from imaging.errors import CorruptPhotoError, OverLimitError, RejectedPhotoError, SourceError
from imaging.files.gain_map_numbers import APPLE
from imaging.files.heif import from_memory, read_container
from imaging.files.hevc import walk_setup
from imaging.formats import OutputFormat
from imaging.local import MemorySink, MemorySource
from imaging.plan import PlannedRendition
from imaging.planning import Asked, make_plan
from imaging.rendering import open_photo
from imaging.specs import Fit, Hdr, RenditionSpec
from imaging.worker.client import Workers
from imaging.worker.spawning import Launch
from tests.photos import exif, heic, scene
from tests.photos.heif import (
    Part,
    assembled,
    aux,
    coded,
    grid,
    grid_heic,
    grid_parts,
    metadata_first,
)
from tests.rendering import rendered
from tests.tiles import watch_tiles
from tests.unit.test_hdr_heif import headroom_xmp

SPEC: Final = RenditionSpec(name="a", width=300, height=300, formats=(OutputFormat.PNG,))
CHUNK: Final = 64 << 10
"""What is read at once."""


class Coming(MemorySource):
    """A source that counts what was read of it, and may fail."""

    def __init__(self, data: bytes, *, most: int = 1 << 20, fails_at: int | None = None) -> None:
        super().__init__(data)
        self.came = 0
        self._most = most
        self._fails_at = len(data) + 1 if fails_at is None else fails_at

    def readinto(self, buffer: memoryview) -> int:
        if self.came >= self._fails_at:
            raise SourceError("The connection broke")
        count = super().readinto(buffer[: min(self._most, self._fails_at - self.came)])
        self.came += count
        return count


class Turn(NamedTuple):
    """When a tile was decoded.

    Attributes:
        row: Its place; turns sort as the tiles do, in whatever order threads decode them.
        column: As above.
        came: How much of its source had come by then.
    """

    row: int
    column: int
    came: int


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[Turn]:
    """The tiles that are decoded, of sources that have added themselves."""
    found: list[Turn] = []
    watch_tiles(monkeypatch, lambda column, row: found.append(Turn(row, column, _SOURCES[-1].came)))
    return found


_SOURCES: Final[list[Coming]] = []


def came(source: Coming, *specs: RenditionSpec) -> dict[str, bytes]:
    """Return the renditions of what comes from ``source``."""
    _SOURCES.append(source)
    return rendered(source, *(specs or (SPEC,))).files


def large() -> bytes:
    """Return a grid of 6 x 6 tiles, of more than ten chunks."""
    return grid_heic(6, 6, 1500, 1500, tile=256)


def ends_of_tiles(data: bytes) -> list[int]:
    """Return where each tile ends in the file, in the order of the grid."""
    container = read_container(from_memory(data), len(data))
    tiles = container.references[b"dimg", container.primary]
    return [
        extent.offset + extent.length for tile in tiles for extent in container.items[tile].extents
    ]


def reordered(data: bytes, order: Sequence[int]) -> bytes:
    """Return a file whose pictures lie in another order: the first behind the directory is first.

    Args:
        data: Of :func:`tests.photos.heif.assembled`.
        order: Places in the order in which the file has them.
    """
    read = from_memory(data)
    container = read_container(read, len(data))
    at = data.index(b"iloc") + 4 + 8
    entries = {}
    for _ in range(len(container.items)):
        number, method, _, _, offset, length = struct.unpack_from(">HHHHII", data, at)
        if not method & 15:
            entries[number] = at + 8, offset, length
        at += 16
    pieces = sorted(entries.values(), key=lambda entry: entry[1])
    begin = pieces[0][1]
    head, moved = bytearray(data[:begin]), b""
    for place in order:
        field, offset, length = pieces[place]
        struct.pack_into(">I", head, field, begin + len(moved))
        moved += data[offset : offset + length]
    return bytes(head) + moved


def test_a_tile_is_decoded_once_its_bytes_came(decoded: list[Turn]) -> None:
    """Not before they are there, and not a chunk later than those of the tiles ahead."""
    data = large()
    assert len(data) > 10 * CHUNK
    files = came(Coming(data))
    ends = ends_of_tiles(data)
    assert len(decoded) == 36
    threads = pyvips.vips_lib.vips_concurrency_get()
    ahead = 2 * threads - 1 if threads > 1 else 0
    for number, turn in enumerate(sorted(decoded)):
        assert ends[number] <= turn.came < ends[min(number + ahead, 35)] + CHUNK
    assert decoded[0].came < len(data) / 5
    assert files == rendered(data, SPEC).files


def test_the_header_needs_the_directory_and_the_metadata() -> None:
    """As phones write a file; where the metadata are at its end, it is read whole."""
    data = heic(1000, 1000, tile=256, exif_data=exif(copyright_text="Somebody"))
    for photo, most in ((metadata_first(data), len(data) / 2), (data, len(data))):
        source = Coming(photo)
        with open_photo(source, Asked(specs=(SPEC,))) as opened:
            assert opened.header.exif
            assert source.came <= most
    assert source.came == len(data)


@pytest.mark.parametrize("seed", range(6))
def test_tiles_in_any_order_make_the_same_picture(seed: int, decoded: list[Turn]) -> None:
    """The first that is decoded waits for its bytes, wherever they are."""
    data = large()
    order = list(range(36))
    random.Random(seed).shuffle(order)
    mixed = reordered(data, order)
    assert mixed != data
    assert came(Coming(mixed)) == came(Coming(data))
    for turn, end in zip(sorted(decoded[:36]), ends_of_tiles(mixed), strict=True):
        assert end <= turn.came


def test_a_directory_behind_the_pixels_is_read_first(decoded: list[Turn]) -> None:
    """The file is then read whole before a tile is decoded."""
    data = large()
    at = data.index(b"meta") - 4
    (length,) = struct.unpack_from(">I", data, at)
    meta, pixels = bytearray(data[at : at + length]), data[at + length :]
    place = meta.index(b"iloc") + 4 + 8
    for _ in range(struct.unpack_from(">H", meta, place - 2)[0]):
        method, _, _, offset = struct.unpack_from(">HHHI", meta, place + 2)
        if not method & 15:
            struct.pack_into(">I", meta, place + 8, offset - length)
        place += 16
    behind = data[:at] + pixels + bytes(meta)
    assert came(Coming(behind)) == rendered(data, SPEC).files
    assert {turn.came for turn in decoded[:36]} == {len(data)}


@pytest.mark.parametrize("most", [1, 7, 1000, 70_000])
def test_however_little_comes_at_once(most: int) -> None:
    """A source may give a byte at a time."""
    data = grid_heic(3, 2, 190, 100, alpha=True)
    assert came(Coming(data, most=most)) == rendered(data, SPEC).files


def opened_sinks(source: Coming) -> int:
    """Return how many sinks were opened for a photo that is refused, or whose source fails."""
    sinks: list[MemorySink] = []

    def open_sink(_: PlannedRendition) -> MemorySink:
        sinks.append(MemorySink())
        return sinks[-1]

    asked = Asked(specs=(SPEC,))
    with (
        pytest.raises((SourceError, RejectedPhotoError)),
        open_photo(source, asked) as photo,
    ):
        list(photo.render(make_plan(photo.header, asked), open_sink))
    return len(sinks)


def test_a_source_that_breaks_opens_nothing() -> None:
    """Anywhere: within the directory, between tiles, at the last byte."""
    data = large()
    for fails_at in (0, 100, 5_000, *range(20_000, len(data), len(data) // 15), len(data) - 1):
        source = Coming(data, fails_at=fails_at)
        assert opened_sinks(source) == 0
        assert source.came == fails_at


@pytest.mark.parametrize("tile", [0, 17, 35])
def test_a_damaged_tile_opens_nothing(tile: int, decoded: list[Turn]) -> None:
    """It is found when its turn comes; no tile is decoded that comes long after it."""
    data = large()
    end = ends_of_tiles(data)[tile]
    source = Coming(data[: end - 600] + bytes(500) + data[end - 100 :])
    _SOURCES.append(source)
    assert opened_sinks(source) == 0
    numbers = [6 * turn.row + turn.column for turn in decoded]
    assert tile not in numbers
    # Each of libvips' threads asks for one more before it hears of that; each brings some ahead.
    threads = pyvips.vips_lib.vips_concurrency_get()
    assert max(numbers, default=0) <= tile + threads * (1 + 2 * threads)


def test_a_damaged_tile_beside_the_crop_is_found() -> None:
    """What no rendition shows is checked all the same: the photo is refused by whoever asks."""
    data = grid_heic(8, 2, 2048, 512, tile=256)
    spec = RenditionSpec(name="a", width=64, height=64, fit=Fit.COVER)
    assert rendered(data, spec).files
    for tile in (0, 7, 8, 15):
        end = ends_of_tiles(data)[tile]
        with pytest.raises(CorruptPhotoError):
            rendered(data[: end - 400] + bytes(300) + data[end - 100 :], spec)


def test_a_tile_that_its_codec_says_is_larger_is_refused() -> None:
    """In its own parameter sets, which stand before its pixels; none of it is decoded."""
    small, large_one = coded(scene(64, 64)), coded(scene(256, 256))
    setup = next(held for held in large_one.properties if held[4:8] == b"hvcC")[8:]
    units = b"".join(
        struct.pack(">I", end - begin) + setup[begin:end] for begin, end in walk_setup(setup)
    )
    lying = replace(small, data=units + small.data)
    for parts in ([lying], [grid(2, 1, 128, 64, (1, 2)), small, lying]):
        with pytest.raises(OverLimitError, match="coded pixels"):
            rendered(assembled(parts), SPEC)


@pytest.fixture(scope="module", params=[1, 2])
def wall(request: pytest.FixtureRequest) -> Iterator[Workers]:
    """Workers whose libvips has so many threads."""
    with closing(Workers(Launch(concurrency=request.param))) as workers:
        yield workers


def through(wall: Workers, source: MemorySource) -> list[bytes | None]:
    """Return what was stored of a photo that goes through the wall."""
    sinks: list[MemorySink] = []

    def open_sink(_: PlannedRendition) -> MemorySink:
        sinks.append(MemorySink())
        return sinks[-1]

    asked = Asked(specs=(SPEC,))
    with wall.open_photo(source, asked) as photo:
        list(photo.render(make_plan(photo.header, asked), open_sink))
    return [sink.data for sink in sinks]


def test_a_worker_is_fit_for_the_next_photo_after_a_failure(wall: Workers) -> None:
    """Broken, damaged, whole, by one thread and by two: nothing of one is left for the other."""
    data = large()
    expected = through(wall, Coming(data))
    assert expected[0] is not None
    end = ends_of_tiles(data)[20]
    damaged = data[: end - 600] + bytes(500) + data[end - 100 :]
    for fails_at in (30_000, len(data) // 2, len(data) - 1):
        with pytest.raises(SourceError):
            through(wall, Coming(data, fails_at=fails_at))
        with pytest.raises(CorruptPhotoError):
            through(wall, Coming(damaged))
        assert through(wall, Coming(data)) == expected


def test_the_gain_map_comes_last(decoded: list[Turn]) -> None:
    """Where it is kept too, tiles are decoded before it came, which phones write behind them."""
    tiles = grid_parts(6, 6, 1500, 1500, tile=256)
    found = coded(scene(750, 750).extract_band(1), mode="L")
    xmp = headroom_xmp("4.0")
    data = assembled(
        [
            *tiles,
            Part(kind=b"mime", data=xmp, describes=len(tiles) + 1, in_idat=True, hidden=True),
            replace(found, properties=(*found.properties, aux(APPLE)), aux_of=0, hidden=True),
        ]
    )
    source = Coming(data)
    made = came(source, RenditionSpec(name="a", width=1100, hdr=Hdr.KEEP))
    assert decoded[0].came < len(data) / 5
    assert decoded[-1].came < len(data) - len(found.data) + CHUNK
    assert pyvips.Image.new_from_buffer(made["a.jpg"], "").get_typeof("gainmap-data")
