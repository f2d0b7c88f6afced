"""HEIF that is whole and odd: shown rightly, or refused by its name."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import pyvips

from imaging.errors import UnsupportedFormatError
from imaging.formats import OutputFormat
from imaging.specs import RenditionSpec
from tests.photos import scene
from tests.photos.heif import Codec, assembled, aux, coded, prop
from tests.rendering import rendered

SPEC = RenditionSpec(name="a", width=4000, formats=(OutputFormat.PNG,))
ALPHA = {
    "hvc1": b"urn:mpeg:hevc:2015:auxid:1",
    "av01": b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha",
}
BRANDS = {"hvc1": b"heic", "av01": b"avif"}
CLAP = prop(b"clap", 96, 1, 64, 1, 8, 1, -4, 1)
"""96 x 64 of 128 x 96: from column 24 and row 12 on."""


def with_alpha(codec: Codec, *properties: bytes) -> bytes:
    """Return 128 x 96, whose alpha is a ramp from left to right."""
    ramp = (pyvips.Image.xyz(128, 96)[0] * 2).cast("uchar")
    colours = coded(scene(128, 96), codec=codec)
    grey: pyvips.Image = ramp.copy(interpretation="b-w")
    mask = (
        coded(grey, mode="L")
        if codec == "hvc1"
        else coded(grey.bandjoin(grey).bandjoin(grey).copy(interpretation="srgb"), codec=codec)
    )
    return assembled(
        [
            replace(colours, properties=colours.properties + properties),
            replace(mask, properties=(*mask.properties, aux(ALPHA[codec])), aux_of=0, hidden=True),
        ],
        brand=BRANDS[codec],
    )


def pixels(data: bytes) -> np.ndarray[Any, Any]:
    """Render at full size."""
    return rendered(data, SPEC).images["a"].numpy().astype(int)


@pytest.mark.parametrize("turn", [(), (prop(b"irot", 1),), (prop(b"irot", 3), prop(b"imir", 0))])
@pytest.mark.parametrize("crop", [(), (CLAP,)])
@pytest.mark.parametrize("codec", BRANDS)
def test_alpha_is_turned_and_cropped_as_the_colours_are(
    codec: Codec, crop: tuple[bytes, ...], turn: tuple[bytes, ...]
) -> None:
    """They stand on the colours alone: their alpha is never squeezed into another shape."""
    expected = pixels(with_alpha(codec))
    if crop:
        expected = expected[12:76, 24:120]
    if turn:
        expected = np.rot90(expected, 1 if len(turn) == 1 else 3)
    if len(turn) > 1:
        expected = expected[::-1]
    shown = pixels(with_alpha(codec, *crop, *turn))
    assert shown.shape == expected.shape
    assert np.abs(shown - expected).max() <= 2


@pytest.mark.parametrize("codec", BRANDS)
def test_a_heif_without_a_primary_picture_is_named(codec: Codec) -> None:
    """It is whole: readers disagree on what to show of it."""
    data = with_alpha(codec).replace(b"pitm", b"free")
    with pytest.raises(UnsupportedFormatError, match="names the picture to show"):
        pixels(data)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (b"lhv1", "layered HEVC"),
        (b"j2k1", "JPEG 2000"),
        (b"jxlc", "JPEG XL"),
        (b"vvc1", "H.266"),
        (b"xyz1", "codec 'xyz1'"),
    ],
)
def test_another_codec_is_named(kind: bytes, name: str) -> None:
    """Several layers of HEVC have a type of their own."""
    picture = coded(scene(64, 48))
    with pytest.raises(UnsupportedFormatError, match=name):
        pixels(assembled([replace(picture, kind=kind)]))
