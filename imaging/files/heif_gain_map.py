"""The gain map of a HEIC or AVIF: which picture it is, and how its values are to be read.

It is said in one of two ways: by a ``tmap`` item, as ISO 21496-1 has it, or by Apple, whose gain
map is an auxiliary picture and whose headroom is in its XMP or in the maker note of the EXIF block.

Source: ISO/IEC 23008-12, 6.6.2.4 (``tmap``); ISO 21496-1, annex C; for Apple's,
https://developer.apple.com/documentation/appkit/applying-apple-hdr-effect-to-your-photos and
``avifjpeg.c`` of libavif, which reads the values as exponents between 0 and the headroom.
"""

import math
import re
import struct
from dataclasses import dataclass
from typing import Final

from imaging.errors import CorruptPhotoError
from imaging.files.heif import Container, Item, Read, aux_type
from imaging.files.tiff import Directory, open_tiff

__all__ = ["GainMapItem", "find_gain_map"]

_APPLE: Final = b"urn:com:apple:photo:2020:aux:hdrgainmap"
_APPLE_MAKER: Final = b"Apple iOS\0"
_HEADROOM: Final = re.compile(rb"HDRGainMapHeadroom(?:=\"|>)\s*([0-9.eE+-]{1,32})")

# EXIF's pointer to its own directory, its maker note, and of Apple's: how bright the scene was, and
# by how much the picture was darkened for SDR.
_EXIF_DIRECTORY: Final = 0x8769
_MAKER_NOTE: Final = 0x927C
_HDR_HEADROOM: Final = 33
_HDR_GAIN: Final = 48

_MAX_NOTE_BYTES: Final = 1 << 16
_MAX_TEXT_BYTES: Final = 1 << 16

Triple = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class GainMapItem:
    """Which item is the gain map, and its numbers, as :class:`imaging.gainmap.GainMap` has them.

    Attributes:
        item: Its number.
        bands: 1, or 3 where red, green and blue have factors of their own.
        minimum: What 0 stands for, as a power of 2.
        maximum: What 255 stands for, as a power of 2.
        gamma: Of the steps between.
        offset_sdr: Added to the SDR light before it is multiplied.
        offset_hdr: Taken from the product.
        capacity: From which to which power of 2 above SDR white a display applies it.
        in_base_colours: Whether it multiplies in the colours of the SDR picture.
    """

    item: int
    bands: int
    minimum: Triple
    maximum: Triple
    gamma: Triple
    offset_sdr: Triple
    offset_hdr: Triple
    capacity: tuple[float, float]
    in_base_colours: bool


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
        minimum=minimum,
        maximum=maximum,
        gamma=gamma,
        offset_sdr=offset_sdr,
        offset_hdr=offset_hdr,
        capacity=(low, high),
        in_base_colours=bool(flags & 0x40),
    )


def _by_apple(container: Container, read: Read, exif: bytes) -> GainMapItem | None:
    for aux in container.auxiliaries(container.primary):
        if aux_type(aux) != _APPLE:
            continue
        stops = _said_stops(container, aux, read)
        if stops is None:
            stops = _noted_stops(exif)
        if stops is None or stops <= 0:
            return None
        return GainMapItem(
            item=aux.id,
            bands=1,
            minimum=(0.0, 0.0, 0.0),
            maximum=(stops, stops, stops),
            gamma=(1.0, 1.0, 1.0),
            offset_sdr=(0.0, 0.0, 0.0),
            offset_hdr=(0.0, 0.0, 0.0),
            capacity=(0.0, stops),
            in_base_colours=True,
        )
    return None


def _said_stops(container: Container, aux: Item, read: Read) -> float | None:
    """Return the headroom that the gain map's own XMP names, as a power of 2."""
    for (kind, source), targets in container.references.items():
        text = container.items.get(source)
        if kind != b"cdsc" or aux.id not in targets or text is None or text.kind != b"mime":
            continue
        said = _HEADROOM.search(container.bytes_of(text, read)[:_MAX_TEXT_BYTES])
        if said is not None:
            try:
                headroom = float(said[1])
            except ValueError:
                return None
            return math.log2(headroom) if 0 < headroom < math.inf else None
    return None


def _noted_stops(exif: bytes) -> float | None:
    """Return the headroom by Apple's maker note, as a power of 2; None without the two numbers."""
    tiff = open_tiff(lambda at, length: exif[at : at + length], len(exif))
    if tiff is None:
        return None
    directory = tiff.directory(tiff.directory(tiff.first).integer(_EXIF_DIRECTORY, 0))
    note = directory.data(_MAKER_NOTE, _MAX_NOTE_BYTES)
    # Behind its name and its version stands a directory, whatever the byte order of the rest, whose
    # places count from the name.
    if not note.startswith(_APPLE_MAKER) or note[12:14] != b"MM":
        return None
    order, first = b"MM\0*", 14
    held = open_tiff(
        lambda at, length: (order + struct.pack(">I", first) + note[8:])[at : at + length],
        len(note),
    )
    if held is None:
        return None
    noted = held.directory(first)
    bright, gain = _rational(noted, _HDR_HEADROOM), _rational(noted, _HDR_GAIN)
    if bright is None or gain is None:
        return None
    if bright < 1:
        return 1.8 - 20 * gain if gain <= 0.01 else 1.601 - 0.101 * gain
    return 3.0 - 70 * gain if gain <= 0.01 else 2.303 - 0.303 * gain


def _rational(directory: Directory, tag: int) -> float | None:
    data = directory.data(tag, 8)
    if len(data) < 8:
        return None
    top, bottom = struct.unpack(">ii", data)
    return top / bottom if bottom else None
