"""The gain map of a HEIC comes out with its JPEG renditions, by Apple's numbers or by ISO's."""

import math
import struct
from dataclasses import dataclass, replace

import pytest
import pyvips

from imaging.errors import OverLimitError
from imaging.files.heif import from_memory, read_container
from imaging.files.heif_gain_map import GainMapItem, find_gain_map
from imaging.limits import Limits
from imaging.specs import Colour, Hdr, RenditionSpec
from tests.photos import scene
from tests.photos.heif import Part, assembled, aux, coded, grid_parts, prop
from tests.rendering import Rendered, header_of, rendered

APPLE = b"urn:com:apple:photo:2020:aux:hdrgainmap"
SPEC = RenditionSpec(name="a", hdr=Hdr.KEEP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """What libultrahdr reads of a rendition's gain map; of the first band."""

    minimum: float
    maximum: float
    gamma: float
    offset_sdr: float
    offset_hdr: float
    capacity: tuple[float, float]


def map_of(bands: int = 1) -> pyvips.Image:
    """A gain map of 128 x 64: dark, but for its upper left quarter."""
    dark = pyvips.Image.black(128, 64)
    image = dark.draw_rect([255], 0, 0, 64, 32, fill=True)
    return image if bands == 1 else image.bandjoin(image).bandjoin(image)


def headroom_xmp(value: str) -> bytes:
    """The XMP that Apple writes beside a gain map."""
    return (
        b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><HDRGainMap:HDRGainMapVersion>131072"
        b"</HDRGainMap:HDRGainMapVersion><HDRGainMap:HDRGainMapHeadroom>"
        + value.encode()
        + b"</HDRGainMap:HDRGainMapHeadroom></x:xmpmeta>"
    )


def noted_exif(bright: tuple[int, int], gain: tuple[int, int]) -> bytes:
    """An EXIF block, as the file holds it, with Apple's maker note."""
    entries = struct.pack(">HHII", 33, 10, 1, 44) + struct.pack(">HHII", 48, 10, 1, 52)
    note = b"Apple iOS\0\0\1MM" + struct.pack(">H", 2) + entries + bytes(4)
    note += struct.pack(">ii", *bright) + struct.pack(">ii", *gain)
    first = struct.pack(">HHHII", 1, 0x8769, 4, 1, 26) + bytes(4)
    second = struct.pack(">HHHII", 1, 0x927C, 7, len(note), 44) + bytes(4)
    return bytes(4) + b"MM\0*" + struct.pack(">I", 8) + first + second + note


def iso(numbers: Numbers, *, bands: int = 1) -> bytes:
    """What a ``tmap`` item holds: its version, then ISO 21496-1's fractions."""

    def fraction(value: float) -> bytes:
        return struct.pack(">iI", round(value * 10_000), 10_000)

    body = bytes(5) + bytes([0x80 if bands > 1 else 0])
    body += b"".join(map(fraction, numbers.capacity))
    each = (
        numbers.minimum,
        numbers.maximum,
        numbers.gamma,
        numbers.offset_sdr,
        numbers.offset_hdr,
    )
    return body + b"".join(map(fraction, each)) * bands


def apple_heic(
    *,
    xmp: bytes | None = None,
    exif: bytes | None = None,
    properties: tuple[bytes, ...] = (),
    gain_map: Part | None = None,
) -> bytes:
    """A HEIC as iPhones write it: a picture, a gain map of half its sides, and who says what."""
    picture = coded(scene(256, 128))
    found = gain_map or coded(map_of(), mode="L")
    parts = [
        replace(picture, properties=picture.properties + properties),
        replace(found, properties=(*found.properties, aux(APPLE)), aux_of=0, hidden=True),
    ]
    if xmp is not None:
        parts.append(Part(kind=b"mime", data=xmp, describes=1, hidden=True))
    if exif is not None:
        parts.append(Part(kind=b"Exif", data=exif, describes=0, hidden=True))
    return assembled(parts)


def tone_mapped_heic(numbers: Numbers, *, bands: int = 1) -> bytes:
    """A HEIC with a gain map as ISO has it."""
    picture = map_of(bands)
    part = coded(picture, mode="L") if bands == 1 else coded(picture, chroma="444")
    return assembled(
        [
            coded(scene(256, 128)),
            replace(part, hidden=True),
            Part(kind=b"tmap", data=iso(numbers, bands=bands), made_of=(0, 1), hidden=True),
        ]
    )


def read_back(result: Rendered) -> tuple[Numbers, pyvips.Image]:
    """Return what libultrahdr finds in the rendition, and its gain map."""
    image = pyvips.Image.uhdrload_buffer(result.files["a.jpg"])

    def first(field: str) -> float:
        value = image.get(f"gainmap-{field}")
        if isinstance(value, list):
            value = value[0]
        assert isinstance(value, float)
        return value

    numbers = Numbers(
        minimum=math.log2(first("min-content-boost")),
        maximum=math.log2(first("max-content-boost")),
        gamma=first("gamma"),
        offset_sdr=first("offset-sdr"),
        offset_hdr=first("offset-hdr"),
        capacity=(math.log2(first("hdr-capacity-min")), math.log2(first("hdr-capacity-max"))),
    )
    data = bytes(image.get("gainmap-data"))  # type: ignore[arg-type]  # no blobs
    return numbers, pyvips.Image.jpegload_buffer(data)


def found_in(data: bytes, exif: bytes = b"") -> GainMapItem | None:
    """Return the gain map that a file says it has."""
    read = from_memory(data)
    return find_gain_map(read_container(read, len(data)), read, exif)


@pytest.mark.parametrize(("said", "stops"), [("2", 1.0), ("4.0", 2.0), ("6.5e0", math.log2(6.5))])
def test_apple_s_headroom_is_the_exponent_of_white(said: str, stops: float) -> None:
    """Linear in the XMP, a power of 2 in the rendition; the gain map is where the picture is."""
    result = rendered(apple_heic(xmp=headroom_xmp(said)), SPEC)
    numbers, image = read_back(result)
    assert (numbers.minimum, numbers.gamma, numbers.offset_sdr) == (0, 1, 0)
    assert numbers.maximum == pytest.approx(stops, rel=0.001)
    assert numbers.capacity == pytest.approx((0, stops), rel=0.001)
    assert (image.width, image.height, image.bands) == (128, 64, 1)
    assert image.crop(8, 4, 48, 24).avg() > 245
    assert image.crop(72, 36, 48, 24).avg() < 10
    assert not result.renditions[0].warnings


# Source: https://developer.apple.com/documentation/appkit/applying-apple-hdr-effect-to-your-photos
@pytest.mark.parametrize(
    ("bright", "gain", "stops"),
    [
        ((8, 10), (5, 1000), 1.7),
        ((8, 10), (2, 1), 1.399),
        ((12, 10), (1, 100), 2.3),
        ((12, 10), (3, 1), 1.394),
    ],
)
def test_apple_s_headroom_by_the_maker_note(
    bright: tuple[int, int], gain: tuple[int, int], stops: float
) -> None:
    """Its four pieces; older iPhones name it nowhere else."""
    data = apple_heic(exif=noted_exif(bright, gain))
    assert header_of(data).has_gain_map
    numbers, _ = read_back(rendered(data, SPEC))
    assert numbers.maximum == pytest.approx(stops, rel=0.001)


@pytest.mark.parametrize(
    ("xmp", "exif"),
    [
        (None, None),
        (headroom_xmp("1"), None),
        (headroom_xmp("-3"), None),
        (headroom_xmp("1e999"), None),
        (b"HDRGainMapHeadroom>", None),
        (None, noted_exif((8, 0), (1, 1))),
        (None, noted_exif((8, 10), (30, 1))),
        (None, bytes(4) + b"MM\0*" + bytes(40)),
    ],
)
def test_without_a_headroom_there_is_no_gain_map(xmp: bytes | None, exif: bytes | None) -> None:
    """None said, none above white, or nonsense: the photo is SDR, and nothing is dropped."""
    data = apple_heic(xmp=xmp, exif=exif)
    assert not header_of(data).has_gain_map
    assert not rendered(data, SPEC).renditions[0].warnings


@pytest.mark.parametrize("bands", [1, 3])
def test_a_tone_map_s_numbers_come_out(bands: int) -> None:
    """Each of ISO 21496-1's, with one factor for all colours or one for each."""
    numbers = Numbers(
        minimum=-0.5,
        maximum=2.25,
        gamma=1.5,
        offset_sdr=0.0156,
        offset_hdr=0.0312,
        capacity=(0.25, 2.5),
    )
    data = tone_mapped_heic(numbers, bands=bands)
    said = found_in(data)
    assert said is not None
    assert said.bands == bands
    got, image = read_back(rendered(data, replace(SPEC, colour=Colour.SOURCE)))
    assert image.bands == bands
    for name in ("minimum", "maximum", "gamma", "offset_sdr", "offset_hdr"):
        assert getattr(got, name) == pytest.approx(getattr(numbers, name), rel=0.001, abs=1e-4)
    assert got.capacity == pytest.approx(numbers.capacity, rel=0.001)


def test_a_coloured_gain_map_of_more_items_than_libvips_reads() -> None:
    """Of a photo of 200 megapixels; its limit is 256 unless it is told otherwise."""
    numbers = Numbers(
        minimum=0, maximum=2, gamma=1, offset_sdr=0.01, offset_hdr=0.01, capacity=(0.0, 2.0)
    )
    tiles = grid_parts(17, 16, 1088, 1024)
    data = assembled(
        [
            *tiles,
            replace(coded(map_of(3), chroma="444"), hidden=True),
            Part(kind=b"tmap", data=iso(numbers, bands=3), made_of=(0, len(tiles)), hidden=True),
        ]
    )
    _, image = read_back(rendered(data, replace(SPEC, colour=Colour.SOURCE)))
    assert image.bands == 3


def test_a_picture_that_is_the_hdr_one_has_no_gain_map_here() -> None:
    """Its gain map makes SDR of it: it is shown as it is."""
    numbers = Numbers(
        minimum=-2, maximum=0, gamma=1, offset_sdr=0, offset_hdr=0, capacity=(2.0, 0.0)
    )
    assert found_in(tone_mapped_heic(numbers)) is None


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_the_gain_map_is_turned_with_the_picture(turn: int) -> None:
    """Its bright quarter is where the container's rotation takes it."""
    data = apple_heic(xmp=headroom_xmp("4"), properties=(prop(b"irot", turn),))
    _, image = read_back(rendered(data, SPEC))
    stored = map_of()
    for _ in range(turn):
        stored = stored.rot270()
    assert (image.width, image.height) == (stored.width, stored.height)
    assert (image - stored).abs().avg() < 4


def test_a_broken_gain_map_is_dropped_and_the_photo_rendered() -> None:
    """The report says so."""
    part = coded(map_of(), mode="L")
    data = apple_heic(xmp=headroom_xmp("4"), gain_map=replace(part, data=bytes(len(part.data))))
    (made,) = rendered(data, SPEC).renditions
    assert [warning.code for warning in made.warnings] == ["gain-map-dropped"]


def test_a_heic_s_gain_map_is_held_against_its_limit() -> None:
    """Its own pixels count, and those that are coded where it names fewer; kept ones alone."""
    part = coded(map_of(), mode="L")
    pixels = 128 * 64
    sizes = tuple(
        prop(b"ispe", 16, 8) if each[4:8] == b"ispe" else each for each in part.properties
    )
    assert sizes != part.properties
    for gain_map in (part, replace(part, properties=sizes)):
        data = apple_heic(xmp=headroom_xmp("4"), gain_map=gain_map)
        assert header_of(data).gain_map_pixels == pixels
        small = Limits(max_gain_map_pixels=pixels - 1)
        with pytest.raises(OverLimitError) as refused:
            rendered(data, SPEC, limits=small)
        assert (refused.value.limit, refused.value.actual) == ("max_gain_map_pixels", pixels)
        assert rendered(data, replace(SPEC, hdr=Hdr.SDR), limits=small).files


def test_where_the_picture_is_cropped_by_its_file_there_is_none() -> None:
    """The two would not fit each other."""
    crop = prop(b"clap", 128, 1, 64, 1, 0, 1, 0, 1)
    assert not header_of(apple_heic(xmp=headroom_xmp("4"), properties=(crop,))).has_gain_map


def test_random_tone_maps_are_read_or_left() -> None:
    """Cut or changed anywhere, they raise nothing."""
    numbers = Numbers(minimum=0, maximum=2, gamma=1, offset_sdr=0, offset_hdr=0, capacity=(0, 2))
    whole = iso(numbers)
    for length in range(len(whole)):
        parts = [
            coded(scene(256, 128)),
            replace(coded(map_of(), mode="L"), hidden=True),
            Part(kind=b"tmap", data=whole[:length] or b"\1", made_of=(0, 1), hidden=True),
        ]
        assert found_in(assembled(parts)) is None
