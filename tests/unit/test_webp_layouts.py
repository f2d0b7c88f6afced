"""Every WebP layout is shown rightly: alpha, lossy or not, orientations, frames of any kind."""

import io
import random
from typing import Any, Final

import numpy as np
import pytest
from PIL import Image, ImageOps

from imaging.bridge.source import OpenPhoto
from imaging.decoders import frames_decoder_of, read_header
from imaging.formats import OutputFormat
from imaging.local import MemorySource
from imaging.plan import Load
from imaging.specs import RenditionSpec
from tests.photos.tiffs import Samples
from tests.photos.webps import WebpFrame, animated_webp, shown_by_webp_readers
from tests.rendering import rendered

PNG: Final = RenditionSpec(name="a", formats=(OutputFormat.PNG,))


def off(found: Samples, expected: Samples) -> float:
    """Return the largest difference of two pictures on grey: of a faint colour little is kept."""
    assert found.shape == expected.shape

    def flat(rgba: Samples) -> Samples:
        alpha = rgba[..., 3:].astype(float) / 255
        return np.concatenate([rgba[..., :3] * alpha + 128 * (1 - alpha), alpha * 255], axis=2)

    return float(np.abs(flat(found) - flat(expected)).max())


def picture(noise: np.random.Generator, width: int, height: int, *, alpha: bool) -> Samples:
    """Return a ramp with some noise, of RGB or RGBA, also with clear pixels."""
    y, x = np.mgrid[0:height, 0:width]
    ramp = np.dstack([x * 200 // width, y * 200 // height, (x + y) * 2 % 200])
    rgb = ramp + noise.integers(0, 50, (height, width, 3))
    if not alpha:
        return rgb.astype(np.uint8)
    clear = noise.choice([0, 90, 255], (height, width, 1))
    return np.concatenate([rgb, clear], axis=2).astype(np.uint8)


@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_still_webp_is_shown_as_pillow_shows_it(
    orientation: int, *, alpha: bool, lossless: bool
) -> None:
    """Upright, each pixel within 1 of 255."""
    pixels = picture(np.random.default_rng(orientation), 45, 31, alpha=alpha)
    exif = Image.Exif()
    exif[274] = orientation
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", lossless=lossless, exact=True, exif=exif)
    whole = ImageOps.exif_transpose(Image.open(buffer))
    (made,) = rendered(buffer.getvalue(), PNG).data
    found = np.asarray(Image.open(io.BytesIO(made)).convert("RGBA"))
    assert off(found, np.asarray(whole.convert("RGBA"))) <= 1


def drawn_webp(chance: random.Random) -> tuple[bytes, list[Samples]]:
    """Return an animated WebP, and each of its pictures."""
    noise = np.random.default_rng(chance.randrange(1 << 30))
    width, height = chance.randint(2, 40), chance.randint(2, 40)
    frames = []
    for _ in range(chance.choice([1, 2, 3, 5])):
        left = top = 0
        columns, rows = width, height
        if chance.random() < 0.7:
            left, top = chance.randrange(0, width, 2), chance.randrange(0, height, 2)
            columns, rows = chance.randint(1, width - left), chance.randint(1, height - top)
        options: dict[str, Any] = {
            name: chance.random() < 0.5 for name in ("is_lossless", "blends", "clears")
        }
        pixels = picture(noise, columns, rows, alpha=chance.random() < 0.5)
        frames.append(WebpFrame(pixels=pixels, left=left, top=top, **options))
    data = animated_webp(width, height, frames)
    return data, shown_by_webp_readers(width, height, frames)


@pytest.mark.parametrize("number", range(40))
def test_each_picture_of_a_drawn_webp_is_what_readers_show(number: int) -> None:
    """Places, blending, clearing, alpha and codings of frames: within 2 of 255 of a compositor."""
    data, expected = drawn_webp(random.Random(number))
    with OpenPhoto(MemorySource(data)) as photo:
        header = read_header(photo)
        assert header.n_pages == len(expected)
        strip = frames_decoder_of(photo.format).frames(photo, header, Load())
        rows = strip.image.numpy()
    if not header.has_alpha:
        rows = np.dstack([rows, np.full(rows.shape[:2], 255, np.uint8)])
    for page, right in enumerate(expected):
        found = rows[page * header.height : (page + 1) * header.height]
        assert off(found, right) <= 2, page
    (made,) = rendered(data, PNG).data
    assert off(np.asarray(Image.open(io.BytesIO(made)).convert("RGBA")), expected[0]) <= 2
