"""IPTC's older records (IIM), of which two say what XMP may not: credit and copyright; pure.

Source: IPTC-NAA Information Interchange Model 4.2; Adobe Photoshop File Formats, image resources.
"""

import struct
from collections.abc import Iterator
from typing import Final

__all__ = ["read_iptc_values"]

_RESOURCES: Final = b"Photoshop 3.0\0"
_RESOURCE: Final = b"8BIM"
_IPTC: Final = 0x0404
_MAX_RECORDS: Final = 1000
_MAX_RESOURCES: Final = 1000
"""Photoshop writes some thirty."""
_CREDIT: Final = (2, 110)
_COPYRIGHT: Final = (2, 116)
_NAMES: Final = {_CREDIT: "credit", _COPYRIGHT: "copyright_notice"}


def read_iptc_values(block: bytes) -> dict[str, str]:
    """Return what ``block`` says: a field of ``Rights`` -> text; what is malformed is left out.

    Args:
        block: The records, or Photoshop's image resources around them.
    """
    values: dict[str, str] = {}
    for number, data in _records(_unwrapped(block)):
        if number in _NAMES:
            try:
                text = data.decode()
            except UnicodeDecodeError:
                # Older editors write what their system writes, mostly this. Of another one, such as
                # Shift-JIS, bytes would be control characters: no name is better than a wrong one.
                text = data.decode("latin-1")
                if any("\x80" <= character <= "\x9f" for character in text):
                    continue
            values.setdefault(_NAMES[number], text)
    return values


def _unwrapped(block: bytes) -> bytes:
    block = block.removeprefix(_RESOURCES)
    at = 0
    for _ in range(_MAX_RESOURCES):
        if block[at : at + 4] != _RESOURCE or at + 12 > len(block):
            break
        (kind,) = struct.unpack_from(">H", block, at + 4)
        # A name of at least one byte, padded to an even length.
        at += 6 + (block[at + 6] + 2) // 2 * 2
        if at + 4 > len(block):
            return b""
        (length,) = struct.unpack_from(">I", block, at)
        if kind == _IPTC:
            return block[at + 4 : at + 4 + length]
        at += 4 + length + length % 2
    return b"" if at else block


def _records(data: bytes) -> Iterator[tuple[tuple[int, int], bytes]]:
    at = 0
    for _ in range(_MAX_RECORDS):
        if at + 5 > len(data) or data[at] != 0x1C:
            return
        record, number, length = struct.unpack_from(">BBH", data, at + 1)
        end = at + 5 + length
        if length & 0x8000 or end > len(data):
            # An extended record is a picture's, not a text's.
            return
        yield (record, number), data[at + 5 : end]
        at = end
