"""PNGs of every layout: colour type x depth x interlacing, with any chunks before and behind."""

from __future__ import annotations

import struct
import zlib
from typing import Any, Final

import numpy as np

__all__ = ["BANDS", "chunk", "png_of", "with_chunks"]

Samples = np.ndarray[tuple[int, ...], np.dtype[Any]]

BANDS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Colour type -> samples of a pixel: grey, RGB, index, grey with alpha, RGB with alpha."""

_ADAM7: Final = (
    *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)),
    *((0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)),
)
"""First column and row of each pass, and their steps."""

_HEADER_END: Final = 33


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return a chunk."""
    crc = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)


def with_chunks(data: bytes, *chunks: bytes, behind: bool = False) -> bytes:
    """Return a PNG with more chunks, behind its first one or before its last."""
    at = len(data) - 12 if behind else _HEADER_END
    return data[:at] + b"".join(chunks) + data[at:]


def png_of(
    samples: Samples,
    *chunks: bytes,
    kind: int | None = None,
    bits: int = 8,
    interlaced: bool = False,
    idat: int | None = None,
) -> bytes:
    """Return a PNG.

    Args:
        samples: Rows x columns, or rows x columns x bands, each below ``1 << bits``.
        chunks: What stands before the pixels.
        kind: The colour type; by the bands where None.
        bits: Of a sample.
        interlaced: Adam7.
        idat: Bytes of each IDAT; None for one of all.
    """
    height, width = samples.shape[:2]
    pixels = samples.reshape(height, width, -1)
    if kind is None:
        kind = {1: 0, 2: 4, 3: 2, 4: 6}[pixels.shape[2]]
    assert pixels.shape[2] == BANDS[kind]
    passes = [pixels]
    if interlaced:
        passes = [pixels[y::down, x::right] for x, y, right, down in _ADAM7]
    rows = b"".join(b"\0" + _packed(row, bits) for part in passes if part.size for row in part)
    stream = zlib.compress(rows)
    step = idat or len(stream)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, interlaced))
        + b"".join(chunks)
        + b"".join(chunk(b"IDAT", stream[at : at + step]) for at in range(0, len(stream), step))
        + chunk(b"IEND", b"")
    )


def _packed(row: Samples, bits: int) -> bytes:
    values = row.reshape(-1)
    if bits == 16:
        return values.astype(">u2").tobytes()
    if bits == 8:
        return values.astype(np.uint8).tobytes()
    as_bits = (values[:, None] >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(as_bits.astype(np.uint8).reshape(-1)).tobytes()
