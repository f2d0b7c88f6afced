"""EXIF, XMP and IPTC blocks, and photos full of what nobody should publish unawares."""

from __future__ import annotations

import struct
from typing import Final

Rationals = list[tuple[int, int]]
# A value of an EXIF field: text, bytes without a type, integers, or numerators and denominators.

Value = str | bytes | list[int] | Rationals

_EXIF_IFD: Final = 0x8769
_GPS_IFD: Final = 0x8825
_XMP: Final = 0x02BC

# Tags whose integers are 32 bits wide; those of the rest are 16.
_LONGS: Final = frozenset({_EXIF_IFD, _GPS_IFD, 0x0100, 0x0101, 0x0111, 0x0117, 0x0201, 0x0202})

Fields = dict[int, Value]


def exif(
    *,
    orientation: int | None = None,
    copyright_text: str | None = None,
    fields: Fields | None = None,
    camera: Fields | None = None,
    gps: Fields | None = None,
    thumbnail: bytes | None = None,
) -> bytes:
    """An EXIF block: a TIFF structure, little-endian, without the `Exif` prefix that JPEG puts.

    Args:
        orientation: 1 to 8; None leaves the tag out.
        copyright_text: Tag 0x8298.
        fields: Further tags of the first IFD.
        camera: Tags of the Exif IFD.
        gps: Tags of the GPS IFD.
        thumbnail: A JPEG for the second IFD.
    """
    first: Fields = dict(fields or {})
    if orientation is not None:
        first[0x0112] = [orientation]
    if copyright_text is not None:
        first[0x8298] = copyright_text
    return _structure(first, camera or {}, gps or {}, thumbnail)


def tiff_with(first: Fields, camera: Fields, gps: Fields, strip: bytes) -> bytes:
    """A TIFF of one strip whose IFDs carry all these fields, as EXIF blocks do."""
    return _structure({**first, 0x0111: [0], 0x0117: [len(strip)]}, camera, gps, None, strip)


def with_exif(jpeg_data: bytes, exif_data: bytes) -> bytes:
    """The JPEG with an EXIF segment in front, where cameras put it."""
    return jpeg_data[:2] + segment(0xE1, b"Exif\0\0" + exif_data) + jpeg_data[2:]


def segment(marker: int, payload: bytes) -> bytes:
    """A JPEG segment: 0xFF, marker, length, payload."""
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def iptc(records: dict[int, str]) -> bytes:
    """An IPTC block of application records (2:n)."""
    block = b""
    for number, text in sorted(records.items()):
        value = text.encode()
        block += struct.pack(">BBBH", 0x1C, 2, number, len(value)) + value
    return block


def photoshop_resources(iptc_block: bytes) -> bytes:
    """The image resource block in which JPEG's APP13 segment and TIFF's tag 34377 hold IPTC."""
    padded = iptc_block + b"\0" * (len(iptc_block) % 2)
    return b"8BIM" + struct.pack(">HHI", 0x0404, 0, len(iptc_block)) + padded


def _structure(
    first: Fields, camera: Fields, gps: Fields, thumbnail: bytes | None, strip: bytes = b""
) -> bytes:
    first = {**first, **({_EXIF_IFD: [0]} if camera else {}), **({_GPS_IFD: [0]} if gps else {})}
    second: Fields = {}
    if thumbnail is not None:
        second = {0x0103: [6], 0x0201: [0], 0x0202: [len(thumbnail)]}
    # Sizes do not depend on what pointers point to: lay everything out, then write it.
    camera_at = 8 + len(_ifd(first, 0, 0))
    gps_at = camera_at + (len(_ifd(camera, 0, 0)) if camera else 0)
    second_at = gps_at + (len(_ifd(gps, 0, 0)) if gps else 0)
    end = second_at + (len(_ifd(second, 0, 0)) if second else 0)
    for fields, tag, at in (
        (first, _EXIF_IFD, camera_at),
        (first, _GPS_IFD, gps_at),
        (first, 0x0111, end),
        (second, 0x0201, end),
    ):
        if tag in fields:
            fields[tag] = [at]
    data = struct.pack("<2sHI", b"II", 42, 8) + _ifd(first, 8, second_at if second else 0)
    data += _ifd(camera, camera_at, 0) if camera else b""
    data += _ifd(gps, gps_at, 0) if gps else b""
    data += _ifd(second, second_at, 0) if second else b""
    return data + (thumbnail or b"") + strip


def _ifd(fields: Fields, at: int, following: int) -> bytes:
    table = struct.pack("<H", len(fields))
    overflow_at = at + 2 + 12 * len(fields) + 4
    overflow = b""
    for tag, value in sorted(fields.items()):
        kind, count, data = _encoded(tag, value)
        if len(data) <= 4:
            field = data.ljust(4, b"\0")
        else:
            field = struct.pack("<I", overflow_at + len(overflow))
            overflow += data + b"\0" * (len(data) % 2)
        table += struct.pack("<HHI", tag, kind, count) + field
    return table + struct.pack("<I", following) + overflow


def _encoded(tag: int, value: Value) -> tuple[int, int, bytes]:
    """The type, count and bytes of a field."""
    if isinstance(value, str):
        data = value.encode() + b"\0"
        return 2, len(data), data
    if isinstance(value, bytes):
        return (1 if tag == _XMP else 7), len(value), value
    if isinstance(value[0], int):
        kind, letter = (4, "I") if tag in _LONGS else (3, "H")
        return kind, len(value), struct.pack(f"<{len(value)}{letter}", *value)
    parts = [part for pair in value for part in pair]
    return 5, len(value), struct.pack(f"<{len(parts)}I", *parts)
