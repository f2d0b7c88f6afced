"""Where each pixel of a HEIC or AVIF comes from: its own box says so, and numpy does it again."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final, Literal

import numpy as np
import pytest
import pyvips

from imaging.formats import OutputFormat
from imaging.specs import RenditionSpec
from tests.photos import scene
from tests.photos.heif import Codec, Part, assembled, aux, coded, grid, prop
from tests.rendering import rendered

Pixels = np.ndarray[Any, Any]
Kind = Literal["whole", "grid", "iden", "iovl"]
Alpha = Literal["none", "its own", "without", "half"]

WIDTH, HEIGHT, TILE = 160, 128, 64
SPEC: Final = RenditionSpec(name="a", width=4000, formats=(OutputFormat.PNG,))
URNS: Final = {
    "hvc1": b"urn:mpeg:hevc:2015:auxid:1",
    "av01": b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha",
}
BRANDS: Final = {"hvc1": b"heic", "av01": b"avif"}


@dataclass(frozen=True, slots=True)
class Turn:
    """``irot``: a quarter to the left, so many times."""

    quarters: int

    def of(self, pixels: Pixels) -> Pixels:
        """Return ``pixels`` turned."""
        return np.rot90(pixels, self.quarters)

    def box(self, width: int, height: int) -> bytes:
        """Return the property; it does not depend on the sides."""
        del width, height
        return prop(b"irot", self.quarters)


@dataclass(frozen=True, slots=True)
class Mirror:
    """``imir``: 0 exchanges top and bottom, 1 left and right."""

    axis: int

    def of(self, pixels: Pixels) -> Pixels:
        """Return ``pixels`` mirrored."""
        return np.flip(pixels, self.axis)

    def box(self, width: int, height: int) -> bytes:
        """Return the property; it does not depend on the sides."""
        del width, height
        return prop(b"imir", self.axis)


@dataclass(frozen=True, slots=True)
class Crop:
    """``clap``: what is left of the picture; the file says how far its centre is moved."""

    left: int
    top: int
    width: int
    height: int

    def of(self, pixels: Pixels) -> Pixels:
        """Return ``pixels`` cropped."""
        return pixels[self.top : self.top + self.height, self.left : self.left + self.width]

    def box(self, width: int, height: int) -> bytes:
        """Return the property, for a picture of so many pixels."""
        right, down = 2 * self.left + self.width - width, 2 * self.top + self.height - height
        return prop(b"clap", self.width, 1, self.height, 1, right, 2, down, 2)


Transforms = Sequence[Turn | Mirror | Crop]

WIDE: Final = Crop(24, 12, 96, 64)
CHAINS: Final[tuple[Transforms, ...]] = (
    (Turn(1),),
    (Turn(2),),
    (Mirror(0),),
    (Mirror(1),),
    (WIDE,),
    (WIDE, Turn(1)),
    (Turn(1), Crop(12, 24, 64, 96), Mirror(1)),
    (WIDE, Crop(11, 5, 50, 40), Mirror(0), Turn(3)),
)


def applied(pixels: Pixels, transforms: Transforms) -> Pixels:
    """Return ``pixels`` after each of ``transforms``."""
    for each in transforms:
        pixels = each.of(pixels)
    return pixels


def boxes(transforms: Transforms) -> tuple[bytes, ...]:
    """Return the properties that say so, of a picture of WIDTH x HEIGHT."""
    frame = np.empty((HEIGHT, WIDTH, 0))
    made = []
    for each in transforms:
        made.append(each.box(frame.shape[1], frame.shape[0]))
        frame = each.of(frame)
    return tuple(made)


def one(image: pyvips.Image, codec: Codec) -> Part:
    """Return ``image`` coded in one piece; 4:4:4, as a crop may begin within a pair of columns."""
    if image.bands == 1 and codec == "hvc1":
        return coded(image, mode="L")
    rgb = image if image.bands == 3 else image.bandjoin(image).bandjoin(image)
    return coded(rgb.copy(interpretation="srgb"), codec=codec, chroma="444")


def parts_of(kind: Kind, image: pyvips.Image, codec: Codec, at: int) -> list[Part]:
    """Return ``image`` as a picture of a kind, and what it is made of; its own place is ``at``."""
    size = image.width, image.height
    if kind == "whole":
        return [one(image, codec)]
    if kind == "grid":
        across, down = -(-size[0] // TILE), -(-size[1] // TILE)
        filled = image.embed(0, 0, across * TILE, down * TILE, extend="copy")
        places = [(x * TILE, y * TILE) for y in range(down) for x in range(across)]
        numbers = tuple(range(at + 1, at + 1 + len(places)))
        cells = [one(filled.crop(*place, TILE, TILE), codec) for place in places]
        return [grid(across, down, *size, numbers), *(replace(cell, hidden=True) for cell in cells)]
    # Version, flags, the canvas's colour, its size, and where the one picture on it lies.
    canvas = struct.pack(">BBHHHHHHhh", 0, 0, 0, 0, 0, 65535, *size, 0, 0)
    outer = Part(
        kind=kind.encode(),
        data=canvas if kind == "iovl" else b"",
        properties=(prop(b"ispe", *size),),
        made_of=(at + 1,),
    )
    return [outer, replace(one(image, codec), hidden=True)]


@cache
def colours_of(kind: Kind, codec: Codec) -> list[Part]:
    """Return what is seen, as it is stored."""
    return parts_of(kind, scene(WIDTH, HEIGHT), codec, 0)


@cache
def mask_of(kind: Kind, codec: Codec, shrink: int) -> list[Part]:
    """Return alpha, as it is stored: it grows to the right and down."""
    places = pyvips.Image.xyz(WIDTH // shrink, HEIGHT // shrink) * shrink
    ramp = (places[0] + places[1] * 0.5).cast("uchar").copy(interpretation="b-w")
    return parts_of(kind, ramp, codec, len(colours_of(kind, codec)))


def photo(kind: Kind, codec: Codec, alpha: Alpha, transforms: Transforms) -> bytes:
    """Return a photo whose colours, and whose alpha if it is its own, are transformed."""
    outer, *inner = colours_of(kind, codec)
    parts = [replace(outer, properties=(*outer.properties, *boxes(transforms))), *inner]
    if alpha != "none":
        mask, *cells = mask_of(kind, codec, 2 if alpha == "half" else 1)
        own = boxes(transforms) if alpha == "its own" else ()
        properties = (*mask.properties, aux(URNS[codec]), *own)
        parts += [replace(mask, properties=properties, aux_of=0, hidden=True), *cells]
    return assembled(parts, brand=BRANDS[codec])


def shown(data: bytes) -> Pixels:
    """Render at full size."""
    return rendered(data, SPEC).images["a"].numpy().astype(int)


@pytest.mark.parametrize("alpha", ["none", "its own", "without", "half"])
@pytest.mark.parametrize("codec", BRANDS)
@pytest.mark.parametrize("kind", ["whole", "grid", "iden", "iovl"])
def test_each_pixel_is_where_the_boxes_put_it(kind: Kind, codec: Codec, alpha: Alpha) -> None:
    """Alpha without transformations goes along, but where it has the size of what is shown."""
    stored = shown(photo(kind, codec, alpha, ()))
    assert stored.shape == (HEIGHT, WIDTH, 3 if alpha == "none" else 4)
    for transforms in CHAINS:
        expected = applied(stored, transforms)
        if alpha == "without" and expected.shape == stored.shape:
            expected = np.dstack([expected[:, :, :3], stored[:, :, 3:]])
        made = shown(photo(kind, codec, alpha, transforms))
        assert made.shape == expected.shape, transforms
        assert np.abs(made - expected).max() <= 2, transforms
