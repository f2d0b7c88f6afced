"""What a HEIC or AVIF says of its colours by numbers, and how its chroma is sampled.

A grid may say so on its tiles alone: Canon's HDR photos are PQ by their tiles.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from imaging.files.av1 import SETUP_BYTES, read_sequences
from imaging.files.cicp import Cicp
from imaging.files.heif import Container, Item, Read, aux_type

__all__ = ["Limited", "read_chroma", "read_cicp", "read_limited"]

_HEADER_BYTES: Final = 64
_MONOCHROME: Final = 0x10
"""In the third byte of ``av1C``."""

_FULL_RANGE: Final = 0x80
"""In the last byte of ``nclx``."""


_CHROMA: Final = {3: "4:2:0", 2: "4:2:2", 0: "4:4:4"}
"""AV1: by the bits that say whether it is halved along x, and along y."""

_HEVC_CHROMA: Final = ("4:0:0", "4:2:0", "4:2:2", "4:4:4")


def _speakers(container: Container) -> Iterator[Item]:
    """Yield who may say it: the picture, then the first that it is made of."""
    seen: set[int] = set()
    number: int | None = container.primary
    while number is not None and number not in seen and number in container.items:
        seen.add(number)
        yield container.items[number]
        number = next(iter(container.references.get((b"dimg", number), ())), None)


def read_cicp(container: Container) -> Cicp | None:
    """Return the colour by numbers of the primary picture; None where it has none."""
    for item in _speakers(container):
        for held in item.properties:
            if held.kind == b"colr" and held.body[:4] == b"nclx" and len(held.body) >= 8:
                primaries, transfer = struct.unpack_from(">HH", held.body, 4)
                return Cicp(primaries=primaries, transfer=transfer)
    return None


def read_chroma(container: Container) -> str:
    """Return how the primary picture samples its chroma, such as ``4:2:0``; empty if unknown.

    Source: AV1 Codec ISO Media File Format Binding, 2.3.3, the third byte of ``av1C``; ISO/IEC
    14496-15, 8.3.3.1, the seventeenth of ``hvcC``.
    """
    for item in _speakers(container):
        av1, hevc = item.property(b"av1C"), item.property(b"hvcC")
        if av1 is not None and len(av1) > 2:
            return _CHROMA.get(av1[2] >> 2 & 3, "") if not av1[2] >> 4 & 1 else "4:0:0"
        if hevc is not None and len(hevc) > 16:
            return _HEVC_CHROMA[hevc[16] & 3]
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limited:
    """Which samples have black at 16 and white at 235 of 255, and are not colours beside light.

    Attributes:
        grey: Those of a picture of light alone.
        alpha: Those of alpha.
    """

    grey: bool
    alpha: bool


def read_limited(container: Container, read: Read) -> Limited:
    """Return what decoders hand out as it is stored: they stretch light beside colours only.

    Args:
        container: Of the photo.
        read: Returns up to so many bytes (second) from an offset (first).
    """
    coded = [item for item in container.picture() if item.property(b"av1C") is not None]
    grey = next((item for item in coded if not aux_type(item)), None)
    alpha = next((item for item in coded if aux_type(item)), None)
    return Limited(
        grey=grey is not None and _is_grey(grey) and _is_limited(container, grey, read),
        alpha=alpha is not None and _is_limited(container, alpha, read),
    )


def _is_grey(item: Item) -> bool:
    configuration = item.property(b"av1C") or b""
    return len(configuration) > 2 and bool(configuration[2] & _MONOCHROME)


def _is_limited(container: Container, item: Item, read: Read) -> bool:
    colour = item.property(b"colr")
    if colour is not None and colour[:4] == b"nclx" and len(colour) >= 11:
        return not colour[10] & _FULL_RANGE
    units = (item.property(b"av1C") or b"")[SETUP_BYTES:]
    units = units or container.bytes_of(item, read)[:_HEADER_BYTES]
    return any(sequence.is_limited for sequence in islice(read_sequences(units), 1))
