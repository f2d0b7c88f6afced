"""Photos of any sides in few bytes, written bit by bit: pictures of one colour, all valid.

An encoder would need the pixels. These need their number alone.
"""

from __future__ import annotations

import struct
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "chunk_of_riff",
    "flat_gif",
    "flat_jpeg",
    "flat_vp8l",
    "gif_frame",
    "gif_screen",
    "jpeg_of_scans",
    "riff",
    "segment",
    "tiff",
    "vp8x",
]

_BLOCK: Final = 8
_MOST_RUN: Final = (1 << 15) - 1


def segment(marker: int, payload: bytes) -> bytes:
    """A segment of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def _tables() -> bytes:
    quantisation = segment(0xDB, b"\0" + b"\1" * 64)
    # One code of one bit for light: no difference. Fifteen of four bits: runs of empty blocks.
    light = bytes([0, 1]) + bytes(15) + b"\0"
    runs = bytes([0x10, 0, 0, 0, 15]) + bytes(12) + bytes(range(0x00, 0xF0, 0x10))
    return quantisation + segment(0xC4, light) + segment(0xC4, runs)


def _frame(marker: int, width: int, height: int, bands: int) -> bytes:
    parts = b"".join(bytes([band + 1, 0x11, 0]) for band in range(bands))
    return segment(marker, struct.pack(">BHHB", 8, height, width, bands) + parts)


def _scan(bands: Iterable[int], first: int, last: int, successive: int) -> bytes:
    chosen = b"".join(bytes([band + 1, 0]) for band in bands)
    head = bytes([len(chosen) // 2]) + chosen + bytes([first, last, successive])
    return segment(0xDA, head)


def _blocks(width: int, height: int) -> int:
    return -(-width // _BLOCK) * -(-height // _BLOCK)


@cache
def flat_jpeg(width: int, height: int, bands: int = 3) -> bytes:
    """A baseline JPEG of one colour: five bits for each block of each band."""
    # Grey's code and the end of a block are zeros: the pixels are zeros too.
    bits = 5 * _blocks(width, height) * bands
    return (
        b"\xff\xd8"
        + _tables()
        + _frame(0xC0, width, height, bands)
        + _scan(range(bands), 0, 63, 0)
        + bytes(-(-bits // 8))
        + b"\xff\xd9"
    )


def _runs(blocks: int) -> bytes:
    """Return runs of so many empty blocks."""
    bits, count = 0, 0
    while blocks:
        size = min(blocks, _MOST_RUN)
        length = size.bit_length() - 1
        bits = bits << 4 + length | length << length | size - (1 << length)
        count += 4 + length
        blocks -= size
    padding = -count % 8
    data = (bits << padding | (1 << padding) - 1).to_bytes((count + padding) // 8, "big")
    return data.replace(b"\xff", b"\xff\0")


@cache
def jpeg_of_scans(width: int, height: int, most: int = 1 << 20) -> bytes:
    """A progressive JPEG of as many scans as there can be, 2,647, or ``most``: each bit has one."""
    light = _scan(range(3), 0, 0, 0) + bytes(-(-3 * _blocks(width, height) // 8))
    runs = _runs(_blocks(width, height))
    scans = [
        _scan([band], place, place, (bit + 1) % 14 << 4 | bit) + runs
        for band in range(3)
        for place in range(1, 64)
        for bit in range(13, -1, -1)
    ]
    return (
        b"\xff\xd8"
        + _tables()
        + _frame(0xC2, width, height, 3)
        + light
        + b"".join(scans[: most - 1])
        + b"\xff\xd9"
    )


def gif_screen(width: int, height: int) -> bytes:
    """The beginning of a GIF of two colours."""
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"


@cache
def gif_frame(width: int, height: int, disposal: int = 1) -> bytes:
    """A frame of one colour, 12 bits for each 3,800 pixels or so."""
    codes = [(4, 3)]  # clear, in 3 bits
    left, size, following, length = width * height, 3, 6, 1
    codes.append((0, size))
    left -= 1
    # Each code is one pixel longer than the last one, until the table is full.
    while left and following < 4096:
        length += 1
        if length > left:
            break
        codes.append((following, size))
        left -= length
        following += 1
        if following == 1 << size and size < 12:
            size += 1
    whole, left = divmod(left, length)
    value = shift = 0
    for code, bits in codes:
        value |= code << shift
        shift += bits
    # The last code twice is three bytes.
    while shift % 8:
        value |= (following - 1) << shift
        shift += size
        whole -= 1
    data = value.to_bytes(shift // 8, "little")
    pair = ((following - 1) << 12 | (following - 1)).to_bytes(3, "little")
    data += pair * max(0, whole // 2)
    rest = [following - 1] * (max(0, whole) % 2) + [0] * (left % 4096) + [5]
    data += sum(code << 12 * at for at, code in enumerate(rest)).to_bytes(
        -(-12 * len(rest) // 8), "little"
    )
    blocks = b"".join(
        bytes([len(data[at : at + 255])]) + data[at : at + 255] for at in range(0, len(data), 255)
    )
    control = b"\x21\xf9\x04" + bytes([disposal << 2]) + b"\x0a\0\0\0"
    return (
        control + b"\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\2" + blocks + b"\0"
    )


def flat_gif(width: int, height: int, disposals: Iterable[int] = (1,)) -> bytes:
    """A GIF of whole frames of one colour, each with its disposal."""
    frames = (gif_frame(width, height, disposal) for disposal in disposals)
    return gif_screen(width, height) + b"".join(frames) + b"\x3b"


def chunk_of_riff(kind: bytes, content: bytes) -> bytes:
    """A chunk of a WebP."""
    return kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    """A WebP of these chunks."""
    body = b"".join(chunk_of_riff(*chunk) for chunk in chunks)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def vp8x(flags: int, width: int, height: int) -> bytes:
    """What says how large a WebP's canvas is."""
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return bytes([flags, 0, 0, 0]) + sides


def flat_vp8l(width: int, height: int) -> bytes:
    """A lossless picture of one colour: five codes of one symbol each, and no bit for a pixel."""
    bits = (width - 1) | (height - 1) << 14
    return b"\x2f" + bits.to_bytes(4, "little") + bytes([0x88, 0x88, 0x08, 0, 0, 0, 0, 0])


def tiff(
    entries: dict[int, tuple[int, ...]], rest: bytes = b"", *, at: int = 8, following: int = 0
) -> bytes:
    """A directory of a TIFF, integers of 32 bits all, with its header where it begins at 8.

    Args:
        entries: Tag -> integers. They stand behind the directory where they are several.
        rest: What stands behind those.
        at: Where the directory is in its file.
        following: Where the next one is.
    """
    behind = at + 2 + 12 * len(entries) + 4
    table, values = struct.pack("<H", len(entries)), b""
    for tag, integers in sorted(entries.items()):
        data = struct.pack(f"<{len(integers)}I", *integers)
        place = data if len(integers) == 1 else struct.pack("<I", behind + len(values))
        values += b"" if len(integers) == 1 else data
        table += struct.pack("<HHI", tag, 4, len(integers)) + place
    head = b"II*\0" + struct.pack("<I", 8) if at == 8 else b""
    return head + table + struct.pack("<I", following) + values + rest
