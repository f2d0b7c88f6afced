"""Animated WebPs of every layout: frames anywhere, blended or not, cleared behind them or not."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

__all__ = ["WebpFrame", "animated_webp", "shown_by_webp_readers"]

Samples = np.ndarray[tuple[int, ...], np.dtype[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class WebpFrame:
    """One frame.

    Attributes:
        pixels: Rows x columns, RGB or RGBA.
        left: Its first column on the canvas; even.
        top: Its first row; even.
        is_lossless: How it is coded.
        blends: Whether it is laid upon what was there, or takes its place.
        clears: Whether its place is clear before the next.
    """

    pixels: Samples
    left: int = 0
    top: int = 0
    is_lossless: bool = True
    blends: bool = True
    clears: bool = False


def animated_webp(
    width: int, height: int, frames: list[WebpFrame], *, background: bytes = b"\xff\0\0\xff"
) -> bytes:
    """Return a WebP whose canvas has ``background``: blue, green, red, alpha."""
    has_alpha = any(frame.pixels.shape[2] == 4 for frame in frames)
    flags = 0x02 | 0x10 * has_alpha
    head = struct.pack("<BBBB", flags, 0, 0, 0) + _three(width - 1) + _three(height - 1)
    chunks = [_chunk(b"VP8X", head), _chunk(b"ANIM", background + b"\0\0")]
    chunks += [_chunk(b"ANMF", _frame(frame)) for frame in frames]
    content = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def _three(value: int) -> bytes:
    return value.to_bytes(3, "little")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def coded(frame: WebpFrame) -> bytes:
    """Return the frame alone as a WebP."""
    buffer = io.BytesIO()
    Image.fromarray(frame.pixels).save(
        buffer, "WEBP", lossless=frame.is_lossless, quality=80, method=0, exact=True
    )
    return buffer.getvalue()


def _frame(frame: WebpFrame) -> bytes:
    height, width = frame.pixels.shape[:2]
    place = (
        _three(frame.left // 2) + _three(frame.top // 2) + _three(width - 1) + _three(height - 1)
    )
    data, at, parts = coded(frame), 12, b""
    while at < len(data):
        length = struct.unpack_from("<I", data, at + 4)[0]
        end = at + 8 + length + length % 2
        if data[at : at + 4] in {b"ALPH", b"VP8 ", b"VP8L"}:
            parts += data[at:end]
        at = end
    return place + _three(40) + bytes([frame.clears | (not frame.blends) << 1]) + parts


def shown_by_webp_readers(width: int, height: int, frames: list[WebpFrame]) -> list[Samples]:
    """Return each picture, RGBA: the background's colour is a hint that browsers do not take."""
    canvas = np.zeros((height, width, 4))
    shown: list[Samples] = []
    for frame in frames:
        rows, columns = frame.pixels.shape[:2]
        place = (slice(frame.top, frame.top + rows), slice(frame.left, frame.left + columns))
        drawn = np.asarray(Image.open(io.BytesIO(coded(frame))).convert("RGBA")).astype(float)
        if frame.blends:
            above, below = drawn[..., 3:] / 255, canvas[place][..., 3:] / 255
            alpha = above + below * (1 - above)
            colour = drawn[..., :3] * above + canvas[place][..., :3] * below * (1 - above)
            drawn = np.concatenate([colour / np.maximum(alpha, 1e-9), alpha * 255], axis=2)
        canvas[place] = drawn
        shown.append(canvas.round())
        if frame.clears:
            canvas[place] = 0
    return shown
