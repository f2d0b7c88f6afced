"""The synthesised photos are what they say they are, according to other decoders than ours."""

from __future__ import annotations

import io
import math
import re
import struct
from typing import TYPE_CHECKING, Any, Literal, get_args

import pytest
import pyvips

from tests import photos

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import PIL.Image

    from tests.photos.files import TiffLayout, TiffPixels

ORIENTATIONS = get_args(photos.Orientation)


def open_with_pillow(data: bytes) -> PIL.Image.Image:
    """Decode with Pillow, which shares no code of loading or turning with libvips."""
    import PIL.Image
    import pillow_heif

    pillow_heif.register_heif_opener()
    return PIL.Image.open(io.BytesIO(data))


def load(data: bytes, **options: Any) -> pyvips.Image:  # noqa: ANN401 - each loader has its own
    """Decode with libvips."""
    return pyvips.Image.new_from_buffer(data, "", **options)


def number(image: pyvips.Image, name: str) -> int:
    """A numeric header field; 0 where the image has none of that name."""
    value = image.get(name) if image.get_typeof(name) else 0
    assert isinstance(value, int)
    return value


def extremes(image: pyvips.Image) -> tuple[float, float]:
    """The least and the greatest value of any band."""
    statistics = image.stats()
    return statistics(0, 0)[0], statistics(1, 0)[0]


def test_scene_shape() -> None:
    """A scene has the asked dimensions and is 8-bit sRGB without alpha."""
    image = photos.scene(321, 123)
    assert (image.width, image.height, image.bands) == (321, 123, 3)
    assert (image.format, image.interpretation) == ("uchar", "srgb")


@pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 1), (1, 64), (33, 500), (3000, 50)])
def test_scene_of_any_shape(width: int, height: int) -> None:
    """Single pixels, columns and panoramas are made, too."""
    assert load(photos.jpeg(width, height)).width == width


def test_scene_is_deterministic() -> None:
    """The same arguments give the same bytes; another seed gives another landscape."""
    assert photos.jpeg(160, 120) == photos.jpeg(160, 120)
    one, other = photos.scene(160, 120, seed=1), photos.scene(160, 120, seed=2)
    assert photos.psnr(one, other) < 25


@pytest.mark.parametrize(("width", "height"), [(640, 480), (2000, 1500)])
def test_bytes_per_pixel_are_a_cameras(width: int, height: int) -> None:
    """At Q90 4:2:0 a photo costs between a quarter and half a byte per pixel."""
    assert 0.25 < len(photos.jpeg(width, height)) / (width * height) < 0.5


def test_scene_uses_the_tonal_range() -> None:
    """Shadows, highlights and saturated colours are all there, as in a photo of a sunny day."""
    image = photos.scene(640, 480)
    assert extremes(image) == (0, 255)
    assert 35 < image.colourspace("b-w").deviate() < 75
    assert extremes(image.colourspace("lch").extract_band(1))[1] > 80


def test_corner_colours_tell_every_orientation_apart() -> None:
    """Only the upright scene has its corners where they belong."""
    image = photos.scene(160, 120)
    seen = set()
    for turned in (
        image,
        image.fliphor(),
        image.rot180(),
        image.flipver(),
        image.rot90().fliphor(),
        image.rot90(),
        image.rot270().fliphor(),
        image.rot270(),
    ):
        seen.add(photos.corner_colours(turned))
    assert len(seen) == 8
    assert photos.UPRIGHT in seen


def test_corner_colours_of_a_crop() -> None:
    """A corner that has been cropped away is nobody's patch."""
    image = photos.scene(400, 300).crop(100, 0, 300, 300)
    assert photos.corner_colours(image) == ("other", "green", "other", "yellow")


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize(
    "writer", [photos.jpeg, photos.png, photos.webp, photos.tiff, photos.avif, photos.heic]
)
def test_orientation(writer: Callable[..., bytes], orientation: photos.Orientation) -> None:
    """With the tag applied by Pillow, every format shows the scene upright, 320 x 240."""
    import PIL.ImageOps

    stored = open_with_pillow(writer(320, 240, orientation=orientation))
    picture = PIL.ImageOps.exif_transpose(stored).convert("RGB")
    assert picture.size == (320, 240)
    image = pyvips.Image.new_from_memory(picture.tobytes(), 320, 240, 3, "uchar")
    assert photos.corner_colours(image.copy(interpretation="srgb")) == photos.UPRIGHT


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_orientation_is_in_the_tag_not_in_the_pixels(orientation: photos.Orientation) -> None:
    """What lies on its side is stored on its side."""
    image = load(photos.jpeg(320, 240, orientation=orientation))
    assert (image.width, image.height) == (240, 320)
    assert image.get("orientation") == orientation


def test_jpeg_variants() -> None:
    """Progressive has several scans, baseline one; chroma is halved unless asked otherwise."""
    assert load(photos.jpeg(160, 120, progressive=True)).get("interlaced") == 1
    baseline = photos.jpeg(160, 120)
    assert b"\xff\xc0" in baseline
    assert b"\xff\xc2" not in baseline
    assert load(baseline).get("jpeg-chroma-subsample") == "4:2:0"
    full = photos.jpeg(160, 120, subsample="off")
    assert load(full).get("jpeg-chroma-subsample") == "4:4:4"


def test_jpeg_copyright() -> None:
    """The copyright stands in the EXIF block, and only if it was given."""
    from PIL import ExifTags

    tags = open_with_pillow(photos.jpeg(160, 120, copyright_text="Someone")).getexif()
    assert tags[ExifTags.Base.Copyright] == "Someone"
    assert not open_with_pillow(photos.jpeg(160, 120)).getexif()


@pytest.mark.parametrize("writer", [photos.jpeg, photos.png, photos.webp, photos.avif, photos.heic])
def test_display_p3(writer: Callable[..., bytes]) -> None:
    """A Display P3 photo carries the profile, and with it shows the colours of the sRGB one."""
    data = writer(320, 240, icc="display-p3")
    assert photos.icc_profile("display-p3") in data or load(data).get("icc-profile-data")
    wide = photos.upright_reference(data, 320, 240)
    plain = photos.upright_reference(writer(320, 240, icc=None), 320, 240)
    assert photos.psnr(wide, plain) > 35
    assert photos.corner_colours(wide) == photos.UPRIGHT


def test_display_p3_has_other_numbers() -> None:
    """The pixels were converted, not only tagged: sRGB red is less than full red in P3."""
    plain, wide = load(photos.png(160, 120)), load(photos.png(160, 120, icc="display-p3"))
    assert plain(3, 3)[0] > wide(3, 3)[0] + 8


@pytest.mark.parametrize("adobe", [True, False])
@pytest.mark.parametrize("profile", ["cmyk", None])
def test_cmyk_jpeg(profile: Literal["cmyk"] | None, *, adobe: bool) -> None:
    """Four inks, with and without profile and Adobe's segment, show the scene's colours."""
    data = photos.cmyk_jpeg(160, 120, profile=profile, adobe=adobe)
    image = load(data)
    assert (image.bands, image.interpretation) == (4, "cmyk")
    assert bool(image.get_typeof("icc-profile-data")) == (profile is not None)
    assert (b"Adobe\0" in data) == adobe
    assert photos.corner_colours(photos.upright_reference(data, 160, 120)) == photos.UPRIGHT


def test_grey_jpeg() -> None:
    """A grey photo has one band."""
    image = load(photos.grey_jpeg(160, 120))
    assert (image.bands, image.interpretation) == (1, "b-w")


def test_ultra_hdr_jpeg() -> None:
    """It loads as Ultra HDR, with highlights four times as bright as white, and as plain JPEG."""
    data = photos.ultra_hdr_jpeg(320, 240, stops=2)
    image = load(data)
    assert image.get("vips-loader") == "uhdrload_buffer"
    assert image.get_typeof("gainmap-data")
    hdr = image.uhdr2scRGB()
    assert 3 < extremes(hdr.extract_band(1))[1] < 6
    assert open_with_pillow(data).size == (320, 240)


@pytest.mark.parametrize(
    ("options", "bands", "interpretation"),
    [
        ({}, 3, "srgb"),
        ({"bits": 16}, 3, "rgb16"),
        ({"alpha": True}, 4, "srgb"),
        ({"alpha": True, "bits": 16}, 4, "rgb16"),
        ({"grey": True}, 1, "b-w"),
        ({"grey": True, "alpha": True}, 2, "b-w"),
        ({"palette": True}, 3, "srgb"),
        ({"interlaced": True}, 3, "srgb"),
    ],
)
def test_png(options: dict[str, Any], bands: int, interpretation: str) -> None:
    """Each kind of PNG decodes to the bands and the interpretation that were asked for."""
    image = load(photos.png(160, 120, **options))
    assert (image.width, image.height, image.bands) == (160, 120, bands)
    assert image.interpretation == interpretation
    assert bool(image.get_typeof("interlaced")) == options.get("interlaced", False)
    assert bool(image.get_typeof("palette")) == options.get("palette", False)


def test_sixteen_bits_reach_white() -> None:
    """White is 65535 in 16 bits, not 65280."""
    assert extremes(load(photos.png(160, 120, bits=16)))[1] == 65535


@pytest.mark.parametrize("writer", [photos.png, photos.webp, photos.tiff, photos.avif])
def test_alpha(writer: Callable[..., bytes]) -> None:
    """The middle is transparent with black beneath, the corners are opaque."""
    image = load(writer(160, 120, alpha=True))
    assert image.bands == 4
    assert image(80, 60)[3] == 0
    assert image(1, 1)[3] == 255


def test_upright_reference_has_no_halo() -> None:
    """Resized by the reference, nothing around a hole is darker than scene or background."""
    data = photos.png(320, 240, alpha=True)
    white = photos.upright_reference(data, 80, 60)
    assert white(40, 30) == [255, 255, 255]
    grey = photos.upright_reference(data, 80, 60, background=(99, 99, 99))
    assert grey(40, 30) == [99, 99, 99]
    # With the black under the hole mixed in, this falls to about 30.
    scene = photos.scene(320, 240)
    flattened = load(data).flatten(background=[255, 255, 255])
    assert photos.psnr(white, flattened.resize(0.25)) > 35
    assert extremes(white - scene.resize(0.25))[0] > -20


@pytest.mark.parametrize("writer", [photos.gif, photos.webp])
def test_animation(writer: Callable[..., bytes]) -> None:
    """Frames, their durations and the number of loops are what `animation` says."""
    image = load(writer(160, 120, frames=4), n=-1)
    assert image.get("n-pages") == 4
    assert image.get_page_height() == 120
    assert image.get("delay") == [40, 50, 60, 70]
    assert image.get("loop") == 3
    first, last = image.crop(0, 0, 160, 120), image.crop(0, 360, 160, 120)
    assert first(5, 60)[:3] != last(5, 60)[:3]


@pytest.mark.parametrize("layout", ["strips", "tiles", "pages", "subifds"])
@pytest.mark.parametrize(
    ("pixels", "bands", "interpretation"),
    [
        ("srgb", 3, "srgb"),
        ("rgb16", 3, "rgb16"),
        ("grey", 1, "b-w"),
        ("cmyk", 4, "cmyk"),
        ("lab", 3, "lab"),
        ("labs", 3, "labs"),
        ("float", 3, "scrgb"),
    ],
)
def test_tiff(pixels: TiffPixels, bands: int, interpretation: str, layout: TiffLayout) -> None:
    """Each kind of TIFF has its interpretation, layout and levels, and shows the scene."""
    data = photos.tiff(320, 240, pixels=pixels, layout=layout)
    image = load(data)
    assert (image.width, image.height, image.bands) == (320, 240, bands)
    assert image.interpretation == interpretation
    assert bool(image.get_typeof("tile-width")) == (layout != "strips")
    assert image.get("n-pages") == (2 if layout == "pages" else 1)
    assert number(image, "n-subifds") == (1 if layout == "subifds" else 0)
    if pixels != "grey":
        assert photos.corner_colours(photos.upright_reference(data, 320, 240)) == photos.UPRIGHT


def test_tiff_of_several_pages() -> None:
    """The first page of a document is the scene, the next one is darker."""
    data = photos.tiff(320, 240, pages=3)
    assert load(data).get("n-pages") == 3
    assert load(data, page=1).avg() < load(data).avg() - 20


def test_pyramid_tiff(tmp_path: Path) -> None:
    """A pyramid of two megapixels has levels down to one tile, each half as large."""
    path = photos.pyramid_tiff(tmp_path / "pyramid.tif", megapixels=2)
    image = pyvips.Image.new_from_file(str(path))
    assert image.width * image.height == pytest.approx(2e6, rel=0.03)
    levels = number(image, "n-pages")
    last = pyvips.Image.new_from_file(str(path), page=levels - 1)
    assert last.width == image.width >> (levels - 1)
    assert last.width <= 256
    written = path.stat().st_mtime_ns
    assert photos.pyramid_tiff(path, megapixels=2).stat().st_mtime_ns == written


@pytest.mark.parametrize("bits", [8, 10, 12])
def test_avif(bits: Literal[8, 10, 12]) -> None:
    """AVIF comes in 8, 10 and 12 bits."""
    image = load(photos.avif(160, 120, bits=bits))
    assert image.get("heif-compression") == "av1"
    assert image.get("bits-per-sample") == bits


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bits": 10},
        {"tile": 64},
        {"tile": 64, "orientation": 6},
        {"others": 2, "thumbnail": True},
        {"icc": None},
    ],
)
def test_heic(options: dict[str, Any]) -> None:
    """Single, 10-bit, tiled, turned and one of several: each shows the scene upright."""
    data = photos.heic(320, 240, **options)
    image = load(data)
    assert image.get("heif-compression") == "hevc"
    assert image.get("bits-per-sample") == options.get("bits", 8)
    assert image.get("n-pages") == options.get("others", 0) + 1
    assert (b"grid" in data) == ("tile" in options)
    assert (b"irot" in data) == ("orientation" in options)
    assert (b"thmb" in data) == ("thumbnail" in options)
    reference = photos.upright_reference(data, 320, 240)
    assert photos.corner_colours(reference) == photos.UPRIGHT
    assert photos.psnr(reference, photos.scene(320, 240)) > 26


def test_write_jpeg(tmp_path: Path) -> None:
    """A JPEG on disk is the one in memory, and is not written twice."""
    path = photos.write_jpeg(tmp_path / "photo.jpg", 320, 240)
    assert path.read_bytes() == photos.jpeg(320, 240)
    written = path.stat().st_mtime_ns
    assert photos.write_jpeg(path, 320, 240).stat().st_mtime_ns == written
    assert [entry.name for entry in tmp_path.iterdir()] == ["photo.jpg"]


@pytest.mark.parametrize("photo_format", photos.PHOTO_FORMATS)
def test_private_photo(photo_format: photos.PhotoFormat) -> None:
    """Decoders find the position, serial number and XMP; every marker is in the bytes."""
    data, markers = photos.private_photo(photo_format)
    found = {name for name, marker in markers.items() if marker in data}
    assert found >= set(markers) - {"gps-seconds-big-endian"}
    assert {"xmp-city", "xmp-gps-latitude"} <= found
    # Of a camera raw, Pillow reads the JPEG in it.
    picture = open_with_pillow(data[data.index(b"\xff\xd8") :] if photo_format == "raw" else data)
    assert picture.size == (320, 240)
    assert photos.COPYRIGHT.encode() in data or photo_format == "gif"
    if photo_format == "gif":
        assert picture.info["comment"] == markers["comment"]
        return
    assert all(marker in data for marker in photos.SAFE.values())
    tags = picture.getexif()
    position = tags.get_ifd(0x8825)[2]
    assert float(position[0]) == 48
    assert float(position[2]) == pytest.approx(30.1233666)
    assert tags.get_ifd(0x8769)[0xA431].encode() == markers["exif-body-serial"]
    xmp = picture.info.get("xmp") or picture.info["XML:com.adobe.xmp"].encode()
    assert markers["xmp-city"] in xmp


@pytest.mark.parametrize("photo_format", ["jpeg", "tiff"])
def test_private_photo_has_iptc(photo_format: photos.PhotoFormat) -> None:
    """Pillow reads the IPTC city out of the formats that carry IPTC."""
    from PIL import ImageFile, IptcImagePlugin

    data, markers = photos.private_photo(photo_format)
    picture = open_with_pillow(data)
    assert isinstance(picture, ImageFile.ImageFile)
    records = IptcImagePlugin.getiptcinfo(picture)
    assert records is not None
    assert records[(2, 90)] == markers["iptc-city"]


def test_private_jpeg_has_a_thumbnail() -> None:
    """The EXIF thumbnail is a picture of its own, with its own marker."""
    data, markers = photos.private_photo("jpeg")
    thumbnail: Any = load(data).get("jpeg-thumbnail-data")
    assert load(thumbnail).width == 160
    assert markers["exif-thumbnail"] in thumbnail


def test_truncated_jpeg() -> None:
    """Half an upload: refused when asked to fail on truncation, half a picture otherwise."""
    data = photos.jpeg(320, 240)
    half = photos.truncated(data, 0.5)
    assert len(half) == len(data) // 2
    with pytest.raises(pyvips.Error, match="premature end"):
        load(half, fail_on="truncated").avg()
    assert load(half).crop(0, 0, 320, 60).deviate() > 20


def test_flipped_byte() -> None:
    """One byte differs, in all its bits."""
    data = photos.jpeg(160, 120)
    damaged = photos.flipped(data, -200)
    assert [i for i, pair in enumerate(zip(data, damaged, strict=True)) if pair[0] != pair[1]] == [
        len(data) - 200
    ]
    assert data[-200] ^ damaged[-200] == 0xFF


def test_trailing_rubbish_changes_no_pixel() -> None:
    """A JPEG with rubbish behind it is the same photo."""
    data = photos.jpeg(160, 120)
    littered = photos.with_trailing_rubbish(data)
    assert len(littered) == len(data) + 4096
    assert photos.psnr(load(littered, fail_on="warning"), load(data)) == math.inf


def test_warning_jpeg() -> None:
    """The whole picture decodes; only `fail_on="warning"` refuses it."""
    data = photos.warning_jpeg()
    assert photos.psnr(load(data, fail_on="error"), load(photos.jpeg(320, 240))) == math.inf
    with pytest.raises(pyvips.Error, match="extraneous bytes"):
        load(data, fail_on="warning").avg()


def test_bomb_jpeg() -> None:
    """Five kilobytes declare four gigapixels."""
    data = photos.bomb_jpeg()
    image = load(data)
    assert (image.width, image.height) == (64250, 64250)
    assert 4000 < len(data) < 6000


def test_bomb_png() -> None:
    """The bomb is a valid PNG: every checksum holds, as a smaller one decoded whole shows."""
    image = load(photos.bomb_png())
    assert (image.width, image.height) == (50000, 50000)
    assert len(photos.bomb_png()) < 400_000
    small = load(photos.bomb_png(6001, 4003), fail_on="warning")
    assert (small.width, small.height, extremes(small)) == (6001, 4003, (0, 0))


def test_gif_of_many_frames() -> None:
    """A hundred thousand frames in 2.3 MB, each of which decodes."""
    data = photos.gif_frames()
    assert load(data).get("n-pages") == 100_000
    assert len(data) < 2_500_000
    few = load(photos.gif_frames(3), n=-1)
    assert (few.width, few.height) == (16, 48)
    assert few(0, 0)[0] == 255


@pytest.mark.parametrize("make", [photos.empty, photos.text, photos.pdf, photos.mp4])
def test_no_photo_at_all(make: Callable[[], bytes]) -> None:
    """No loader of libvips takes it for a picture."""
    with pytest.raises(pyvips.Error, match="not in a known format"):
        load(make())


def test_formats_of_no_photo() -> None:
    """What is no photo is a valid file of its own kind."""
    assert photos.svg().startswith(b"<?xml")
    assert photos.mp4()[4:12] == b"ftypisom"
    assert not photos.empty()
    assert photos.text().isascii()


def test_pdf_table_points_at_its_objects() -> None:
    """Each entry of the PDF's cross-reference table leads to the object of that number."""
    data = photos.pdf()
    table = int(data.split(b"startxref\n")[1].split()[0])
    assert data[table:].startswith(b"xref\n")
    offsets = [int(entry) for entry in re.findall(rb"(\d{10}) 00000 n", data)]
    assert len(offsets) == 3
    for number, offset in enumerate(offsets, start=1):
        assert data[offset:].startswith(b"%d 0 obj" % number)


def test_psnr() -> None:
    """Equal pictures are infinitely close; a difference of 1 everywhere is 48.13 dB."""
    image = photos.scene(160, 120).copy_memory()
    assert photos.psnr(image, image) == math.inf
    grey = (pyvips.Image.black(16, 16) + 100).cast("uchar")
    other = (grey + 1).cast("uchar")
    assert photos.psnr(grey, other) == pytest.approx(48.13, abs=0.01)
    with pytest.raises(ValueError, match="one shape"):
        photos.psnr(grey, image)


def test_ssim() -> None:
    """Structure is 1 for equal pictures and falls with noise faster than with brightness."""
    image = photos.scene(320, 240).copy_memory()
    assert photos.ssim(image, image) == pytest.approx(1)
    brighter = (image + 8).cast("uchar")
    noisy = (image + pyvips.Image.gaussnoise(320, 240, sigma=8, mean=0)).cast("uchar")
    assert photos.ssim(image, noisy) < photos.ssim(image, brighter) < 1


def test_exif_is_a_tiff_structure() -> None:
    """An EXIF block starts as TIFF does, little-endian, with its first IFD at 8."""
    assert struct.unpack_from("<2sHI", photos.exif(orientation=6)) == (b"II", 42, 8)
