"""A HEIC comes out as its owner saw it on the phone, or is refused for a reason."""

import gc
import io
import subprocess
import sys
import weakref
from dataclasses import replace
from typing import Any

import pytest
import pyvips

from imaging.decoders import libheif as decoder
from imaging.errors import CorruptPhotoError, OverLimitError
from imaging.formats import InputFormat, OutputFormat
from imaging.limits import Limits
from imaging.planning import Asked, make_plan
from imaging.specs import RenditionSpec
from tests.photos import (
    UPRIGHT,
    Orientation,
    corner_colours,
    exif,
    heic,
    psnr,
    truncated,
    upright_reference,
)
from tests.rendering import header_of, rendered

SPECS = tuple(
    RenditionSpec(name=f"w{side}", width=side, height=side, formats=(OutputFormat.PNG,))
    for side in (400, 200)
)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="display-p3"),
        pytest.param({"icc": None}, id="nclx"),
        pytest.param({"icc": "srgb"}, id="srgb"),
        pytest.param({"bits": 10}, id="10-bit"),
        pytest.param({"bits": 10, "icc": None}, id="10-bit-nclx"),
        pytest.param({"tile": 80}, id="grid-of-48"),
        pytest.param({"tile": 128, "bits": 10}, id="10-bit-grid"),
        pytest.param({"tile": 512}, id="grid-with-a-rest"),
        pytest.param({"thumbnail": True}, id="thumbnail"),
        pytest.param({"others": 2}, id="primary-of-three"),
        pytest.param({"xmp": b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"}, id="xmp"),
    ],
)
def test_every_kind_agrees_with_an_independent_resize(options: dict[str, Any]) -> None:
    """One picture or a grid, 8 or 10 bits, tagged either way: within 38 dB, and in sRGB."""
    data = heic(640, 480, **options)
    images = list(rendered(data, *SPECS).images.values())
    assert [(image.width, image.height) for image in images] == [(200, 150), (400, 300)]
    for image in images:
        assert (image.interpretation, image.bands, image.format) == ("srgb", 3, "uchar")
        assert psnr(image, upright_reference(data, image.width, image.height)) >= 38


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("tile", [None, 256])
def test_the_rotation_is_applied_once(orientation: Orientation, tile: int | None) -> None:
    """The container's rotation is; the EXIF tag that repeats it is not, and does not come out."""
    data = heic(600, 400, orientation=orientation, tile=tile)
    header = header_of(data)
    assert (header.width, header.height, header.orientation) == (600, 400, 1)
    spec = RenditionSpec(name="a", width=300, height=300)
    (image,) = rendered(data, spec).images.values()
    assert (image.width, image.height) == (300, 200)
    assert corner_colours(image) == UPRIGHT
    assert not image.get_typeof("orientation")


def test_the_header_is_that_of_the_primary_picture() -> None:
    """Dimensions, bit depth, profile and EXIF are known, and no pixel was decoded for them."""
    block = exif(copyright_text="(c) A. Photographer")
    header = header_of(heic(640, 480, bits=10, others=2, exif_data=block))
    assert header.format is InputFormat.HEIC
    assert (header.width, header.height, header.bands) == (640, 480, 3)
    assert (header.band_format, header.has_profile, header.n_pages) == ("ushort", True, 3)
    assert header.exif["Copyright"] == "(c) A. Photographer"


@pytest.mark.parametrize(("mode", "bands"), [("L", 1), ("L;16", 1), ("RGBA", 4), ("RGBa", 4)])
def test_grey_and_alpha_come_through(mode: str, bands: int) -> None:
    """A grey HEIC makes a grey rendition, one with alpha keeps it, straight."""
    import pillow_heif

    samples = {"L": b"\x80", "L;16": b"\0\x80", "RGBA": b"\xff\0\0\x80", "RGBa": b"\x80\0\0\x80"}
    file = pillow_heif.HeifFile()  # type: ignore[no-untyped-call]
    file.add_frombytes(mode, (128, 96), samples[mode] * (128 * 96))
    buffer = io.BytesIO()
    file.save(buffer, quality=95, chroma=444)
    spec = RenditionSpec(name="a", width=64, formats=(OutputFormat.PNG,))
    (image,) = rendered(buffer.getvalue(), spec).images.values()
    assert image.bands == bands
    expected = [128] if bands == 1 else [255, 0, 0, 128]
    assert image(32, 24) == pytest.approx(expected, abs=4)


def test_the_source_format_becomes_one_that_browsers_show() -> None:
    """``source`` makes a JPEG of a HEIC."""
    header = header_of(heic(64, 48))
    plan = make_plan(header, Asked(specs=(RenditionSpec(name="a", formats=(None,)),)))
    assert plan.renditions[0].format is OutputFormat.JPEG


class _Picture:
    """Stands in for libheif's, whose memory is its own; this one's can be looked at from here."""

    def __init__(self) -> None:
        self.size_mode = ((2, 1), "RGB")


def test_libvips_works_on_the_decoder_s_own_memory() -> None:
    """What changes there changes in the image; the memory lives as long as what draws on it."""
    memory = bytearray(6)
    picture = _Picture()
    alive = weakref.ref(picture)
    image = decoder._wrap(picture, memoryview(memory))
    memory[0] = 200
    assert image(0, 0) == [200, 0, 0]
    derived = image.invert()
    del picture, image
    gc.collect()
    assert alive() is not None
    held = derived.copy_memory()
    del derived
    gc.collect()
    assert alive() is None
    assert held(0, 0) == [55, 255, 255]


def test_the_decoder_is_imported_when_a_heic_arrives() -> None:
    """A JPEG is rendered without it."""
    script = """
import sys
from imaging.local import MemorySink, MemorySource
from imaging.planning import Asked, make_plan
from imaging.rendering import open_photo
from imaging.specs import RenditionSpec

asked = Asked(specs=(RenditionSpec(name="a", width=32),))
with open_photo(MemorySource(sys.stdin.buffer.read()), asked) as photo:
    plan = make_plan(photo.header, asked)
    assert not {"_pi_heif", "PIL"} & set(sys.modules)
    list(photo.render(plan, lambda _: MemorySink()))
print({"_pi_heif", "PIL", "imaging.decoders.libheif"} & set(sys.modules))
"""
    jpeg_data = pyvips.Image.black(64, 48, bands=3).jpegsave_buffer()
    printed = [
        subprocess.run(
            [sys.executable, "-c", script], input=data, capture_output=True, check=True
        ).stdout.decode()
        for data in (jpeg_data, heic(64, 48))
    ]
    assert printed[0] == "set()\n"
    assert "imaging.decoders.libheif" in printed[1]
    # Not even for a HEIC: Pillow takes longer to import than the decoder.
    assert "PIL" not in printed[1]


def test_what_the_decoder_cannot_allocate_is_refused_from_the_header() -> None:
    """The error says how many bytes the decoded picture would take, and how many it may."""
    header = replace(header_of(heic(64, 48, bits=10)), width=20_000, height=20_000)
    limits = Limits(max_pixels=400_000_000)
    message = "bytes of a decoded HEIC of at most 4,294,967,296 but received 4,800,000,000"
    with pytest.raises(OverLimitError, match=message):
        limits.check_header(header)
    limits.check_header(replace(header, band_format="uchar"))


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.99])
def test_half_a_heic_is_refused(fraction: float) -> None:
    """Wherever the upload broke off, no rendition is made."""
    with pytest.raises(CorruptPhotoError):
        rendered(truncated(heic(320, 240), fraction), *SPECS)


def test_a_metadata_item_of_no_textual_type_does_no_harm() -> None:
    """The photo comes out: nothing looks at items whose type is not text.

    The classes around the C module end the process on such a file.
    """
    data = heic(320, 240, xmp=b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")
    at = data.index(b"infe", data.index(b"Exif") + 4)
    item_type = data.index(b"mime", at)
    broken = data[:item_type] + b"\xe9\xc4\xff\xfe" + data[item_type + 4 :]
    assert rendered(broken, *SPECS).images["w400"].width == 320
