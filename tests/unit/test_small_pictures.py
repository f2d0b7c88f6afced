"""BlurHash and palette: what an app shows before a picture is there."""

import math

import numpy as np
import pytest
import pyvips
from hypothesis import given
from hypothesis import strategies as st

from imaging.appearance import appearance_of
from imaging.blurhash import blurhash
from imaging.palette import COLOURS, palette
from tests.photos import png, scene

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"


def number(text: str) -> int:
    """Return what digits of base 83 mean."""
    value = 0
    for digit in text:
        value = 83 * value + DIGITS.index(digit)
    return value


def decoded(
    text: str, width: int, height: int
) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    """Return the picture of a hash, by the description of the algorithm alone."""
    across, down = number(text[0]) % 9 + 1, number(text[0]) // 9 + 1
    assert len(text) == 4 + 2 * across * down
    unit = (number(text[1]) + 1) / 166
    mean = [number(text[2:6]) >> shift & 255 for shift in (16, 8, 0)]
    waves = [[v / 255 / 12.92 if v <= 10 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in mean]]
    for at in range(6, len(text), 2):
        value = number(text[at : at + 2])
        steps = (value // 361, value // 19 % 19, value % 19)
        waves.append([math.copysign(((s - 9) / 9) ** 2, s - 9) * unit for s in steps])
    y, x = np.mgrid[0:height, 0:width]
    light = np.zeros((height, width, 3))
    for at, wave in enumerate(waves):
        basis = np.cos(np.pi * x * (at % across) / width) * np.cos(
            np.pi * y * (at // across) / height
        )
        light += basis[..., None] * np.array(wave)
    light = np.clip(light, 0, 1)
    return 255 * np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize(
    ("size", "pixels", "expected"),
    [
        ((24, 24), b"\xff" * 1728, "LDTSUA~qfQ~q~qoffQoffQfQfQfQ"),
        ((4, 3), bytes(range(0, 252, 7)), "LkG9N+t7M_.8D%Rjj[Rj4TV@t7M{"),
    ],
)
def test_a_blurhash_is_that_of_its_authors(
    size: tuple[int, int], pixels: bytes, expected: str
) -> None:
    """As blurhash-python 1.2.2, which wraps their C code, has it; so were six real photos."""
    assert blurhash(*size, pixels) == expected


@pytest.mark.parametrize(("width", "height"), [(24, 18), (18, 24), (24, 24)])
def test_a_blurhash_shows_the_picture(width: int, height: int) -> None:
    """Decoded again it has the light of the picture's broad shapes, wherever they are."""
    image = scene(24 * width, 24 * height).resize(1 / 24).copy_memory()
    pixels = image.numpy().astype(float)
    shown = decoded(blurhash(width, height, bytes(image.write_to_memory())), width, height)
    plain = np.full_like(pixels, pixels.mean(axis=(0, 1)))
    assert np.abs(shown - pixels).mean() < 0.95 * np.abs(plain - pixels).mean()


@given(st.integers(1, 12), st.integers(1, 12), st.randoms(use_true_random=False))
def test_every_picture_has_a_blurhash(width: int, height: int, random: object) -> None:
    """Of 28 characters, which its decoder takes."""
    pixels = bytes(random.randrange(256) for _ in range(3 * width * height))  # type: ignore[attr-defined]
    text = blurhash(width, height, pixels)
    assert len(text) == 28
    assert decoded(text, width, height).shape == (height, width, 3)


def test_a_palette_has_the_colours_of_a_picture() -> None:
    """Five that are far apart, exactly, the most frequent first, whatever noise is beside them."""
    colours = [(250, 250, 250), (200, 20, 20), (20, 160, 40), (30, 40, 200), (0, 0, 0)]
    pixels = [
        colour
        for count, colour in zip((50, 40, 30, 20, 10), colours, strict=True)
        for _ in range(count)
    ]
    expected = tuple(f"#{r:02x}{g:02x}{b:02x}" for r, g, b in colours)
    assert palette(pixels) == expected
    assert palette(reversed(pixels)) == expected
    noisy = palette([*pixels, (203, 22, 21), (248, 251, 249)])
    assert len(noisy) == COLOURS
    assert [one[1] for one in noisy] == ["f", "c", "1", "1", "0"]


def test_a_palette_of_few_colours_is_short() -> None:
    """One of a flat picture; none of no pixel."""
    assert palette([(10, 20, 30)] * 9 + [(12, 22, 28)]) == ("#0a141e",)
    assert palette([]) == ()


@given(st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=1, max_size=60))
def test_a_palette_is_of_the_picture(pixels: list[tuple[int, int, int]]) -> None:
    """One to five colours, each within the picture's range, whatever the order of its pixels."""
    found = palette(pixels)
    assert 1 <= len(found) <= COLOURS
    assert found == palette(sorted(pixels))
    for colour in found:
        for band in range(3):
            value = int(colour[1 + 2 * band : 3 + 2 * band], 16)
            assert min(p[band] for p in pixels) <= value <= max(p[band] for p in pixels)


def test_what_is_transparent_is_in_no_palette() -> None:
    """The black under a hole is no colour; of nothing but holes there is white."""
    image = pyvips.Image.new_from_buffer(png(96, 64, alpha=True), "")
    shown = appearance_of(image, (96, 64))
    assert len(shown.blurhash) == 28
    empty = pyvips.Image.black(8, 8, bands=4).copy(interpretation="srgb").cast("uchar")
    assert appearance_of(empty, (8, 8)).palette == ("#ffffff",)
    assert appearance_of(empty, (8, 8)).dominant_colour == "#ffffff"
