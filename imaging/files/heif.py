"""The boxes of HEIC and AVIF: which items make the picture, and whether their bytes are there.

A decoder that finds a tile's bytes missing paints the tile in one colour and reports success. So
the file's own directory is held against the file before a pixel is decoded.

The reader is bounded by the file: every length is held against the box that it lies in before it is
used, nothing recurses, and each item is looked at once.

Source: ISO/IEC 14496-12 (boxes, ``meta``), 23008-12 (items, properties), 14496-15 (``hvcC``).
"""

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from imaging.errors import CorruptPhotoError, TruncatedPhotoError, UnsupportedFormatError
from imaging.files.boxes import HEAD_BYTES, read_head, walk
from imaging.files.credentials import MAX_STORE_BYTES

__all__ = [
    "CODED",
    "Container",
    "Extent",
    "Item",
    "Property",
    "Read",
    "aux_type",
    "from_memory",
    "manifest_store",
    "read_container",
    "size_of",
]

Read = Callable[[int, int], bytes]
"""Returns up to so many bytes (second) from an offset (first)."""

_MAX_META_BYTES: Final = 16 << 20
"""A directory of 200 megapixels in 822 items has 60 kB, and a profile of a printer four MB."""

_MAX_BOXES: Final = 65_535
"""In one; libheif allows as many."""

_MAX_FILE_BOXES: Final = 1000
"""Of a file, among which a manifest store is looked for."""

_C2PA: Final = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_STORES: Final = frozenset({b"manifest", b"original", b"update"})
"""What a box of C2PA's is for, where it is a manifest store: once a picture has update manifests,
those are in a box of their own, and the store of before is the original."""


_IN_FILE: Final = 0
_IN_IDAT: Final = 1

_ISPE: Final = struct.Struct(">III")
_BLOCK: Final = 128
"""The largest block of a codec: AV1's superblock."""

_ALPHA: Final = frozenset(
    {b"urn:mpeg:hevc:2015:auxid:1", b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """Where a part of an item's bytes lies.

    Attributes:
        offset: From the first byte of the file, or of the ``idat`` box.
        length: 0 stands for all that follows.
        in_idat: Whether it lies in the ``idat`` box of the directory itself.
    """

    offset: int
    length: int
    in_idat: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """What is said of an item.

    Attributes:
        kind: The type of its box, such as ``ispe``.
        body: Its contents, without the box's header.
    """

    kind: bytes
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A coded picture, a picture that is derived from others, or metadata.

    Attributes:
        id: Its number in this file.
        kind: ``hvc1`` and ``av01`` are coded; ``grid``, ``iovl``, ``iden``, ``tmap`` are derived.
        extents: Where its bytes lie, in order.
        properties: In the order in which they apply.
    """

    id: int
    kind: bytes
    extents: tuple[Extent, ...]
    properties: tuple[Property, ...]

    def property(self, kind: bytes) -> bytes | None:
        """Return the body of the first property of this kind; None without one."""
        return next((held.body for held in self.properties if held.kind == kind), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """The directory of one file.

    Attributes:
        items: By their numbers.
        primary: The number of the picture that is shown.
        references: From the kind of reference and the item that has it to the items it names.
        idat: Bytes of items that the directory holds itself.
        size: Bytes of the file.
    """

    items: Mapping[int, Item]
    primary: int
    references: Mapping[tuple[bytes, int], tuple[int, ...]]
    idat: bytes
    size: int

    def auxiliaries(self, item: int) -> Iterator[Item]:
        """Yield the pictures that belong to ``item`` without being it: alpha, depth, a gain map."""
        for (kind, source), targets in self.references.items():
            if kind == b"auxl" and item in targets and source in self.items:
                yield self.items[source]

    def picture(self, of: int | None = None) -> tuple[Item, ...]:
        """Return the item ``of``, all that it is derived from, and their alpha; each once.

        It is the primary item where none is named.
        """
        found: dict[int, Item] = {}
        waiting = [self.primary if of is None else of]
        while waiting:
            number = waiting.pop()
            if number in found or number not in self.items:
                continue
            found[number] = self.items[number]
            waiting += self.references.get((b"dimg", number), ())
            waiting += (aux.id for aux in self.alphas(number))
        return tuple(found.values())

    def alphas(self, item: int) -> Iterator[Item]:
        """Yield the pictures that say how opaque ``item`` is."""
        return (aux for aux in self.auxiliaries(item) if aux_type(aux) in _ALPHA)

    def check_kinds(self) -> None:
        """Check that the picture is coded in a way that is decoded here.

        Raises:
            UnsupportedFormatError: It is whole, perhaps, and of another codec.
        """
        for item in self.picture():
            if item.kind not in CODED | _DERIVED:
                name = _CODECS.get(item.kind, f"codec {item.kind.decode('latin-1')!r}")
                raise UnsupportedFormatError(
                    f"Expected a picture of HEVC or AV1 in a HEIF but received {name}"
                )

    def max_pixels(self) -> int:
        """Return the most pixels that a part of the picture has, with what its codec rounds up to.

        A coded picture may be larger than its item says: no decoder should believe it.
        """
        return max((_coded_pixels(item) for item in self.picture()), default=0)

    def bytes_of(self, item: Item, read: Read) -> bytes:
        """Return the bytes of ``item``.

        Raises:
            TruncatedPhotoError: The file ends before them.
            CorruptPhotoError: There are none, or they would lie where nothing can.
        """
        return b"".join(
            self.idat[start:end] if extent.in_idat else read(start, end - start)
            for extent in item.extents
            for start, end in (self._within(extent, item),)
        )

    def check_extents(self, of: int | None = None) -> None:
        """Hold every part of :meth:`picture` against the size of the file; none is read.

        Raises:
            TruncatedPhotoError: The file ends before a part does.
            CorruptPhotoError: The directory lacks a part, or says nothing of where it lies.
        """
        for item in self.picture(of):
            for number in self.references.get((b"dimg", item.id), ()):
                if number not in self.items:
                    raise CorruptPhotoError(f"Expected item {number}, a tile, but there is none")
            self.check_item(item)

    def check_item(self, item: Item) -> None:
        """Hold one item against the size of the file, as above."""
        if item.kind == b"iden":
            # It has no bytes of its own; an extent of none, at the file's end, is one.
            return
        if not item.extents:
            raise CorruptPhotoError(f"Expected bytes of item {item.id} but the photo names none")
        for extent in item.extents:
            self._within(extent, item)

    def _within(self, extent: Extent, item: Item) -> tuple[int, int]:
        size = len(self.idat) if extent.in_idat else self.size
        end = extent.offset + extent.length if extent.length else size
        if end <= size and extent.offset < end:
            return extent.offset, end
        if extent.in_idat:
            raise CorruptPhotoError(
                f"Expected item {item.id} within an idat box of {size:,} bytes but it ends at "
                f"{end:,}"
            )
        raise TruncatedPhotoError(
            f"Expected a photo of at least {end:,} bytes, where item {item.id} ends, but received "
            f"{size:,}"
        )


def size_of(item: Item) -> tuple[int, int] | None:
    """Return width and height that a picture says it has; None where it does not say so."""
    body = item.property(b"ispe")
    if body is None or len(body) < _ISPE.size:
        return None
    _, width, height = _ISPE.unpack_from(body)
    return width, height


def _coded_pixels(item: Item) -> int:
    width, height = size_of(item) or (0, 0)
    return -(-width // _BLOCK) * -(-height // _BLOCK) * _BLOCK**2


def aux_type(item: Item) -> bytes:
    """Return what an auxiliary picture is, as a URN; empty where it does not say so."""
    return (item.property(b"auxC") or b"")[4:].split(b"\0")[0]


def manifest_store(read: Read, size: int) -> bytes | None:
    """Return the manifest store of C2PA in a file of ``size`` bytes; None where there is none.

    Source: C2PA 2.2, A, of embedding.
    """
    for box in walk(read, 0, size, _MAX_FILE_BOXES):
        # Version and flags, what it is for, an offset to what concerns videos.
        purpose = read(box.at + 4, 16).partition(b"\0")[0] if box.kind == _C2PA else b""
        if purpose in _STORES:
            begin = box.at + 4 + len(purpose) + 1 + 8
            return read(begin, max(0, min(box.end - begin, MAX_STORE_BYTES))) or None
    return None


def from_memory(data: bytes) -> Read:
    """Return what reads a file that is in memory."""
    return lambda at, length: data[at : at + length]


class _Reader:
    """A cursor over the contents of one box."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def uint(self, length: int) -> int:
        if self._at + length > len(self._data):
            raise CorruptPhotoError("Expected a whole box but it ends before its contents")
        self._at += length
        return int.from_bytes(self._data[self._at - length : self._at], "big")

    def rest(self) -> bytes:
        return self._data[self._at :]


CODED: Final = frozenset({b"hvc1", b"av01"})
"""The kinds of items that a codec decodes here."""

_DERIVED: Final = frozenset({b"grid", b"iovl", b"iden", b"tmap"})
_CODECS: Final[Mapping[bytes, str]] = {
    b"jpeg": "JPEG",
    b"j2k1": "JPEG 2000",
    b"jxlc": "JPEG XL",
    b"jxl ": "JPEG XL",
    b"avc1": "H.264",
    b"vvc1": "H.266",
    b"evc1": "EVC",
    b"lhv1": "layered HEVC",
    b"unci": "uncompressed samples",
    b"mski": "a mask",
}
"""The types of items that HEIF knows beside (ISO/IEC 23008-12 and its amendments)."""


def read_container(read: Read, size: int) -> Container:
    """Return the directory of a HEIC or AVIF of ``size`` bytes.

    *Cost*: two reads for each box before ``meta``, and ``meta`` itself.

    Raises:
        TruncatedPhotoError: The file ends within the directory, or before it.
        UnsupportedFormatError: It is a sequence, or a collection, without a picture of its own.
        CorruptPhotoError: There is none that makes sense.
    """
    held = dict(reversed(list(_boxes(_meta(read, size)[4:]))))
    if b"pitm" not in held and b"iinf" in held:
        # Readers disagree on what to show of it, and the decoder opens no such file.
        raise UnsupportedFormatError(
            "Expected a HEIF that names the picture to show (pitm) but received one that names none"
        )
    for needed in (b"pitm", b"iinf", b"iloc", b"iprp"):
        if needed not in held:
            raise CorruptPhotoError(f"Expected a box {needed.decode()} but received none")
    extents = dict(_locations(held[b"iloc"]))
    properties: dict[int, list[Property]] = {}
    for number, found in _properties(held[b"iprp"]):
        properties.setdefault(number, []).append(found)
    items = {
        number: Item(
            id=number,
            kind=kind,
            extents=extents.get(number, ()),
            properties=tuple(properties.get(number, ())),
        )
        for number, kind in _kinds(held[b"iinf"])
    }
    pitm = _Reader(held[b"pitm"])
    primary = pitm.uint(2 if pitm.uint(4) >> 24 == 0 else 4)
    if primary not in items:
        raise CorruptPhotoError(f"Expected the picture to be an item but there is no {primary}")
    return Container(
        items=items,
        primary=primary,
        references=_references(held.get(b"iref", bytes(4))),
        idat=held.get(b"idat", b""),
        size=size,
    )


def _meta(read: Read, size: int) -> bytes:
    """Return the contents of the ``meta`` box of the file."""
    at = 0
    is_sequence = False
    while at + 8 <= size:
        head = read_head(read(at, HEAD_BYTES), 0, size - at)
        if head is None or head.length < head.begin:
            break
        kind, begin, length = head
        if kind == b"meta":
            if at + length > size:
                raise TruncatedPhotoError(
                    f"Expected a photo of at least {at + length:,} bytes, where its directory "
                    f"ends, but received {size:,}"
                )
            if length > _MAX_META_BYTES:
                raise CorruptPhotoError(
                    f"Expected a directory of at most {_MAX_META_BYTES:,} bytes but received one "
                    f"of {length:,}"
                )
            return read(at + begin, length - begin)
        is_sequence = is_sequence or kind == b"moov"
        at += length
    if is_sequence and at <= size:
        raise UnsupportedFormatError(
            "Expected a HEIF with a picture but received a sequence alone (a video's track)"
        )
    if at > size:
        raise TruncatedPhotoError(
            f"Expected a photo of more than {at:,} bytes but received {size:,}"
        )
    raise CorruptPhotoError("Expected a box meta but received none")


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the type and the contents of each box."""
    at = count = 0
    while (head := read_head(data, at, len(data) - at)) is not None:
        count += 1
        if count > _MAX_BOXES:
            raise CorruptPhotoError(
                f"Expected at most {_MAX_BOXES:,} boxes in one of a HEIF but received more"
            )
        kind, begin, length = head
        if length < begin or at + length > len(data):
            raise CorruptPhotoError(
                f"Expected box {kind!r} within {len(data):,} bytes but it has {length:,}"
            )
        yield kind, data[at + begin : at + length]
        at += length


def _kinds(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the number and the type of each item of ``iinf``."""
    reader = _Reader(body)
    reader.uint(2 if reader.uint(4) >> 24 == 0 else 4)
    for kind, entry in _boxes(reader.rest()):
        if kind != b"infe":
            continue
        info = _Reader(entry)
        version = info.uint(4) >> 24
        if version < 2:
            continue
        number = info.uint(2 if version == 2 else 4)
        info.uint(2)
        yield number, info.uint(4).to_bytes(4, "big")


def _locations(body: bytes) -> Iterator[tuple[int, tuple[Extent, ...]]]:
    """Yield the extents of each item of ``iloc`` whose bytes are in this file."""
    reader = _Reader(body)
    version = reader.uint(4) >> 24
    sizes = reader.uint(2)
    offset_size, length_size, base_size, index_size = (sizes >> at & 15 for at in (12, 8, 4, 0))
    wide = version > 1
    for _ in range(reader.uint(4 if wide else 2)):
        number = reader.uint(4 if wide else 2)
        method = reader.uint(2) & 15 if version else _IN_FILE
        elsewhere = reader.uint(2)
        base = reader.uint(base_size)
        extents = []
        for _ in range(reader.uint(2)):
            if version:
                reader.uint(index_size)
            offset = base + reader.uint(offset_size)
            length = reader.uint(length_size)
            extents.append(Extent(offset=offset, length=length, in_idat=method == _IN_IDAT))
        if method in {_IN_FILE, _IN_IDAT} and not elsewhere:
            yield number, tuple(extents)


def _properties(body: bytes) -> Iterator[tuple[int, Property]]:
    """Yield the number of an item and a property of it, in the order of ``ipma``."""
    held = list(_boxes(body))
    properties = [
        Property(kind=kind, body=inner)
        for name, contents in held
        if name == b"ipco"
        for kind, inner in _boxes(contents)
    ]
    for name, contents in held:
        if name != b"ipma":
            continue
        reader = _Reader(contents)
        word = reader.uint(4)
        number_size, index_size = (2 if word >> 24 == 0 else 4), (2 if word & 1 else 1)
        for _ in range(reader.uint(4)):
            number = reader.uint(number_size)
            for _ in range(reader.uint(1)):
                # The first bit says that a reader must understand the property.
                index = reader.uint(index_size) & (0x7FFF if index_size > 1 else 0x7F)
                if 0 < index <= len(properties):
                    yield number, properties[index - 1]


def _references(body: bytes) -> dict[tuple[bytes, int], tuple[int, ...]]:
    reader = _Reader(body)
    size = 2 if reader.uint(4) >> 24 == 0 else 4
    found: dict[tuple[bytes, int], tuple[int, ...]] = {}
    for kind, inner in _boxes(reader.rest()):
        reference = _Reader(inner)
        source = reference.uint(size)
        named = tuple(reference.uint(size) for _ in range(reference.uint(2)))
        found[kind, source] = found.get((kind, source), ()) + named
    return found
