"""The boxes of ISO/IEC 14496-12, as HEIC, AVIF and Canon's CR3 have them; pure."""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

__all__ = ["Box", "walk"]

_MAX_BOXES: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A box: its kind, and where what it holds begins and ends in the file."""

    kind: bytes
    at: int
    end: int


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
        head = read_at(at, 32) if at + 8 <= end else b""
        if len(head) < 8:
            return
        length, kind = struct.unpack_from(">I4s", head)
        begin = 8
        if length == 1 and len(head) >= 16:
            (length,) = struct.unpack_from(">Q", head, 8)
            begin = 16
        if length == 0:
            length = end - at
        if length < begin:
            return
        if kind == b"uuid":
            kind = head[begin : begin + 16]
            begin += 16
        yield Box(kind=kind, at=at + begin, end=min(at + length, end))
        at += length
