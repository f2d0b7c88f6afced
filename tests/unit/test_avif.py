"""An AVIF is decoded by the library that decodes HEIC, whole or tile by tile."""

import io
import subprocess
import sys
from typing import Any, Literal

import pytest
import pyvips
from PIL import Image

from imaging.bridge.source import OpenPhoto
from imaging.decoders import heif_picture as decoder
from imaging.decoders import read_header
from imaging.errors import CorruptPhotoError
from imaging.formats import OutputFormat
from imaging.local import MemorySource
from imaging.plan import Load
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
from tests.photos.heif import grid_heic
from tests.rendering import header_of, rendered

SPECS = tuple(
    RenditionSpec(name=f"w{side}", width=side, height=side, formats=(OutputFormat.PNG,))
    for side in (400, 200)
)


def by_libvips(data: bytes) -> pyvips.Image:
    """Return libvips' lazy image."""
    return pyvips.Image.heifload_buffer(data)


def difference(image: pyvips.Image, other: pyvips.Image) -> float:
    """Return the largest difference between two pictures."""
    found = (image - other).abs().max()
    assert isinstance(found, float)
    return found


def picture_of(data: bytes) -> pyvips.Image:
    """Return the picture as the decoder gives it, in memory."""
    with OpenPhoto(MemorySource(data)) as photo:
        return decoder.picture_of(photo, read_header(photo), Load()).copy_memory()


def saved(mode: str = "RGB", size: tuple[int, int] = (96, 64), **options: object) -> bytes:
    """Return an AVIF that libavif writes, which knows more kinds than libvips' saver."""
    buffer = io.BytesIO()
    image = Image.effect_noise(size, 40).convert(mode)
    if mode.endswith("A"):
        # One that is opaque all over would not be written.
        image.putalpha(Image.effect_noise(size, 90))
    image.save(buffer, "AVIF", **options)
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
    (image,) = rendered(data, RenditionSpec(name="a", width=300, height=300)).images.values()
    assert (image.width, image.height) == (300, 200)
    assert corner_colours(image) == UPRIGHT
    assert not image.get_typeof("orientation")


def test_metadata_are_those_that_libvips_read() -> None:
    """EXIF, XMP and profile; the orientation is the container's."""
    block = exif(copyright_text="(c) A. Photographer")
    profile = pyvips.Image.profile_load("p3")
    data = saved(exif=block, xmp=b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>", icc_profile=profile)
    plain = by_libvips(data)
    image = picture_of(data)
    for field in ("exif-data", "xmp-data", "icc-profile-data", "exif-ifd0-Copyright"):
        assert image.get(field) == plain.get(field)
    assert image.get("orientation") == 1


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0", "4:0:0"])
@pytest.mark.parametrize("alpha", [False, True])
def test_every_subsampling_is_what_libvips_shows(subsampling: str, alpha: bool) -> None:  # noqa: FBT001
    """Another decoder of AV1, the same pixels to 1 of 255; grey stays grey."""
    mode = ("RGBA" if alpha else "RGB") if subsampling != "4:0:0" else ("LA" if alpha else "L")
    data = saved(mode=mode, size=(320, 240), quality=90, subsampling=subsampling)
    plain = by_libvips(data)
    image = picture_of(data)
    header = header_of(data)
    assert (header.chroma, header.has_alpha) == (subsampling, alpha)
    assert (image.format, image.hasalpha()) == ("uchar", alpha)
    shown = image if image.bands == plain.bands else image.colourspace("srgb")
    assert difference(shown, plain) <= 1


@pytest.mark.parametrize("bits", [8, 10])
def test_a_grid_is_decoded_tile_by_tile(bits: Literal[8, 10]) -> None:
    """Its header tells the tiles; no tile is missing."""
    data = grid_heic(4, 3, 250, 180, bits=bits, codec="av01")
    assert header_of(data).tile == (64, 64)
    plain = by_libvips(data)
    shown = plain if bits == 8 else (plain * (255 / 65535)).rint()
    assert difference(picture_of(data), shown) <= 1


def test_the_picture_of_a_sequence_is_its_primary_one() -> None:
    """Not its first frame."""
    data = saved(save_all=True, append_images=[Image.new("RGB", (96, 64), "red")])
    assert difference(picture_of(data), by_libvips(data)) <= 1


def test_damaged_pixels_are_refused() -> None:
    """The decoder's own words are the detail."""
    data = avif(320, 240)
    # The profile in the sequence's header, behind types and lengths: 7, which there is not.
    at = data.index(b"mdat") + 8
    broken = data[:at] + bytes([data[at] | 7 << 5]) + data[at + 1 :]
    with pytest.raises(CorruptPhotoError, match="its decoder gave up") as caught:
        rendered(broken, *SPECS)
    assert caught.value.detail


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.99])
def test_half_an_avif_is_refused(fraction: float) -> None:
    """Wherever the upload was truncated, no rendition is made."""
    with pytest.raises(CorruptPhotoError):
        rendered(truncated(avif(320, 240), fraction), *SPECS)


def test_the_decoder_is_imported_when_an_avif_arrives() -> None:
    """A JPEG is rendered without it."""
    script = """
import sys
from imaging.local import MemorySource
from imaging.planning import Asked
from imaging.in_memory import render_in_memory
from imaging.rendering import open_photo
from imaging.specs import RenditionSpec

asked = Asked(specs=(RenditionSpec(name="a", width=32),))
render_in_memory(open_photo, MemorySource(sys.stdin.buffer.read()), asked)
print("imaging.decoders.libheif" in sys.modules)
"""
    jpeg_data = pyvips.Image.black(64, 48, bands=3).jpegsave_buffer()
    printed = [
        subprocess.run(
            [sys.executable, "-c", script], input=data, capture_output=True, check=True
        ).stdout.decode()
        for data in (jpeg_data, avif(64, 48))
    ]
    assert printed == ["False\n", "True\n"]
