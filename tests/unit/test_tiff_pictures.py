"""Every TIFF layout is shown rightly: against the samples that were written, not a decoder."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imaging.errors import CorruptPhotoError, RejectedPhotoError, UnsupportedFormatError
from imaging.formats import OutputFormat
from imaging.specs import RenditionSpec
from tests import photos
from tests.photos.directories import Layout, Value, long, short, write_directories
from tests.photos.tiffs import Samples, Stored, directory, tiff_of
from tests.rendering import rendered

WIDTH, HEIGHT = 96, 64
_Y, _X = np.mgrid[0:HEIGHT, 0:WIDTH]
RGB = np.stack(
    [_X * 255 // (WIDTH - 1), _Y * 255 // (HEIGHT - 1), (_X + _Y) * 255 // (WIDTH + HEIGHT - 2)],
    axis=2,
).astype(np.uint8)
GREY = RGB[:, :, :1]
OPAQUE = np.full((HEIGHT, WIDTH, 1), 255, np.uint8)
CLEAR = np.zeros((HEIGHT, WIDTH, 1), np.uint8)
PNG = RenditionSpec(name="a", width=WIDTH, formats=(OutputFormat.PNG,))


def shown(data: bytes, spec: RenditionSpec = PNG) -> Samples:
    """Render ``data`` as it is, and return height x width x bands."""
    (made,) = rendered(data, spec).data
    samples = np.asarray(Image.open(io.BytesIO(made)))
    return samples.reshape(samples.shape[0], samples.shape[1], -1)


def off(one: Samples, other: Samples) -> float:
    """Return the largest difference of two pictures of 8 bits; grey is compared as RGB."""
    bands = max(one.shape[2], other.shape[2])
    one, other = (np.broadcast_to(each, (*each.shape[:2], bands)) for each in (one, other))
    return float(np.abs(one.astype(int) - other.astype(int)).max())


def stack(*bands: Samples) -> Samples:
    """Return ``bands`` beside each other."""
    return np.concatenate(bands, axis=2)


def from_light(light: Samples) -> Samples:
    """Return linear light in sRGB (IEC 61966-2-1)."""
    curved = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return (curved * 255).round()


def lab_in_srgb(lab: Samples) -> Samples:
    """Return L*a*b* under D50 in sRGB: ICC.1:2022, annex E, and IEC 61966-2-1."""
    height = (lab[:, :, 0] + 16) / 116
    places = np.dstack([height + lab[:, :, 1] / 500, height, height - lab[:, :, 2] / 200])
    knee = 6 / 29
    xyz = np.where(places > knee, places**3, 3 * knee**2 * (places - 4 / 29))
    xyz *= np.array([0.9642, 1.0, 0.8249])
    light = xyz @ np.array(
        [
            [3.1338561, -0.9787684, 0.0719453],
            [-1.6168667, 1.9161415, -0.2289914],
            [-0.4906146, 0.0334540, 1.4052427],
        ]
    )
    return from_light(light.clip(0, 1))


def inside(samples: Samples) -> Samples:
    """Tell which pixels are well within sRGB: out of it each converter clips in its own way."""
    return np.asarray((samples > 16).all(axis=2) & (samples < 248).all(axis=2))


@settings(max_examples=150)
@given(
    order=st.sampled_from("<>"),
    big=st.booleans(),
    front=st.booleans(),
    compression=st.sampled_from(["none", "packbits", "lzw", "deflate"]),
    tile=st.sampled_from([None, 16, 32]),
    rows=st.sampled_from([1, 7, 16, 100]),
    planar=st.booleans(),
    kind=st.sampled_from(["u1", "u2", "u4", "f4", "f2", "i1", "i2", "i4"]),
    grey=st.booleans(),
    extra=st.sampled_from([(), (0,), (2,), (0, 0), (0, 2), (2, 0, 0)]),
)
def test_every_layout_shows_the_samples(  # noqa: PLR0913 - what a TIFF's layout consists of
    order: str,
    *,
    big: bool,
    front: bool,
    compression: str,
    tile: int | None,
    rows: int,
    planar: bool,
    kind: str,
    grey: bool,
    extra: tuple[int, ...],
) -> None:
    """What each of them says of the layout is understood, whatever the others say."""
    colours = GREY if grey else RGB
    whole = stack(colours, *[OPAQUE if each else CLEAR for each in extra])
    expected = colours.astype(float)
    match kind:
        case "u1":
            stored = whole
        case "f4" | "f2":
            stored = (whole / 255).astype(kind)
            expected = from_light(colours / 255)
        case _:
            white = float(np.iinfo(kind).max)
            stored = (whole.astype(float) * (white / 255)).round().astype(kind)
            expected = (stored[:, :, : colours.shape[2]] * (255 / white)).round()
    data = tiff_of(
        stored,
        Stored(
            photometric="black is zero" if grey else "rgb",
            compression=compression,  # type: ignore[arg-type]  # one of them
            planar=planar,
            tile=tile,
            rows=rows,
            extra=extra,
        ),
        Layout(order=order, big=big, front=front),  # type: ignore[arg-type]  # one of the two
    )
    if planar and whole.shape[2] > 1 and (tile or kind == "f2"):
        # libvips cannot, or mixes up the planes.
        with pytest.raises(UnsupportedFormatError):
            shown(data)
        return
    result = shown(data)
    has_alpha = any(extra)
    bands = result.shape[2] - has_alpha
    assert bands in {1, 3}
    assert off(result[:, :, :bands], expected) <= 1
    if has_alpha:
        assert result[:, :, -1].min() == 255


@pytest.mark.parametrize("extra", [(0,), (0, 0), (2, 0), (0, 2), (1, 0), (0, 0, 0)])
@pytest.mark.parametrize("output", list(OutputFormat))
def test_extra_samples_do_not_hide_the_photo(extra: tuple[int, ...], output: OutputFormat) -> None:
    """A mask that is black everywhere, as Photoshop's may be, in every format."""
    data = tiff_of(stack(RGB, *[OPAQUE if each else CLEAR for each in extra]), Stored(extra=extra))
    (made,) = rendered(data, RenditionSpec(name="a", width=WIDTH, formats=(output,))).data
    image = Image.open(io.BytesIO(made)).convert("RGBA")
    samples = np.asarray(image)
    assert samples[:, :, 3].min() == 255
    lossy = 40 if output in {OutputFormat.JPEG, OutputFormat.WEBP, OutputFormat.AVIF} else 24
    assert off(samples[:, :, :3], RGB) <= lossy


def test_premultiplied_alpha_is_divided_out_wherever_it_stands() -> None:
    """ExtraSamples 1, behind a sample that is unspecified."""
    alpha = np.full((HEIGHT, WIDTH, 1), 128, np.uint8)
    dark = (RGB.astype(int) * 128 // 255).astype(np.uint8)
    result = shown(tiff_of(stack(dark, CLEAR, alpha), Stored(extra=(0, 1))))
    assert result.shape[2] == 4
    assert off(result[:, :, 3:], alpha) == 0
    assert off(result[:, :, :3], RGB) <= 3


def _cielab(bits: int) -> tuple[Samples, Samples]:
    """Return L*a*b* and the samples that TIFF stores of it."""
    lab = np.dstack([_X * 100 / WIDTH, (_Y - 32) * 0.9, (_X - 48) * 0.6])
    if bits == 8:
        # What 8 bits can say of it.
        lab = np.dstack([(lab[:, :, 0] * 2.55).round() / 2.55, lab[:, :, 1:].round()])
        light = (lab[:, :, :1] * 2.55).round().astype(np.uint8)
        return lab, stack(light, lab[:, :, 1:].astype(np.int8).view(np.uint8))
    light = (lab[:, :, :1] * 655.35).round().astype(np.uint16)
    return lab, stack(light, (lab[:, :, 1:] * 256).round().astype(np.int16).view(np.uint16))


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("extra", [(), (0,), (2,)])
def test_cielab_is_shown(bits: int, extra: tuple[int, ...]) -> None:
    """Within 2 of 255 of littlecms, where that is within sRGB; opaque where alpha is."""
    lab, samples = _cielab(bits)
    white = samples.dtype.type(255 if bits == 8 else 65535)
    alphas = [np.full((HEIGHT, WIDTH, 1), white if each else 0, samples.dtype) for each in extra]
    result = shown(tiff_of(stack(samples, *alphas), Stored(photometric="cielab", extra=extra)))
    expected = lab_in_srgb(lab)
    within = inside(expected)
    assert within.mean() > 0.3
    assert off(result[:, :, :3][within][None], expected[within][None]) <= 2
    if any(extra):
        assert result[:, :, 3].min() == 255


@pytest.mark.parametrize("bits", [8, 16])
def test_icclab_is_shown(bits: int) -> None:
    """Its a and b are offset."""
    lab, _ = _cielab(8)
    if bits == 8:
        samples = np.dstack([lab[:, :, 0] * 2.55, lab[:, :, 1:] + 128]).round().astype(np.uint8)
    else:
        samples = np.dstack([lab[:, :, 0] * 652.8, (lab[:, :, 1:] + 128) * 256])
        samples = samples.round().astype(np.uint16)
    result = shown(tiff_of(samples, Stored(photometric="icclab")))
    expected = lab_in_srgb(lab)
    within = inside(expected)
    assert off(result[within][None], expected[within][None]) <= 2


@pytest.mark.parametrize("kind", ["u1", "u2"])
@pytest.mark.parametrize("compression", ["none", "lzw", "deflate"])
def test_ycbcr_without_jpeg_is_shown(kind: str, compression: str) -> None:
    """Not sampled down: libtiff hands it out as it is."""
    ycbcr = np.asarray(Image.fromarray(RGB).convert("YCbCr"))
    samples = ycbcr.astype(kind) * (257 if kind == "u2" else 1)
    stored = Stored(
        photometric="ycbcr",
        compression=compression,  # type: ignore[arg-type]  # one of them
        others=((530, short(1, 1)),),
    )
    assert off(shown(tiff_of(samples.astype(kind), stored)), RGB) <= 3


def test_ycbcr_sampled_down_without_jpeg_is_shown() -> None:
    """2 x 2, in data units of four lights and two colours (TIFF 6.0, section 21)."""
    ycbcr = np.asarray(Image.fromarray(RGB).convert("YCbCr")).astype(int)
    units = [
        [
            *ycbcr[top : top + 2, left : left + 2, 0].ravel(),
            *ycbcr[top : top + 2, left : left + 2, 1:].mean(axis=(0, 1)).round().astype(int),
        ]
        for top in range(0, HEIGHT, 2)
        for left in range(0, WIDTH, 2)
    ]
    data = bytes(int(value) for unit in units for value in unit)
    entries = directory(RGB, Stored(photometric="ycbcr", rows=HEIGHT)) | {
        273: long(data),
        279: long(len(data)),
        530: short(2, 2),
    }
    assert off(shown(write_directories([entries])), RGB) <= 6


@pytest.mark.parametrize("white", [False, True])
@pytest.mark.parametrize("kind", [np.bool_, np.uint8, np.uint16, np.uint32])
def test_grey_of_either_direction_is_shown(kind: type, *, white: bool) -> None:
    """WhiteIsZero turns it, of every depth."""
    scale = {np.bool_: 1, np.uint8: 1, np.uint16: 257, np.uint32: 0x01010101}[kind]
    samples = GREY > 99 if kind is np.bool_ else GREY.astype(kind) * kind(scale)
    expected = np.where(GREY > 99, 255, 0) if kind is np.bool_ else GREY.astype(int)
    photometric = "white is zero" if white else "black is zero"
    result = shown(tiff_of(samples, Stored(photometric=photometric)))
    assert off(result, 255 - expected if white else expected) <= 1


@pytest.mark.parametrize("deep", [False, True])
def test_a_palette_is_looked_up(*, deep: bool) -> None:
    """Of 8 and of 16 bits."""
    count = 65536 if deep else 256
    levels = np.arange(count) * (1 if deep else 257)
    colours = short(*levels[::-1].tolist(), *levels.tolist(), *[0x4040] * count)
    samples = GREY.astype(np.uint16) * 257 if deep else GREY
    result = shown(tiff_of(samples, Stored(photometric="palette", others=((320, colours),))))
    expected = stack(255 - GREY, GREY, np.full_like(GREY, 0x40))
    assert off(result, expected) <= 1


@pytest.mark.parametrize("tag", [33550, 37724, 42112, 50000])
@pytest.mark.parametrize("tile", [None, 16])
def test_entries_that_libtiff_does_not_know_do_no_harm(tag: int, tile: int | None) -> None:
    """Of a GeoTIFF, or Photoshop's: a warning of libtiff's is taken for damage in a tile."""
    entry: tuple[int, Value] = (tag, Value(7, [1, 2, 3]))
    assert off(shown(tiff_of(RGB, Stored(tile=tile, others=(entry,)))), RGB) == 0


@pytest.mark.parametrize("tag", [266, 274, 284, 296])
@pytest.mark.parametrize("number", [0, 9, 300, 12291])
@pytest.mark.parametrize("tile", [None, 16])
def test_a_value_that_nobody_knows_does_no_harm(tag: int, number: int, tile: int | None) -> None:
    """Scanners write 0 for a unit: libtiff's error of it is none of the pixels."""
    stored = Stored(tile=tile, others=((tag, short(number)),))
    assert off(shown(tiff_of(RGB, stored)), RGB) == 0


@pytest.mark.parametrize("kind", [7, 2])
def test_an_orientation_of_another_type_does_no_harm(kind: int) -> None:
    """It is none, then."""
    assert off(shown(tiff_of(RGB, Stored(others=((274, Value(kind, [6, 0])),)))), RGB) == 0


def test_a_preview_in_front_is_not_rendered() -> None:
    """NewSubfileType 1: the photo is behind it."""
    small = directory(255 - RGB[::8, ::8], Stored(others=((254, long(1)),)))
    data = write_directories([small, directory(RGB, Stored())])
    assert off(shown(data), RGB) == 0


def test_a_level_of_a_pyramid_is_decoded_only_if_it_is_marked() -> None:
    """A second page of half the sides is another picture, and is not shown for the first."""
    whole, half = directory(RGB, Stored()), 255 - RGB[::2, ::2]
    spec = RenditionSpec(name="a", width=WIDTH // 2, formats=(OutputFormat.PNG,))
    unmarked = write_directories([whole, directory(half, Stored())])
    assert off(shown(unmarked, spec), half) > 99
    marked = write_directories([whole, directory(half, Stored(others=((254, long(1)),)))])
    assert off(shown(marked, spec), half) == 0


@pytest.mark.parametrize("tile", [None, 16])
@pytest.mark.parametrize("front", [False, True])
def test_damaged_deflate_is_refused(tile: int | None, *, front: bool) -> None:
    """It has a checksum for each strip and tile; libtiff leaves the rest of it black."""
    noise = np.random.default_rng(7).integers(0, 256, RGB.shape).astype(np.uint8)
    data = tiff_of(noise, Stored(compression="deflate", tile=tile), Layout(front=front))
    damaged = data[: len(data) // 2] + bytes(8) + data[len(data) // 2 + 8 :]
    with pytest.raises(CorruptPhotoError):
        shown(damaged)


@pytest.mark.parametrize("compression", range(2, 29))
def test_junk_for_a_compression_is_refused(compression: int) -> None:
    """Whatever the number says, bytes that are not of it are not shown."""
    noise = np.random.default_rng(7).integers(0, 256, RGB.shape).astype(np.uint8)
    for tile in (None, 16):
        stored = Stored(tile=tile, others=((259, short(compression)),))
        with pytest.raises(RejectedPhotoError):
            shown(tiff_of(noise, stored))


def test_a_strip_of_any_size_is_shown() -> None:
    """By itself libvips lets libtiff have 50 MB; one strip of this photo is more than that."""
    spec = RenditionSpec(name="a", width=300, formats=(OutputFormat.PNG,))
    large = photos.tiff(3060, 9180, layout="one strip", compression="deflate")
    assert len(large) > 50 << 20
    assert rendered(large, spec).files == rendered(photos.tiff(3060, 9180), spec).files
