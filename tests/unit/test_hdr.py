"""The gain map of an Ultra HDR JPEG comes out where the rendition's pixels are, or not at all."""

import io
import math
from collections.abc import Callable
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
import pyvips

from imaging.files.gain_map_numbers import GainMapNumbers
from imaging.files.jpeg import ISO_GAIN_MAP, XMP, declares_gain_map, segments
from imaging.formats import OutputFormat
from imaging.gainmap import (
    EncodedGainMap,
    GainMap,
    encode_gain_map,
    read_gain_map,
    with_gain_map,
)
from imaging.geometry import Placement
from imaging.local import MemorySource
from imaging.specs import Colour, Fit, Hdr, Metadata, Position, RenditionSpec
from tests.photos import Orientation, jpeg, truncated, ultra_hdr_jpeg, with_profile
from tests.rendering import rendered


class Source(MemorySource):
    """Counts how often it was asked to go somewhere else."""

    seeks = 0

    def seek(self, offset: int, whence: int = 0) -> int:
        self.seeks += 1
        return super().seek(offset, whence)


def keep(**options: object) -> RenditionSpec:
    """Return a spec that keeps the gain map."""
    return RenditionSpec(name="a", hdr=Hdr.KEEP, **options)  # type: ignore[arg-type]  # a spec's own


def stops(image: pyvips.Image, columns: int, rows: int) -> pyvips.Image:
    """Return how bright each of some blocks is, as a power of 2."""
    light = image.recomb(pyvips.Image.new_from_array([[0.2126, 0.7152, 0.0722]]))
    light = light.resize(columns / image.width, vscale=rows / image.height, kernel="linear")
    return (light + 0.01).log() / math.log(2)


def shown(data: bytes) -> pyvips.Image:
    """Return the HDR picture of a file, as libvips puts it together: linear light, as stored."""
    return pyvips.Image.uhdrload_buffer(data).uhdr2scRGB()


@pytest.mark.parametrize("orientation", [1, 3, 5, 6, 8])
@pytest.mark.parametrize("fit", Fit)
def test_highlights_are_where_they_were(fit: Fit, orientation: Orientation) -> None:
    """The rendition, as HDR, is what libvips' own thumbnail makes of photo and gain map."""
    data = ultra_hdr_jpeg(640, 480, stops=3, orientation=orientation)
    files = rendered(data, keep(width=300, height=150, fit=fit, background=(0, 0, 0))).files
    got = shown(files["a.jpg"])
    options: dict[str, object] = {}
    if fit is Fit.COVER:
        options["crop"] = "centre"
    if fit is Fit.FILL:
        options["size"] = "force"
    thumbnail = pyvips.Image.thumbnail_buffer(data, 300, height=150, **options)  # type: ignore[arg-type]
    expected = thumbnail.copy_memory().uhdr2scRGB()
    if fit is Fit.CONTAIN:
        expected = expected.embed(50, 0, 300, 150)
    assert (got.width, got.height) == (expected.width, expected.height)
    difference = (stops(got, 20, 10) - stops(expected, 20, 10)).abs()
    assert difference.avg() < 0.03
    assert (difference > 0.25).avg() == 0
    # The comparison would notice a gain map that lies otherwise.
    turned = (stops(got, 20, 10) - stops(expected.rot180(), 20, 10)).abs()
    assert turned.avg() > 0.3


def test_at_its_own_size_hdr_stays_as_it_was() -> None:
    """Light is within a hundredth of a stop, on average, of what the photo gives."""
    data = ultra_hdr_jpeg(640, 480, stops=3)
    files = rendered(data, keep()).files
    difference = (stops(shown(files["a.jpg"]), 20, 10) - stops(shown(data), 20, 10)).abs()
    assert difference.avg() < 0.02


@pytest.mark.parametrize("position", [Position.NORTH, Position.ATTENTION, Position.SOUTH])
def test_the_gain_map_is_cropped_where_the_picture_is(position: Position) -> None:
    """Wherever the crop lies, found in the pixels or not: the two belong together."""
    data = ultra_hdr_jpeg(640, 480, stops=3)
    files = rendered(data, keep(width=160, height=60, fit=Fit.COVER, position=position)).files
    whole = rendered(data, keep(width=160, height=120)).files
    sdr, uncropped = (
        pyvips.Image.jpegload_buffer(each["a.jpg"]).cast("short") for each in (files, whole)
    )
    top = min(
        range(61),
        key=lambda at: (uncropped.crop(0, at, 160, 60) - sdr).abs().avg(),
    )
    assert position is Position.ATTENTION or top == {"north": 0, "south": 60}[position.value]
    expected = shown(whole["a.jpg"]).crop(0, top, 160, 60)
    difference = (stops(shown(files["a.jpg"]), 16, 6) - stops(expected, 16, 6)).abs()
    assert difference.avg() < 0.03


def test_the_default_depends_on_the_longer_side() -> None:
    """Below 1024 pixels SDR, from there on the gain map is kept; a spec may say otherwise."""
    specs = [
        RenditionSpec(name="below", width=1023),
        RenditionSpec(name="from", width=1024),
        RenditionSpec(name="tall", height=1024),
        RenditionSpec(name="kept", width=100, hdr=Hdr.KEEP),
        RenditionSpec(name="left", width=1200, hdr=Hdr.SDR),
        RenditionSpec(
            name="all", width=1024, formats=(OutputFormat.JPEG, OutputFormat.WEBP, OutputFormat.PNG)
        ),
    ]
    result = rendered(ultra_hdr_jpeg(1200, 1100), *specs)
    files, made = result.files, result.made
    assert {name for name, each in made.items() if each.gain_map_size is not None} == {
        "from.jpg",
        "tall.jpg",
        "kept.jpg",
        "all.jpg",
    }
    for name, data in files.items():
        kept = made[name].gain_map_size is not None
        assert (read_gain_map(data, 1) is not None) == kept
        assert declares_gain_map(data) == kept


def test_what_it_costs_is_in_the_report() -> None:
    """The last bytes of the file are the gain map, a JPEG of a share of the picture."""
    result = rendered(ultra_hdr_jpeg(640, 480), keep(width=320))
    files, made = result.files, result.made
    size = made["a.jpg"].gain_map_size
    assert size is not None
    assert made["a.jpg"].size == len(files["a.jpg"])
    gain_map = pyvips.Image.jpegload_buffer(files["a.jpg"][-size:])
    # The photo's is half as wide as the photo.
    assert (gain_map.width, gain_map.height, gain_map.bands) == (160, 120, 1)


def test_the_sdr_picture_is_the_same_with_and_without() -> None:
    """Who knows nothing of gain maps sees the very pixels of an SDR rendition."""
    data = ultra_hdr_jpeg(640, 480)
    files = rendered(
        data,
        keep(width=320, progressive=True),
        RenditionSpec(name="b", width=320, hdr=Hdr.SDR, progressive=True),
    ).files
    with_map, without = (pyvips.Image.jpegload_buffer(files[f"{name}.jpg"]) for name in "ab")
    assert (with_map - without).abs().max() == 0
    assert with_map.get("interlaced") == 1


@pytest.mark.parametrize("bands", [1, 3])
def test_both_ways_to_write_the_values_say_the_same(bands: int) -> None:
    """ISO 21496-1, and for one band XMP too: what libultrahdr reads is what was written."""
    values = pyvips.Image.black(16, 12, bands=bands).copy(
        interpretation="b-w" if bands == 1 else "srgb"
    )
    written = GainMap(
        image=values,
        size=(16, 12),
        numbers=GainMapNumbers(
            minimum=(-0.5,) * 3 if bands == 1 else (-0.5, -0.25, 0.0),
            maximum=(2.5,) * 3 if bands == 1 else (2.5, 2.25, 2.0),
            gamma=(1.5,) * 3,
            offset_sdr=(0.015625,) * 3,
            offset_hdr=(0.03125,) * 3,
            capacity=(0.0, 2.75),
            in_base_colours=True,
        ),
    )
    encoded = encode_gain_map(written, Placement(width=64, height=48), None, (64, 48))
    file = bytes(with_gain_map(bytearray(jpeg(64, 48)), encoded))
    iso_only = file.replace(b"hdr-gain-map/1.0/", b"hdr-gain-map/9.9/")
    xmp_only = file.replace(ISO_GAIN_MAP, ISO_GAIN_MAP.replace(b"21496", b"00000"))
    for data in (file, iso_only, xmp_only) if bands == 1 else (file, iso_only):
        assert declares_gain_map(data)
        read = read_gain_map(data, 1)
        assert read is not None
        assert read.is_coloured == (bands == 3)
        for name in ("minimum", "maximum", "gamma", "offset_sdr", "offset_hdr", "capacity"):
            expected = pytest.approx(getattr(written.numbers, name), abs=1e-4)
            assert getattr(read.numbers, name) == expected, name
    shares = (0.5 / 3,) if bands == 1 else (0.5 / 3, 0.25 / 2.5, 0)
    assert written.neutral == pytest.approx([255 * share**1.5 for share in shares])


def test_the_index_of_the_file_points_at_the_gain_map() -> None:
    """MPF gives size and place of both pictures (CIPA DC-007)."""
    from PIL import JpegImagePlugin

    result = rendered(ultra_hdr_jpeg(640, 480), keep(width=320))
    files, made = result.files, result.made
    data, size = files["a.jpg"], made["a.jpg"].gain_map_size
    assert size is not None
    picture = JpegImagePlugin.JpegImageFile(io.BytesIO(data))
    index = picture._getmp()
    assert index is not None
    first, second = index[0xB002]
    assert (first["Size"], second["Size"]) == (len(data) - size, size)
    mpf = data.index(b"MPF\0") + 4
    assert mpf + second["DataOffset"] == len(data) - size


def test_nothing_private_comes_with_it() -> None:
    """With ``metadata = "none"`` there is no EXIF, no profile, and only the XMP of the gain map."""
    files = rendered(ultra_hdr_jpeg(640, 480), keep(width=320, metadata=Metadata.NONE)).files
    found = [segment for segment in segments(files["a.jpg"]) if segment.marker in {0xE1, 0xE2}]
    beginnings = [XMP, ISO_GAIN_MAP, b"MPF\0"]
    assert len(found) == len(beginnings)
    for segment, beginning in zip(found, beginnings, strict=True):
        assert segment.payload.startswith(beginning)


def test_the_photo_s_own_xmp_is_joined_with_that_of_the_gain_map() -> None:
    """One packet, well-formed, with a description of each."""
    own = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        b'xmlns:dc="http://purl.org/dc/elements/1.1/" dc:format="image/jpeg"/>'
        b"</rdf:RDF></x:xmpmeta>"
    )
    image = pyvips.Image.jpegload_buffer(jpeg(64, 48)).copy()
    image.set_type(pyvips.GValue.blob_type, "xmp-data", own)  # type: ignore[arg-type]  # a blob
    base = image.jpegsave_buffer(keep=pyvips.enums.ForeignKeep.XMP)
    file = bytes(with_gain_map(bytearray(base), EncodedGainMap(data=b"", iso=bytes(4))))
    packets = [each.payload for each in segments(file) if each.payload.startswith(XMP)]
    assert len(packets) == 1
    root = ET.fromstring(packets[0][len(XMP) :].decode())  # noqa: S314 - written above
    descriptions = root.findall(".//{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description")
    attributes = {name for each in descriptions for name in each.attrib}
    assert "{http://purl.org/dc/elements/1.1/}format" in attributes
    assert "{http://ns.adobe.com/hdr-gain-map/1.0/}Version" in attributes


def coloured(profile: bool) -> bytes:  # noqa: FBT001 - a fact of the photo
    """Return an Ultra HDR JPEG whose gain map has three bands, in sRGB or Display P3."""
    plain = ultra_hdr_jpeg(320, 240)
    gain_map = read_gain_map(plain, 1)
    assert gain_map is not None
    bands = gain_map.image.bandjoin(gain_map.image / 2).bandjoin(gain_map.image / 4).cast("uchar")
    gain_map = replace(gain_map, image=bands.copy(interpretation="srgb"))
    picture = pyvips.Image.jpegload_buffer(jpeg(320, 240))
    keeps = pyvips.enums.ForeignKeep.NONE
    if profile:
        picture, keeps = with_profile(picture, "display-p3"), pyvips.enums.ForeignKeep.ICC
    base = picture.jpegsave_buffer(keep=keeps)
    encoded = encode_gain_map(gain_map, Placement(width=320, height=240), None, (320, 240))
    return bytes(with_gain_map(bytearray(base), encoded))


@pytest.mark.parametrize(
    ("profile", "colour", "kept"),
    [
        (False, Colour.SRGB, True),
        (False, Colour.DISPLAY_P3, False),
        (True, Colour.SRGB, False),
        (True, Colour.DISPLAY_P3, True),
        (True, Colour.SOURCE, True),
    ],
)
def test_factors_for_each_colour_hold_in_these_colours_only(
    colour: Colour,
    *,
    profile: bool,
    kept: bool,
) -> None:
    """A gain map of three bands is dropped, with a warning, where the photo is converted."""
    result = rendered(coloured(profile), keep(width=160, colour=colour))
    files, made = result.files, result.made
    assert (made["a.jpg"].gain_map_size is not None) == kept
    codes = [warning.code for warning in made["a.jpg"].warnings]
    assert codes == ([] if kept else ["gain-map-dropped"])
    read = read_gain_map(files["a.jpg"], 1)
    assert (read is not None and read.is_coloured) == kept


@pytest.mark.parametrize("damage", ["cut", "claimed"])
def test_a_gain_map_that_cannot_be_read_leaves_an_sdr_rendition(damage: str) -> None:
    """The upload was truncated behind the picture, or there never was one: SDR, and a warning."""
    data = ultra_hdr_jpeg(640, 480)
    if damage == "cut":
        data = truncated(data, 0.97)
    else:
        data = jpeg(640, 480)
        claim = b"\xff\xe2" + (len(ISO_GAIN_MAP) + 6).to_bytes(2, "big") + ISO_GAIN_MAP + bytes(4)
        data = data[:2] + claim + data[2:]
    result = rendered(data, keep(width=320))
    files, made = result.files, result.made
    assert [warning.code for warning in made["a.jpg"].warnings] == ["gain-map-dropped"]
    assert made["a.jpg"].gain_map_size is None
    assert not declares_gain_map(files["a.jpg"])


@pytest.mark.parametrize(
    "broken",
    [
        {"maximum": (math.inf,) * 3},
        {"minimum": (math.nan,) * 3},
        {"minimum": (3.0,) * 3, "maximum": (2.0,) * 3},
        {"gamma": (0.0,) * 3},
        {"offset_hdr": (1e6,) * 3},
        {"capacity": (2.0, 2.0)},
        {"capacity": (0.0, 4000.0)},
    ],
)
def test_numbers_that_no_camera_means_are_refused(broken: dict[str, object]) -> None:
    """Infinite, upside down or absurd: such a gain map is as good as none."""
    whole = read_gain_map(ultra_hdr_jpeg(64, 48), 1)
    assert whole is not None
    assert whole.numbers.is_plausible
    assert not replace(whole.numbers, **broken).is_plausible  # type: ignore[arg-type]  # their own


def test_a_gain_map_larger_than_its_photo_is_none() -> None:
    """No limit is held against it, so it may not be a way around the photo's."""
    whole = read_gain_map(ultra_hdr_jpeg(256, 192), 1)
    assert whole is not None
    encoded = encode_gain_map(whole, Placement(width=256, height=192), None, (256, 192))
    assert read_gain_map(bytes(with_gain_map(bytearray(jpeg(256, 192)), encoded)), 1) is not None
    assert read_gain_map(bytes(with_gain_map(bytearray(jpeg(64, 48)), encoded)), 1) is None


@pytest.mark.parametrize("make", [jpeg, ultra_hdr_jpeg])
def test_the_photo_is_read_once_from_start_to_end(make: Callable[[int, int], bytes]) -> None:
    """Neither a plain JPEG nor one with a gain map asks its source to go back."""
    data = make(640, 480)
    source = Source(data)
    rendered(source, keep(width=320))
    assert source.seeks == 0


def test_a_maximum_counts_the_gain_map_too() -> None:
    """``max_bytes`` holds for the file with its gain map."""
    result = rendered(ultra_hdr_jpeg(640, 480), keep(width=320, max_bytes=16_000))
    files, made = result.files, result.made
    assert made["a.jpg"].gain_map_size is not None
    assert len(files["a.jpg"]) <= 16_000
