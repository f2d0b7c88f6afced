"""TIFFs of every layout: compression x photometric x planes x tiles x bits x sample format x ..."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import pyvips

from tests.photos.directories import (
    Layout,
    Value,
    long,
    short,
    write_directories,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Samples = np.ndarray[tuple[int, ...], np.dtype[Any]]
Compression = Literal["none", "packbits", "lzw", "deflate", "jpeg"]

PHOTOMETRICS: Final = {
    "white is zero": 0,
    "black is zero": 1,
    "rgb": 2,
    "palette": 3,
    "cmyk": 5,
    "ycbcr": 6,
    "cielab": 8,
    "icclab": 9,
}
_COMPRESSIONS: Final[Mapping[Compression, int]] = {
    "none": 1,
    "lzw": 5,
    "jpeg": 7,
    "deflate": 8,
    "packbits": 32773,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """How samples are stored.

    Attributes:
        photometric: What they mean: a key of ``PHOTOMETRICS``.
        compression: Of each strip or tile.
        planar: Each band apart.
        tile: Side of square tiles; None for strips.
        rows: Of a strip.
        extra: What each band beyond the colour is: 0 unspecified, 1 premultiplied alpha, 2 alpha.
        others: Further entries, which take the place of those that are made here.
    """

    photometric: str = "rgb"
    compression: Compression = "none"
    planar: bool = False
    tile: int | None = None
    rows: int = 16
    extra: tuple[int, ...] = ()
    others: tuple[tuple[int, Value], ...] = ()


_PLAIN: Final = Stored()
_FRONT: Final = Layout()


def directory(samples: Samples, stored: Stored, order: Literal["<", ">"] = "<") -> dict[int, Value]:
    """Return the directory of one picture.

    Args:
        samples: height x width x bands, of the type that is to be stored; bool for one bit.
        stored: How.
        order: The byte order of the file.
    """
    height, width, bands = samples.shape
    bits = 1 if samples.dtype == np.bool_ else 8 * samples.dtype.itemsize
    kind = {"u": 1, "b": 1, "i": 2, "f": 3}[samples.dtype.kind]
    planes = (
        [samples[:, :, band : band + 1] for band in range(bands)] if stored.planar else [samples]
    )
    blocks = [
        _compressed(block, stored.compression, order)
        for plane in planes
        for block in _blocks(plane, stored)
    ]
    entries: dict[int, Value] = {
        256: long(width),
        257: long(height),
        258: short(*[bits] * bands),
        259: short(_COMPRESSIONS[stored.compression]),
        262: short(PHOTOMETRICS[stored.photometric]),
        277: short(bands),
        284: short(2 if stored.planar else 1),
        339: short(*[kind] * bands),
    }
    if stored.extra:
        entries[338] = short(*stored.extra)
    if stored.tile is None:
        entries |= {
            273: long(*blocks),
            278: long(stored.rows),
            279: long(*map(len, blocks)),
        }
    else:
        entries |= {
            322: long(stored.tile),
            323: long(stored.tile),
            324: long(*blocks),
            325: long(*map(len, blocks)),
        }
    return entries | dict(stored.others)


def tiff_of(samples: Samples, stored: Stored = _PLAIN, layout: Layout = _FRONT) -> bytes:
    """Return a TIFF of one picture; arguments as for :func:`directory`."""
    return write_directories([directory(samples, stored, layout.order)], layout)


def _blocks(plane: Samples, stored: Stored) -> Iterator[Samples]:
    height, width, _ = plane.shape
    if stored.tile is None:
        for top in range(0, height, stored.rows):
            yield plane[top : top + stored.rows]
        return
    side = stored.tile
    padded = np.pad(plane, ((0, -height % side), (0, -width % side), (0, 0)), mode="edge")
    for top in range(0, height, side):
        for left in range(0, width, side):
            yield padded[top : top + side, left : left + side]


def _compressed(block: Samples, compression: Compression, order: Literal["<", ">"]) -> bytes:
    if compression == "jpeg":
        return _jpeg(block)
    if block.dtype == np.bool_:
        data = np.packbits(block[:, :, 0], axis=1).tobytes()
    else:
        data = block.astype(block.dtype.newbyteorder(order)).tobytes()
    # A row of its own each: PackBits must not run across rows.
    match compression:
        case "none":
            return data
        case "deflate":
            return zlib.compress(data)
        case "lzw":
            return _lzw(data)
        case "packbits":
            length = len(data) // block.shape[0]
            rows = (data[at : at + length] for at in range(0, len(data), length))
            return b"".join(map(_packed, rows))


def _jpeg(block: Samples) -> bytes:
    image = pyvips.Image.new_from_array(block)
    image = image.copy(interpretation="b-w" if block.shape[2] == 1 else "srgb")
    # As RGB: what TIFF says of the colours then holds.
    mode = "on" if block.shape[2] == 1 else "off"
    return image.jpegsave_buffer(Q=95, subsample_mode=mode, keep=pyvips.enums.ForeignKeep.NONE)


def _packed(row: bytes) -> bytes:
    """PackBits, of literal runs and repeats (TIFF 6.0, section 9)."""
    out = bytearray()
    at = 0
    while at < len(row):
        run = 1
        while run < 128 and at + run < len(row) and row[at + run] == row[at]:
            run += 1
        if run > 1:
            out += bytes([257 - run, row[at]])
        else:
            while run < 128 and at + run < len(row) and row[at + run] != row[at + run - 1]:
                run += 1
            out += bytes([run - 1]) + row[at : at + run]
        at += run
    return bytes(out)


def _lzw(data: bytes) -> bytes:
    """LZW as TIFF has it: codes of 9 to 12 bits, high bits first (TIFF 6.0, section 13)."""
    clear, end = 256, 257
    out, held, width = 0, 0, 9
    codes: list[tuple[int, int]] = [(clear, 9)]
    table = {bytes([value]): value for value in range(256)}
    following = 258
    text = b""
    for value in data:
        longer = text + bytes([value])
        if longer in table:
            text = longer
            continue
        codes.append((table[text], width))
        table[longer] = following
        following += 1
        width = max(9, min(12, following.bit_length()))
        if following == 4094:
            codes.append((clear, 12))
            table = {bytes([one]): one for one in range(256)}
            following, width = 258, 9
        text = bytes([value])
    if text:
        codes.append((table[text], width))
        following += 1
        width = max(9, min(12, following.bit_length()))
    codes.append((end, width))
    packed = bytearray()
    for code, bits in codes:
        out = out << bits | code
        held += bits
        while held >= 8:
            held -= 8
            packed.append(out >> held & 0xFF)
            out &= (1 << held) - 1
    if held:
        packed.append(out << (8 - held) & 0xFF)
    return bytes(packed)
