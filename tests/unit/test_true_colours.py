"""Colours that a photo gives in its own way, beside what they are."""

import io
import struct
import zlib

import numpy as np
import pytest
import pyvips
from PIL import Image, ImageCms

from imaging.errors import TruncatedPhotoError, UnsupportedFormatError
from imaging.fields import set_blob
from imaging.files.gif import read_blocks
from imaging.files.icc import SRGB_PRIMARIES, Gamma, gamma_profile
from imaging.formats import OutputFormat
from imaging.specs import Colour, Fit, Metadata, RenditionSpec
from tests.photos import gif, heic, icc_profile, jpeg, with_exif
from tests.photos.pngs import chunk, png_of
from tests.rendering import rendered

PNG = RenditionSpec(name="a", width=256, formats=(OutputFormat.PNG,))
DISPLAY_P3 = (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)


def from_light(light: float) -> float:
    """Return linear light in sRGB's curve (IEC 61966-2-1), of 255."""
    curved = light * 12.92 if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055
    return 255 * curved


def shown(data: bytes, spec: RenditionSpec = PNG) -> pyvips.Image:
    """Render ``data``."""
    return rendered(data, spec).images["a"]


RAMP = np.tile(np.arange(256, dtype=np.uint8), (4, 1))
GREY_RGB = np.repeat(RAMP[:, :, None], 3, axis=2)


@pytest.mark.parametrize("exponent", [100_000, 70_000, 55_556, 30_000])
@pytest.mark.parametrize("samples", [RAMP, GREY_RGB])
def test_gamma_of_a_png_is_applied(
    exponent: int, samples: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
) -> None:
    """Within 3 of 255 of the curve; grey 55 at 1.0 is 128."""
    data = png_of(samples, chunk(b"gAMA", struct.pack(">I", exponent)))
    row = shown(data).extract_band(0).numpy()[0]
    expected = [from_light((value / 255) ** (100_000 / exponent)) for value in range(256)]
    assert np.abs(row - np.array(expected)).max() <= 3
    if exponent == 100_000:
        assert abs(int(row[55]) - 128) <= 1


@pytest.mark.parametrize("other", [b"sRGB", b"iCCP"])
def test_what_outranks_gamma_counts(other: bytes) -> None:
    """A PNG that names sRGB, or has a profile, is not bent by gAMA."""
    profile = pyvips.Operation.call("profile_load", "srgb")
    content = b"\0" if other == b"sRGB" else b"p\0\0" + zlib.compress(bytes(profile))
    data = png_of(GREY_RGB, chunk(other, content), chunk(b"gAMA", struct.pack(">I", 100_000)))
    assert np.abs(shown(data).numpy().astype(int) - GREY_RGB).max() <= 1


def test_the_usual_gamma_is_srgb() -> None:
    """1/2.2 is what writers call sRGB: nothing is converted."""
    data = png_of(GREY_RGB, chunk(b"gAMA", struct.pack(">I", 45_455)))
    assert np.abs(shown(data).numpy().astype(int) - GREY_RGB).max() == 0


def test_primaries_of_a_png_are_applied() -> None:
    """Those of Display P3: within 3 of 255 of its profile."""
    levels = np.array([0, 64, 128, 192, 255], np.uint8)
    patches = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(5, 25, 3)
    content = struct.pack(">8I", *(round(value * 100_000) for value in DISPLAY_P3))
    data = png_of(patches, chunk(b"gAMA", struct.pack(">I", 45_455)), chunk(b"cHRM", content))
    light = (patches / 255) ** 2.2
    # Linear light of Display P3 in that of sRGB (ITU-R BT.2087's method).
    mixed = light @ np.array(
        [[1.22494, -0.042057, -0.019638], [-0.22494, 1.042057, -0.078636], [0, 0, 1.098274]]
    )
    expected = np.vectorize(from_light)(mixed.clip(0, 1))
    assert np.abs(shown(data).numpy() - expected).max() <= 3


def test_cicp_of_a_png_is_applied() -> None:
    """Display P3 by numbers, and linear light; they outrank a profile."""
    red = np.full((4, 256, 3), (200, 60, 40), np.uint8)
    p3 = shown(png_of(red, chunk(b"cICP", bytes([12, 13, 0, 1]))))
    pixel = pyvips.Image.new_from_array(red).copy(interpretation="srgb")
    expected = pixel.icc_transform("srgb", input_profile="p3")(9, 1)
    assert max(abs(a - b) for a, b in zip(p3(9, 1), expected, strict=True)) <= 3
    linear = shown(png_of(GREY_RGB, chunk(b"cICP", bytes([1, 8, 0, 1]))))
    assert abs(linear(55, 1)[0] - 128) <= 3


def test_an_apple_png_is_named() -> None:
    """CgBI has no checksums of its own kind, and other byte order: it is refused as what it is."""
    data = png_of(RAMP)
    crushed = data[:8] + chunk(b"CgBI", bytes(4)) + data[8:]
    with pytest.raises(UnsupportedFormatError, match="CgBI"):
        shown(crushed)


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("colour", list(Colour))
def test_sixteen_bits_of_light_keep_their_dark(colour: Colour, *, alpha: bool) -> None:
    """A linear profile: 8 bits of it have 13 levels where 8 bits of sRGB have 64."""
    light = np.linspace(0, 0.05, 256)
    deep = np.tile((light * 65535).round().astype(np.uint16)[None, :, None], (4, 1, 3))
    if alpha:
        deep = np.concatenate([deep, np.full((4, 256, 1), 65535, np.uint16)], axis=2)
    image = pyvips.Image.new_from_array(deep).copy(interpretation="rgb16")
    set_blob(
        image, "icc-profile-data", gamma_profile(Gamma(exponent=1.0, primaries=SRGB_PRIMARIES))
    )
    data = image.pngsave_buffer()
    spec = RenditionSpec(name="a", width=256, formats=(OutputFormat.PNG,), colour=colour)
    made = shown(data, spec)
    row = made.extract_band(1).numpy()[1]
    expected = np.array([from_light(value) for value in light])
    assert np.abs(row - expected).max() <= 2
    assert len(np.unique(row)) >= 60
    if alpha:
        assert made.extract_band(3).min() == 255


def test_black_ink_without_a_profile_is_black() -> None:
    """All inks, or black alone: no tint of blue."""
    inks = np.zeros((64, 64, 4), np.uint8)
    inks[:, :32] = 255
    inks[:, 32:, 3] = 255
    image = pyvips.Image.new_from_array(inks).copy(interpretation="cmyk")
    made = shown(image.tiffsave_buffer())
    assert made(5, 5) == [0, 0, 0]
    profile = ImageCms.ImageCmsProfile(io.BytesIO(icc_profile("cmyk")))
    black = ImageCms.profileToProfile(
        Image.new("CMYK", (1, 1), (0, 0, 0, 255)),
        profile,
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.PERCEPTUAL,
        outputMode="RGB",
    )
    assert black is not None
    assert np.abs(np.array(made(60, 5)) - np.array(black.getpixel((0, 0)))).max() <= 2


def test_exif_that_grows_by_its_encoding_fits() -> None:
    """Nine long texts in Latin-1 are twice as long in UTF-8: a block has 64 KiB at most."""
    tags = [0x010F, 0x0110, 0x0132, 0x013B, 0x8298]
    text = b"\xe9" * 4000 + b"\0"
    entries, data = b"", b""
    at = 8 + 2 + 12 * len(tags) + 4
    for tag in tags:
        entries += struct.pack("<HHII", tag, 2, len(text), at + len(data))
        data += text
    block = struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + entries + bytes(4) + data
    photo = with_exif(jpeg(64, 48), block)
    spec = RenditionSpec(name="a", width=32, metadata=Metadata.SAFE)
    made = shown(photo, spec)
    assert str(made.get("exif-ifd0-Copyright")).startswith("éé")


@pytest.mark.parametrize("fit", [Fit.CONTAIN, Fit.INSIDE])
@pytest.mark.parametrize("output", [OutputFormat.JPEG, OutputFormat.PNG])
@pytest.mark.parametrize("colour", list(Colour))
def test_a_profile_that_cannot_be_used_is_ignored(
    fit: Fit, output: OutputFormat, colour: Colour
) -> None:
    """Its head is right, and nothing else: the photo counts as sRGB, and a warning says so."""
    broken = bytearray(gamma_profile(Gamma(exponent=1.0, primaries=SRGB_PRIMARIES)))
    broken[132:] = bytes(len(broken) - 132)
    segment = b"ICC_PROFILE\0\1\1" + bytes(broken)
    data = jpeg(64, 48)
    data = data[:2] + b"\xff\xe2" + struct.pack(">H", len(segment) + 2) + segment + data[2:]
    spec = RenditionSpec(name="a", width=40, height=40, fit=fit, formats=(output,), colour=colour)
    result = rendered(data, spec)
    assert [warning.code for warning in result.plan.warnings] == ["profile-ignored"]
    assert result.images["a"].width == 40


def test_jpegs_that_no_viewer_shows_are_named() -> None:
    """12 bits, and lossless: whole, and not supported."""
    data = bytearray(jpeg(64, 48))
    frame = data.index(b"\xff\xc0")
    data[frame + 4] = 12
    with pytest.raises(UnsupportedFormatError, match="12 bits"):
        shown(bytes(data))
    data[frame + 1], data[frame + 4] = 0xC5, 8
    with pytest.raises(UnsupportedFormatError, match="hierarchical"):
        shown(bytes(data))


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\0\0\0\x10ftypmif3\0\0\0\0", "minimised HEIF"),
        (b"icns\0\0\1\0", "ICNS"),
        (b"qoif", "QOI"),
        (b"DDS |\0\0\0", "DDS"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "EPS"),
        (b"P6\n64 48\n255\n", "PNM"),
        (b"P4 8 8\n", "PNM"),
        (b"II\xbc\x01", "JPEG XR"),
        (b"\0\0\2\0\1\0", "cursor"),
        (b"II\x1a\0\0\0HEAPCCDR", "CRW"),
        (b"FOVb", "X3F"),
        (b"\0MRM", "MRW"),
        (b"\0\0\2\0\0\0\0\0\0\0\0\0\x40\0\x30\0\x18\x20", "TGA"),
    ],
)
def test_other_formats_are_refused_by_their_names(head: bytes, name: str) -> None:
    """A person can act on a name, and not on `not-a-photo`."""
    with pytest.raises(UnsupportedFormatError, match=name):
        shown(head + bytes(64))


@pytest.mark.parametrize(
    ("kind", "name"),
    [(b"j2k1", "JPEG 2000"), (b"jxlc", "JPEG XL"), (b"unci", "uncompressed"), (b"avc1", "H.264")],
)
def test_a_heif_of_another_codec_is_named(kind: bytes, name: str) -> None:
    """It is whole, and no decoder here knows what its picture is coded by."""
    data = heic(64, 48)
    assert data.count(b"hvc1") >= 1
    with pytest.raises(UnsupportedFormatError, match=name):
        shown(data.replace(b"hvc1", kind))


def test_a_heif_of_a_sequence_alone_is_named() -> None:
    """Its pictures are a track's, as a video's are."""
    data = b"\0\0\0\x14ftypheic\0\0\0\0msf1" + b"\0\0\0\x10moov" + bytes(8)
    with pytest.raises(UnsupportedFormatError, match="sequence"):
        shown(data)


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("range_", ["full", "limited"])
@pytest.mark.parametrize("subsampling", ["4:0:0", "4:2:0"])
def test_the_range_of_an_avif_is_stretched(subsampling: str, range_: str, *, named: bool) -> None:
    """Black is 0 and white 255, whether the box says so or the sequence header alone."""
    samples = np.zeros((64, 128), np.uint8)
    samples[:, 64:] = 255
    buffer = io.BytesIO()
    Image.fromarray(samples).convert("RGB").save(
        buffer, "AVIF", quality=100, subsampling=subsampling, range=range_
    )
    data = buffer.getvalue()
    assert b"nclx" in data
    if not named:
        data = data.replace(b"colrnclx", b"freenclx")
    made = shown(data, RenditionSpec(name="a", width=128, formats=(OutputFormat.PNG,)))
    assert max(made(10, 30)) <= 2
    assert min(made(110, 30)) >= 253


def test_an_animation_that_is_cut_is_truncated() -> None:
    """A decoder leaves the frames out that it has not. Cut exactly between two, it looks whole."""
    data = gif(40, 30, frames=4)
    frames = RenditionSpec(name="a", animated=True, formats=(OutputFormat.GIF,))
    whole = 0
    for end in range(16, len(data) - 1):
        try:
            read_blocks(data[:end])
        except TruncatedPhotoError:
            continue
        whole += 1
        assert rendered(data[:end], frames).plan.frames < 4
    # Each of three frames and of their control extensions, and the loop count's.
    assert whole <= 7
    with pytest.raises(TruncatedPhotoError):
        shown(data[: len(data) // 2], frames)
    assert rendered(data[:-1], frames).plan.frames == 4
