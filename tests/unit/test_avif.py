"""An AVIF is decoded by dav1d where that shows what libvips would, and else by libvips."""

import io
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import pyvips
from PIL import Image

from imaging.decoders import libavif as decoder
from imaging.errors import CorruptPhotoError
from imaging.formats import OutputFormat
from imaging.specs import RenditionSpec
from tests.photos import (
    UPRIGHT,
    Orientation,
    avif,
    corner_colours,
    exif,
    psnr,
    truncated,
    upright_reference,
)
from tests.rendering import header_of, rendered

SPECS = tuple(
    RenditionSpec(name=f"w{side}", width=side, height=side, formats=(OutputFormat.PNG,))
    for side in (400, 200)
)


def by_libvips(data: bytes) -> pyvips.Image:
    """Return libvips' lazy image."""
    return pyvips.Image.heifload_buffer(data)


def saved(size: tuple[int, int] = (96, 64), **options: object) -> bytes:
    """Return an AVIF that libavif writes, which knows more kinds than libvips' saver."""
    buffer = io.BytesIO()
    Image.effect_noise(size, 40).convert("RGB").save(buffer, "AVIF", **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="8-bit"),
        pytest.param({"icc": "display-p3"}, id="profile"),
        pytest.param({"alpha": True}, id="alpha"),
        pytest.param({"lossless": True}, id="lossless"),
        pytest.param({"bits": 10}, id="10-bit"),
        pytest.param({"bits": 12, "alpha": True}, id="12-bit-alpha"),
    ],
)
def test_every_kind_agrees_with_an_independent_resize(options: dict[str, Any]) -> None:
    """Whichever decoder it is: within 38 dB."""
    data = avif(640, 480, **options)
    for image in rendered(data, *SPECS).images.values():
        assert image.hasalpha() == options.get("alpha", False)
        flat = image.flatten(background=[255, 255, 255]) if image.hasalpha() else image
        assert psnr(flat, upright_reference(data, image.width, image.height)) >= 38


@pytest.mark.parametrize("orientation", range(1, 9))
def test_rotation_and_mirroring_are_applied_once(orientation: Orientation) -> None:
    """They are properties of the container, which libavif does not apply itself."""
    data = avif(600, 400, orientation=orientation)
    plain = by_libvips(data)
    assert decoder.decode(data, plain) is not plain
    (image,) = rendered(data, RenditionSpec(name="a", width=300, height=300)).images.values()
    assert (image.width, image.height) == (300, 200)
    assert corner_colours(image) == UPRIGHT
    assert not image.get_typeof("orientation")


def test_metadata_are_those_that_libvips_read() -> None:
    """EXIF, XMP and profile; the orientation is not among them: the pixels are upright."""
    block = exif(copyright_text="(c) A. Photographer")
    profile = pyvips.Image.profile_load("p3")
    data = saved(exif=block, xmp=b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>", icc_profile=profile)
    plain = by_libvips(data)
    image = decoder.decode(data, plain)
    assert image is not plain
    for field in ("exif-data", "xmp-data", "icc-profile-data", "exif-ifd0-Copyright"):
        assert image.get(field) == plain.get(field)
    assert not image.get_typeof("orientation")


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_every_subsampling_is_decoded_by_dav1d(subsampling: str) -> None:
    """The two decoders differ in how they smooth halved chroma, and in little else."""
    data = saved(size=(320, 240), quality=90, subsampling=subsampling)
    plain = by_libvips(data)
    image = decoder.decode(data, plain)
    assert image is not plain
    assert header_of(data).chroma == subsampling
    assert (image.bands, image.format, image.interpretation) == (3, "uchar", "srgb")
    assert psnr(image, plain) >= 38


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(lambda: avif(160, 120, bits=10), id="10-bit"),
        pytest.param(
            lambda: saved(save_all=True, append_images=[Image.new("RGB", (96, 64), "red")]),
            id="sequence",
        ),
    ],
)
def test_what_libavif_would_show_otherwise_stays_with_libvips(data: Callable[[], bytes]) -> None:
    """It cuts samples to 8 bits here, and has the frames of a sequence rather than its picture."""
    encoded = data()
    plain = by_libvips(encoded)
    assert decoder.decode(encoded, plain) is plain


def test_a_picture_that_the_container_crops_stays_with_libvips() -> None:
    """It is whole to libavif: its sides are not those of the header."""
    data = avif(160, 120)
    cropped = by_libvips(data).crop(0, 0, 100, 100)
    assert decoder.decode(data, cropped) is cropped


def test_damaged_pixels_are_refused() -> None:
    """The decoder's own words are the detail."""
    data = avif(320, 240)
    # What is in the sequence's header, behind types and lengths.
    at = data.index(b"mdat") + 8
    broken = data[:at] + b"\xff" * 8 + data[at + 8 :]
    with pytest.raises(CorruptPhotoError, match="Expected a whole avif photo") as caught:
        rendered(broken, *SPECS)
    assert caught.value.detail


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.99])
def test_half_an_avif_is_refused(fraction: float) -> None:
    """Wherever the upload broke off, no rendition is made."""
    with pytest.raises(CorruptPhotoError):
        rendered(truncated(avif(320, 240), fraction), *SPECS)


def test_the_decoder_is_imported_when_an_avif_arrives() -> None:
    """A JPEG is rendered without it, and an AVIF without Pillow's classes."""
    script = """
import sys
from imaging.local import MemorySource
from imaging.planning import Asked
from imaging.in_memory import render_in_memory
from imaging.rendering import open_photo
from imaging.specs import RenditionSpec

asked = Asked(specs=(RenditionSpec(name="a", width=32),))
render_in_memory(open_photo, MemorySource(sys.stdin.buffer.read()), asked)
print(sorted({"PIL._avif", "PIL.Image"} & set(sys.modules)))
"""
    jpeg_data = pyvips.Image.black(64, 48, bands=3).jpegsave_buffer()
    printed = [
        subprocess.run(
            [sys.executable, "-c", script], input=data, capture_output=True, check=True
        ).stdout.decode()
        for data in (jpeg_data, avif(64, 48))
    ]
    assert printed == ["[]\n", "['PIL._avif']\n"]
