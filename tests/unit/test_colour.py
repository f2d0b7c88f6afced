"""Colours come out as littlecms says, asked through Pillow, to within 2 of 255."""

import io
import struct

import numpy as np
import numpy.typing as npt
import pytest
import pyvips
from PIL import Image, ImageCms

from imaging.errors import PhotoWarning
from imaging.files.cicp import Cicp
from imaging.files.heif import from_memory, read_container
from imaging.files.heif_colour import read_cicp
from imaging.formats import OutputFormat
from imaging.planning import Asked
from imaging.specs import Colour, Fit, RenditionSpec
from tests.photos import cmyk_jpeg, grey_jpeg, heic, icc_profile, jpeg, scene, tiff
from tests.rendering import parent_of, plan_of
from tests.rendering import rendered as render_specs

KEEP = pyvips.enums.ForeignKeep.ICC
Values = npt.NDArray[np.uint8]

_SIDE = 16
_COUNT = 48
_FLAGS = ImageCms.Flags.BLACKPOINTCOMPENSATION


# GIF holds no profile.
TAGGED = [output for output in OutputFormat if output is not OutputFormat.GIF]


def patches(bands: int) -> Values:
    """Return colours at random, and the corners of the space: black, white, full bands."""
    values = np.random.default_rng(bands).integers(0, 256, (_COUNT, bands), dtype=np.uint8)
    corners = [[255 * (n >> band & 1) for band in range(bands)] for n in range(2**bands)]
    values[: len(corners)] = corners
    return values


def painted(values: npt.NDArray[np.generic], band_format: str, interpretation: str) -> pyvips.Image:
    """Return a picture of one square for each colour, in a row."""
    row = np.repeat(values, _SIDE, axis=0)
    area = np.ascontiguousarray(np.broadcast_to(row, (_SIDE, *row.shape)))
    height, width, bands = area.shape
    image = pyvips.Image.new_from_memory(area.tobytes(), width, height, bands, band_format)
    return image.copy(interpretation=interpretation)


def tagged(image: pyvips.Image, profile: bytes) -> pyvips.Image:
    """Return the image with a profile that says what its values mean."""
    image = image.copy()
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)  # type: ignore[arg-type]
    return image


def colours_of(image: pyvips.Image) -> Values:
    """Return the colour in the middle of each square."""
    samples: Values = np.frombuffer(image.write_to_memory(), np.uint8)
    area = samples.reshape(image.height, image.width, image.bands)
    return area[_SIDE // 2, _SIDE // 2 :: _SIDE]


def rendered(
    data: bytes, colour: Colour = Colour.SRGB, output: OutputFormat = OutputFormat.PNG
) -> pyvips.Image:
    """Return the rendition of a photo in memory at its own size, decoded again."""
    return render_specs(data, RenditionSpec(name="a", formats=(output,), colour=colour)).images["a"]


def converted(
    values: Values,
    mode: str,
    source: bytes | None,
    target: bytes,
    intent: ImageCms.Intent = ImageCms.Intent.RELATIVE_COLORIMETRIC,
) -> Values:
    """Return what littlecms makes of device values; ``source`` None is its own Lab."""

    def profile(data: bytes) -> ImageCms.ImageCmsProfile:
        return ImageCms.ImageCmsProfile(io.BytesIO(data))

    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    transform = ImageCms.buildTransform(
        lab if source is None else profile(source),
        profile(target),
        mode,
        "RGB",
        intent,
        # By default littlecms takes 8-bit Lab through a table that is up to 32 off.
        _FLAGS if source else _FLAGS | ImageCms.Flags.NOOPTIMIZE,
    )
    area = Image.frombytes(mode, (len(values), 1), values.tobytes())
    made = ImageCms.applyTransform(area, transform)
    assert made is not None
    expected: Values = np.asarray(made, dtype=np.uint8)[0]
    return expected


def assert_close(got: Values, expected: Values, within: int = 2) -> None:
    """Each band of each colour is within 2 of 255."""
    assert got.shape == expected.shape
    difference = np.abs(got.astype(int) - expected.astype(int))
    worst = int(difference.max(axis=1).argmax())
    assert difference.max() <= within, f"patch {worst}: {got[worst]} for {expected[worst]}"


def grey_profile(gamma: float) -> bytes:
    """Return a minimal ICC profile of grey with a gamma (ICC.1:2001-04, 6.3.2)."""
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 0xF6D6, 0x10000, 0xD32D)
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    table = struct.pack(">I4sII4sII", 2, b"wtpt", 156, 20, b"kTRC", 176, 16)
    head = struct.pack(">I4xI4s4s4s12x4s4x", 192, 0x02400000, b"mntr", b"GRAY", b"XYZ ", b"acsp")
    head += bytes(28) + struct.pack(">3i", 0xF6D6, 0x10000, 0xD32D)
    return head.ljust(128, b"\0") + table + white + curve


SRGB, P3, CMYK = icc_profile("srgb"), icc_profile("display-p3"), icc_profile("cmyk")
RGB = patches(3)


@pytest.mark.parametrize("saver", ["png", "tiff", "webp"])
def test_display_p3_becomes_srgb(saver: str) -> None:
    """A photo in Display P3, in formats without loss."""
    image = tagged(painted(RGB, "uchar", "srgb"), P3)
    data = {
        "png": lambda: image.pngsave_buffer(keep=KEEP),
        "tiff": lambda: image.tiffsave_buffer(keep=KEEP),
        "webp": lambda: image.webpsave_buffer(lossless=True, keep=KEEP),
    }[saver]()
    assert_close(colours_of(rendered(data)), converted(RGB, "RGB", P3, SRGB))


@pytest.mark.parametrize("profile", [None, P3], ids=["untagged", "display-p3"])
@pytest.mark.parametrize("saver", ["png", "tiff"])
def test_sixteen_bits_become_eight(saver: str, profile: bytes | None) -> None:
    """The colours are those of the same values in 8 bits."""
    image = painted(RGB.astype(np.uint16) * 257, "ushort", "rgb16")
    image = image if profile is None else tagged(image, profile)
    data = {
        "png": lambda: image.pngsave_buffer(keep=KEEP),
        "tiff": lambda: image.tiffsave_buffer(keep=KEEP),
    }[saver]()
    made = rendered(data)
    assert (made.format, made.bands) == ("uchar", 3)
    assert_close(colours_of(made), RGB if profile is None else converted(RGB, "RGB", P3, SRGB))


def test_lab_is_that_of_icc() -> None:
    """A TIFF's Lab has its white under D50, as littlecms' own Lab has."""
    stored = ImageCms.applyTransform(
        Image.frombytes("RGB", (_COUNT, 1), RGB.tobytes()),
        ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(SRGB)),
            ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")),
            "RGB",
            "LAB",
        ),
    )
    assert stored is not None
    # Pillow holds L as 0 to 255, a and b as signed bytes.
    lab = np.frombuffer(stored.tobytes(), np.uint8).reshape(_COUNT, 3)
    values = np.stack([lab[:, 0] / 2.55, *lab[:, 1:].astype(np.int8).T], axis=1)
    data = painted(values.astype(np.float32), "float", "lab").tiffsave_buffer()
    assert_close(colours_of(rendered(data)), converted(lab, "LAB", None, SRGB))


INKS = patches(4)


def intent_for(profile: bytes | None) -> ImageCms.Intent:
    """Return how inks are converted: perceptually where their profile is a guess."""
    return ImageCms.Intent.PERCEPTUAL if profile is None else ImageCms.Intent.RELATIVE_COLORIMETRIC


@pytest.mark.parametrize("profile", [CMYK, None], ids=["profile", "none"])
@pytest.mark.parametrize("adobe", [True, False], ids=["adobe", "no-marker"])
def test_cmyk_jpeg(profile: bytes | None, *, adobe: bool) -> None:
    """With a profile or the documented fallback, with Adobe's marker or without: 0 is full ink."""
    image = painted(INKS, "uchar", "cmyk")
    image = image if profile is None else tagged(image, profile)
    data = image.jpegsave_buffer(Q=100, keep=KEEP)
    if not adobe:
        at = data.index(b"\xff\xee\x00\x0eAdobe")
        data = data[:at] + data[at + 16 :]
    # What a JPEG holds of it, read without libvips.
    with Image.open(io.BytesIO(data)) as opened:
        held = np.asarray(opened, np.uint8)[_SIDE // 2, _SIDE // 2 :: _SIDE]
    assert np.abs(held.astype(int) - INKS).max() <= 2
    assert_close(
        colours_of(rendered(data)), converted(held, "CMYK", CMYK, SRGB, intent_for(profile))
    )


@pytest.mark.parametrize("profile", [CMYK, None], ids=["profile", "none"])
def test_cmyk_tiff(profile: bytes | None) -> None:
    """A TIFF's inks are not inverted."""
    image = painted(INKS, "uchar", "cmyk")
    image = image if profile is None else tagged(image, profile)
    data = image.tiffsave_buffer(keep=KEEP)
    assert_close(
        colours_of(rendered(data)), converted(INKS, "CMYK", CMYK, SRGB, intent_for(profile))
    )


def warnings_of(data: bytes) -> list[PhotoWarning]:
    """Return what the plan says of the photo's colours."""
    return list(plan_of(data, Asked(specs=(RenditionSpec(name="a"),))).warnings)


def test_what_was_guessed_is_in_the_report() -> None:
    """CMYK without a profile, and a profile for other bands, are warned of; nothing else is."""
    buffer = io.BytesIO()
    Image.new("L", (64, 48), 100).save(buffer, "JPEG", icc_profile=P3)
    strange = buffer.getvalue()
    assert [w.code for w in warnings_of(cmyk_jpeg(64, 48, profile=None))] == ["profile-guessed"]
    assert [w.code for w in warnings_of(strange)] == ["profile-ignored"]
    for data in (
        cmyk_jpeg(64, 48),
        jpeg(64, 48),
        jpeg(64, 48, icc="display-p3"),
        grey_jpeg(64, 48),
    ):
        assert warnings_of(data) == []
    assert rendered(strange).bands == 1


@pytest.mark.parametrize("colour", [Colour.SRGB, Colour.DISPLAY_P3])
def test_a_broken_profile_is_ignored(colour: Colour) -> None:
    """One that littlecms cannot use is as good as none."""
    # The red primary is no longer a colour.
    (at,) = struct.unpack_from(">I", P3, P3.index(b"rXYZ") + 4)
    broken = P3[:at] + b"junk" + P3[at + 4 :]
    image = painted(RGB, "uchar", "srgb")
    with pytest.raises(pyvips.Error):
        tagged(image, broken).icc_transform("srgb", embedded=True).avg()
    made = rendered(tagged(image, broken).pngsave_buffer(keep=KEEP), colour)
    expected = rendered(image.pngsave_buffer(), colour)
    assert_close(colours_of(made), colours_of(expected), within=0)


@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.2])
def test_grey_with_a_profile(gamma: float) -> None:
    """A scan in grey of another gamma becomes grey as sRGB has it, in one band."""
    values = np.arange(0, 240, 5, dtype=np.uint8).reshape(-1, 1)
    profile = grey_profile(gamma)
    data = tagged(painted(values, "uchar", "b-w"), profile).pngsave_buffer(keep=KEEP)
    made = rendered(data)
    assert made.bands == 1
    assert_close(colours_of(made), converted(values, "L", profile, SRGB)[:, :1])


@pytest.mark.parametrize("bits", [8, 16])
def test_grey_stays_grey(bits: int) -> None:
    """Without a profile, values stay, and one band is stored."""
    values = np.arange(0, 240, 5, dtype=np.uint8).reshape(-1, 1)
    image = painted(values, "uchar", "b-w")
    if bits == 16:
        image = painted(values.astype(np.uint16) * 257, "ushort", "grey16")
    made = rendered(image.pngsave_buffer())
    assert made.bands == 1
    assert_close(colours_of(made), values, within=1)


def test_a_palette_is_looked_up() -> None:
    """A PNG of at most 256 colours comes out in just these."""
    picture = Image.frombytes("RGB", (_COUNT, 1), RGB.tobytes()).quantize(256)
    picture = picture.resize((_COUNT * _SIDE, _SIDE), Image.Resampling.NEAREST)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    expected = np.asarray(picture.convert("RGB"), np.uint8)[0, ::_SIDE]
    assert (colours_of(rendered(buffer.getvalue())) == expected).all()


def cicp_avif(values: Values, primaries: int, transfer: int) -> bytes:
    """Return an AVIF whose colours are tagged by numbers."""
    row = np.repeat(values, _SIDE, axis=0)
    area = Image.fromarray(np.broadcast_to(row, (_SIDE, *row.shape)).copy())
    buffer = io.BytesIO()
    area.save(buffer, "AVIF", quality=100, subsampling="4:4:4")
    data = buffer.getvalue()
    at = data.index(b"colrnclx") + 8
    return data[:at] + struct.pack(">HH", primaries, transfer) + data[at + 4 :]


def held_by(data: bytes) -> Values:
    """Return what an AVIF holds, before anything is made of the numbers that tag it."""
    return np.asarray(pyvips.Image.heifload_buffer(data).numpy(), np.uint8)[0, _SIDE // 2 :: _SIDE]


@pytest.mark.parametrize("transfer", [13, 1, 2], ids=["srgb", "bt709", "unspecified"])
def test_an_avif_that_numbers_call_display_p3(transfer: int) -> None:
    """It is converted as if it had the profile."""
    data = cicp_avif(RGB, 12, transfer)
    assert read_cicp(read_container(from_memory(data), len(data))) == Cicp(
        primaries=12, transfer=transfer
    )
    assert_close(colours_of(rendered(data)), converted(held_by(data), "RGB", P3, SRGB))


def test_a_heic_that_numbers_call_display_p3() -> None:
    """Its tag is read as an AVIF's is."""
    data = heic(320, 240, icc=None)
    at = data.index(b"colrnclx") + 8
    wide = data[:at] + struct.pack(">HH", 12, 13) + data[at + 4 :]
    plain, converted_too = (rendered(each) for each in (data, wide))
    tagged_plain = tagged(plain, P3).icc_transform("srgb", embedded=True)
    assert (converted_too - tagged_plain).abs().avg() < 0.5
    assert (converted_too - plain).abs().avg() > 3


def test_an_avif_that_numbers_call_srgb() -> None:
    """Nothing is done to it."""
    data = cicp_avif(RGB, 1, 13)
    assert_close(colours_of(rendered(data)), held_by(data), within=1)


def bt2020_in_srgb(light: npt.NDArray[np.float64]) -> Values:
    """Return 8-bit sRGB for linear light in BT.2020's primaries, by way of their XYZ."""

    def xyz(primaries: list[tuple[float, float]]) -> npt.NDArray[np.float64]:
        columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
        white = np.array([0.3127 / 0.3290, 1, (1 - 0.3127 - 0.3290) / 0.3290])
        return columns * np.linalg.solve(columns, white)

    wide = xyz([(0.708, 0.292), (0.170, 0.797), (0.131, 0.046)])
    narrow = xyz([(0.64, 0.33), (0.30, 0.60), (0.15, 0.06)])
    mixed = np.clip(light @ np.linalg.solve(narrow, wide).T, 0, 1)
    curved = np.where(mixed <= 0.0031308, mixed * 12.92, 1.055 * mixed ** (1 / 2.4) - 0.055)
    codes: Values = np.rint(curved * 255).astype(np.uint8)
    return codes


def test_an_avif_in_bt2020() -> None:
    """Its primaries are converted, and what sRGB cannot show is clipped."""
    data = cicp_avif(RGB, 9, 14)
    signal = held_by(data) / 255
    light = np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)
    assert_close(colours_of(rendered(data)), bt2020_in_srgb(light))


@pytest.mark.parametrize(
    ("transfer", "signals"),
    [
        # ITU-R BT.2408, table 1: the signal of 100 and of 10 cd/m2; 203 cd/m2 are white here.
        pytest.param(16, [(0.508, 100 / 203), (0.3, 10.0 / 203)], id="pq"),
        pytest.param(18, [(0.5, 50.6 / 203)], id="hlg"),
    ],
)
def test_an_hdr_avif_has_its_midtones_where_sdr_has_them(
    transfer: int, signals: list[tuple[float, float]]
) -> None:
    """Light up to half of white is kept; what is brighter than white is not cut off flat."""
    codes = np.array([[round(signal * 255)] * 3 for signal, _ in signals], dtype=np.uint8)
    ramp = np.array([[code] * 3 for code in range(150, 256, 15)], dtype=np.uint8)
    data = cicp_avif(np.concatenate([codes, ramp]), 9, transfer)
    got = colours_of(rendered(data))
    expected = bt2020_in_srgb(np.array([[light] * 3 for _, light in signals]))
    # A code of 8 bits is 3 % of light in PQ.
    assert_close(got[: len(codes)], expected, within=3)
    rising = got[len(codes) :, 1].astype(int)
    assert (np.diff(rising) >= 0).all()
    assert rising[-1] >= 248
    assert rising[0] < 240


def test_clouds_of_an_hdr_sky_are_told_apart() -> None:
    """300 and 1,000 cd/m2 in PQ, of which SDR has no light: neither is white."""
    codes = np.array([[round(signal * 255)] * 3 for signal in (0.623, 0.752)], dtype=np.uint8)
    dark, light = colours_of(rendered(cicp_avif(codes, 9, 16)))[:, 1].astype(int)
    assert dark <= 236
    assert dark + 12 <= light <= 252


@pytest.mark.parametrize("output", TAGGED)
def test_display_p3_is_converted_and_tagged(output: OutputFormat) -> None:
    """An untagged photo is converted from sRGB, and a compact profile says so."""
    data = painted(RGB, "uchar", "srgb").pngsave_buffer()
    made = rendered(data, Colour.DISPLAY_P3, output)
    assert made.get("icc-profile-data") == P3
    assert len(P3) < 500
    if output is OutputFormat.PNG:
        assert_close(colours_of(made), converted(RGB, "RGB", SRGB, P3))


def test_display_p3_stays_display_p3() -> None:
    """Values of a photo that is in it already stay as they are, but for the profile's bytes."""
    data = tagged(painted(RGB, "uchar", "srgb"), P3).pngsave_buffer(keep=KEEP)
    made = rendered(data, Colour.DISPLAY_P3)
    assert (colours_of(made) == RGB).all()
    inks = tagged(painted(INKS, "uchar", "cmyk"), CMYK).tiffsave_buffer(keep=KEEP)
    assert_close(colours_of(rendered(inks, Colour.DISPLAY_P3)), converted(INKS, "CMYK", CMYK, P3))


@pytest.mark.parametrize("output", TAGGED)
def test_source_keeps_values_and_profile(output: OutputFormat) -> None:
    """The photo's own profile is stored with its own values."""
    data = tagged(painted(RGB, "uchar", "srgb"), P3).pngsave_buffer(keep=KEEP)
    made = rendered(data, Colour.SOURCE, output)
    assert made.get("icc-profile-data") == P3
    if output is OutputFormat.PNG:
        assert (colours_of(made) == RGB).all()
    deep = tagged(painted(RGB.astype(np.uint16) * 257, "ushort", "rgb16"), P3)
    made = rendered(deep.pngsave_buffer(keep=KEEP), Colour.SOURCE)
    assert made.format == "uchar"
    assert made.get("icc-profile-data") == P3
    assert (colours_of(made) == RGB).all()


@pytest.mark.parametrize("output", TAGGED)
def test_a_profile_of_grey_is_stored_with_grey_only(output: OutputFormat) -> None:
    """JPEG and PNG keep grey and its profile; where grey has three bands it becomes sRGB."""
    values = np.arange(0, 240, 5, dtype=np.uint8).reshape(-1, 1)
    profile = grey_profile(1.8)
    data = tagged(painted(values, "uchar", "b-w"), profile).pngsave_buffer(keep=KEEP)
    made = rendered(data, Colour.SOURCE, output)
    if output in {OutputFormat.JPEG, OutputFormat.PNG}:
        assert made.bands == 1
        assert made.get("icc-profile-data") == profile
    else:
        assert not made.get_typeof("icc-profile-data")
        expected = converted(values, "L", profile, SRGB)
        assert_close(colours_of(made)[:, :3], expected, within=3)


@pytest.mark.parametrize("colour", Colour)
def test_nothing_but_rgb_and_grey_is_stored(colour: Colour) -> None:
    """CMYK and Lab become RGB whatever is asked: browsers do not show them."""
    for data in (cmyk_jpeg(64, 48), tiff(64, 48, pixels="lab"), tiff(64, 48, pixels="float")):
        made = rendered(data, colour)
        assert (made.interpretation, made.bands) == ("srgb", 3)
        tagged_too = bool(made.get_typeof("icc-profile-data"))
        assert tagged_too == (colour is Colour.DISPLAY_P3)


def test_srgb_carries_no_profile() -> None:
    """Neither converted, nor sRGB from the start under its own profile."""
    for icc in (None, "srgb", "display-p3"):
        made = rendered(jpeg(64, 48, icc=icc))
        assert not made.get_typeof("icc-profile-data")


def test_one_photo_in_every_colour() -> None:
    """Each rendition is in its own colours, and a parent is of the same."""
    specs = [
        RenditionSpec(
            name=f"{colour.value}-{width}",
            width=width,
            formats=(OutputFormat.PNG,),
            colour=colour,
        )
        for colour in Colour
        for width in (256, 64)
    ]
    data = jpeg(512, 384, icc="display-p3", orientation=6)
    made = render_specs(data, *specs)
    assert {planned.spec.name: parent_of(planned) for planned in made.plan.renditions} == {
        f"{colour.value}-{width}": f"{colour.value}-256" if width == 64 else None
        for colour in Colour
        for width in (256, 64)
    }
    images = made.images
    assert {name: bool(image.get_typeof("icc-profile-data")) for name, image in images.items()} == {
        spec.name: spec.colour is not Colour.SRGB for spec in specs
    }
    shown = images["display-p3-64"].icc_transform("srgb", embedded=True)
    assert (shown - images["srgb-64"]).abs().avg() <= 1
    assert (images["source-64"] - images["display-p3-64"]).abs().avg() <= 0.1


@pytest.mark.parametrize("colour", Colour)
def test_the_background_is_the_same_colour_everywhere(colour: Colour) -> None:
    """What is padded is sRGB's orange, in the numbers of the rendition's own space."""
    spec = RenditionSpec(
        name="a",
        width=200,
        height=100,
        fit=Fit.CONTAIN,
        formats=(OutputFormat.PNG,),
        background=(255, 128, 0),
        colour=colour,
    )
    data = tagged(scene(100, 100).icc_transform("p3", input_profile="srgb"), P3)
    made = render_specs(data.pngsave_buffer(keep=KEEP), spec).images["a"]
    orange = np.array([[255, 128, 0]], dtype=np.uint8)
    expected = orange if colour is Colour.SRGB else converted(orange, "RGB", SRGB, P3)
    assert_close(np.array([made(5, 50)], dtype=np.uint8), expected)
