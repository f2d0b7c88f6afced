"""JPEGs as iPhones write them: the gain map is another JPEG behind the picture, by MPF."""

import struct
from collections.abc import Sequence

from imaging.files.jpeg import XMP

__all__ = ["APPLE", "Places", "apple_exif", "apple_jpeg", "apple_xmp", "maker_note", "mpf_index"]

APPLE = b"urn:com:apple:photo:2020:aux:hdrgainmap"
_NAME_BYTES = 8
"""Marker, length and ``MPF``: the places of an index count from behind them."""

Places = Sequence[tuple[int, int]]
"""Place, as an index counts it, and length of each further picture."""


def _segment(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def maker_note(bright: tuple[int, int], gain: tuple[int, int]) -> bytes:
    """Apple's maker note with the two numbers that make the headroom."""
    entries = struct.pack(">HHII", 33, 10, 1, 44) + struct.pack(">HHII", 48, 10, 1, 52)
    note = b"Apple iOS\0\0\1MM" + struct.pack(">H", 2) + entries + bytes(4)
    return note + struct.pack(">ii", *bright) + struct.pack(">ii", *gain)


def apple_exif(note: bytes = b"", *, make: bytes = b"Apple\0", orientation: int = 1) -> bytes:
    """An EXIF block, from its byte order on."""
    make_at = 8 + 2 + 3 * 12 + 4
    second_at = make_at + len(make) + len(make) % 2
    first = struct.pack(">HHHII", 3, 0x010F, 2, len(make), make_at)
    first += struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    first += struct.pack(">HHII", 0x8769, 4, 1, second_at) + bytes(4)
    second = struct.pack(">HHHII", 1, 0x927C, 7, len(note), second_at + 18) + bytes(4)
    if not note:
        second = struct.pack(">HHHI4s", 1, 0x9000, 7, 4, b"0232") + bytes(4)
    return (
        b"MM\0*"
        + struct.pack(">I", 8)
        + first
        + make.ljust(second_at - make_at, b"\0")
        + (second + note)
    )


def apple_xmp(headroom: str | None = None, kind: bytes = APPLE) -> bytes:
    """The XMP of an auxiliary picture, with a headroom as iOS 17 and later write it."""
    said = b"" if headroom is None else headroom.encode()
    if said:
        said = b"<HDRGainMap:HDRGainMapHeadroom>" + said + b"</HDRGainMap:HDRGainMapHeadroom>"
    return (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        b'xmlns:apdi="http://ns.apple.com/pixeldatainfo/1.0/" '
        b'xmlns:HDRGainMap="http://ns.apple.com/HDRGainMap/1.0/">'
        b"<apdi:AuxiliaryImageType>" + kind + b"</apdi:AuxiliaryImageType>"
        b"<HDRGainMap:HDRGainMapVersion>131072</HDRGainMap:HDRGainMapVersion>"
        + said
        + b"</rdf:Description></rdf:RDF></x:xmpmeta>"
    )


def mpf_index(primary: int, others: Places) -> bytes:
    """The segment that says where the pictures are."""
    count = 1 + len(others)
    index = struct.pack(">2sHIH", b"MM", 42, 8, 3)
    index += struct.pack(">HHI4s", 0xB000, 7, 4, b"0100")
    index += struct.pack(">HHII", 0xB001, 4, 1, count)
    index += struct.pack(">HHIII", 0xB002, 7, 16 * count, 50, 0)
    index += struct.pack(">IIIHH", 0x030000, primary, 0, 0, 0)
    for at, length in others:
        index += struct.pack(">IIIHH", 0, length, at, 0, 0)
    return _segment(0xE2, b"MPF\0" + index)


def apple_jpeg(
    picture: bytes,
    auxiliaries: Sequence[tuple[bytes, bytes]],
    exif: bytes,
    *,
    lies: Places | None = None,
) -> bytes:
    """One file of a picture and of what is behind it.

    Args:
        picture: A JPEG without EXIF.
        auxiliaries: A JPEG and its XMP, each.
        exif: From its byte order on.
        lies: What the index says in the place of the truth.
    """
    behind = [each[:2] + _segment(0xE1, XMP + xmp) + each[2:] for each, xmp in auxiliaries]
    head = picture[:2] + _segment(0xE1, b"Exif\0\0" + exif)
    count = len(behind) if lies is None else len(lies)
    primary = len(head) + len(mpf_index(0, [(0, 0)] * count)) + len(picture) - 2
    at = primary - len(head) - _NAME_BYTES
    true = []
    for each in behind:
        true.append((at, len(each)))
        at += len(each)
    index = mpf_index(primary, true if lies is None else lies)
    return head + index + picture[2:] + b"".join(behind)
