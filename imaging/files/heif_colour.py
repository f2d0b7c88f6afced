"""What a HEIC or AVIF says of its colours by numbers, and how its chroma is sampled.

A grid may say so on its tiles alone: Canon's HDR photos are PQ by their tiles.
"""

import struct
from collections.abc import Iterator
from typing import Final

from imaging.files.cicp import Cicp
from imaging.files.heif import Container, Item

__all__ = ["read_chroma", "read_cicp"]

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
