"""What the frames of a GIF do not cover is clear, as browsers show it."""

import os
import random
from dataclasses import replace
from typing import Final

import numpy as np
import pytest
import pyvips

from imaging.bridge.source import OpenPhoto
from imaging.decoders import frames_decoder_of, read_header
from imaging.files.gif import read_blocks
from imaging.formats import OutputFormat
from imaging.local import MemorySource
from imaging.plan import Load
from imaging.specs import RenditionSpec
from tests.photos.gifs import GifFrame, Samples, gif_of, shown_by_browsers
from tests.rendering import header_of, rendered

DRAWN: Final = int(os.environ.get("GIFS", "40"))
"""GIFS=400 takes a minute."""

RED, BLUE = 1, 2
TABLE: Final = np.array([[0, 255, 0], [255, 0, 0], [0, 0, 255], [255, 255, 255]], np.uint8)
PNG = RenditionSpec(name="a", formats=(OutputFormat.PNG,))


def flat(index: int, width: int, height: int) -> GifFrame:
    """Return a frame of one colour."""
    return GifFrame(indexes=np.full((height, width), index))


def drawn_gif(chance: random.Random) -> tuple[bytes, list[Samples]]:
    """Return a GIF, and each of its pictures."""
    noise = np.random.default_rng(chance.randrange(1 << 30))
    width, height = chance.randint(1, 40), chance.randint(1, 40)
    transparent = chance.random() < 0.5
    whole = chance.random() < 0.5

    def table() -> Samples:
        return noise.integers(0, 256, (2 << chance.randint(0, 7), 3)).astype(np.uint8)

    shared = table()
    frames: list[GifFrame] = []
    for _ in range(chance.choice([1, 1, 2, 3, 6])):
        own = table() if chance.random() < 0.3 else None
        colours = len(shared if own is None else own)
        left = top = 0
        size = height, width
        if not whole or chance.random() < 0.3:
            left, top = chance.randrange(width), chance.randrange(height)
            size = chance.randint(1, height), chance.randint(1, width)
        if not frames:
            # Behind the first one a frame may reach beyond the screen.
            size = min(size[0], height - top), min(size[1], width - left)
        see_through = transparent and chance.random() < 0.5
        disposal = chance.choice([0, 1, 2, 2, 3, 3] if see_through else [None, 0, 1, 2, 2, 3])
        frame = GifFrame(
            indexes=noise.integers(0, colours, size),
            left=left,
            top=top,
            disposal=disposal,
            transparent=chance.randrange(colours) if see_through else None,
            table=own,
            interlaced=chance.random() < 0.3,
        )
        frames.append(frame)
    data = gif_of(width, height, shared, frames, background=chance.randrange(256))
    return data, shown_by_browsers(width, height, shared, frames)


def decoded(data: bytes) -> list[Samples]:
    """Return each picture as the decoder gives it, RGBA."""
    with OpenPhoto(MemorySource(data)) as photo:
        header = read_header(photo)
        strip = frames_decoder_of(photo.format).frames(photo, header, Load())
        rows = strip.image.numpy()
    if rows.ndim == 2:
        rows = rows[..., None]
    alpha = rows[..., -1:] if header.has_alpha else np.full((*rows.shape[:2], 1), 255)
    colours = rows[..., : header.bands - header.has_alpha]
    rgba = np.dstack([np.broadcast_to(colours, (*rows.shape[:2], 3)), alpha])
    assert len(strip.pages) == header.n_pages
    tops = [page * strip.page_height for page in strip.pages]
    return [rgba[top : top + header.height] for top in tops]


def differences(found: Samples, expected: Samples) -> int:
    """Return how many pixels differ; the colour of a clear one says nothing."""
    assert found.shape == expected.shape
    opaque = expected[..., 3:] > 0
    return int((np.where(opaque, found, found & [0, 0, 0, 255]) != expected).any(axis=2).sum())


@pytest.mark.parametrize("number", range(DRAWN))
def test_each_picture_of_a_drawn_gif_is_what_browsers_show(number: int) -> None:
    """Sizes, places, disposals, transparency, tables, interlacing; each pixel, and its alpha."""
    data, expected = drawn_gif(random.Random(number))
    found = decoded(data)
    assert len(found) == len(expected)
    assert [differences(*pair) for pair in zip(found, expected, strict=True)] == [0] * len(found)
    # The first frame, without the others.
    made = rendered(data, PNG)
    picture = made.images["a"]
    if not picture.hasalpha():
        picture = picture.colourspace("srgb").bandjoin(255)
    assert differences(picture.colourspace("srgb").numpy(), expected[0]) == 0
    is_clear = any((each[..., 3] == 0).any() for each in expected)
    says_so = made.plan.header.has_alpha
    # A transparent colour that is nowhere used gives alpha too.
    assert says_so or not is_clear


def test_what_a_small_first_frame_leaves_is_clear() -> None:
    """Without a transparent colour: clear in a PNG, the spec's background in a JPEG; not black."""
    data = gif_of(20, 10, TABLE, [flat(RED, 10, 10)])
    picture = rendered(data, PNG).images["a"]
    assert (picture(5, 5), picture(15, 5)[3]) == ([255, 0, 0, 255], 0)
    spec = RenditionSpec(name="a", formats=(OutputFormat.JPEG,))
    assert min(rendered(data, spec).images["a"](17, 5)) > 250


def test_an_opaque_frame_that_is_cleared_leaves_its_place_clear() -> None:
    """Not in the colour of the background, which is green here; in each format that moves."""
    red = replace(flat(RED, 20, 10), disposal=2, delay=7)
    blue = flat(BLUE, 5, 10)
    for transparent in (None, 3):
        last = replace(blue, transparent=transparent, left=15, delay=11)
        data = gif_of(20, 10, TABLE, [red, replace(blue, delay=9), last])
        for output in (OutputFormat.WEBP, OutputFormat.GIF):
            spec = RenditionSpec(name="a", animated=True, formats=(output,))
            (made,) = rendered(data, spec).data
            strip = pyvips.Image.new_from_buffer(made, "", n=-1)
            assert (strip.get("n-pages"), strip.get("delay")) == (3, [70, 90, 110])
            assert strip(10, 5)[3] == 255
            assert [strip(10, 15)[3], strip(10, 25)[3]] == [0, 0]
            assert strip(17, 25)[3] == strip(2, 25)[3] == 255


def test_a_gif_that_is_covered_has_no_alpha() -> None:
    """Frames that are cleared and covered again leave nothing clear: no band is added for them."""
    whole = replace(flat(RED, 20, 10), disposal=2)
    still = replace(whole, disposal=1)
    back = replace(flat(BLUE, 20, 10), disposal=3)
    small = flat(BLUE, 5, 5)
    for frames in (
        [whole],
        [whole, whole, whole],
        [whole, replace(flat(BLUE, 30, 20), disposal=2), whole],
        [still, replace(small, disposal=3), small],
        [still, replace(small, disposal=2), flat(RED, 6, 5)],
        [whole, back, whole],
    ):
        data = gif_of(20, 10, TABLE, frames)
        assert not read_blocks(data).is_bare
        header = header_of(data)
        assert (header.has_alpha, header.n_pages) == (False, len(frames))
    assert read_blocks(gif_of(20, 10, TABLE, [whole, back, small])).is_bare


@pytest.mark.parametrize("screen", [(640, 480), (800, 600), (1024, 768), (2100, 4)])
def test_the_screen_is_as_large_as_the_file_says(screen: tuple[int, int]) -> None:
    """The decoder takes these for the writer's monitor, and the first frame for the screen."""
    frames = [replace(flat(RED, 30, 2), left=10, top=1), flat(BLUE, *screen)]
    data = gif_of(*screen, TABLE, frames)
    header = header_of(data)
    assert (header.width, header.height, header.n_pages) == (*screen, 2)
    expected = shown_by_browsers(*screen, TABLE, frames)
    assert [differences(*pair) for pair in zip(decoded(data), expected, strict=True)] == [0, 0]


def test_no_frame_is_not_cleared() -> None:
    """A file without a frame is refused as ever, whatever its screen."""
    data = gif_of(640, 480, TABLE, [])
    with pytest.raises(Exception, match=r"gif photo"):
        header_of(data)
