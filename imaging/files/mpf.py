"""The pictures behind the first one of a JPEG by its MPF index; Apple's gain map among them.

What it says is a stranger's: a few pictures are looked at, each only where the file has it whole.

Source: CIPA DC-007-2009, 5.2: an APP2 segment with a TIFF directory; places count from behind its
name.
"""

import struct
from typing import Final, NamedTuple

from imaging.errors import CorruptPhotoError
from imaging.files.gain_map_numbers import (
    APPLE,
    GainMapNumbers,
    apple_numbers,
    lets_follow_apples,
)
from imaging.files.jpeg import XMP, segments
from imaging.files.tiff import open_block

__all__ = ["MPF", "Placed", "declares_apple_gain_map", "find_apple_gain_map", "further_pictures"]

MPF: Final = b"MPF\0"
"""What an APP2 segment begins with that holds the index."""

_APP1: Final = 0xE1
_APP2: Final = 0xE2
_ENTRIES: Final = 0xB002
_ENTRY: Final = ">IIIHH"
_MAX_PICTURES: Final = 8
"""Phones write a gain map, a depth and a few mattes."""

_HEAD_BYTES: Final = 1 << 17
"""Of a picture, that are searched for its XMP: two of the longest segments."""

_START: Final = b"\xff\xd8"


class Placed(NamedTuple):
    """Where in the file a picture is said to be.

    Attributes:
        at: Its first byte.
        length: So many bytes.
    """

    at: int
    length: int


def further_pictures(header: bytes) -> tuple[Placed, ...]:
    """Return where the index puts the pictures behind the first; none without an index.

    Args:
        header: The file, as far as its first scan at least.
    """
    for segment in segments(header):
        if segment.marker == _APP2 and segment.payload.startswith(MPF):
            # The marker, the length and the name come before the index.
            return _indexed(segment.payload[len(MPF) :], segment.at + 4 + len(MPF))
    return ()


def _indexed(index: bytes, base: int) -> tuple[Placed, ...]:
    tiff = open_block(index)
    if tiff is None:
        return ()
    layout = tiff.order + _ENTRY[1:]
    step = struct.calcsize(layout)
    try:
        table = tiff.directory(tiff.first).data(_ENTRIES, step * (1 + _MAX_PICTURES))
    except CorruptPhotoError:
        return ()
    entries = struct.iter_unpack(layout, table[: len(table) // step * step])
    # The first picture is at 0, and the place of one that is not in this file too.
    return tuple(Placed(base + at, length) for _, length, at, _, _ in entries if at and length)


def declares_apple_gain_map(header: bytes, exif: bytes) -> bool:
    """Tell whether Apple's gain map may follow: the pictures behind are not read yet.

    Args:
        header: The file, as far as its first scan at least.
        exif: Its EXIF block, from its byte order on; empty where it has none.
    """
    try:
        return bool(further_pictures(header)) and lets_follow_apples(exif)
    except CorruptPhotoError:
        return False


def find_apple_gain_map(data: bytes, exif: bytes) -> tuple[bytes, GainMapNumbers] | None:
    """Return the JPEG of Apple's gain map, and its numbers; None where none can be used.

    *Cost*: a copy of the gain map.

    Args:
        data: The whole file.
        exif: Its EXIF block, from its byte order on; empty where it has none.
    """
    for at, length in further_pictures(data):
        head = data[at : at + min(length, _HEAD_BYTES)]
        if at + length > len(data) or not head.startswith(_START):
            continue
        xmp = next((each for each in _packets(head) if APPLE in each), None)
        if xmp is None:
            continue
        try:
            numbers = apple_numbers(xmp, exif)
        except CorruptPhotoError:
            return None
        return None if numbers is None else (data[at : at + length], numbers)
    return None


def _packets(head: bytes) -> list[bytes]:
    return [
        segment.payload[len(XMP) :]
        for segment in segments(head)
        if segment.marker == _APP1 and segment.payload.startswith(XMP)
    ]
