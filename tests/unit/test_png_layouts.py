"""Every PNG layout is shown rightly: colour type x depth x interlacing x ``tRNS`` x ``gAMA``."""

import io
import itertools
import struct
from typing import Final

import numpy as np
import pytest
from PIL import Image

from imaging.formats import OutputFormat
from imaging.specs import RenditionSpec
from tests.photos.pngs import BANDS, chunk, png_of
from tests.photos.tiffs import Samples
from tests.rendering import rendered
from tests.unit.test_tiff_pictures import from_light

WIDTH, HEIGHT = 37, 19
DEPTHS: Final = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
KEYED: Final = frozenset({0, 2, 3})
"""Colour types that may have ``tRNS``."""

LAYOUTS: Final = [
    (kind, bits, keyed)
    for kind, depths in DEPTHS.items()
    for bits in depths
    for keyed in ((False, True) if kind in KEYED else (False,))
]
GAMMAS: Final = (None, 100_000, 55_556)
PNG: Final = RenditionSpec(name="a", width=WIDTH, formats=(OutputFormat.PNG,))


def written(kind: int, bits: int, *, keyed: bool) -> tuple[Samples, list[bytes], Samples]:
    """Return samples, the chunks before them, and the picture as RGBA of 0 to 1."""
    noise = np.random.default_rng(kind * 100 + bits)
    most = (1 << bits) - 1
    samples = noise.integers(0, most + 1, (HEIGHT, WIDTH, BANDS[kind]))
    alpha = np.ones((HEIGHT, WIDTH, 1))
    if kind == 3:
        table = noise.integers(0, 256, (most + 1, 3)).astype(np.uint8)
        clear = noise.integers(0, 256, most + 1).astype(np.uint8)
        chunks = [chunk(b"PLTE", table.tobytes())]
        if keyed:
            chunks.append(chunk(b"tRNS", clear.tobytes()))
            alpha = clear[samples] / 255
        return samples, chunks, np.concatenate([table[samples[..., 0]] / 255, alpha], axis=2)
    chunks = []
    colours = samples[..., :3] if kind in {2, 6} else samples[..., :1]
    if kind in {4, 6}:
        # Not so little that the colour under it says nothing.
        samples[..., -1:] = np.maximum(samples[..., -1:], most // 2)
        alpha = samples[..., -1:] / most
    if keyed:
        # Of 16 bits the last counts too.
        key = samples[3, 4].copy()
        samples[5:8, 6:9] = key
        samples[9, 9] = key
        samples[9, 9, -1] ^= 1
        chunks.append(chunk(b"tRNS", struct.pack(f">{len(key)}H", *(int(each) for each in key))))
        alpha = (samples != key).any(axis=2, keepdims=True).astype(float)
    rgb = np.broadcast_to(colours / most, (HEIGHT, WIDTH, 3))
    return samples, chunks, np.concatenate([rgb, alpha], axis=2)


def off(found: Image.Image, expected: Samples) -> float:
    """Return the largest difference, of 255; the colour of a clear pixel says nothing."""
    rgba = np.asarray(found.convert("RGBA")).astype(float)
    seen = np.where(expected[..., 3:] > 0, rgba - expected, rgba[..., 3:] - expected[..., 3:])
    return float(np.abs(seen).max())


@pytest.mark.parametrize(("kind", "bits", "keyed"), LAYOUTS)
def test_every_layout_is_shown_as_it_was_written(kind: int, bits: int, *, keyed: bool) -> None:
    """Within 1 of 255, with a gamma within 3; Pillow sees the same where it reads 8 bits."""
    samples, chunks, picture = written(kind, bits, keyed=keyed)
    for gamma, interlaced in itertools.product(GAMMAS, (False, True)):
        before = [] if gamma is None else [chunk(b"gAMA", struct.pack(">I", gamma))]
        data = png_of(samples, *before, *chunks, kind=kind, bits=bits, interlaced=interlaced)
        expected = picture * 255
        if gamma is not None:
            expected[..., :3] = from_light(picture[..., :3] ** (100_000 / gamma))
        elif bits <= 8 and not (keyed and kind == 0 and bits in {2, 4}):
            # Of grey in 2 and 4 bits Pillow compares what it has widened with what it has not.
            assert off(Image.open(io.BytesIO(data)), expected) <= 0.5
        (made,) = rendered(data, PNG).data
        most = 1 if gamma is None else 3
        assert off(Image.open(io.BytesIO(made)), expected) <= most, (gamma, interlaced)
