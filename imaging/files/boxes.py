"""Reads what libvips does not tell of an AVIF or HEIC: colour by numbers, and chroma's sampling.

The boxes are those of ISO/IEC 14496-12 and 23008-12, the
numbers those of ITU-T H.273.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

__all__ = ["Cicp", "read_chroma", "read_cicp"]

# A photo's boxes; what is longer holds no photo of a camera.
_MAX_META_BYTES: Final = 4 << 20

_CHROMA: Final = {3: "4:2:0", 2: "4:2:2", 0: "4:4:4"}
"""By the bits that say whether it is halved along x, and along y."""

Box = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cicp:
    """Coding-independent code points.

    Attributes:
        primaries: 1 is BT.709 (sRGB's), 9 BT.2020, 12 Display P3's; 2 is unspecified.
        transfer: 13 is sRGB's curve, 16 PQ, 18 HLG, 8 linear; 2 is unspecified.
    """

    primaries: int
    transfer: int


def read_cicp(read: Callable[[int, int], bytes]) -> Cicp | None:
    """Return the CICP tag of the primary picture; None where it has none, or nothing makes sense.

    Args:
        read: Returns up to so many bytes (second) from an offset (first).
    """
    try:
        for kind, payload in _properties(read):
            if kind == b"colr" and payload[:4] == b"nclx":
                primaries, transfer = struct.unpack_from(">HH", payload, 4)
                return Cicp(primaries=primaries, transfer=transfer)
    except (IndexError, KeyError, struct.error):
        pass
    return None


def read_chroma(read: Callable[[int, int], bytes]) -> str:
    """Return how an AVIF's primary picture samples its chroma, such as ``4:2:0``.

    Empty where it does not say so, as a picture that is put together from others, or is no AVIF.

    Source: AV1 Codec ISO Media File Format Binding, 2.3.3: the third byte of ``av1C``.
    """
    try:
        for kind, payload in _properties(read):
            if kind == b"av1C":
                return _CHROMA.get(payload[2] >> 2 & 3, "")
    except (IndexError, KeyError, struct.error):
        pass
    return ""


def _properties(read: Callable[[int, int], bytes]) -> Iterator[Box]:
    """Yield the properties of the primary picture."""
    meta = dict(_boxes(_meta(read)[4:]))
    properties = dict(_boxes(meta[b"iprp"]))
    held = list(_boxes(properties[b"ipco"]))
    for index in _associated(properties[b"ipma"], _primary(meta[b"pitm"])):
        yield held[index - 1]


def _meta(read: Callable[[int, int], bytes]) -> bytes:
    """Return the payload of the ``meta`` box of the file."""
    at = 0
    while header := read(at, 16):
        size, kind = struct.unpack_from(">I4s", header)
        begin = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", header, 8)
            begin = 16
        if kind == b"meta":
            return read(at + begin, min(size - begin, _MAX_META_BYTES)) if size > begin else b""
        if size < begin:
            break
        at += size
    raise KeyError(b"meta")


def _boxes(data: bytes) -> Iterator[Box]:
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        # 64-bit sizes and "to the end" are for boxes of media, not for these.
        if size < 8:
            return
        yield kind, data[at + 8 : at + size]
        at += size


def _primary(pitm: bytes) -> int:
    (item,) = struct.unpack_from(">H" if pitm[0] == 0 else ">I", pitm, 4)
    return int(item)


def _associated(ipma: bytes, item: int) -> Iterator[int]:
    """Yield which properties, counted from 1, belong to ``item``."""
    (entries,) = struct.unpack_from(">I", ipma, 4)
    at = 8
    item_format = ">H" if ipma[0] == 0 else ">I"
    wide = ipma[3] & 1
    for _ in range(entries):
        (owner,) = struct.unpack_from(item_format, ipma, at)
        at += struct.calcsize(item_format)
        count = ipma[at]
        at += 1
        for _ in range(count):
            # The first bit says that a reader must understand the property.
            index = struct.unpack_from(">H", ipma, at)[0] & 0x7FFF if wide else ipma[at] & 0x7F
            at += 2 if wide else 1
            if owner == item:
                yield index
