"""The segments of a JPEG's header, and what they say of a gain map and of credentials."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from imaging.files.credentials import MAX_STORE_BYTES

__all__ = [
    "ISO_GAIN_MAP",
    "XMP",
    "Segment",
    "declares_gain_map",
    "hidden_kind",
    "manifest_store",
    "odd_kind",
    "segments",
]

XMP: Final = b"http://ns.adobe.com/xap/1.0/\0"
"""What an APP1 segment begins with that holds XMP."""

ISO_GAIN_MAP: Final = b"urn:iso:std:iso:ts:21496:-1\0"
"""What an APP2 segment begins with that holds ISO 21496-1's metadata of a gain map."""

_HDRGM: Final = b"http://ns.adobe.com/hdr-gain-map/1.0/"

_APP1: Final = 0xE1
_APP2: Final = 0xE2
_APP11: Final = 0xEB
_JUMBF: Final = b"JP"
_SOS: Final = 0xDA
_JPEG_LS: Final = 0xF7
_NO_FRAMES: Final = frozenset({0xC4, 0xC8, 0xCC})
_SHOWN: Final = frozenset({1, 3, 4})
"""Components: grey, YCbCr or RGB, CMYK."""

_SHOWN_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One segment.

    Attributes:
        marker: Its second byte; the first is 0xFF.
        at: Where its marker is.
        end: Behind its last byte.
        payload: What follows its length.
    """

    marker: int
    at: int
    end: int
    payload: bytes


def segments(data: bytes) -> Iterator[Segment]:
    """Yield the segments before the first scan, as far as they are whole."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == _SOS or end > len(data):
            return
        yield Segment(marker=marker, at=at, end=end, payload=data[at + 4 : end])
        at = end


def odd_kind(header: bytes) -> str | None:
    """Return what a JPEG is that libvips opens and does not show rightly; None for others.

    Of more than 8 bits it fails at the pixels. Of two components it takes the second for alpha.
    """
    frame = _frame(header)
    if frame is None:
        return None
    if frame.bits != 8:
        return f"JPEG of {frame.bits} bits"
    return None if frame.components in _SHOWN else f"JPEG of {frame.components} components"


def hidden_kind(header: bytes) -> str | None:
    """Return what a JPEG is whose frame viewers do not know; None for those that they do.

    Source: ITU-T T.81, table B.1: SOF0 to SOF2 are Huffman-coded DCT, SOF9 and SOF10 arithmetic.
    """
    frame = _frame(header)
    if frame is None or frame.marker in _SHOWN_FRAMES:
        return odd_kind(header)
    return "JPEG-LS" if frame.marker == _JPEG_LS else "lossless or hierarchical JPEG"


class _Frame(NamedTuple):
    """What the header of a frame says (ITU-T T.81, B.2.2)."""

    marker: int
    bits: int
    components: int


def _frame(header: bytes) -> _Frame | None:
    """Return the frame; None where there is none before the pixels."""
    at = 2
    while at + 10 <= len(header) and header[at] == 0xFF:
        marker = header[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if (0xC0 <= marker <= 0xCF and marker not in _NO_FRAMES) or marker == _JPEG_LS:
            return _Frame(marker, header[at + 4], header[at + 9])
        if marker == _SOS:
            return None
        at += 2 + int.from_bytes(header[at + 2 : at + 4], "big")
    return None


def declares_gain_map(header: bytes) -> bool:
    """Tell whether a JPEG says, as Ultra HDR or ISO 21496-1 have it, that a gain map follows it."""
    for segment in segments(header):
        if segment.marker == _APP1 and segment.payload.startswith(XMP):
            if _HDRGM in segment.payload:
                return True
        elif segment.marker == _APP2 and segment.payload.startswith(ISO_GAIN_MAP):
            return True
    return False


def manifest_store(header: bytes) -> bytes | None:
    """Return the manifest store of C2PA in a JPEG's header; None where there is none.

    *Cost*: a search for four bytes, without one.

    Source: C2PA 2.2, A.3; ISO 19566-5, D.2.
    """
    if b"c2pa" not in header:
        return None
    # Packets of a box by its instance and its type: CI, the instance, the packet's number, and the
    # box's length and type again in each.
    boxes: dict[bytes, dict[bytes, bytes]] = {}
    for segment in segments(header):
        payload = segment.payload
        if segment.marker == _APP11 and payload.startswith(_JUMBF):
            packets = boxes.setdefault(payload[2:4] + payload[12:16], {})
            packets.setdefault(payload[4:8], payload)
    for packets in boxes.values():
        first, *others = (packets[number] for number in sorted(packets))
        # A length of 1: the length proper follows, of eight bytes.
        begin = 24 if first[8:12] == b"\0\0\0\1" else 16
        if first[12:16] == b"jumb" and first[begin + 4 : begin + 12] == b"jumdc2pa":
            store = first[8:] + b"".join(each[begin:] for each in others)
            return store[:MAX_STORE_BYTES]
    return None
