"""The boxes of ISO/IEC 14496-12, as HEIC, AVIF and Canon's CR3 have them; pure."""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

__all__ = ["HEAD_BYTES", "Box", "Head", "read_head", "walk"]

HEAD_BYTES: Final = 16
"""Of what a box begins with, at most."""

_UUID_BYTES: Final = 16
_MAX_BOXES: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A box: its kind, and where what it holds begins and ends in the file."""

    kind: bytes
    at: int
    end: int


class Head(NamedTuple):
    """What a box begins with: its kind, how long that is, and how long the box is."""

    kind: bytes
    begin: int
    length: int


def read_head(data: bytes, at: int, room: int) -> Head | None:
    """Return the head of the box at ``at`` of ``data``; None where there is none.

    A box that says to be shorter than its head is a false one.

    Args:
        data: Has :data:`HEAD_BYTES` of it, if there are so many.
        at: Where it begins.
        room: Bytes from there to the end of what the box is in: a box may say that it fills them.
    """
    if room < 8 or len(data) < at + 8:
        return None
    length, kind = struct.unpack_from(">I4s", data, at)
    begin = 8
    if length == 1 and len(data) >= at + HEAD_BYTES:
        (length,) = struct.unpack_from(">Q", data, at + 8)
        begin = HEAD_BYTES
    elif length == 0:
        length = room
    return Head(kind, begin, length)


def walk(
    read_at: Callable[[int, int], bytes], at: int, end: int, most: int = _MAX_BOXES
) -> Iterator[Box]:
    """Yield the boxes from ``at`` to ``end``; of a ``uuid`` box the kind is its UUID.

    What is malformed ends them.

    Args:
        read_at: Returns up to so many bytes (second) from an offset (first).
        at: Where the first begins.
        end: Where the last ends.
        most: So many are looked at.
    """
    for _ in range(most):
        data = read_at(at, HEAD_BYTES + _UUID_BYTES) if at < end else b""
        head = read_head(data, 0, end - at)
        if head is None or head.length < head.begin:
            return
        kind, begin, length = head
        if kind == b"uuid":
            kind = data[begin : begin + _UUID_BYTES]
            begin += _UUID_BYTES
        yield Box(kind=kind, at=at + begin, end=min(at + length, end))
        at += length
