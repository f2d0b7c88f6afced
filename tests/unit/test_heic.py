"""A HEIC comes out as its owner saw it on the phone, or is refused for a reason."""

import gc
import io
import random
import struct
import subprocess
import sys
from dataclasses import replace
from typing import Any, Literal

import pytest
import pyvips

from imaging.bridge.source import OpenPhoto
from imaging.decoders import heif_picture as decoder
from imaging.decoders import read_header
from imaging.decoders.libheif import HEVC, Picture
from imaging.errors import CorruptPhotoError, OverLimitError, UnsupportedFormatError
from imaging.files.heif import from_memory, read_container
from imaging.formats import InputFormat, OutputFormat
from imaging.local import MemorySource
from imaging.plan import Load
from imaging.planning import Asked, make_plan
from imaging.specs import RenditionSpec
from tests.photos import (
    UPRIGHT,
    Orientation,
    avif,
    corner_colours,
    exif,
    heic,
    icc_profile,
    psnr,
    scene,
    truncated,
    upright_reference,
)
from tests.photos.heif import Part, assembled, aux, box, coded, grid, grid_heic, nclx, prop
from tests.rendering import header_of, rendered
from tests.tiles import watch_tiles

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
    assert header.upright == (600, 400)
    assert header.orientation == orientation
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


def heif_picture_of(data: bytes) -> pyvips.Image:
    """Return the picture of a photo, in memory."""
    with OpenPhoto(MemorySource(data)) as photo:
        return decoder.picture_of(photo, read_header(photo), Load()).copy_memory()


@pytest.mark.parametrize("tile", [None, 64])
def test_a_picture_outlives_what_made_it(tile: int | None) -> None:
    """Memory of libheif's, and a source of tiles, live as long as what draws on them."""
    data = heic(320, 240, tile=tile)
    expected = heif_picture_of(data).invert()
    with OpenPhoto(MemorySource(data)) as photo:
        derived = decoder.picture_of(photo, read_header(photo), Load()).invert()
        gc.collect()
        assert (derived - expected).abs().max() == 0


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
    list(photo.render(plan, lambda _: MemorySink()))
print("imaging.decoders.libheif" in sys.modules)
"""
    jpeg_data = pyvips.Image.black(64, 48, bands=3).jpegsave_buffer()
    printed = [
        subprocess.run(
            [sys.executable, "-c", script], input=data, capture_output=True, check=True
        ).stdout.decode()
        for data in (jpeg_data, heic(64, 48))
    ]
    assert printed == ["False\n", "True\n"]


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.99])
def test_half_a_heic_is_refused(fraction: float) -> None:
    """Wherever the upload was truncated, no rendition is made."""
    with pytest.raises(CorruptPhotoError):
        rendered(truncated(heic(320, 240), fraction), *SPECS)


def by_libheif(data: bytes) -> pyvips.Image:
    """Return the picture as libheif gives it whole, upright; of more than 8 bits at the low end."""
    container = read_container(from_memory(data), len(data))
    most = container.max_pixels()
    picture = Picture(bytearray(data), container.primary, upright=True, max_pixels=most)
    samples = picture.whole()
    row = samples.width * picture.bands * picture.sample_bytes
    band_format = "uchar" if picture.sample_bytes == 1 else "ushort"
    return pyvips.Image.new_from_memory(
        bytes(samples.packed(row)), samples.width, samples.height, picture.bands, band_format
    )


# Crops in 4:4:4: libheif crops the halved chroma of a whole picture by whole samples.
GRIDS: dict[str, dict[str, Any]] = {
    "8-bit": {},
    "10-bit": {"bits": 10},
    "alpha": {"alpha": True},
    "10-bit-alpha": {"bits": 10, "alpha": True},
    "4:2:2": {"chroma": "422"},
    "4:4:4": {"chroma": "444"},
    "tiles-of-96": {"tile": 96},
    # No TIFF has such tiles: the picture is decoded whole.
    "tiles-of-72": {"tile": 72},
    "turned": {"properties": (prop(b"irot", 1),)},
    "mirrored": {"properties": (prop(b"imir", 0),)},
    "turned-and-mirrored": {"properties": (prop(b"irot", 3), prop(b"imir", 1))},
    "cropped": {"chroma": "444", "properties": (prop(b"clap", 100, 1, 90, 1, 4, 1, 2, 1),)},
    "cropped-and-turned": {
        "chroma": "444",
        "properties": (prop(b"clap", 100, 1, 90, 1, 4, 1, 2, 1), prop(b"irot", 1)),
    },
    "turned-and-cropped": {
        "chroma": "444",
        "properties": (prop(b"irot", 1), prop(b"clap", 90, 1, 100, 1, 2, 1, 4, 1)),
    },
    "tiles-that-are-turned": {"tile_properties": (prop(b"irot", 2),)},
    "colour-on-the-tiles": {"tile_properties": (nclx(1, 13, 6, full_range=False),)},
    "bt709-matrix": {"properties": (nclx(1, 13, 1),)},
    "limited-range": {"properties": (nclx(1, 13, 6, full_range=False),)},
}


@pytest.mark.parametrize("kind", GRIDS)
@pytest.mark.parametrize("threads", [1, 2])
def test_a_grid_is_the_picture_that_libheif_gives_whole(kind: str, threads: int) -> None:
    """Tile by tile, on one thread or two: the same pixels, turned by the header's orientation."""
    data = grid_heic(4, 3, 190, 140, **({"tile": 48} | GRIDS[kind]))
    whole = by_libheif(data)
    before = pyvips.vips_lib.vips_concurrency_get()
    pyvips.vips_lib.vips_concurrency_set(threads)
    try:
        image = heif_picture_of(data).autorot()
    finally:
        pyvips.vips_lib.vips_concurrency_set(before)
    header = header_of(data)
    assert header.upright == (image.width, image.height) == (whole.width, whole.height)
    assert (image.bands, image.format) == (whole.bands, "uchar")
    if whole.format == "ushort":
        # They are rounded to 8 bits.
        whole = (whole * (255 / 1023)).rint()
    assert (image - whole).abs().max() == 0


@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize(
    ("colour", "kept"),
    [
        ((), False),
        ((nclx(1, 13, 6),), False),
        ((nclx(12, 13, 6),), False),
        ((nclx(9, 14, 9),), True),
        ((nclx(9, 16, 9),), True),
        ((nclx(9, 18, 9),), True),
        ((nclx(1, 8, 6),), True),
        ((box(b"colr", b"prof", icc_profile("display-p3")),), False),
    ],
    ids=["untagged", "srgb", "p3", "bt2020", "pq", "hlg", "light", "profile-of-p3"],
)
def test_more_than_8_bits_are_kept_where_colours_need_them(
    colour: tuple[bytes, ...],
    kept: bool,  # noqa: FBT001
    bits: Literal[10, 12],
) -> None:
    """Else they are rounded to 8, to the nearest, before the resize; the range is full."""
    one = coded(scene(96, 64), bits=bits, codec="av01")
    data = assembled([replace(one, properties=one.properties + colour)], brand=b"avif")
    image, whole = heif_picture_of(data), by_libheif(data)
    assert whole.format == "ushort"
    assert float(whole.max()) > 255  # type: ignore[arg-type]
    assert image.format == ("ushort" if kept else "uchar")
    expected = whole << (16 - bits) if kept else (whole * (255 / ((1 << bits) - 1))).rint()
    assert (image - expected).abs().max() == 0


@pytest.mark.parametrize("transforms", range(60), ids=lambda seed: f"seed-{seed}")
def test_any_transformations_are_applied_in_their_order(transforms: int) -> None:
    """Up to three rotations, mirrors and crops, drawn at random: as libheif applies them."""
    draw = random.Random(transforms)
    properties = []
    for _ in range(draw.randrange(4)):
        match draw.choice(("irot", "imir", "clap")):
            case "irot":
                properties.append(prop(b"irot", draw.randrange(4)))
            case "imir":
                properties.append(prop(b"imir", draw.randrange(2)))
            case _:
                sides = draw.randrange(20, 100), draw.choice((1, 2)), draw.randrange(20, 80), 1
                moved = draw.randrange(-9, 9), 2, draw.randrange(-9, 9), 1
                properties.append(prop(b"clap", *sides, *moved))
    data = grid_heic(3, 2, 140, 90, tile=48, chroma="444", properties=tuple(properties))
    try:
        whole = by_libheif(data)
    except CorruptPhotoError:
        with pytest.raises(CorruptPhotoError):
            heif_picture_of(data)
        return
    image = heif_picture_of(data).autorot()
    assert (image.width, image.height) == (whole.width, whole.height)
    assert (image - whole).abs().max() == 0


@pytest.mark.parametrize("threads", [1, 2])
def test_only_the_tiles_that_a_crop_needs_are_decoded(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that crops 320 x 320 of 300 tiles: 6 x 5 of them."""
    decoded: list[tuple[int, int]] = []
    watch_tiles(monkeypatch, lambda column, row: decoded.append((column, row)))
    crop = prop(b"clap", 320, 1, 320, 1, 0, 1, 0, 1)
    data = grid_heic(20, 15, 1280, 960, chroma="444", properties=(crop,))
    before = pyvips.vips_lib.vips_concurrency_get()
    pyvips.vips_lib.vips_concurrency_set(threads)
    try:
        rendered(data, *SPECS)
    finally:
        pyvips.vips_lib.vips_concurrency_set(before)
    assert set(decoded) == {(column, row) for column in range(7, 13) for row in range(5, 10)}
    # Two threads ask for tiles of so few rows in any order.
    assert threads > 1 or len(decoded) == 30


@pytest.mark.parametrize("of_colours", [(), (prop(b"irot", 1),), (prop(b"imir", 1),)])
@pytest.mark.parametrize("of_alpha", [(), (prop(b"irot", 1),), (prop(b"imir", 1),)])
@pytest.mark.parametrize("whole", [False, True])
def test_alpha_that_is_not_turned_as_its_colours_are_is_left_to_libheif(
    of_colours: tuple[bytes, ...],
    of_alpha: tuple[bytes, ...],
    whole: bool,  # noqa: FBT001
) -> None:
    """Alpha's own rotation counts: it is never laid over colours that it does not belong to."""
    picture = scene(128, 128)
    cells = [picture.crop(64 * at % 128, at // 2 * 64, 64, 64) for at in range(4)]
    colours = [coded(cell, chroma="444") for cell in cells]
    alphas = [coded(cell.extract_band(1), mode="L") for cell in cells]
    if whole:
        shown, alpha = colours[0], alphas[0]
        inner: list[Part] = []
    else:
        shown, alpha = grid(2, 2, 128, 128, (2, 3, 4, 5)), grid(2, 2, 128, 128, (6, 7, 8, 9))
        inner = colours + alphas
    urn = aux(b"urn:mpeg:hevc:2015:auxid:1")
    data = assembled(
        [
            replace(shown, properties=shown.properties + of_colours),
            replace(alpha, properties=(*alpha.properties, urn, *of_alpha), aux_of=0, hidden=True),
            *(replace(part, hidden=True) for part in inner),
        ]
    )
    image = heif_picture_of(data).autorot()
    assert (image - by_libheif(data)).abs().max() == 0


@pytest.mark.parametrize("turned", [(), (prop(b"irot", 3),)])
def test_a_picture_that_is_another_one_has_no_bytes_of_its_own(turned: tuple[bytes, ...]) -> None:
    """An ``iden`` whose extent of no bytes is said to lie at the file's end is no truncated one."""
    same = Part(kind=b"iden", data=b"", properties=(prop(b"ispe", 64, 64), *turned), made_of=(0,))
    data = assembled([replace(coded(scene(64, 64)), hidden=True), same], primary=1)
    image = heif_picture_of(data).autorot()
    assert (image - by_libheif(data)).abs().max() == 0


def test_more_items_than_libvips_reads_by_itself() -> None:
    """1,200 tiles, as of a panorama; libvips stops at 256 items, libheif at 1,000."""
    data = grid_heic(40, 30, 40 * 64, 30 * 64)
    assert header_of(data).tile == (64, 64)
    assert (heif_picture_of(data) - by_libheif(data)).abs().max() == 0


@pytest.mark.parametrize(
    ("transfer", "codes"), [(16, ["hdr-tone-mapped"]), (18, ["hdr-tone-mapped"]), (13, [])]
)
@pytest.mark.parametrize("of", ["properties", "tile_properties"])
def test_light_above_white_is_said_to_be_darkened(of: str, transfer: int, codes: list[str]) -> None:
    """PQ and HLG, named on the grid or on its tiles alone, as Canon does."""
    data = grid_heic(2, 2, 128, 128, bits=10, **{of: (nclx(9, transfer, 9),)})  # type: ignore[arg-type]
    header = header_of(data)
    assert header.cicp is not None
    assert (header.cicp.primaries, header.cicp.transfer) == (9, transfer)
    plan = rendered(data, *SPECS).plan
    assert [warning.code for warning in plan.warnings] == codes


def test_a_profile_may_be_that_of_the_tiles() -> None:
    """The grid has none: the rendition is converted all the same."""
    profile = box(b"colr", b"prof", icc_profile("display-p3"))
    of_grid = grid_heic(2, 2, 128, 128, properties=(profile,))
    of_tiles = grid_heic(2, 2, 128, 128, tile_properties=(profile,))
    assert header_of(of_tiles).has_profile
    images = [rendered(data, *SPECS).images["w200"] for data in (of_grid, of_tiles)]
    assert (images[0] - images[1]).abs().max() == 0
    plain = rendered(grid_heic(2, 2, 128, 128), *SPECS).images["w200"]
    assert psnr(images[1], plain) < 45


def test_an_overlay_is_decoded_whole() -> None:
    """A picture laid upon a canvas; libheif alone knows how."""
    one = replace(coded(scene(64, 64)), hidden=True)
    overlay = Part(
        kind=b"iovl",
        # Version, flags, the canvas's colour, its size, and where each picture lies.
        data=struct.pack(">BBHHHHHHhhhh", 0, 0, 65535, 0, 0, 65535, 150, 100, 10, 20, 80, 30),
        properties=(prop(b"ispe", 150, 100),),
        made_of=(1, 2),
    )
    data = assembled([overlay, one, one])
    header = header_of(data)
    assert (header.width, header.height, header.tile) == (150, 100, None)
    image = heif_picture_of(data)
    assert image(0, 0) == [255, 0, 0]
    assert (image - by_libheif(data)).abs().max() == 0


def test_a_frame_that_is_larger_than_its_item_says_is_refused() -> None:
    """The header says 64 x 64, and what is coded is not decoded to more."""
    data = heic(1024, 1024, tile=None)
    at = data.index(b"ispe", data.index(b"hvcC")) + 8
    assert struct.unpack_from(">II", data, at) == (1024, 1024)
    small = data[:at] + struct.pack(">II", 64, 64) + data[at + 8 :]
    with pytest.raises(OverLimitError):
        rendered(small, *SPECS)


def test_a_build_without_hevc_refuses_a_heic_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """`unsupported-format`, before a pixel; an AVIF is decoded all the same."""
    monkeypatch.setattr(decoder, "can_decode", lambda codec: codec != HEVC)
    with pytest.raises(UnsupportedFormatError, match="heic is left out"):
        header_of(heic(64, 48))
    assert header_of(avif(64, 48)).upright == (64, 48)


def test_a_metadata_item_of_no_textual_type_does_no_harm() -> None:
    """The photo comes out: nothing looks at items whose type is not text.

    The classes around the C module end the process on such a file.
    """
    data = heic(320, 240, xmp=b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")
    at = data.index(b"infe", data.index(b"Exif") + 4)
    item_type = data.index(b"mime", at)
    broken = data[:item_type] + b"\xe9\xc4\xff\xfe" + data[item_type + 4 :]
    assert rendered(broken, *SPECS).images["w400"].width == 320
