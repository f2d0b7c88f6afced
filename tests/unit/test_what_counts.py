"""What is counted before a pixel is decoded: scans by segments, and sides by the codec's words."""

import random
from typing import Final

import pytest
import pyvips

from imaging.errors import OverLimitError
from imaging.files.av1 import read_sequences
from imaging.files.coded_size import check_coded
from imaging.files.gif import read_blocks
from imaging.files.heif import from_memory, read_container
from imaging.files.jpeg_scans import ScanCounter
from imaging.formats import InputFormat
from imaging.limits import Limits
from imaging.specs import Hdr, RenditionSpec
from tests import photos
from tests.photos import raws
from tests.photos.heif import Codec, assembled, coded, grid_heic
from tests.rendering import rendered
from tests.wall.crafted import flat_gif, flat_jpeg, jpeg_of_scans, segment

SPEC: Final = RenditionSpec(name="a", width=32)
HDR: Final = RenditionSpec(name="hdr", width=32, hdr=Hdr.KEEP)


def counted(data: bytes, pieces: int = 1 << 30) -> ScanCounter:
    """Count the scans of ``data``, which comes in pieces."""
    counter = ScanCounter()
    for at in range(0, len(data), pieces):
        counter.take(data[at : at + pieces])
    return counter


@pytest.mark.parametrize("pieces", [1, 2, 3, 7, 64, 1000, 1 << 20])
def test_scans_are_counted_whatever_the_pieces(pieces: int) -> None:
    """Where a piece ends does not matter: a marker or a length may be cut."""
    scans = counted(photos.jpeg(64, 48, progressive=True), pieces)
    assert (scans.scans, scans.is_progressive) == (10, True)
    assert counted(photos.jpeg(64, 48), pieces).scans == 1
    assert counted(jpeg_of_scans(40, 30, 77), pieces).scans == 77


def test_scans_are_those_of_the_photo_alone() -> None:
    """Bytes of metadata, and of a picture behind the photo, are none of its scans."""
    photo = photos.jpeg(64, 48, progressive=True)
    chance = random.Random(14)
    noise = b"\xff\xda" * 30_000 + chance.randbytes(3000)
    held = photo[:2] + segment(0xE1, noise) + segment(0xFE, noise) + photo[2:]
    behind = held + jpeg_of_scans(40, 30, 200)
    for pieces in (1 << 20, 4096, 999):
        assert counted(behind, pieces).scans == 10
    assert rendered(behind, SPEC).files


def test_no_bytes_end_the_counter() -> None:
    """Whatever the bytes are, they are gone through once."""
    chance = random.Random(15)
    for _ in range(200):
        data = chance.choices((0xFF, 0xDA, 0xD8, 0xC2, 0, 2, 9), k=chance.randrange(400))
        assert counted(bytes(data), chance.randrange(1, 50)).scans <= len(data)


@pytest.mark.parametrize("codec", ["hvc1", "av01"])
@pytest.mark.parametrize("sides", [(64, 64), (200, 120), (1000, 722)])
def test_the_codec_says_how_large_its_picture_is(sides: tuple[int, int], codec: Codec) -> None:
    """What an encoder writes is read again, with what the codec rounds up to."""
    image = pyvips.Image.black(*sides, bands=3)
    for bits in (8, 10) if codec == "hvc1" else (8,):
        data = assembled([coded(image, codec=codec, bits=bits)])
        read = from_memory(data)
        container = read_container(read, len(data))
        picture = container.items[container.primary]
        pixels = check_coded(picture, container.bytes_of(picture, read))
        width, height = sides
        assert width * height <= pixels <= (width + 16) * (height + 16)


@pytest.mark.parametrize("full", ["0", "1"])
def test_sides_and_range_of_av1_are_read_behind_its_timing(full: str) -> None:
    """A sequence header that has everything that may stand before them, in a unit without size."""
    timing = "1" + "10" * 32 + "1" + "00101" + "1" + "00010" + "01" * 21
    point = "1" + "00000" + "1" * 12 + "01000" + "1" + "1" + "0110110" + "1" + "1010"
    sides = "0111" + "0110" + f"{199:08b}" + f"{119:07b}"
    tools = "1" + "1010101" + "111" + "1111" + "1" + "11" + "0" + "1" + "0" + "1" + "101" + "111"
    colours = "0" + "0" + "1" + f"{9:08b}{16:08b}{9:08b}" + full
    bits = "000" + "0" + "0" + timing + point + sides + tools + colours
    head = int(bits.ljust(-len(bits) % 8 + len(bits), "0"), 2).to_bytes((len(bits) + 7) // 8, "big")
    (sequence,) = read_sequences(b"\x12\x00" + b"\x08" + head)
    assert (sequence.width, sequence.height, sequence.is_limited) == (200, 120, full == "0")


def test_the_largest_frame_of_a_gif_counts() -> None:
    """Wherever it lies, and whatever the screen is."""
    blocks = read_blocks(flat_gif(300, 200, (1, 3)))
    assert (blocks.frames, blocks.largest, blocks.restores) == (2, 60_000, True)
    assert not read_blocks(flat_gif(300, 200)).restores


def refused(photo: bytes, limits: Limits, *specs: RenditionSpec) -> str:
    """Return the limit with which a photo is refused."""
    with pytest.raises(OverLimitError) as caught:
        rendered(photo, *(specs or (SPEC,)), limits=limits)
    return caught.value.limit


def test_each_limit_is_a_setting() -> None:
    """Any of them, lowered, refuses a photo that all admit otherwise; it is named."""
    progressive = photos.jpeg(1100, 1020, progressive=True)
    ultra = photos.ultra_hdr_jpeg(400, 304)
    cases = {
        "max_width": (photos.png(64, 48), 63),
        "max_height": (photos.png(64, 48), 47),
        "max_pixels": (photos.webp(64, 48), 64 * 48 - 1),
        "max_bands": (photos.png(64, 48), 2),
        "max_frames": (photos.tiff(64, 48, layout="pages", pages=3), 2),
        "max_metadata_bytes": (flat_jpeg(64, 48)[:2] + segment(0xFE, bytes(60_000)) * 5, 100_000),
        "max_profile_bytes": (photos.jpeg(64, 48, icc="display-p3"), 400),
        "max_scans": (progressive, 9),
        "max_tiles": (grid_heic(3, 3, 192, 192), 8),
        "max_gain_map_pixels": (ultra, 100),
    }
    # The parent holds these two: before a decoder, and beside it.
    assert set(cases) == set(Limits.names()) - {"max_bytes", "max_header_s"}
    for name, (photo, most) in cases.items():
        specs = (HDR,) if name == "max_gain_map_pixels" else (SPEC,)
        if name != "max_metadata_bytes":
            assert rendered(photo, *specs).files
        assert refused(photo, Limits(**{name: most}), *specs) == name


def test_scans_count_wherever_a_jpeg_is() -> None:
    """In a raw's preview, and in a gain map."""
    preview = raws.dng(photos.jpeg(raws.WIDTH, raws.HEIGHT, progressive=True))
    assert rendered(preview, SPEC).plan.header.format is InputFormat.RAW
    assert refused(preview, Limits(max_scans=9)) == "max_scans"
