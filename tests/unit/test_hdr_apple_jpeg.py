"""The gain map of Apple's JPEGs comes out as that of the same photo as HEIC does."""

import math
import random
import struct
from dataclasses import replace

import pytest
import pyvips

from imaging.errors import OverLimitError
from imaging.files.jpeg import XMP, segments
from imaging.files.mpf import further_pictures
from imaging.limits import Limits
from imaging.local import MemorySource
from imaging.planning import Asked
from imaging.specs import Fit, Hdr, Position, RenditionSpec
from tests.photos import jpeg, raws, scene, stored
from tests.photos.apple import APPLE, Places, apple_exif, apple_jpeg, apple_xmp, maker_note
from tests.photos.heif import coded
from tests.rendering import header_of, plan_of, rendered
from tests.unit.test_hdr_heif import apple_heic, headroom_xmp, map_of, noted_exif, read_back

SPEC = RenditionSpec(name="a", hdr=Hdr.KEEP)
PICTURE = scene(256, 128).jpegsave_buffer(Q=90)
DEPTH = b"urn:com:apple:photo:2018:aux:disparity"


def map_jpeg(image: pyvips.Image) -> bytes:
    """A gain map as a JPEG without metadata."""
    return image.jpegsave_buffer(Q=95, keep=pyvips.enums.ForeignKeep.NONE)


def photo(
    headroom: str | None = "4", note: bytes = b"", image: pyvips.Image | None = None
) -> bytes:
    """An iPhone's JPEG, with a depth before its gain map."""
    gain_map = map_jpeg(map_of() if image is None else image)
    depth = map_jpeg(pyvips.Image.black(64, 32))
    auxiliaries = [(depth, apple_xmp(kind=DEPTH)), (gain_map, apple_xmp(headroom))]
    return apple_jpeg(PICTURE, auxiliaries, apple_exif(note))


def lying(places: Places) -> bytes:
    """A photo whose index says something else."""
    return apple_jpeg(PICTURE, [(map_jpeg(map_of()), apple_xmp("4"))], apple_exif(), lies=places)


def codes(data: bytes) -> list[str]:
    """Return the warnings of a rendition that is to keep the gain map, and was made."""
    result = rendered(data, SPEC)
    (made,) = result.renditions
    assert pyvips.Image.jpegload_buffer(result.files["a.jpg"]).avg() > 0
    return [warning.code for warning in made.warnings]


@pytest.mark.parametrize(
    ("headroom", "bright", "gain"),
    [
        ("6.5", None, None),
        (None, (8, 10), (5, 1000)),
        (None, (8, 10), (2, 1)),
        (None, (12, 10), (1, 100)),
        (None, (12, 10), (3, 1)),
        ("3", (12, 10), (3, 1)),
    ],
)
def test_headroom_and_tone_curve_are_those_of_the_heic(
    headroom: str | None, bright: tuple[int, int] | None, gain: tuple[int, int] | None
) -> None:
    """Within 2 %: the exponent of white, and that of each of eight greys."""
    ramp = pyvips.Image.grey(128, 64, uchar=True)
    note = b"" if bright is None or gain is None else maker_note(bright, gain)
    as_jpeg = rendered(photo(headroom, note, ramp), SPEC)
    heic = apple_heic(
        xmp=None if headroom is None else headroom_xmp(headroom),
        exif=None if bright is None or gain is None else noted_exif(bright, gain),
        gain_map=coded(ramp, mode="L"),
    )
    got, image = read_back(as_jpeg)
    expected, reference = read_back(rendered(heic, SPEC))
    assert got.maximum == pytest.approx(expected.maximum, rel=0.02)
    assert got.capacity == pytest.approx(expected.capacity, rel=0.02)
    assert (got.minimum, got.gamma) == (expected.minimum, expected.gamma)
    assert (image.width, image.height, image.bands) == (128, 64, 1)
    for left in range(0, 128, 16):
        one, other = (
            each.crop(left, 8, 16, 48).avg() / 255 * numbers.maximum
            for each, numbers in ((image, got), (reference, expected))
        )
        assert one == pytest.approx(other, abs=0.02 * expected.maximum)
    assert not as_jpeg.renditions[0].warnings


@pytest.mark.parametrize("orientation", [1, 3, 5, 6, 8])
def test_the_gain_map_is_turned_with_the_photo(orientation: int) -> None:
    """It lies as the photo is stored; the rendition's lies upright."""
    upright = map_of()
    lies = stored(upright, orientation)  # type: ignore[arg-type]  # one of them
    picture = stored(scene(256, 128), orientation).jpegsave_buffer(Q=90)  # type: ignore[arg-type]
    data = apple_jpeg(
        picture, [(map_jpeg(lies), apple_xmp("4"))], apple_exif(orientation=orientation)
    )
    _, image = read_back(rendered(data, SPEC))
    assert (image.width, image.height) == (128, 64)
    assert (image - upright).abs().avg() < 4


def test_the_gain_map_is_cropped_where_the_photo_is() -> None:
    """Of the left half, whose upper half is bright, and of the right, which is dark."""
    halves = [
        read_back(
            rendered(
                photo(),
                replace(SPEC, width=128, height=128, fit=Fit.COVER, position=position),
            )
        )[1]
        for position in (Position.WEST, Position.EAST)
    ]
    assert [(each.width, each.height) for each in halves] == [(64, 64)] * 2
    left, right = halves
    assert left.crop(8, 4, 48, 24).avg() > 245
    assert left.crop(8, 36, 48, 24).avg() < 10
    assert right.avg() < 10


def test_one_factor_for_all_colours_also_where_it_is_stored_in_three_bands() -> None:
    """As of a HEIC, whose gain map libheif gives in any chroma."""
    numbers, image = read_back(rendered(photo(image=map_of(3).copy(interpretation="srgb")), SPEC))
    assert image.bands == 1
    assert numbers.maximum == pytest.approx(2, rel=0.001)


def test_other_photos_of_several_pictures_have_none() -> None:
    """Another maker's index, an iPhone's whose note names no headroom, and one below white."""
    gain_map = [(map_jpeg(map_of()), apple_xmp("4"))]
    others = [
        apple_exif(make=b"NIKON\0"),
        apple_exif(maker_note((8, 0), (1, 1))),
        apple_exif(maker_note((8, 10), (30, 1))),
    ]
    for exif in others:
        data = apple_jpeg(PICTURE, gain_map, exif)
        assert not header_of(data).has_gain_map
        assert codes(data) == []
    assert header_of(apple_jpeg(PICTURE, gain_map, apple_exif())).has_gain_map


@pytest.mark.parametrize(
    "places",
    [
        [(1 << 31, 100)],
        [(0xFFFFFFFF, 0xFFFFFFFF)],
        [(10, 1 << 31)],
        [(1, 1)],
        [(3, 200)] * 500,
    ],
    ids=["beyond", "at the last", "too long", "within the photo", "many"],
)
def test_an_index_that_lies_leaves_an_sdr_rendition(places: Places) -> None:
    """Wherever it points: the photo is rendered, with the warning of an Ultra HDR JPEG."""
    assert codes(lying(places)) == ["gain-map-dropped"]


def test_an_index_that_names_the_photo_alone_is_none() -> None:
    """A place of 0 is the photo itself, and a picture of no byte is none."""
    assert further_pictures(lying([(0, 100), (50, 0)])) == ()
    assert codes(lying([(0, 100)])) == []


@pytest.mark.parametrize("share", [0.5, 0.99])
def test_a_gain_map_that_was_cut_is_dropped(share: float) -> None:
    """The upload ended within it."""
    data = apple_jpeg(PICTURE, [(map_jpeg(map_of()), apple_xmp("4"))], apple_exif())
    whole = further_pictures(data)[0]
    assert codes(data[: whole.at + int(whole.length * share)]) == ["gain-map-dropped"]


def test_a_broken_index_or_exif_breaks_nothing() -> None:
    """Any byte of either changed: the photo is rendered, with its gain map or without."""
    draw = random.Random(16)
    data = apple_jpeg(
        PICTURE, [(map_jpeg(map_of()), apple_xmp())], apple_exif(maker_note((8, 10), (2, 1)))
    )
    index = data.index(b"MPF\0") + 4
    note = data.index(b"Apple iOS")
    for _ in range(40):
        changed = bytearray(data)
        at = draw.choice((index, note)) + draw.randrange(60)
        changed[at] = draw.randrange(256)
        assert set(codes(bytes(changed))) <= {"gain-map-dropped"}


def test_a_gain_map_over_the_limit_refuses_the_photo() -> None:
    """As an Ultra HDR JPEG's: its sides and its scans; larger than the photo it is none."""
    with pytest.raises(OverLimitError) as caught:
        rendered(photo(), SPEC, limits=Limits(max_gain_map_pixels=100))
    assert caught.value.limit == "max_gain_map_pixels"
    scans = map_of().jpegsave_buffer(interlace=True, keep=pyvips.enums.ForeignKeep.NONE)
    data = apple_jpeg(PICTURE, [(scans, apple_xmp("4"))], apple_exif())
    with pytest.raises(OverLimitError) as caught:
        rendered(data, SPEC, limits=Limits(max_scans=2))
    assert caught.value.limit == "max_scans"
    assert codes(photo(image=pyvips.Image.black(300, 200))) == ["gain-map-dropped"]


def test_its_memory_is_planned_as_that_of_an_ultra_hdr_jpeg() -> None:
    """By the most that may stand behind the pixels; without HDR it takes nothing."""
    header = header_of(photo())
    assert header.gain_map_pixels == 256 * 128
    kept = plan_of(photo(), Asked(specs=(SPEC,)))
    left = plan_of(photo(), Asked(specs=(replace(SPEC, hdr=Hdr.SDR),)))
    assert kept.peak_bytes > left.peak_bytes


class Source(MemorySource):
    """Counts how often it was asked to go somewhere else."""

    seeks = 0

    def seek(self, offset: int, whence: int = 0) -> int:
        self.seeks += 1
        return super().seek(offset, whence)


@pytest.mark.parametrize("hdr", Hdr)
def test_the_photo_is_read_once_from_start_to_end(hdr: Hdr) -> None:
    """The gain map behind it is reached without a second request."""
    source = Source(photo())
    rendered(source, replace(SPEC, hdr=hdr))
    assert source.seeks == 0


def test_the_rendition_names_its_own_gain_map_alone() -> None:
    """In its XMP and its index; nothing of Apple's is left that points elsewhere."""
    result = rendered(photo(), SPEC)
    data, size = result.files["a.jpg"], result.made["a.jpg"].gain_map_size
    assert size is not None
    assert APPLE not in data
    (place,) = further_pictures(data)
    assert (place.at, place.length) == (len(data) - size, size)
    packets = [each for each in segments(data[-size:]) if each.payload.startswith(XMP)]
    assert len(packets) == 1


def test_a_raw_s_preview_is_its_sdr_picture() -> None:
    """A preview that declares a gain map is rendered without it, and nothing fails."""
    plain = jpeg(raws.WIDTH, raws.HEIGHT)
    claim = b"urn:iso:std:iso:ts:21496:-1\0" + bytes(4)
    preview = plain[:2] + struct.pack(">BBH", 0xFF, 0xE2, len(claim) + 2) + claim + plain[2:]
    data = raws.dng(preview)
    assert not header_of(data).has_gain_map
    assert rendered(data, SPEC).files
    assert math.isfinite(plan_of(data, Asked(specs=(SPEC,))).peak_bytes)
