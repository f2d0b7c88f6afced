"""JPEGs of flat blocks, of any components, sampling and markers.

What each shows follows from its numbers, whatever a decoder says.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    Samples = np.ndarray[tuple[int, ...], np.dtype[Any]]

__all__ = ["Adobe", "Plane", "adobe", "jfif", "jpeg_of"]

_CODES: Final = {length: (length, 4) for length in range(12)}
"""A table of Huffman's in which each code has four bits: the length of what follows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """One component.

    Attributes:
        levels: Of each block, rows x columns, as many as its sampling asks for; 0 to 255.
        across: Blocks of it in a unit, from left to right.
        down: And from top to bottom.
        id: What the file calls it; its place, from 1 on, where None.
    """

    levels: Samples
    across: int = 1
    down: int = 1
    id: int | None = None


Adobe = int | None
"""The transform that Adobe's marker names; None without the marker."""


def jfif() -> bytes:
    """Return JFIF's marker, which says that three components are YCbCr."""
    return _segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")


def adobe(transform: int) -> bytes:
    """Return Adobe's marker: 0 is RGB or CMYK, 1 YCbCr, 2 YCCK."""
    return _segment(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([transform]))


def jpeg_of(
    width: int,
    height: int,
    planes: Sequence[Plane],
    *markers: bytes,
    interleaved: bool = True,
    restart: int = 0,
    end: bool = True,
) -> bytes:
    """Return a baseline JPEG.

    Args:
        width: Columns.
        height: Rows.
        planes: Of which it consists.
        markers: Before its frame.
        interleaved: All in one scan; else each in its own.
        restart: Units between two restart markers; 0 for none.
        end: With the mark of its end.
    """
    ids = [number if plane.id is None else plane.id for number, plane in enumerate(planes, 1)]
    frame = struct.pack(">BHHB", 8, height, width, len(planes)) + b"".join(
        bytes([id_, plane.across << 4 | plane.down, 0])
        for id_, plane in zip(ids, planes, strict=True)
    )
    counts = bytes([0, 0, 0, len(_CODES), *[0] * 12])
    data = b"\xff\xd8" + b"".join(markers)
    data += _segment(0xDB, b"\0" + bytes([1] * 64)) + _segment(0xC0, frame)
    data += _segment(0xC4, b"\0" + counts + bytes(_CODES))
    # Of the others a block has none: the one code that says so.
    data += _segment(0xC4, b"\x10" + bytes([1, *[0] * 15]) + b"\0")
    if restart:
        data += _segment(0xDD, struct.pack(">H", restart))
    most = max(plane.across for plane in planes), max(plane.down for plane in planes)
    scans = [list(range(len(planes)))] if interleaved else [[at] for at in range(len(planes))]
    for scan in scans:
        header = bytes([len(scan), *(value for at in scan for value in (ids[at], 0)), 0, 63, 0])
        data += _segment(0xDA, header)
        data += _coded(_units([planes[at] for at in scan], (width, height), most), restart)
    return data + (b"\xff\xd9" if end else b"")


def _units(
    planes: list[Plane], size: tuple[int, int], most: tuple[int, int]
) -> list[list[tuple[int, int]]]:
    """Return, for each unit of a scan, the plane and the level of each block."""
    if len(planes) == 1:
        # By itself a component has no more blocks than the picture needs.
        (plane,) = planes
        columns = ceil(ceil(size[0] * plane.across / most[0]) / 8)
        rows = ceil(ceil(size[1] * plane.down / most[1]) / 8)
        return [[(0, int(plane.levels[y, x]))] for y in range(rows) for x in range(columns)]
    columns, rows = -(-size[0] // (8 * most[0])), -(-size[1] // (8 * most[1]))
    return [
        [
            (number, int(plane.levels[row * plane.down + y, column * plane.across + x]))
            for number, plane in enumerate(planes)
            for y in range(plane.down)
            for x in range(plane.across)
        ]
        for row in range(rows)
        for column in range(columns)
    ]


def _coded(units: list[list[tuple[int, int]]], restart: int) -> bytes:
    data, bits = b"", ""
    last: dict[int, int] = {}
    for number, unit in enumerate(units):
        if restart and number and number % restart == 0:
            data += _stuffed(bits) + bytes([0xFF, 0xD0 + (number // restart - 1) % 8])
            bits, last = "", {}
        for plane, level in unit:
            value = 8 * (level - 128)
            step = value - last.get(plane, 0)
            last[plane] = value
            length = abs(step).bit_length()
            bits += f"{length:04b}"
            if length:
                bits += f"{step if step > 0 else step + (1 << length) - 1:0{length}b}"
            bits += "0"
    return data + _stuffed(bits)


def _stuffed(bits: str) -> bytes:
    bits += "1" * (-len(bits) % 8)
    data = int(bits, 2).to_bytes(len(bits) // 8, "big") if bits else b""
    return data.replace(b"\xff", b"\xff\0")


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content
