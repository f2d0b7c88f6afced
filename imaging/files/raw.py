"""Camera raw, recognised by its bytes, and the largest JPEG that the camera put into it; pure.

No raw is developed: what is shown is the camera's own picture, the preview. Most makers' files are
TIFFs; the others are read by their own headers.

Source: the makers publish nothing; ExifTool's tag tables and the structures that LibRaw and Exiv2
document are what is known: https://exiftool.org/TagNames/, https://github.com/lclevy/canon_cr3.
"""

import struct
from collections.abc import Iterator
from typing import Final

from imaging.errors import CorruptPhotoError, TruncatedPhotoError
from imaging.files.cr3 import read_cr3
from imaging.files.exif import read_exif
from imaging.files.previews import JpegPlace, Raw, largest_preview
from imaging.files.tiff import Directory, ReadAt, Tiff, open_tiff

__all__ = ["read_raw"]

# TIFF's tags.
_WIDTH: Final = 256
_HEIGHT: Final = 257
_COMPRESSION: Final = 259
_PHOTOMETRIC: Final = 262
_MAKE: Final = 271
_STRIPS: Final = 273
_ORIENTATION: Final = 274
_STRIP_BYTES: Final = 279
_SUBIFDS: Final = 330
_JPEG_AT: Final = 513
_JPEG_BYTES: Final = 514
_EXIF: Final = 34665
_MAKER_NOTE: Final = 37500
_EXIF_WIDTH: Final = 0xA002
_EXIF_HEIGHT: Final = 0xA003
_DNG_VERSION: Final = 50706

_MOSAIC: Final = frozenset({32803, 34892})
"""PhotometricInterpretation of a sensor's samples: CFA, LinearRaw (DNG 1.7, chapter 4)."""

_MAKERS_CODECS: Final = frozenset({32767, 32769, 32770, 34713, 65535})
"""Compressions of their raw samples: Sony, Epson, Samsung, Nikon, Pentax."""

_JPEG_CODECS: Final = frozenset({6, 7})

# Panasonic's tags.
_SENSOR_WIDTH: Final = 2
_SENSOR_HEIGHT: Final = 3
_JPEG_FROM_RAW: Final = 0x2E

# Olympus's: a directory in the maker's note, and in it the place of the preview.
_CAMERA_SETTINGS: Final = 0x2020
_PREVIEW_AT: Final = 0x0101
_PREVIEW_BYTES: Final = 0x0102

_OLYMPUS: Final = frozenset({b"IIRO", b"IIRS", b"MMOR"})
_PANASONIC: Final = b"IIU\0"
_FUJIFILM: Final = b"FUJIFILMCCD-RAW "
_CANON_CR3: Final = b"ftypcrx "
_TIFFS: Final = frozenset({b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"})
_PHASE_ONE: Final = frozenset({b"IIII", b"MMMM"})

_BY_MAKE: Final = (
    ("NIKON", "Nikon NEF"),
    ("SONY", "Sony ARW"),
    ("PENTAX", "Pentax PEF"),
    ("RICOH", "Pentax PEF"),
    ("SAMSUNG", "Samsung SRW"),
    ("HASSELBLAD", "Hasselblad 3FR"),
    ("PHASE ONE", "Phase One IIQ"),
    ("LEAF", "Leaf MOS"),
    ("CANON", "Canon raw"),
    ("EPSON", "Epson ERF"),
    ("KODAK", "Kodak DCR"),
)

_MAX_SUBIFDS: Final = 64
_MAX_RAF_ENTRIES: Final = 255


def read_raw(read_at: ReadAt, size: int) -> Raw | None:
    """Return what the camera raw says of itself; None where it is no camera raw.

    *Cost*: its directories, and the header of each JPEG in it that is larger than the one taken.

    Args:
        read_at: Reads the file.
        size: Of the file, in bytes.

    Raises:
        CorruptPhotoError: It is a TIFF whose first directory cannot be read.
        TruncatedPhotoError: The file ends before the largest JPEG in it does.
    """
    head = read_at(0, 16)
    if head[:4] in _TIFFS or head[:4] in _OLYMPUS or head[:4] == _PANASONIC:
        tiff = open_tiff(read_at, size)
        return None if tiff is None else _from_tiff(tiff, head, read_at(8, 4))
    if head == _FUJIFILM:
        return _from_raf(read_at, size)
    if head[4:12] == _CANON_CR3:
        return read_cr3(read_at, size)
    return None


def _directories(tiff: Tiff) -> Iterator[Directory]:
    """Yield the directories of the chain, and below each its SubIFDs."""
    for directory in tiff.chain(tiff.first):
        yield directory
        yield from _below(tiff, directory)


def _below(tiff: Tiff, directory: Directory) -> Iterator[Directory]:
    for at in _soft_integers(directory, _SUBIFDS)[:_MAX_SUBIFDS]:
        try:
            yield tiff.directory(at)
        except CorruptPhotoError:
            continue


def _soft_integers(directory: Directory, tag: int) -> tuple[int, ...]:
    """Return the integers of ``tag``; none where they cannot be read."""
    try:
        return directory.integers(tag)
    except CorruptPhotoError:
        return ()


def _soft_integer(directory: Directory, tag: int) -> int:
    return next(iter(_soft_integers(directory, tag)), 0)


def _is_mosaic(directory: Directory) -> bool:
    return (
        _soft_integer(directory, _PHOTOMETRIC) in _MOSAIC
        or _soft_integer(directory, _COMPRESSION) in _MAKERS_CODECS
    )


def _from_tiff(tiff: Tiff, head: bytes, maker: bytes) -> Raw | None:
    directories = list(_directories(tiff))
    if not directories:
        return None
    first = directories[0]
    kind = _kind(head, maker, directories)
    if kind is None:
        return None
    exif = _exif_directory(tiff, first)
    orientation = _soft_integer(first, _ORIENTATION)
    width, height = _raw_size(tiff, directories, exif)
    return Raw(
        kind=kind,
        width=width,
        height=height,
        orientation=orientation if 1 <= orientation <= 8 else 1,
        exif=read_exif(tiff.read_at),
        preview=largest_preview(tiff.read_at, tiff.size, _jpegs(directories, exif)),
    )


def _kind(head: bytes, maker: bytes, directories: list[Directory]) -> str | None:
    """Return the maker's name for such a file; None for a TIFF that is no raw."""
    told = (
        (head[:4] in _OLYMPUS, "Olympus ORF"),
        (head[:4] == _PANASONIC, "Panasonic RW2"),
        (head[8:10] == b"CR", "Canon CR2"),
        (any(_DNG_VERSION in directory.entries for directory in directories), "DNG"),
        (maker in _PHASE_ONE, "Phase One IIQ"),
    )
    kind = next((kind for is_so, kind in told if is_so), None)
    if kind is not None or not any(map(_is_mosaic, directories)):
        return kind
    makes = {_make(directory) for directory in directories}
    return next(
        (kind for begin, kind in _BY_MAKE if any(make.startswith(begin) for make in makes)),
        "camera raw",
    )


def _make(directory: Directory) -> str:
    try:
        return directory.text(_MAKE).upper()
    except CorruptPhotoError:
        return ""


def _exif_directory(tiff: Tiff, first: Directory) -> Directory | None:
    at = _soft_integer(first, _EXIF)
    try:
        return tiff.directory(at) if at else None
    except CorruptPhotoError:
        return None


def _raw_size(tiff: Tiff, directories: list[Directory], exif: Directory | None) -> tuple[int, int]:
    """Return the largest size that a directory of the raw's own samples, or else EXIF, tells."""
    sizes = [
        (_soft_integer(directory, _WIDTH), _soft_integer(directory, _HEIGHT))
        for directory in directories
        if _is_mosaic(directory)
    ]
    first = directories[0]
    sizes.append((_soft_integer(first, _SENSOR_WIDTH), _soft_integer(first, _SENSOR_HEIGHT)))
    if exif is not None:
        sizes.append((_soft_integer(exif, _EXIF_WIDTH), _soft_integer(exif, _EXIF_HEIGHT)))
    if tiff.read_at(0, 4) in _OLYMPUS:
        sizes.append((_soft_integer(first, _WIDTH), _soft_integer(first, _HEIGHT)))
    return max(sizes, key=lambda size: size[0] * size[1])


def _jpegs(directories: list[Directory], exif: Directory | None) -> Iterator[JpegPlace]:
    """Yield where a TIFF-like raw says that JPEGs are."""
    for directory in directories:
        at, length = _soft_integer(directory, _JPEG_AT), _soft_integer(directory, _JPEG_BYTES)
        if at and length:
            yield JpegPlace(at=at, length=length)
        strips = _soft_integers(directory, _STRIPS)
        lengths = _soft_integers(directory, _STRIP_BYTES)
        if (
            len(strips) == len(lengths) == 1
            and _soft_integer(directory, _COMPRESSION) in _JPEG_CODECS
            and _soft_integer(directory, _PHOTOMETRIC) not in _MOSAIC
        ):
            yield JpegPlace(at=strips[0], length=lengths[0])
        if (entry := directory.entries.get(_JPEG_FROM_RAW)) is not None:
            yield JpegPlace(at=entry.at, length=entry.length)
    if exif is not None and (entry := exif.entries.get(_MAKER_NOTE)) is not None:
        yield from _olympus_jpegs(exif.tiff, entry.at)


def _olympus_jpegs(tiff: Tiff, at: int) -> Iterator[JpegPlace]:
    """Yield the preview that the maker's note at ``at`` names; none for other makers.

    Source: ``Olympus.pm`` of ExifTool: newer notes count from their own first byte.
    """
    head = tiff.read_at(at, 16)
    if head.startswith((b"OLYMPUS\0", b"OM SYSTEM\0")):
        base, begin = at, 12 if head.startswith(b"OLYMPUS") else 16
    elif head.startswith(b"OLYMP\0"):
        base, begin = 0, at + 8
    else:
        return
    note = Tiff(
        order=tiff.order,
        big=False,
        first=begin,
        size=tiff.size - base,
        read_at=lambda place, length: tiff.read_at(base + place, length),
    )
    try:
        entry = note.directory(begin).entries[_CAMERA_SETTINGS]
        inner = (
            entry.at
            if entry.length > 4
            else struct.unpack(note.order + "I", note.read(entry.at, 4))[0]
        )
        settings = note.directory(inner)
    except (CorruptPhotoError, KeyError):
        return
    place, length = _soft_integer(settings, _PREVIEW_AT), _soft_integer(settings, _PREVIEW_BYTES)
    if place and length:
        yield JpegPlace(at=base + place, length=length)


def _from_raf(read_at: ReadAt, size: int) -> Raw:
    """Read Fujifilm's header: all its numbers are big-endian.

    Source: https://libopenraw.freedesktop.org/formats/raf/
    """
    head = read_at(84, 12)
    if len(head) < 12:
        raise TruncatedPhotoError("Expected the header of a Fujifilm RAF but it ends too soon")
    at, length, table = struct.unpack(">III", head)
    preview = largest_preview(read_at, size, iter([JpegPlace(at=at, length=length)]))
    width, height = _raf_size(read_at, table)
    return Raw(kind="Fujifilm RAF", width=width, height=height, preview=preview)


def _raf_size(read_at: ReadAt, at: int) -> tuple[int, int]:
    counted = read_at(at, 4)
    count = int.from_bytes(counted, "big") if len(counted) == 4 else 0
    at += 4
    for _ in range(min(count, _MAX_RAF_ENTRIES)):
        entry = read_at(at, 8)
        if len(entry) < 8:
            break
        tag, length, rows, columns = struct.unpack(">HHHH", entry)
        if tag == 0x0100 and length == 4:
            return columns, rows
        at += 4 + length
    return 0, 0
