"""Writes TIFF directories, value by value, for layouts that no library writes."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal, NamedTuple

SHORT: Final = 3
LONG: Final = 4
RATIONAL: Final = 5
UNDEFINED: Final = 7
ASCII: Final = 2
BYTE: Final = 1
IFD: Final = 13

_LETTERS: Final = {1: "B", 2: "B", 3: "H", 4: "I", 5: "I", 7: "B", 8: "h", 9: "i", 13: "I", 16: "Q"}


class Value(NamedTuple):
    """An entry's values.

    Attributes:
        kind: TIFF's number of their type.
        items: Integers; or what is to be put elsewhere in the file, for whose place each stands:
            bytes or a directory. A fraction is two integers.
    """

    kind: int
    items: Sequence[int | bytes | Mapping[int, Value]]


Directory = Mapping[int, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How the file lies.

    Attributes:
        order: ``<`` or ``>``.
        big: BigTIFF.
        front: Whether the directories lie before what they point to, or behind it.
        magic: The four first bytes, where it is no TIFF.
        gap: Bytes after the header, a maker's own.
    """

    order: Literal["<", ">"] = "<"
    big: bool = False
    front: bool = True
    magic: bytes | None = None
    gap: bytes = b""


def short(*items: int) -> Value:
    """Integers of 16 bits."""
    return Value(SHORT, items)


def long(*items: int | bytes | Directory) -> Value:
    """Integers of 32 bits, or the places of what is given."""
    return Value(LONG, items)


def ascii_text(text: str) -> Value:
    """A text."""
    return Value(ASCII, [*text.encode(), 0])


def undefined(data: bytes) -> Value:
    """Bytes of any kind, in the directory's own values."""
    return Value(UNDEFINED, list(data))


_PLAIN: Final = Layout()


def write_directories(chain: Sequence[Directory], layout: Layout = _PLAIN) -> bytes:
    """Return a file whose directories are those of ``chain``, one after the other."""
    writer = _Writer(layout)
    writer.place(chain)
    return writer.data(chain)


class _Writer:
    """Finds a place for everything first, since no length depends on a place."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._places: dict[int, int] = {}
        self._blobs: list[bytes] = []
        self._directories: list[Directory] = []

    def place(self, chain: Sequence[Directory]) -> None:
        for directory in chain:
            self._collect(directory)
        at = (16 if self._layout.big else 8) + len(self._layout.gap)
        first, second = (
            (self._directories, self._blobs)
            if self._layout.front
            else (self._blobs, self._directories)
        )
        for thing in (*first, *second):
            at += at % 2
            self._places[id(thing)] = at
            at += len(thing) if isinstance(thing, bytes) else self._length(thing)

    def _collect(self, directory: Directory) -> None:
        if any(directory is one for one in self._directories):
            return
        self._directories.append(directory)
        for value in directory.values():
            for item in value.items:
                if isinstance(item, bytes):
                    if not any(item is one for one in self._blobs):
                        self._blobs.append(item)
                elif not isinstance(item, int):
                    self._collect(item)

    def _length(self, directory: Directory) -> int:
        inline = 8 if self._layout.big else 4
        table = (8 if self._layout.big else 2) + len(directory) * (4 + 2 * inline) + inline
        return table + sum(
            length + length % 2
            for value in directory.values()
            if (length := self._value_length(value)) > inline
        )

    def _letter(self, value: Value) -> str:
        # Places have the width of the file's.
        return "Q" if self._layout.big and value.kind == LONG else _LETTERS[value.kind]

    def _value_length(self, value: Value) -> int:
        return len(value.items) * struct.calcsize("=" + self._letter(value))

    def _written(self, directory: Directory, following: int) -> bytes:
        order, big = self._layout.order, self._layout.big
        inline = 8 if big else 4
        place = "Q" if big else "I"
        table = struct.pack(order + ("Q" if big else "H"), len(directory))
        overflow = b""
        overflow_at = self._places[id(directory)] + len(table)
        overflow_at += len(directory) * (4 + 2 * inline) + inline
        for tag, value in sorted(directory.items()):
            items = [
                item if isinstance(item, int) else self._places[id(item)] for item in value.items
            ]
            letter = self._letter(value)
            kind = 16 if letter == "Q" else value.kind
            data = struct.pack(f"{order}{len(items)}{letter}", *items)
            count = len(items) // 2 if value.kind == RATIONAL else len(items)
            if len(data) <= inline:
                field = data.ljust(inline, b"\0")
            else:
                field = struct.pack(order + place, overflow_at + len(overflow))
                overflow += data + bytes(len(data) % 2)
            table += struct.pack(f"{order}HH{place}", tag, kind, count) + field
        return table + struct.pack(order + place, following) + overflow

    def data(self, chain: Sequence[Directory]) -> bytes:
        layout = self._layout
        followings = {id(one): self._places[id(other)] for one, other in pairwise(chain)}
        mark = b"II" if layout.order == "<" else b"MM"
        first = self._places[id(chain[0])]
        if layout.big:
            head = mark + struct.pack(layout.order + "HHHQ", 43, 8, 0, first)
        else:
            head = mark + struct.pack(layout.order + "HI", 42, first)
        if layout.magic is not None:
            head = layout.magic + head[4:]
        file = bytearray(head + layout.gap)
        things: list[bytes | Directory] = [*self._blobs, *self._directories]
        for thing in sorted(things, key=lambda thing: self._places[id(thing)]):
            file += bytes(self._places[id(thing)] - len(file))
            file += (
                thing
                if isinstance(thing, bytes)
                else self._written(thing, followings.get(id(thing), 0))
            )
        return bytes(file)
