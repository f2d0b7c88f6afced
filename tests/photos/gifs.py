"""GIFs of every layout: frames anywhere, of any disposal, with tables and colours of their own."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["GifFrame", "gif_of", "shown_by_browsers"]

Samples = np.ndarray[tuple[int, ...], np.dtype[Any]]

_PASSES = ((0, 8), (4, 8), (2, 4), (1, 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class GifFrame:
    """One frame.

    Attributes:
        indexes: Rows x columns, into its table.
        left: Its first column on the screen.
        top: Its first row.
        disposal: 0 to 3; None for a frame without a control block.
        transparent: The index that stands for what lies below; None for none.
        table: Its own colours, rows of RGB, a power of two; None for those of the file.
        interlaced: Every eighth row first.
        delay: Hundredths of a second.
    """

    indexes: Samples
    left: int = 0
    top: int = 0
    disposal: int | None = 0
    transparent: int | None = None
    table: Samples | None = None
    interlaced: bool = False
    delay: int = 4


def gif_of(
    width: int, height: int, table: Samples, frames: list[GifFrame], *, background: int = 0
) -> bytes:
    """Return a GIF with a table for the frames that have none."""
    flags = 0x80 | _exponent(table)
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, flags, background, 0)
    pieces = [screen, table.astype(np.uint8).tobytes()]
    pieces += [_frame(frame, table) for frame in frames]
    return b"".join(pieces) + b"\x3b"


def _exponent(table: Samples) -> int:
    return len(table).bit_length() - 2


def _frame(frame: GifFrame, shared: Samples) -> bytes:
    height, width = frame.indexes.shape
    control = b""
    if frame.disposal is not None:
        flags = frame.disposal << 2 | (frame.transparent is not None)
        control = b"\x21\xf9\x04" + struct.pack(
            "<BHBB", flags, frame.delay, frame.transparent or 0, 0
        )
    flags = 0x40 * frame.interlaced
    own = b""
    if frame.table is not None:
        flags |= 0x80 | _exponent(frame.table)
        own = frame.table.astype(np.uint8).tobytes()
    place = struct.pack("<HHHHB", frame.left, frame.top, width, height, flags)
    rows = frame.indexes
    if frame.interlaced:
        rows = np.concatenate([rows[first::step] for first, step in _PASSES])
    table = shared if frame.table is None else frame.table
    return control + b"\x2c" + place + own + _coded(rows.reshape(-1), max(2, _exponent(table) + 1))


def _coded(indexes: Samples, bits: int) -> bytes:
    """Return LZW without a string: the table begins again before its codes grow longer."""
    begin = 1 << bits
    codes: list[int] = []
    for at in range(0, len(indexes), begin - 2):
        codes += [begin, *(int(index) for index in indexes[at : at + begin - 2])]
    codes.append(begin + 1)
    places = np.arange(bits + 1)
    packed = np.packbits(
        ((np.array(codes)[:, None] >> places) & 1).astype(np.uint8).reshape(-1), bitorder="little"
    ).tobytes()
    blocks = [packed[at : at + 255] for at in range(0, len(packed), 255)]
    return bytes([bits]) + b"".join(bytes([len(each)]) + each for each in blocks) + b"\0"


def shown_by_browsers(
    width: int, height: int, table: Samples, frames: list[GifFrame]
) -> list[Samples]:
    """Return each picture, RGBA: what no frame covers is clear, and so is what is cleared."""
    screen = np.zeros((height, width, 4), np.uint8)
    shown: list[Samples] = []
    for frame in frames:
        before = screen.copy()
        rows, columns = frame.indexes.shape
        place = (slice(frame.top, frame.top + rows), slice(frame.left, frame.left + columns))
        part = screen[place]
        indexes = frame.indexes[: part.shape[0], : part.shape[1]]
        colours = (table if frame.table is None else frame.table)[indexes]
        drawn = np.ones(indexes.shape, bool)
        if frame.transparent is not None:
            drawn = indexes != frame.transparent
        part[drawn] = np.dstack([colours, np.full(indexes.shape, 255)])[drawn]
        shown.append(screen.copy())
        if frame.disposal == 2:
            screen[place] = 0
        elif frame.disposal == 3:
            screen = before
    return shown
