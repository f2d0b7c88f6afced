"""The scene that every test photo shows: a lake under mountains, with a patch in each corner."""

from __future__ import annotations

import math
import random
from functools import lru_cache
from typing import Final

import pyvips

Image = pyvips.Image


Colours = tuple[str, str, str, str]

UPRIGHT: Final[Colours] = ("red", "green", "blue", "yellow")
"""What `corner_colours` says of an upright scene, from top left to bottom right."""

_PATCHES: Final = {
    "red": (226, 26, 32),
    "green": (20, 160, 60),
    "blue": (24, 50, 210),
    "yellow": (250, 216, 20),
}

# A gradient is a list of (v, (red, green, blue, texture)): v from 0 at the top to 1 at the bottom,
# texture the contrast of the fine detail there, 0 (a clear sky) to 255 (grass).
_Gradient = list[tuple[float, tuple[int, int, int, int]]]

_SKY: Final[_Gradient] = [
    (0.00, (62, 126, 190, 6)),
    (0.30, (100, 158, 216, 6)),
    (0.48, (250, 205, 150, 8)),
    (0.64, (255, 170, 90, 8)),
]
_CLOUD: Final[_Gradient] = [
    (0.00, (228, 234, 246, 14)),
    (0.35, (255, 238, 228, 14)),
    (0.60, (255, 206, 162, 10)),
]
_SUN: Final[_Gradient] = [(0.0, (255, 255, 246, 0)), (1.0, (255, 255, 246, 0))]
_FAR: Final[_Gradient] = [(0.30, (92, 106, 162, 50)), (0.60, (158, 142, 170, 70))]
_NEAR: Final[_Gradient] = [(0.40, (44, 62, 92, 100)), (0.66, (66, 88, 78, 120))]
_TREES: Final[_Gradient] = [(0.57, (10, 40, 28, 130)), (0.66, (26, 62, 30, 150))]
_WATER: Final[_Gradient] = [
    (0.66, (214, 158, 116, 50)),
    (0.78, (72, 124, 156, 70)),
    (1.00, (10, 50, 110, 80)),
]
_REFLECTION: Final[_Gradient] = [(0.66, (40, 66, 66, 70)), (0.84, (30, 70, 110, 70))]
_MEADOW: Final[_Gradient] = [(0.80, (130, 170, 44, 130)), (1.00, (36, 92, 14, 210))]
_FLOWERS: Final[_Gradient] = [(0.80, (255, 190, 20, 90)), (1.00, (214, 10, 60, 90))]
_SHORE: Final = 0.66

# Fitted to the figures in the docstring of `scene`: the contrast of the texture, how coloured it
# is, the noise at 24 megapixels, and how fast noise weakens as the pixel count grows.
_TEXTURE_DEVIATION: Final = 22.0
_TEXTURE_COLOUR: Final = 0.3
_GRAIN_DEVIATION: Final = 3.7
_GRAIN_FALL: Final = 0.36


def scene(width: int, height: int, *, seed: int = 1) -> pyvips.Image:
    """A lake under mountains, upright, with a coloured patch in each corner.

    The composition scales with the picture; texture and noise are in pixels, as a sensor's are, and
    the noise weakens as the pixel count grows, as it does when the same light falls on more pixels.

    Checked against nine real photos of 3 to 20 megapixels (public EXIF samples of phones and
    cameras), decoded and encoded again by libvips as JPEG at Q90 4:2:0, in bytes per pixel, at full
    size and resized to fit 2048, 1280, 640, 320 and 160 pixels:

    - the nine, lowest to highest: 0.07-0.31, 0.09-0.30, 0.11-0.32, 0.16-0.40, 0.21-0.50, 0.29-0.58
    - this scene at 24 megapixels: 0.36, 0.30, 0.30, 0.32, 0.34, 0.41

    Full size is above those nine on purpose: 8.7 MB for 24 megapixels and 62 MB for 200 are what
    cameras write, so the decoder's work is that of the heaviest real photos, while what is left
    after the resize costs an encoder what real photos cost. The deviation of the luminance is 43
    (the nine: 34 to 73), a PNG at 1280 takes 2.2 bytes a pixel (the nine: 1.1 to 2.8), and 4:4:4
    costs 1.13 times 4:2:0 (the nine: 1.06 to 1.39).

    *Cost*: 0.05 s of CPU per megapixel, encoding included.

    Shape: width x height x 3, uchar, sRGB; lazy, and fit for sequential reading.

    Args:
        width: Width in pixels.
        height: Height in pixels.
        seed: Another seed gives another landscape with the same statistics.
    """
    painted = _paint(width, height, seed)
    contrast = painted.extract_band(3)
    noise = min(1.6, (24e6 / (width * height)) ** _GRAIN_FALL)
    texture = _tiled(_texture(1024, seed + 7), width, height) + _tiled(
        _texture(768, seed + 8), width, height
    )
    # Integer arithmetic throughout: float copies of the picture would triple the cost.
    detail = (texture * contrast).cast("short") >> 7
    grain = _tiled(_grain(512, seed + 9, round(100 * noise)), width, height)
    image = (painted.extract_band(0, n=3) + detail + grain).cast("uchar")
    return _with_patches(image.copy(interpretation="srgb"))


def corner_colours(image: pyvips.Image) -> Colours:
    """Name the colours of the four corners: `UPRIGHT` when the whole scene stands upright.

    A corner is "other" where its patch has been cropped away or painted over. Shape: any size from
    32 x 32, any interpretation.

    Returns:
        Top left, top right, bottom left, bottom right.
    """
    srgb = image.colourspace("srgb").extract_band(0, n=3)
    side = max(1, min(image.width, image.height) // 20)
    right, bottom = image.width - 2 * side, image.height - 2 * side
    near = side // 2
    return (
        _named(srgb.crop(near, near, side, side)),
        _named(srgb.crop(right + near, near, side, side)),
        _named(srgb.crop(near, bottom + near, side, side)),
        _named(srgb.crop(right + near, bottom + near, side, side)),
    )


def _named(patch: pyvips.Image) -> str:
    mean = [patch.extract_band(band).avg() for band in range(3)]
    name, colour = min(_PATCHES.items(), key=lambda item: math.dist(item[1], mean))
    # Compression, resizing and a round trip through CMYK move a patch by less than this; the
    # landscape's own colours are further away.
    return name if math.dist(colour, mean) < 72 else "other"


def _with_patches(image: pyvips.Image) -> pyvips.Image:
    side = max(1, min(image.width, image.height) // 10)
    right, bottom = image.width - side, image.height - side
    corners = ((0, 0), (right, 0), (0, bottom), (right, bottom))
    for (x, y), name in zip(corners, UPRIGHT, strict=True):
        patch = (Image.black(side, side) + list(_PATCHES[name])).cast("uchar")
        image = image.insert(patch, x, y)
    return image


def _paint(width: int, height: int, seed: int) -> pyvips.Image:
    """The landscape without its texture: red, green, blue, and the texture's contrast."""

    def ridge(level: float, rise: float, rough: float, cells: int, key: int) -> pyvips.Image:
        return _ridge(width, level * height, rise * height, rough, cells, seed * 16 + key)

    rows = Image.xyz(1, height).extract_band(1).copy_memory().replicate(width, 1)

    def below(edge: pyvips.Image) -> pyvips.Image:
        # One row of grey between outside and inside, as a sharp lens gives.
        return ((rows - edge.replicate(1, height)) * 255).cast("uchar")

    def over(mask: pyvips.Image, gradient: _Gradient, image: pyvips.Image) -> pyvips.Image:
        return mask.ifthenelse(_gradient(gradient, width, height), image, blend=True)

    image = _gradient(_SKY, width, height)
    image = over(_clouds(width, height, seed * 16), _CLOUD, image)
    image = over(_sun(width, height), _SUN, image)
    image = over(below(ridge(0.46, 0.10, 0.48, 5, 1)), _FAR, image)
    image = over(below(ridge(0.555, 0.075, 0.55, 4, 2)), _NEAR, image)
    trees = ridge(0.635, 0.018, 0.85, 14, 3)
    image = over(below(trees), _TREES, image)
    shore = below(ridge(_SHORE, 0.0015, 0.6, 9, 4))
    image = over(shore, _WATER, image)
    # The far bank in the water: upside down, longer, ruffled, and half as dark.
    mirrored = (trees * -2.4) + (1 + 2.4) * _SHORE * height
    reflection = (shore - below(mirrored)).cast("uchar") >> 1
    image = over(reflection, _REFLECTION, image)
    meadow = below(ridge(0.85, 0.035, 0.6, 3, 5))
    image = over(meadow, _MEADOW, image)
    return over(meadow & _flowers(width, height, seed * 16 + 6), _FLOWERS, image)


def _noise(width: int, height: int, seed: int, *, bands: int = 1) -> pyvips.Image:
    """White noise of mean 0 and deviation 1: libvips' own only permutes it for another seed."""
    data = random.Random(seed).randbytes(width * height * bands)
    return Image.new_from_memory(data, width, height, bands, "char") / 73.9


def _gradient(stops: _Gradient, width: int, height: int) -> pyvips.Image:
    column = bytearray()
    positions = [v for v, _ in stops]
    rows = min(height, 1024)
    for row in range(rows):
        v = min(max((row + 0.5) / rows, positions[0]), positions[-1])
        after = next(i for i in range(1, len(stops)) if v <= positions[i])
        (v0, start), (v1, end) = stops[after - 1], stops[after]
        t = (v - v0) / (v1 - v0)
        column += bytes(round(a + (b - a) * t) for a, b in zip(start, end, strict=True))
    image = Image.new_from_memory(bytes(column), 1, rows, 4, "uchar")
    return image.resize(1, vscale=height / rows, kernel="linear").copy_memory().replicate(width, 1)


def _ridge(
    width: int, level: float, rise: float, rough: float, cells: int, seed: int
) -> pyvips.Image:
    """The height of a skyline at each column: a row of fractal noise."""
    row = Image.black(width, 1) + level
    octave = 0
    while cells < width / 2 and rise > 0.2:
        noise = _noise(cells + 6, 1, seed * 32 + octave)
        scale = width / cells
        smooth = noise.resize(scale, vscale=1, kernel="cubic").crop(int(3 * scale), 0, width, 1)
        row = row + smooth * rise
        octave, cells, rise = octave + 1, cells * 2, rise * rough
    return row.copy_memory()


def _clouds(width: int, height: int, seed: int) -> pyvips.Image:
    """How much cloud covers each pixel, soft-edged."""
    side, cells, amplitude = 96, 6, 1.0
    field = Image.black(side, side)
    for octave in range(5):
        noise = _noise(cells + 6, cells + 6, seed * 32 + octave)
        scale = side / cells
        at = int(3 * scale)
        field = field + noise.resize(scale, kernel="cubic").crop(at, at, side, side) * amplitude
        cells, amplitude = cells * 2, amplitude / 2
    mask = ((field - 0.2) * 130).cast("uchar").copy_memory()
    large = mask.resize((width + 1) / side, vscale=(height + 1) / side, kernel="linear")
    return large.crop(0, 0, width, height)


def _sun(width: int, height: int) -> pyvips.Image:
    radius = max(1, min(width, height) // 28)
    size = 2 * radius + 1
    plane = Image.xyz(size, size) - radius
    distance = (plane.extract_band(0) ** 2 + plane.extract_band(1) ** 2) ** 0.5
    disc = ((radius - distance) * 255).cast("uchar").copy_memory()
    return Image.black(width, height).insert(disc, round(width * 0.3), round(height * 0.40))


def _flowers(width: int, height: int, seed: int) -> pyvips.Image:
    """Blobs with crisp edges, as large as the picture makes them."""
    cells = 48
    scale = max(1.0, height / 400)
    noise = _noise(cells, cells, seed).embed(3, 3, cells + 6, cells + 6, extend="repeat")
    side, at = int(cells * scale), int(3 * scale)
    smooth = noise.resize(scale, kernel="cubic").crop(at, at, side, side)
    blobs = ((smooth - 1.15) * (120 * scale)).cast("uchar").copy_memory()
    return _tiled(blobs, width, height)


@lru_cache(maxsize=8)
def _texture(side: int, seed: int) -> pyvips.Image:
    """Detail with equal contrast in each octave of scale, as photographs have; it tiles."""
    total = Image.black(side, side, bands=3)
    for octave in range(6):
        cells, pad = side >> octave, 4
        # Mostly light and shade, a little colour.
        noise = _noise(cells, cells, seed * 64 + octave) * 0.95
        noise = noise + _noise(cells, cells, seed * 64 + 32 + octave, bands=3) * _TEXTURE_COLOUR
        wrapped = noise.embed(pad, pad, cells + 2 * pad, cells + 2 * pad, extend="repeat")
        at = pad << octave
        total = total + wrapped.resize(1 << octave, kernel="cubic").crop(at, at, side, side)
    return (total * (_TEXTURE_DEVIATION / total.deviate())).rint().cast("char").copy_memory()


@lru_cache(maxsize=8)
def _grain(side: int, seed: int, percent: int) -> pyvips.Image:
    """A sensor's noise after the camera's denoising: near white, a little coloured; it tiles."""
    noise = _noise(side, side, seed * 64) + _noise(side, side, seed * 64 + 1, bands=3) * 0.6
    return (noise * (_GRAIN_DEVIATION * percent / 100)).rint().cast("char").copy_memory()


def _tiled(tile: pyvips.Image, width: int, height: int) -> pyvips.Image:
    across, down = -(-width // tile.width), -(-height // tile.height)
    return tile.replicate(across, down).crop(0, 0, width, height)
