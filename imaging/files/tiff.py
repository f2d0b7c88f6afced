"""The directories of a TIFF, classic or BigTIFF: a bounded reader, pure, that decodes no pixel.

What it reads is a stranger's: every count is held against a maximum before it is believed, every
place against the file's size, and a chain of directories that comes back to itself ends there.

Source: TIFF 6.0, section 2; BigTIFF, https://www.awaresystems.be/imaging/tiff/bigtiff.html.
"""

import struct
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from imaging.errors import CorruptPhotoError, TruncatedPhotoError, UnsupportedFormatError

__all__ = ["Directory", "Entry", "ReadAt", "Tiff", "open_block", "open_tiff", "restated"]

ReadAt = Callable[[int, int], bytes]
"""Returns up to so many bytes (second) from an offset (first); fewer where the file ends."""

_MAX_ENTRIES: Final = 4096
"""Of one directory; cameras write a few dozen."""

_MAX_DIRECTORIES: Final = 1000
"""Of one chain that are looked at, where nobody says how many."""

_MAX_VALUES: Final = 1 << 20
"""Of one entry: a picture of 65,535 rows of tiles has no more tiles."""

# The type's number -> struct's letter. 7 is bytes of any kind, 13 the offset of a directory.
_LAYOUTS: Final[Mapping[int, str]] = {
    1: "B", 2: "s", 3: "H", 4: "I", 5: "II", 6: "b", 7: "B", 8: "h", 9: "i", 10: "ii",
    11: "f", 12: "d", 13: "I", 16: "Q", 17: "q", 18: "Q",
}  # fmt: skip

_SHORT: Final = 3
_FRACTION: Final = 5
_INTEGERS: Final = frozenset({1, 3, 4, 6, 7, 8, 9, 13, 16, 17, 18})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of a directory.

    Attributes:
        kind: The number of its type.
        count: How many values it has.
        at: Where in the file the first of them is.
        stored: The entry as it stands in the directory, without its tag.
    """

    kind: int
    count: int
    at: int
    stored: bytes

    @property
    def length(self) -> int:
        """Bytes that its values take."""
        return self.count * struct.calcsize("=" + _LAYOUTS[self.kind])


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """One directory, which is one picture, with the means to read its values.

    Attributes:
        at: Where in the file it is.
        following: Where the next one of the chain is; 0 for none.
        entries: By tag.
        tiff: What it is of.
    """

    at: int
    following: int
    entries: Mapping[int, Entry]
    tiff: "Tiff"

    def integers(self, tag: int) -> tuple[int, ...]:
        """Return the integers of ``tag``; none where it is missing, or has no integers.

        Raises:
            CorruptPhotoError: There are more than a photo has.
            TruncatedPhotoError: The file ends before they do.
        """
        entry = self.entries.get(tag)
        if entry is None or entry.kind not in _INTEGERS:
            return ()
        if entry.count > _MAX_VALUES:
            raise CorruptPhotoError(
                f"Expected at most {_MAX_VALUES:,} values of TIFF's tag {tag} but it has "
                f"{entry.count:,}"
            )
        data = self.tiff.read(entry.at, entry.length)
        return struct.unpack(f"{self.tiff.order}{entry.count}{_LAYOUTS[entry.kind]}", data)

    def integer(self, tag: int, default: int) -> int:
        """Return the first integer of ``tag``, or ``default`` where there is none."""
        values = self.integers(tag)
        return values[0] if values else default

    def fractions(self, tag: int, count: int) -> tuple[float, ...]:
        """Return the ``count`` fractions of ``tag``; none where it has not as many.

        Raises:
            TruncatedPhotoError: The file ends before they do.
        """
        entry = self.entries.get(tag)
        if entry is None or entry.kind != _FRACTION or entry.count != count:
            return ()
        data = self.tiff.read(entry.at, entry.length)
        pairs = struct.iter_unpack(self.tiff.order + "II", data)
        return tuple(above / (below or 1) for above, below in pairs)

    def data(self, tag: int, length: int) -> bytes:
        """Return the first ``length`` bytes of the values of ``tag`` at most, as they are stored.

        Raises:
            TruncatedPhotoError: The file ends before them.
        """
        entry = self.entries.get(tag)
        return b"" if entry is None else self.tiff.read(entry.at, min(length, entry.length))

    def text(self, tag: int) -> str:
        """Return the text of ``tag``, up to 64 characters; empty where it is missing."""
        return self.data(tag, 64).split(b"\0")[0].decode("latin-1").strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiff:
    """A TIFF whose header was read.

    Attributes:
        order: The byte order as struct names it, ``<`` or ``>``.
        big: Whether it is a BigTIFF: counts and places of 64 bits.
        first: Where the first directory is.
        size: Of the file, in bytes.
        read_at: Reads it.
    """

    order: str
    big: bool
    first: int
    size: int
    read_at: ReadAt

    def read(self, at: int, length: int) -> bytes:
        """Return exactly ``length`` bytes from ``at``.

        Raises:
            TruncatedPhotoError: The file ends before them.
        """
        data = self.read_at(at, length) if at + length <= self.size else b""
        if len(data) < length:
            raise TruncatedPhotoError(
                f"Expected {length:,} bytes at {at:,} of a TIFF but its {self.size:,} bytes end "
                "too soon"
            )
        return data

    def directory(self, at: int) -> Directory:
        """Return the directory at ``at``; entries of types that TIFF does not know are left out.

        Raises:
            CorruptPhotoError: It has more entries than a photo has, or none.
            TruncatedPhotoError: The file ends before it does.
        """
        counting, place = ("Q", "Q") if self.big else ("H", "I")
        head = struct.calcsize("=" + counting)
        (count,) = struct.unpack(self.order + counting, self.read(at, head))
        if not 1 <= count <= _MAX_ENTRIES:
            raise CorruptPhotoError(
                f"Expected a TIFF's directory of 1 to {_MAX_ENTRIES:,} entries but received {count}"
            )
        layout = f"{self.order}HH{place}"
        inline = struct.calcsize("=" + place)
        step = struct.calcsize(layout) + inline
        table = self.read(at + head, count * step)
        entries: dict[int, Entry] = {}
        for start in range(0, len(table), step):
            tag, kind, length = struct.unpack_from(layout, table, start)
            if kind not in _LAYOUTS:
                continue
            value_at = at + head + start + step - inline
            stored = table[start + 2 : start + step]
            entry = Entry(kind=kind, count=length, at=value_at, stored=stored)
            if entry.length > inline:
                (value_at,) = struct.unpack_from(self.order + place, table, start + step - inline)
                entry = replace(entry, at=value_at)
            entries.setdefault(tag, entry)
        # Some writers leave out the place of the next one where there is none.
        rest = self.read_at(at + head + len(table), inline)
        following = struct.unpack(self.order + place, rest)[0] if len(rest) == inline else 0
        return Directory(at=at, following=following, entries=entries, tiff=self)

    def chain(self, at: int, most: int = _MAX_DIRECTORIES) -> Iterator[Directory]:
        """Yield the directories from the one at ``at`` on, each once, as far as they can be read.

        The first must be readable; the chain ends before another that is not, or behind ``most``.

        Raises:
            CorruptPhotoError: The first is no directory.
            TruncatedPhotoError: The file ends before the first does.
        """
        seen: set[int] = set()
        while at and at not in seen and len(seen) < most:
            seen.add(at)
            try:
                directory = self.directory(at)
            except CorruptPhotoError:
                if len(seen) == 1:
                    raise
                return
            yield directory
            at = directory.following


def restated(
    directory: Directory, tags: Container[int], shorts: Mapping[int, Sequence[int]]
) -> tuple[bytes, bytes]:
    """Return the TIFF of ``directory`` as the only one: what stands first, and what comes last.

    The two make a TIFF of the file's own bytes: the first take the place of as many at its start,
    the last follow its end. Values that stand elsewhere stay where they are.

    Args:
        directory: The one.
        tags: Which entries are taken over as they are.
        shorts: Tag -> integers of 16 bits, in the place of what the directory says, or beside it.

    Raises:
        UnsupportedFormatError: A classic TIFF is too large for a place behind its end.
    """
    tiff = directory.tiff
    order, counting, place = tiff.order, *(("Q", "Q") if tiff.big else ("H", "I"))
    inline = struct.calcsize("=" + place)
    kept = {tag: entry.stored for tag, entry in directory.entries.items() if tag in tags}
    # A directory begins at an even place, and says last that none follows.
    pad = bytes(tiff.size % 2)
    at = tiff.size + len(pad)
    count = len(kept.keys() | shorts.keys())
    values_at = at + struct.calcsize("=" + counting) + count * (4 + 2 * inline) + inline
    if values_at > 0xFFFFFFFF - (1 << 16) and not tiff.big:
        raise UnsupportedFormatError("Expected a TIFF of less than 4 GiB, or a BigTIFF")
    values = b""
    for tag, integers in shorts.items():
        data = struct.pack(f"{order}{len(integers)}H", *integers)
        if len(data) > inline:
            field = struct.pack(order + place, values_at + len(values))
            values += data
        else:
            field = data.ljust(inline, b"\0")
        kept[tag] = struct.pack(f"{order}H{place}", _SHORT, len(integers)) + field
    table = b"".join(struct.pack(order + "H", tag) + kept[tag] for tag in sorted(kept))
    last = pad + struct.pack(order + counting, count) + table + bytes(inline) + values
    mark = b"II" if order == "<" else b"MM"
    if tiff.big:
        return mark + struct.pack(order + "HHHQ", 43, 8, 0, at), last
    return mark + struct.pack(order + "HI", 42, at), last


def open_block(block: bytes) -> Tiff | None:
    """Return the TIFF that is ``block``, such as EXIF; None where it does not begin as one."""
    return open_tiff(lambda at, length: block[at : at + length], len(block))


def open_tiff(read_at: ReadAt, size: int) -> Tiff | None:
    """Return the TIFF that ``read_at`` reads; None where its first bytes are not those of one.

    Args:
        read_at: Reads the file.
        size: Of the file, in bytes.
    """
    head = read_at(0, 16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 8:
        return None
    (version,) = struct.unpack_from(order + "H", head, 2)
    if version == 43 and len(head) == 16:
        (first,) = struct.unpack_from(order + "Q", head, 8)
    else:
        # Camera makers have numbers of their own where TIFF has 42.
        (first,) = struct.unpack_from(order + "I", head, 4)
    return Tiff(order=order, big=version == 43, first=first, size=size, read_at=read_at)
