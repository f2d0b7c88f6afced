"""The few EXIF fields that are kept or reported: read by an allow-list, written anew from it.

EXIF is a TIFF structure (CIPA DC-008, 4.6). Nothing of a photo's own block is ever copied: only
the fields named here come through, each as a value of its own type, so that what a maker hides in
a block (serial numbers, positions, notes, thumbnails) has no way out. Pure: no pyvips.
"""

import struct
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

__all__ = [
    "COPYRIGHT_FIELDS",
    "SAFE_FIELDS",
    "ExifFields",
    "read_camera_exif",
    "read_exif",
    "write_exif",
]

ExifFields = Mapping[str, str | tuple[int, ...]]
"""EXIF's name of a field -> its text, its integer, or the two integers of its fraction."""

_MAX_FIELDS: Final = 1000
"""Of one directory that are looked at; cameras write a few dozen."""

_MAX_TEXT: Final = 4096
"""Bytes of a text that are read; copyright notices are the longest."""

_EXIF_POINTER: Final = 0x8769
_FRACTION: Final = 2
_TEXT_TYPES: Final = frozenset({2, 129})


class _Kind(NamedTuple):
    """A field's type: the number it is written with, its letters, and the numbers it is read by."""

    type: int
    layout: str
    accepted: frozenset[int]


# Types: 2 text, 3 and 4 integers of 16 and 32 bits, 5 and 10 fractions, 129 text in UTF-8.
_TEXT: Final = _Kind(2, "", _TEXT_TYPES)
_SHORT: Final = _Kind(3, "H", frozenset({3, 4}))
_RATIONAL: Final = _Kind(5, "II", frozenset({5}))
_SRATIONAL: Final = _Kind(10, "ii", frozenset({10}))
_LAYOUTS: Final = {3: "H", 4: "I", 5: "II", 10: "ii"}

_FIRST: Final = {
    0x010F: ("Make", _TEXT),
    0x0110: ("Model", _TEXT),
    0x0132: ("DateTime", _TEXT),
    0x013B: ("Artist", _TEXT),
    0x8298: ("Copyright", _TEXT),
}
_CAMERA: Final = {
    0x829A: ("ExposureTime", _RATIONAL),
    0x829D: ("FNumber", _RATIONAL),
    0x8822: ("ExposureProgram", _SHORT),
    0x8827: ("ISOSpeedRatings", _SHORT),
    0x9003: ("DateTimeOriginal", _TEXT),
    0x9011: ("OffsetTimeOriginal", _TEXT),
    0x9204: ("ExposureBiasValue", _SRATIONAL),
    0x9207: ("MeteringMode", _SHORT),
    0x9209: ("Flash", _SHORT),
    0x920A: ("FocalLength", _RATIONAL),
    0xA405: ("FocalLengthIn35mmFilm", _SHORT),
    0xA433: ("LensMake", _TEXT),
    0xA434: ("LensModel", _TEXT),
}

COPYRIGHT_FIELDS: Final = frozenset({"Copyright", "Artist"})
"""Whose photo it is."""

SAFE_FIELDS: Final = frozenset(name for table in (_FIRST, _CAMERA) for name, _ in table.values())
"""Those, and camera, lens, exposure and time; no position and no serial number."""

ReadAt = Callable[[int, int], bytes]


def read_exif(read_at: ReadAt) -> ExifFields:
    """Return the fields that are known here; what is malformed is left out, never an error.

    Args:
        read_at: Returns up to so many bytes from an offset into the TIFF structure; fewer where
            it ends.
    """
    fields: dict[str, str | tuple[int, ...]] = {}
    first = _first_directory(read_at)
    if first is not None:
        order, at = first
        camera = _read_directory(read_at, order, at, _FIRST, fields)
        if camera is not None:
            _read_directory(read_at, order, camera, _CAMERA, fields)
    return fields


def read_camera_exif(read_at: ReadAt) -> ExifFields:
    """Return the fields of a block whose first directory is the camera's, as Canon's CR3 has them.

    Args:
        read_at: As for :func:`read_exif`.
    """
    fields: dict[str, str | tuple[int, ...]] = {}
    first = _first_directory(read_at)
    if first is not None:
        _read_directory(read_at, *first, _CAMERA, fields)
    return fields


def _first_directory(read_at: ReadAt) -> tuple[str, int] | None:
    """Return the byte order, and where the first directory is; None where it is no classic TIFF.

    Where TIFF has 42, raw files have a number of their makers; 43 is BigTIFF.
    """
    head = read_at(0, 4)
    order = {b"II": "<", b"MM": ">"}.get(head[:2]) if b"+" not in head else None
    pointer = _integers(read_at(4, 4), order + "I") if order else ()
    return (order, pointer[0]) if order and pointer else None


def _read_directory(
    read_at: ReadAt,
    order: str,
    at: int,
    known: Mapping[int, tuple[str, _Kind]],
    fields: dict[str, str | tuple[int, ...]],
) -> int | None:
    """Add what the directory at ``at`` holds to ``fields``; return where the camera's is."""
    camera = None
    counted = _integers(read_at(at, 2), order + "H") or (0,)
    length = min(counted[0], _MAX_FIELDS)
    entries = read_at(at + 2, 12 * length)
    for start in range(0, len(entries) - 11, 12):
        tag, kind, count = struct.unpack_from(order + "HHI", entries, start)
        value = entries[start + 8 : start + 12]
        if tag == _EXIF_POINTER:
            (camera,) = struct.unpack(order + "I", value)
        elif tag in known and (parsed := _value(read_at, order, known[tag][1], kind, count, value)):
            fields.setdefault(known[tag][0], parsed)
    return camera


def _value(
    read_at: ReadAt, order: str, wanted: _Kind, kind: int, count: int, value: bytes, /
) -> str | tuple[int, ...] | None:
    if kind not in wanted.accepted or count < 1:
        return None
    layout = order + _LAYOUTS.get(kind, "")
    length = min(count, _MAX_TEXT) if wanted is _TEXT else struct.calcsize(layout)
    if length > len(value):
        (at,) = struct.unpack(order + "I", value)
        value = read_at(at, length)
    if wanted is _TEXT:
        return _text(value[:length])
    return _integers(value, layout)


def _integers(data: bytes, layout: str) -> tuple[int, ...]:
    """Return the integers that ``data`` begins with; none where it is too short."""
    return struct.unpack_from(layout, data) if len(data) >= struct.calcsize(layout) else ()


def _text(data: bytes) -> str:
    """Return a text of one line; EXIF's copyright may be two, photographer NUL editor."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        # Older cameras and editors write what their system writes, mostly this.
        text = data.decode("latin-1")
    parts = ("".join(c for c in part if c.isprintable()).strip() for part in text.split("\0"))
    return "; ".join(part for part in parts if part)


def write_exif(fields: ExifFields) -> bytes:
    """Return a new block, little-endian, that holds ``fields`` and nothing else."""
    first = _entries(_FIRST, fields)
    camera = _entries(_CAMERA, fields)
    if camera:
        # The pointer's own value is known once it has its place: directories do not change length.
        first.append((_EXIF_POINTER, 4, 1, bytes(4)))
        at = 8 + len(_directory(first, 8))
        first[-1] = (_EXIF_POINTER, 4, 1, struct.pack("<I", at))
    block = struct.pack("<2sHI", b"II", 42, 8) + _directory(first, 8)
    return block + _directory(camera, len(block)) if camera else block


_Entry = tuple[int, int, int, bytes]


def _entries(known: Mapping[int, tuple[str, _Kind]], fields: ExifFields) -> list[_Entry]:
    entries = []
    for tag, (name, kind) in known.items():
        value = fields.get(name)
        if isinstance(value, str):
            # What was read in a shorter encoding may have grown: a block ends at 64 KiB.
            data = value.encode()[:_MAX_TEXT].decode(errors="ignore").encode() + b"\0"
            entries.append((tag, kind.type, len(data), data))
        elif value is not None and (kind is not _SHORT or value[0] <= 0xFFFF):
            entries.append((tag, kind.type, 1, struct.pack("<" + kind.layout, *value)))
    return entries


def _directory(entries: list[_Entry], at: int) -> bytes:
    entries = sorted(entries)
    table = struct.pack("<H", len(entries))
    overflow = b""
    overflow_at = at + 2 + 12 * len(entries) + 4
    for tag, kind, count, data in entries:
        if len(data) <= 4:
            field = data.ljust(4, b"\0")
        else:
            field = struct.pack("<I", overflow_at + len(overflow))
            overflow += data + b"\0" * (len(data) % 2)
        table += struct.pack("<HHI", tag, kind, count) + field
    return table + bytes(4) + overflow
