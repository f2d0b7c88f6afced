"""Reads the pictures of watermarks with the configuration, and checks them; pure.

A mark that cannot be decoded would fail every photo: it is an error at init, found without libvips.

Source: https://www.w3.org/TR/png-3/
"""

import struct
import zlib
from collections.abc import Callable, Container
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
_CRITICAL: Final = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})
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
    at, before = len(_MAGIC), b""
    while b"IEND" not in kinds:
        length, kind = struct.unpack_from(">I4s", data, at)
        content = data[at + 8 : at + 8 + length]
        (checksum,) = struct.unpack_from(">I", data, at + 8 + length)
        if zlib.crc32(kind + content) != checksum:
            raise _Fault(f"a wrong checksum in {kind!r}")
        _check_order(kind, before, kinds)
        kinds[kind] = kinds.get(kind, b"") + content
        at, before = at + 12 + length, kind
    for missing in {b"IHDR", b"IDAT"} - kinds.keys():
        raise _Fault(f"no {missing!r}")
    for refused in {b"acTL", b"CgBI"} & kinds.keys():
        raise _Fault(f"{refused!r}, which most decoders do not know")
    width, height, depth, kind_of_colour, *methods, interlaced = struct.unpack(
        ">IIBBBBB", kinds[b"IHDR"]
    )
    if depth not in _DEPTHS.get(kind_of_colour, ()) or not width or not height:
        raise _Fault(f"{width} x {height} pixels of {depth} bits and colour type {kind_of_colour}")
    if any(methods):
        raise _Fault(f"the compression and filter methods {methods} instead of [0, 0]")
    if interlaced:
        raise _Fault("interlaced rows")
    _check_palette(kinds.get(b"PLTE"), kind_of_colour, depth)
    row = 1 + (width * depth * _SAMPLES[kind_of_colour] + 7) // 8
    if max(width, height) <= MAX_MARK_SIDE:
        _check_rows(kinds[b"IDAT"], row, height)
    return width, height


def _check_order(kind: bytes, before: bytes, seen: Container[bytes]) -> None:
    """Raise _Fault for a chunk that no decoder takes where it is.

    Args:
        kind: The chunk's.
        before: That of the chunk before; empty for the first.
        seen: Those of all before.
    """
    if (kind == b"IHDR") != (not before):
        raise _Fault(f"{kind!r} behind {before!r}" if before else f"{kind!r} first")
    is_critical = kind.isalpha() and kind[0:1].isupper()
    if not kind.isalpha() or (is_critical and kind not in _CRITICAL and kind != b"CgBI"):
        raise _Fault(f"{kind!r}, which no decoder knows")
    if kind in seen and kind != before and kind == b"IDAT":
        raise _Fault(f"{kind!r} behind {before!r}")
    if kind == b"PLTE" and (kind in seen or b"IDAT" in seen):
        raise _Fault(f"{kind!r} behind {before!r}")


def _check_palette(palette: bytes | None, kind_of_colour: int, depth: int) -> None:
    if palette is None:
        if kind_of_colour == 3:
            raise _Fault("no palette")
        return
    colours, rest = divmod(len(palette), 3)
    most = 1 << (depth if kind_of_colour == 3 else 8)
    if rest or not 1 <= colours <= most or kind_of_colour in {0, 4}:
        raise _Fault(
            f"a palette of {len(palette)} bytes, of {depth} bits and colour type {kind_of_colour}"
        )


def _check_rows(compressed: bytes, row: int, rows: int) -> None:
    inflater = zlib.decompressobj()
    inflated = inflater.decompress(compressed, row * rows + 1)
    if len(inflated) != row * rows:
        raise _Fault(f"{len(inflated):,} bytes of pixels instead of {row * rows:,}")
    if not inflater.eof:
        raise _Fault("pixels that end before their checksum")
    if any(kind not in _FILTERS for kind in inflated[::row]):
        raise _Fault("an unknown filter")
