"""Reads the pictures of watermarks with the configuration, and checks them; pure.

A mark that cannot be decoded would fail every photo: it is an error at init, found without libvips.

Source: https://www.w3.org/TR/png-3/
"""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from imaging.errors import ConfigError

__all__ = ["MAX_MARK_BYTES", "checked_mark", "read_mark_file"]

MAX_MARK_BYTES: Final = 1 << 20
MAX_MARK_SIDE: Final = 2048

_MAGIC: Final = b"\x89PNG\r\n\x1a\n"
_SAMPLES: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Of a pixel, by colour type."""

_DEPTHS: Final = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}
_FILTERS: Final = range(5)


def read_mark_file(folder: Path, name: str) -> bytes:
    """Return the file ``name`` beside the configuration in ``folder``, up to a byte too many.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        with (folder / name).open("rb") as file:
            return file.read(MAX_MARK_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"expected a readable PNG at {folder / name}: {reason}") from error


def checked_mark(name: str, read: Callable[[str], bytes]) -> tuple[bytes, tuple[int, int]]:
    """Return the picture of a watermark, and its width and height.

    Args:
        name: Its name in the configuration.
        read: Returns at most a byte more than :data:`MAX_MARK_BYTES` of what a name stands for.

    Raises:
        ConfigError: It cannot be read, or is no PNG that is taken.
    """
    data = read(name)
    if len(data) > MAX_MARK_BYTES:
        raise ConfigError(f"expected a PNG of at most {MAX_MARK_BYTES:,} bytes but {name} has more")
    try:
        width, height = _check_png(data)
    except (_Fault, struct.error, zlib.error) as fault:
        raise ConfigError(f"expected a whole, still PNG but {name} has {fault}") from fault
    if max(width, height) > MAX_MARK_SIDE:
        raise ConfigError(
            f"expected a PNG of at most {MAX_MARK_SIDE:,} pixels a side but {name} has "
            f"{width:,} x {height:,}"
        )
    return data, (width, height)


class _Fault(Exception):  # noqa: N818 - it never leaves this module
    """What a PNG has that none should have that is taken."""


def _check_png(data: bytes) -> tuple[int, int]:
    """Return width and height of a PNG that every decoder decodes."""
    if not data.startswith(_MAGIC):
        raise _Fault(f"the first bytes {data[:8]!r}")
    kinds: dict[bytes, bytes] = {}
    at = len(_MAGIC)
    while b"IEND" not in kinds:
        length, kind = struct.unpack_from(">I4s", data, at)
        content = data[at + 8 : at + 8 + length]
        (checksum,) = struct.unpack_from(">I", data, at + 8 + length)
        if zlib.crc32(kind + content) != checksum:
            raise _Fault(f"a wrong checksum in {kind!r}")
        kinds[kind] = kinds.get(kind, b"") + content
        at += 12 + length
    for missing in {b"IHDR", b"IDAT"} - kinds.keys():
        raise _Fault(f"no {missing!r}")
    for refused in {b"acTL", b"CgBI"} & kinds.keys():
        raise _Fault(f"{refused!r}, which most decoders do not know")
    width, height, depth, kind_of_colour, _, _, interlaced = struct.unpack(
        ">IIBBBBB", kinds[b"IHDR"]
    )
    if depth not in _DEPTHS.get(kind_of_colour, ()) or not width or not height:
        raise _Fault(f"{width} x {height} pixels of {depth} bits and colour type {kind_of_colour}")
    if interlaced:
        raise _Fault("interlaced rows")
    if kind_of_colour == 3 and b"PLTE" not in kinds:
        raise _Fault("no palette")
    row = 1 + (width * depth * _SAMPLES[kind_of_colour] + 7) // 8
    if max(width, height) <= MAX_MARK_SIDE:
        _check_rows(kinds[b"IDAT"], row, height)
    return width, height


def _check_rows(compressed: bytes, row: int, rows: int) -> None:
    inflated = zlib.decompressobj().decompress(compressed, row * rows + 1)
    if len(inflated) != row * rows:
        raise _Fault(f"{len(inflated):,} bytes of pixels instead of {row * rows:,}")
    if any(kind not in _FILTERS for kind in inflated[::row]):
        raise _Fault("an unknown filter")
