"""What ``fail_on`` means is a property of each loader: the tables of ADR 20, measured again."""

import io
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pyvips
from PIL import Image

from tests.photos import jpeg, warning_jpeg
from tests.photos.directories import Layout, Value, short
from tests.photos.tiffs import Stored, tiff_of

DOCUMENT: Final = (
    Path(__file__).parent.parent.parent / "docs" / "adr" / "0020-tiff-by-its-directory.md"
)
LEVELS: Final = ("truncated", "error", "warning")
PARTS: Final = (0.1, 0.5, 0.9, 0.995)

WIDTH, HEIGHT = 96, 64
_Y, _X = np.mgrid[0:HEIGHT, 0:WIDTH]
_NOISE = np.random.default_rng(5).integers(0, 60, (HEIGHT, WIDTH, 3))
RGB = np.asarray(np.dstack([_X * 2, _Y * 3, _X + _Y]) + 5 + _NOISE, np.uint8)
STRIPS = Stored(compression="deflate", rows=8)
TILES = Stored(compression="deflate", tile=32)
FRONT = Layout(front=True)


def by_pillow(format_: str, **options: object) -> bytes:
    """Return the scene as a file of another format."""
    buffer = io.BytesIO()
    Image.fromarray(RGB).save(buffer, format_, **options)
    return buffer.getvalue()


def cut(whole: bytes) -> list[bytes]:
    """Return ``whole`` cut in its pixels."""
    return [whole[: int(len(whole) * part)] for part in PARTS]


def flipped(whole: bytes, begin: int, end: int = 16) -> list[bytes]:
    """Return ``whole`` with one bit turned over, in 24 places from ``begin`` on."""
    found = []
    for number in range(24):
        data = bytearray(whole)
        data[begin + (len(data) - begin - end) * number // 24] ^= 1 << number % 8
        found.append(bytes(data))
    return found


def _of(stored: Stored) -> bytes:
    # Uncompressed, so that what is cut is pixels wherever it is.
    return tiff_of(RGB, replace(stored, compression="none"), FRONT)


def _named(stored: Stored, compression: int) -> list[bytes]:
    others = ((259, short(compression)),)
    return [tiff_of(RGB, replace(stored, compression="none", others=others), FRONT)]


def _deflated(stored: Stored) -> list[bytes]:
    return flipped(tiff_of(RGB, stored, FRONT), 2_000)


def _fax() -> bytes:
    buffer = io.BytesIO()
    stripes = Image.fromarray((_X * 3 + _Y * 5) % 64 < 32).convert("1")
    stripes.save(buffer, "TIFF", compression="group3")
    return buffer.getvalue()


def _warned(stored: Stored) -> bytes:
    """A unit of resolution that there is not."""
    return tiff_of(RGB, replace(stored, others=((296, short(99)),)), FRONT)


TIFFS: Final[dict[str, Callable[[], list[bytes]]]] = {
    "cut, directory in front, strips": lambda: cut(_of(STRIPS))[1:],
    "cut, directory in front, tiles": lambda: cut(_of(TILES))[1:],
    "ZSTD or LZMA, strips": lambda: _named(STRIPS, 50_000) + _named(STRIPS, 34_925),
    "ZSTD or LZMA, tiles": lambda: _named(TILES, 50_000) + _named(TILES, 34_925),
    "Deflate with a flipped bit, strips": lambda: _deflated(STRIPS),
    "Deflate with a flipped bit, tiles": lambda: _deflated(TILES),
    "fax codes with a flipped bit, strips": lambda: flipped(_fax(), 60, 200),
    "whole, an entry of which libtiff warns, strips": lambda: [_warned(STRIPS)],
    "whole, an entry of which libtiff warns, tiles": lambda: [_warned(TILES)],
    "whole, an entry that libtiff does not know": lambda: [
        tiff_of(RGB, replace(STRIPS, others=((50_999, Value(7, [1, 2, 3, 4, 5])),)), FRONT)
    ],
}
OTHERS: Final[dict[str, Callable[[], list[bytes]]]] = {
    "JPEG, cut": lambda: cut(jpeg(160, 120))[1:],
    "progressive JPEG, cut": lambda: cut(jpeg(160, 120, progressive=True))[1:],
    "JPEG with a flipped bit": lambda: flipped(jpeg(160, 120), 900),
    "JPEG, whole, of which libjpeg warns": lambda: [warning_jpeg(160, 120)],
    "PNG, cut": lambda: cut(by_pillow("PNG"))[1:],
    "PNG with a flipped bit": lambda: flipped(by_pillow("PNG"), 60),
    "WebP, cut": lambda: cut(by_pillow("WEBP", quality=90))[1:],
    "lossless WebP, cut": lambda: cut(by_pillow("WEBP", lossless=True))[1:],
    "WebP with a flipped bit": lambda: flipped(by_pillow("WEBP", quality=90), 60),
    "GIF, cut": lambda: cut(by_pillow("GIF"))[1:],
    "GIF with a flipped bit": lambda: flipped(by_pillow("GIF"), 900),
}


def refused(data: bytes, level: str) -> bool:
    """Tell whether libvips refuses to decode ``data`` to its end."""
    try:
        image = pyvips.Image.new_from_buffer(data, "", access="sequential", fail_on=level)
        image.copy_memory()
    except pyvips.Error:
        return True
    return False


def measured(kind: str) -> list[str]:
    """Return what becomes of a kind at each level: ``refused`` or ``shown``, all of it or parts."""
    photos = ({**TIFFS, **OTHERS})[kind]()
    found = []
    for level in LEVELS:
        count = sum(refused(data, level) for data in photos)
        found.append(
            "refused" if count == len(photos) else f"{count} of {len(photos)}" if count else "shown"
        )
    return found


def documented() -> dict[str, list[str]]:
    """Return the rows of ADR 20's tables."""
    rows = re.findall(
        r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$",
        DOCUMENT.read_text("utf-8"),
        re.MULTILINE,
    )
    return {kind: list(cells) for kind, *cells in rows if kind.strip()}
