"""The photos that are mutated, and what is done to them; each mutant follows from its number."""

from __future__ import annotations

import random
import struct
from typing import TYPE_CHECKING, Final

from tests.photos import (
    avif,
    cmyk_jpeg,
    gif,
    grey_jpeg,
    heic,
    jpeg,
    png,
    private_photo,
    tiff,
    ultra_hdr_jpeg,
    webp,
)
from tests.photos.raws import cr3, nef, orf, preview

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

PHOTOS: Final[dict[str, Callable[[], bytes]]] = {
    "jpeg": lambda: jpeg(240, 160),
    "jpeg-progressive": lambda: jpeg(240, 160, progressive=True),
    "jpeg-sideways-p3": lambda: jpeg(240, 160, orientation=6, icc="display-p3"),
    "jpeg-444": lambda: jpeg(161, 243, subsample="off"),
    "jpeg-grey": lambda: grey_jpeg(240, 160),
    "jpeg-cmyk": lambda: cmyk_jpeg(160, 120, profile=None),
    "jpeg-ultra-hdr": lambda: ultra_hdr_jpeg(240, 160),
    "jpeg-private": lambda: private_photo("jpeg")[0],
    "png": lambda: png(160, 120),
    "png-16-alpha": lambda: png(120, 80, bits=16, alpha=True),
    "png-palette-interlaced": lambda: png(160, 120, palette=True, interlaced=True),
    "png-private": lambda: private_photo("png")[0],
    "webp": lambda: webp(240, 160),
    "webp-lossless-alpha": lambda: webp(120, 80, lossless=True, alpha=True),
    "webp-animated": lambda: webp(120, 80, frames=5),
    "webp-private": lambda: private_photo("webp")[0],
    "gif": lambda: gif(160, 120),
    "gif-animated": lambda: gif(120, 80, frames=5),
    "tiff-lzw": lambda: tiff(160, 120),
    "tiff-16-deflate-tiles": lambda: tiff(160, 120, pixels="rgb16", compression="deflate"),
    "tiff-jpeg-pyramid": lambda: tiff(600, 400, layout="pages", compression="jpeg"),
    "tiff-subifds": lambda: tiff(600, 400, layout="subifds", compression="jpeg"),
    "tiff-lab": lambda: tiff(120, 80, pixels="lab"),
    "tiff-private": lambda: private_photo("tiff")[0],
    "avif": lambda: avif(160, 120),
    "avif-10-alpha": lambda: avif(160, 120, bits=10, alpha=True),
    "avif-private": lambda: private_photo("avif")[0],
    "raw-nef": lambda: nef(preview(640, 427)),
    "raw-orf": lambda: orf(preview(640, 427)),
    "raw-cr3": lambda: cr3(preview(640, 427)),
    "raw-private": lambda: private_photo("raw")[0],
    "heic": lambda: heic(240, 160, orientation=6),
    "heic-grid-10": lambda: heic(300, 200, tile=128, bits=10),
    "heic-private": lambda: private_photo("heic")[0],
}
"""34 photos: every input format, and within it every way of its decoder that is reached."""


def write_photos(folder: Path) -> list[bytes]:
    """Write each photo to ``folder`` for the workers, and return them in their order."""
    photos = [make() for make in PHOTOS.values()]
    for number, data in enumerate(photos):
        (folder / f"{number:02}").write_bytes(data)
    return photos


# Where parsers go wrong: nothing, one, the edges of signed and unsigned integers.
_EDGES: Final = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)

_HEAD_BYTES: Final = 1024
_MAX_CHANGES: Final = 4


def mutant(number: int, photos: Sequence[bytes]) -> bytes:
    """Return the photo ``number % len(photos)`` with one to four changes, and never none."""
    chance = random.Random(number)
    original = photos[number % len(photos)]
    data = bytearray(original)
    while bytes(data) == original:
        for _ in range(chance.randint(1, _MAX_CHANGES)):
            if data:
                chance.choice(_CHANGES)(data, chance, photos)
    return bytes(data)


def _place(data: bytearray, chance: random.Random) -> int:
    """Return a position: half of them in the head, where what is read first stands."""
    end = len(data) if chance.random() < 0.5 else min(_HEAD_BYTES, len(data))
    return chance.randrange(end)


def _flip_bit(data: bytearray, chance: random.Random, _: Sequence[bytes]) -> None:
    data[_place(data, chance)] ^= 1 << chance.randrange(8)


def _flip_byte(data: bytearray, chance: random.Random, _: Sequence[bytes]) -> None:
    data[_place(data, chance)] = chance.randrange(256)


def _write_edge(data: bytearray, chance: random.Random, _: Sequence[bytes]) -> None:
    at = _place(data, chance)
    layout = chance.choice(("B", "<H", ">H", "<I", ">I"))
    size = struct.calcsize(layout)
    value = chance.choice(_EDGES) & ((1 << 8 * size) - 1)
    if at + size <= len(data):
        struct.pack_into(layout, data, at, value)


def _fill(data: bytearray, chance: random.Random, _: Sequence[bytes]) -> None:
    at = _place(data, chance)
    length = min(chance.choice((4, 16, 64, 512)), len(data) - at)
    data[at : at + length] = (
        chance.randbytes(length)
        if chance.random() < 0.5
        else bytes([chance.choice((0, 255))]) * length
    )


def _cut_out(data: bytearray, chance: random.Random, _: Sequence[bytes]) -> None:
    at = _place(data, chance)
    del data[at : at + chance.choice((1, 2, 16, 256))]


def _repeat(data: bytearray, chance: random.Random, _: Sequence[bytes]) -> None:
    at = _place(data, chance)
    data[at:at] = data[at : at + chance.choice((1, 16, 256, 4096))]


def _truncate(data: bytearray, chance: random.Random, _: Sequence[bytes]) -> None:
    del data[chance.randrange(len(data)) :]


def _splice(data: bytearray, chance: random.Random, photos: Sequence[bytes]) -> None:
    other = chance.choice(photos)
    start = chance.randrange(len(other))
    at = _place(data, chance)
    data[at:] = other[start:]


_CHANGES: Final = (
    *(_flip_bit, _flip_byte, _write_edge) * 3,
    *(_fill, _cut_out, _repeat) * 2,
    _truncate,
    _splice,
)
