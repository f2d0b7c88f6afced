"""HEIF that is whole and odd: shown rightly, or refused by its name."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from imaging.errors import UnsupportedFormatError
from imaging.formats import OutputFormat
from imaging.specs import RenditionSpec
from tests.photos import scene
from tests.photos.heif import Codec, assembled, coded
from tests.rendering import rendered

SPEC = RenditionSpec(name="a", width=4000, formats=(OutputFormat.PNG,))


def pixels(data: bytes) -> np.ndarray[Any, Any]:
    """Render at full size."""
    return rendered(data, SPEC).images["a"].numpy().astype(int)


@pytest.mark.parametrize(("codec", "brand"), [("hvc1", b"heic"), ("av01", b"avif")])
def test_a_heif_without_a_primary_picture_is_named(codec: Codec, brand: bytes) -> None:
    """It is whole: readers disagree on what to show of it."""
    picture = coded(scene(64, 48), codec=codec)
    data = assembled([picture], brand=brand).replace(b"pitm", b"free")
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
