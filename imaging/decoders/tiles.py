"""A grid of tiles as an image of libvips': each tile is decoded when libvips asks for it.

libvips takes no pixels from Python row by row. But it reads an uncompressed tiled TIFF by
callbacks, a whole tile at a time, keeps two rows of tiles, and resizes what comes out of them with
its own SIMD. So a grid is shown to it as one: the directory is real, and where a tile's bytes would
lie, the tile is decoded.
"""

import os
import struct
from bisect import bisect_left
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import pyvips

__all__ = ["TILE_MULTIPLE", "Ahead", "Grid", "image_of"]

TILE_MULTIPLE: Final = 16
"""Sides of a TIFF's tiles are multiples of this (TIFF 6.0, section 15)."""

# Tags and values of TIFF 6.0.
_IMAGE_WIDTH, _IMAGE_LENGTH, _BITS_PER_SAMPLE, _COMPRESSION = 256, 257, 258, 259
_PHOTOMETRIC, _SAMPLES_PER_PIXEL, _PLANAR = 262, 277, 284
_TILE_WIDTH, _TILE_LENGTH, _TILE_OFFSETS, _TILE_BYTE_COUNTS = 322, 323, 324, 325
_EXTRA_SAMPLES: Final = 338
_NONE, _INTERLEAVED, _GREY, _RGB, _STRAIGHT_ALPHA = 1, 1, 1, 2, 2

# Kinds of values, as struct names them.
_SHORT, _LONG8 = "H", "Q"
_KINDS: Final = {_SHORT: 3, _LONG8: 16}
_SIZES: Final = {_SHORT: 2, _LONG8: 8}
_HEADER: Final = struct.Struct("<2sHHHQ")
_ENTRY: Final = struct.Struct("<HHQ8s")
_INLINE_BYTES: Final = 8
"""What fits into an entry is in it."""

ReadTile = Callable[[int], memoryview]
"""Returns the samples of a tile by its number, row by row from the left, without gaps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A picture of tiles.

    Attributes:
        width: Columns of pixels; tiles may reach beyond.
        height: Rows of pixels.
        tile_width: A multiple of :data:`TILE_MULTIPLE`.
        tile_height: As well.
        bands: 1 to 4; the last of 2 or 4 is alpha, not premultiplied.
        sample_bytes: 1 or 2.
    """

    width: int
    height: int
    tile_width: int
    tile_height: int
    bands: int
    sample_bytes: int

    @property
    def columns(self) -> int:
        return -(-self.width // self.tile_width)

    @property
    def rows(self) -> int:
        return -(-self.height // self.tile_height)

    @property
    def count(self) -> int:
        return self.columns * self.rows

    def tiles_of(self, left: int, top: int, width: int, height: int) -> list[int]:
        """Return the numbers of the tiles that have a part of a rectangle of pixels, rising."""
        return [
            row * self.columns + column
            for row in range(top // self.tile_height, -(-(top + height) // self.tile_height))
            for column in range(left // self.tile_width, -(-(left + width) // self.tile_width))
        ]

    @property
    def tile_bytes(self) -> int:
        return self.tile_width * self.tile_height * self.bands * self.sample_bytes


def _directory(grid: Grid) -> bytes:
    """Return a BigTIFF of ``grid`` up to where the first tile's bytes would lie.

    Source: TIFF 6.0; bigtiff.org for the wide offsets.
    """
    sizes = [grid.tile_bytes] * grid.count
    entries: dict[int, tuple[str, list[int]]] = {
        _IMAGE_WIDTH: (_LONG8, [grid.width]),
        _IMAGE_LENGTH: (_LONG8, [grid.height]),
        _BITS_PER_SAMPLE: (_SHORT, [8 * grid.sample_bytes] * grid.bands),
        _COMPRESSION: (_SHORT, [_NONE]),
        _PHOTOMETRIC: (_SHORT, [_RGB if grid.bands in {3, 4} else _GREY]),
        _SAMPLES_PER_PIXEL: (_SHORT, [grid.bands]),
        _PLANAR: (_SHORT, [_INTERLEAVED]),
        _TILE_WIDTH: (_LONG8, [grid.tile_width]),
        _TILE_LENGTH: (_LONG8, [grid.tile_height]),
        # What lies behind an entry comes in the order of the entries: offsets, then sizes.
        _TILE_OFFSETS: (_LONG8, sizes),
        _TILE_BYTE_COUNTS: (_LONG8, sizes),
    }
    if grid.bands in {2, 4}:
        entries[_EXTRA_SAMPLES] = _SHORT, [_STRAIGHT_ALPHA]
    behind = _HEADER.size + 8 + _ENTRY.size * len(entries) + 8
    begin = behind + sum(
        len(values) * _SIZES[kind]
        for kind, values in entries.values()
        if len(values) * _SIZES[kind] > _INLINE_BYTES
    )
    offsets = [begin + number * grid.tile_bytes for number in range(grid.count)]
    entries[_TILE_OFFSETS] = _LONG8, offsets
    directory, tail = b"", b""
    for tag, (kind, values) in entries.items():
        body = struct.pack(f"<{len(values)}{kind}", *values)
        if len(body) > _INLINE_BYTES:
            place = struct.pack("<Q", behind + len(tail))
            tail += body
        else:
            place = body.ljust(_INLINE_BYTES, b"\0")
        directory += _ENTRY.pack(tag, _KINDS[kind], len(values), place)
    header = _HEADER.pack(b"II", 43, 8, 0, _HEADER.size)
    return header + struct.pack("<Q", len(entries)) + directory + bytes(8) + tail


class _Source:
    """The bytes of the TIFF, each tile's made when it is read.

    *Thread*: libvips reads from its workers, one at a time.
    """

    def __init__(
        self, grid: Grid, read_tile: ReadTile, capture: Callable[[BaseException], None]
    ) -> None:
        self._head = _directory(grid)
        self._tile_bytes = grid.tile_bytes
        self._size = len(self._head) + grid.count * grid.tile_bytes
        self._read_tile = read_tile
        self._capture = capture
        self._at = 0
        self._number = -1
        self._tile = memoryview(b"")

    def read(self, buffer: object) -> int:
        try:
            view = memoryview(buffer)  # type: ignore[arg-type]  # cffi's buffer is one
            if self._at < len(self._head):
                chunk = memoryview(self._head)[self._at : self._at + len(view)]
            elif self._at < self._size:
                number, offset = divmod(self._at - len(self._head), self._tile_bytes)
                if number != self._number:
                    # The last one is not held while the next is made.
                    self._tile = memoryview(b"")
                    self._number, self._tile = number, self._read_tile(number)
                chunk = self._tile[offset : offset + len(view)]
            else:
                return 0
            view[: len(chunk)] = chunk
        except BaseException as error:  # noqa: BLE001 - libvips would turn it into end-of-file
            self._capture(error)
            return -1
        self._at += len(chunk)
        if (self._at - len(self._head)) % self._tile_bytes == 0:
            self._number, self._tile = -1, memoryview(b"")
        return len(chunk)

    def seek(self, offset: int, whence: int) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if start + offset < 0:
            return -1
        self._at = start + offset
        return self._at


def image_of(
    grid: Grid, read_tile: ReadTile, capture: Callable[[BaseException], None]
) -> pyvips.Image:
    """Return the picture, lazy.

    *Shape*: ``grid``'s; uchar or ushort; ``srgb``, ``rgb16``, ``b-w`` or ``grey16``.

    *Cost*: two rows of tiles.

    Args:
        grid: Its sizes.
        read_tile: Called for each tile that is needed, in rising order but for repetitions, from a
            worker of libvips'.
        capture: Takes what ``read_tile`` raises; libvips itself only fails.
    """
    source = pyvips.SourceCustom()
    tiff = _Source(grid, read_tile, capture)
    source.signal_connect("read", tiff.read)
    source.signal_connect("seek", tiff.seek)
    # pyvips keeps the source as long as what draws on it; the operation itself would not. At any
    # other level libvips goes on where a tile cannot be read.
    return pyvips.Image.new_from_source(source, "", access="sequential", fail_on="warning")


class Ahead:
    """Tiles that are decoded side by side, ahead of who reads them.

    *Cost*: four times as many tiles as threads.

    *Thread*: one reads; ``make``'s functions are called by one thread each.

    Args:
        make: Makes what decodes a tile by its number, for one thread.
        prepare: Called with the number of a tile before it is decoded, by the thread that reads: it
            may wait for the tile's bytes.
        needed: The tiles that are read, in rising order; another one is decoded when it is read.
        threads: How many decode.
    """

    def __init__(
        self,
        make: Callable[[], ReadTile],
        prepare: Callable[[int], None],
        needed: Sequence[int],
        threads: int,
    ) -> None:
        self._idle = [make() for _ in range(threads)]
        self._prepare = prepare
        self._needed = needed
        self._ahead = 2 * threads
        self._pool = ThreadPoolExecutor(threads)
        self._waiting: dict[int, Future[memoryview]] = {}

    def _decode(self, number: int) -> memoryview:
        # There are as many decoders as threads.
        decode = self._idle.pop()
        try:
            return decode(number)
        finally:
            self._idle.append(decode)

    def read_tile(self, number: int) -> memoryview:
        """Return a tile; the next ones are under way then."""
        at = bisect_left(self._needed, number)
        for wanted in {number: None, **dict.fromkeys(self._needed[at : at + self._ahead])}:
            if wanted not in self._waiting:
                self._prepare(wanted)
                self._waiting[wanted] = self._pool.submit(self._decode, wanted)
        found = self._waiting.pop(number)
        # libvips' threads ask for tiles of the next row before they are done with this one.
        for passed in sorted(self._waiting)[: max(0, len(self._waiting) - 2 * self._ahead)]:
            del self._waiting[passed]
        return found.result()
