"""The gain map of a HEIC or AVIF: which picture it is, and how its values are to be read.

It is said in one of two ways: by a ``tmap`` item, as ISO 21496-1 has it, or by Apple, whose gain
map is an auxiliary picture with an XMP of its own.

Source: ISO/IEC 23008-12, 6.6.2.4 (``tmap``); ISO 21496-1, annex C.
"""

import struct
from dataclasses import dataclass

from imaging.errors import CorruptPhotoError
from imaging.files.gain_map_numbers import (
    APPLE,
    GainMapNumbers,
    apple_numbers,
    names_headroom,
)
from imaging.files.heif import Container, Item, Read, aux_type

__all__ = ["GainMapItem", "find_gain_map"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GainMapItem:
    """Which item is the gain map.

    Attributes:
        item: Its number.
        bands: 1, or 3 where red, green and blue have factors of their own.
        numbers: How its values are to be read.
    """

    item: int
    bands: int
    numbers: GainMapNumbers


def find_gain_map(container: Container, read: Read, exif: bytes) -> GainMapItem | None:
    """Return the gain map of the primary picture; None where there is none that can be used.

    Args:
        container: The file's directory.
        read: Reads the file.
        exif: The photo's EXIF block, from its byte order on; empty where it has none.
    """
    try:
        return _by_tone_map(container, read) or _by_apple(container, read, exif)
    except (CorruptPhotoError, IndexError, struct.error, ZeroDivisionError):
        # The picture is whole without it.
        return None


def _by_tone_map(container: Container, read: Read) -> GainMapItem | None:
    for item in container.items.values():
        made_of = container.references.get((b"dimg", item.id), ())
        if item.kind != b"tmap" or len(made_of) != 2 or made_of[0] != container.primary:
            continue
        body = container.bytes_of(item, read)
        if made_of[1] in container.items and body[:3] == b"\0\0\0":
            return _iso(made_of[1], body[1:])
    return None


def _iso(item: int, body: bytes) -> GainMapItem | None:
    """Return what ISO 21496-1 says of a gain map: fractions, big-endian.

    None where the picture itself is the HDR one.
    """
    flags = body[4]
    bands = 3 if flags & 0x80 else 1

    def fractions(at: int, layout: str) -> list[float]:
        values = struct.unpack_from(layout, body, at)
        return [top / bottom for top, bottom in zip(values[::2], values[1::2], strict=True)]

    low, high = fractions(5, ">IIII")
    each = [fractions(21 + 40 * band, ">iIiIIIiIiI") for band in range(bands)]
    columns = [(values * 3)[:3] for values in ([one[at] for one in each] for at in range(5))]
    minimum, maximum, gamma, offset_sdr, offset_hdr = ((a, b, c) for a, b, c in columns)
    if low > high:
        return None
    return GainMapItem(
        item=item,
        bands=bands,
        numbers=GainMapNumbers(
            minimum=minimum,
            maximum=maximum,
            gamma=gamma,
            offset_sdr=offset_sdr,
            offset_hdr=offset_hdr,
            capacity=(low, high),
            in_base_colours=bool(flags & 0x40),
        ),
    )


def _by_apple(container: Container, read: Read, exif: bytes) -> GainMapItem | None:
    for aux in container.auxiliaries(container.primary):
        if aux_type(aux) == APPLE:
            numbers = apple_numbers(_xmp_of(container, aux, read), exif)
            return None if numbers is None else GainMapItem(item=aux.id, bands=1, numbers=numbers)
    return None


def _xmp_of(container: Container, aux: Item, read: Read) -> bytes | None:
    """Return the XMP that describes the gain map, the first that names a headroom."""
    for (kind, source), targets in container.references.items():
        text = container.items.get(source)
        if kind != b"cdsc" or aux.id not in targets or text is None or text.kind != b"mime":
            continue
        packet = container.bytes_of(text, read)
        if names_headroom(packet):
            return packet
    return None
