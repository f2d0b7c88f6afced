"""A watermark lies on every rendition that asks for it, as an independent composite has it."""

import hashlib
import io
import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import fields, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from handler.changes import changes
from imaging.config import load_config, parse_config
from imaging.errors import ConfigError
from imaging.formats import OutputFormat
from imaging.geometry import place_mark
from imaging.in_memory import InMemory, render_in_memory
from imaging.local import MemorySource
from imaging.mark_files import MAX_MARK_BYTES, checked_mark
from imaging.plan import FromParent, OwnPass
from imaging.planning import Asked, make_plan
from imaging.rendering import open_photo
from imaging.specs import Colour, Fit, Hdr, Position, RenditionSpec, Watermark
from imaging.warming import warm_up
from imaging.watermark import Marks
from imaging.worker.client import Workers
from imaging.worker.protocol import READ_BYTES
from imaging.worker.spawning import Launch
from tests.photos import (
    grey_jpeg,
    jpeg,
    png,
    tiff,
    ultra_hdr_jpeg,
    webp,
)
from tests.photos.metadata import segment
from tests.photos.raws import raf
from tests.rendering import header_of

FIXED = [each for each in Position if each not in {"attention", "entropy", "focal-point"}]
TOLERANCE = 2


def logo(width: int, height: int) -> bytes:
    """Return a PNG of one colour whose alpha rises softly from its edges."""
    y, x = np.mgrid[0:height, 0:width]
    edge = np.minimum(np.minimum(x + 1, width - x) / 48, np.minimum(y + 1, height - y) / 32)
    pixels = np.zeros((height, width, 4), np.uint8)
    pixels[..., :3] = (210, 60, 20)
    pixels[..., 3] = np.clip(255 * edge, 0, 255)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def noise(seed: int, height: int = 300) -> bytes:
    """Return a PNG of 400 pixels' width that does not compress."""
    buffer = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 255, (height, 400, 4), np.uint8)
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def watermark(data: bytes, **options: Any) -> tuple[Watermark, dict[str, bytes]]:  # noqa: ANN401 - of each its own
    """Return a watermark with the picture ``data``, and what a worker is given."""
    read, size = checked_mark("logo.png", lambda _: data)
    digest = hashlib.sha256(data).hexdigest()
    return Watermark(image="logo.png", digest=digest, size=size, **options), {digest: read}


# Four times as large as in most renditions here.
LOGO = logo(240, 96)
MARK, MARKS = watermark(LOGO, width=0.3, opacity=0.7, margin=0.05)


def made(data: bytes, *specs: RenditionSpec, marks: dict[str, bytes] = MARKS) -> InMemory:
    """Make ``specs`` of ``data``."""
    return render_in_memory(open_photo, MemorySource(data), Asked(specs=specs, marks=marks))


def array(data: bytes) -> Any:  # noqa: ANN401 - numpy's
    """Return the decoded pixels."""
    image = pyvips.Image.new_from_buffer(data, "")
    return image.numpy().astype(float)


def pair(data: bytes, spec: RenditionSpec) -> tuple[Any, Any, Any, InMemory]:
    """Return the rendition with the mark and without, both as PNG, and what was made."""
    spec = replace(spec, formats=(OutputFormat.PNG,), watermark=None)
    (without,) = made(data, spec).data
    result = made(data, replace(spec, watermark=MARK))
    (marked,) = result.data
    return array(marked), array(without), pyvips.Image.new_from_buffer(marked, ""), result


def curve(stored_values: Any) -> Any:  # noqa: ANN401 - numpy's
    """Return the light of values from 0 to 1: IEC 61966-2-1."""
    low = stored_values / 12.92
    return np.where(stored_values <= 0.04045, low, ((stored_values + 0.055) / 1.055) ** 2.4)


def uncurve(light: Any) -> Any:  # noqa: ANN401 - numpy's
    """Return the values of a light."""
    return np.where(
        light <= 0.0031308, light * 12.92, 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055
    )


def expected(without: Any, colour: tuple[float, ...], *, linear: bool, alpha: bool) -> Any:  # noqa: ANN401 - numpy's
    """Return an independent composite of the mark, by Pillow's resize and numpy."""
    height, width = without.shape[:2]
    box = place_mark((width, height), MARK)
    # In floating point: beside black, half a level of alpha is two levels of light.
    whole = Image.open(io.BytesIO(LOGO)).getchannel("A").convert("F")
    scaled = whole.resize((box.width, box.height), Image.Resampling.LANCZOS)
    covers = np.zeros((height, width))
    rows, columns = slice(box.top, box.top + box.height), slice(box.left, box.left + box.width)
    covers[rows, columns] = np.asarray(scaled) / 255 * MARK.opacity
    covers = covers[..., None]
    shown = without[..., :-1] if alpha else without
    under = without[..., -1:] / 255 if alpha else np.ones_like(covers)
    into, back = (curve, uncurve) if linear else (lambda v: v, lambda v: v)
    over = covers + under * (1 - covers)
    mixed = into(np.array(colour) / 255) * covers + into(shown / 255) * under * (1 - covers)
    mixed = 255 * back(mixed / np.maximum(over, 1e-9))
    return np.where(over > 0, mixed, shown), over * 255


def check(marked: Any, without: Any, colour: tuple[float, ...], *, linear: bool = False) -> None:  # noqa: ANN401 - numpy's
    """Hold a rendition against the independent composite, within 2 of 255."""
    if marked.ndim == 2:
        marked, without = marked[..., None], without[..., None]
    alpha = marked.shape[2] in {2, 4}
    mixed, over = expected(without, colour, linear=linear, alpha=alpha)
    shown = marked[..., :-1] if alpha else marked
    # A colour that nobody sees may be any.
    seen = (over >= 8).astype(float)
    assert np.abs((shown - mixed) * seen).max() <= TOLERANCE
    if alpha:
        assert np.abs(marked[..., -1:] - over).max() <= TOLERANCE
    # And there is a mark.
    assert np.abs(shown - (without[..., :-1] if alpha else without)).max() > 40


@pytest.mark.parametrize(("fit", "linear"), list(product(Fit, [False, True])))
def test_it_is_laid_on_at_every_fit(fit: Fit, linear: bool) -> None:  # noqa: FBT001 - a case
    """On the finished rendition, its canvas included; in linear light where the spec is linear."""
    spec = RenditionSpec(name="a", width=200, height=140, fit=fit, linear=linear)
    marked, without, _, _ = pair(jpeg(400, 300), spec)
    check(marked, without, (210, 60, 20), linear=linear)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_stands_upright_at_every_orientation(orientation: Any) -> None:  # noqa: ANN401 - a literal
    """The photo is turned before; the mark never is."""
    spec = RenditionSpec(name="a", width=200, position=Position.CENTRE)
    marked, without, _, _ = pair(jpeg(400, 300, orientation=orientation), spec)
    check(marked, without, (210, 60, 20))


@pytest.mark.parametrize("position", FIXED)
def test_it_lies_where_it_is_to_lie(position: Position) -> None:
    """At all nine places."""
    spec = RenditionSpec(name="a", width=200, formats=(OutputFormat.PNG,))
    mark = replace(MARK, position=position)
    (without,) = made(jpeg(400, 300), spec).data
    (marked,) = made(jpeg(400, 300), replace(spec, watermark=mark)).data
    rows, columns = np.nonzero(np.abs(array(marked) - array(without)).max(axis=2))
    box = place_mark((200, 150), mark)
    assert box.top - 1 <= rows.min() <= box.top + 3
    assert box.top + box.height - 4 <= rows.max() <= box.top + box.height
    assert box.left - 1 <= columns.min() <= box.left + 3
    assert box.left + box.width - 4 <= columns.max() <= box.left + box.width
    third = {"n": 0, "s": 2}.get(position.value[0], 1)
    assert (box.top + box.height / 2) * 3 // 150 == third


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("colour", Colour)
def test_it_is_in_the_rendition_s_colours(colour: Colour, linear: bool) -> None:  # noqa: FBT001 - a case
    """Seen through the rendition's profile, of P3 or the photo's, it is the mark's own red."""
    spec = RenditionSpec(name="a", width=200, colour=colour, linear=linear)
    marked, without, image, _ = pair(jpeg(400, 300, icc="display-p3"), spec)
    pixel = pyvips.Image.new_from_memory(bytes((210, 60, 20)), 1, 1, 3, "uchar")
    pixel = pixel.copy(interpretation="srgb")
    if colour is not Colour.SRGB:
        assert image.get_typeof("icc-profile-data")
        pixel = pixel.icc_transform("p3", input_profile="srgb", depth=8)
    check(marked, without, tuple(pixel(0, 0)), linear=linear)


def test_grey_stays_grey() -> None:
    """The mark is grey on it."""
    marked, without, image, _ = pair(grey_jpeg(400, 300), RenditionSpec(name="a", width=200))
    assert image.bands == 1
    grey = pyvips.Image.new_from_memory(bytes((210, 60, 20)), 1, 1, 3, "uchar")
    check(marked, without, tuple(grey.copy(interpretation="srgb").colourspace("b-w")(0, 0)))


@pytest.mark.parametrize("linear", [False, True])
def test_transparent_pixels_stay_so_around_it(linear: bool) -> None:  # noqa: FBT001 - a case
    """Over a hole the mark has its own alpha; elsewhere that of both."""
    spec = RenditionSpec(name="a", width=200, linear=linear)
    data = png(400, 300, alpha=True)
    marked, without, image, _ = pair(data, spec)
    assert image.hasalpha()
    check(marked, without, (210, 60, 20), linear=linear)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGB", "RGBA", "1", "I;16"])
def test_a_png_of_every_kind_is_a_mark(mode: str) -> None:
    """Grey, a palette, alpha or none, 1 to 16 bits; what is opaque covers all of its box."""
    buffer = io.BytesIO()
    if mode == "I;16":
        Image.fromarray(np.full((24, 60), 40_000, np.uint16)).save(buffer, "PNG")
    else:
        Image.open(io.BytesIO(LOGO)).convert("RGBA").convert(mode).save(buffer, "PNG")
    mark, marks = watermark(buffer.getvalue(), width=0.5)
    spec = RenditionSpec(name="a", width=120, formats=(OutputFormat.PNG,), watermark=mark)
    (data,) = made(jpeg(240, 180), spec, marks=marks).data
    (without,) = made(jpeg(240, 180), replace(spec, watermark=None)).data
    box = place_mark((120, 90), mark)
    middle = array(data)[box.top + box.height // 2, box.left + box.width // 2]
    grey = {"I;16": 156, "1": None}.get(mode, 102 if mode in {"L", "LA"} else None)
    if grey is not None:
        assert np.abs(middle - grey).max() <= TOLERANCE
    assert np.abs(array(data) - array(without)).max() > 40


def test_nothing_is_made_from_a_marked_picture() -> None:
    """A child of a marked parent has no mark, or one: in its own size, of its own place."""
    small = replace(MARK, position=Position.NORTHWEST)
    specs: tuple[RenditionSpec, ...] = (
        RenditionSpec(name="large", width=400, watermark=MARK),
        RenditionSpec(name="bare", width=150),
        RenditionSpec(name="small", width=150, watermark=small),
    )
    specs = tuple(replace(spec, formats=(OutputFormat.PNG,)) for spec in specs)
    data = jpeg(800, 600)
    result = made(data, *specs)
    ways = {one.planned.spec.name: one.planned.way for one in result.renditions}
    assert isinstance(ways["bare"], FromParent)
    assert isinstance(ways["small"], FromParent)
    plain = made(data, *(replace(spec, watermark=None) for spec in specs))
    pixels, bare = (
        {
            one.planned.spec.name: array(encoded)
            for one, encoded in zip(each.renditions, each.data, strict=True)
        }
        for each in (result, plain)
    )
    assert np.array_equal(pixels["bare"], bare["bare"])
    moved = np.abs(pixels["small"] - bare["small"]).max(axis=2)
    assert moved[:40, :60].max() > 40
    assert not moved[60:].any()


def test_all_formats_of_a_spec_have_it() -> None:
    """Those that share one picture, and the one in a format without alpha."""
    spec = RenditionSpec(
        name="a", width=200, watermark=replace(MARK, opacity=1.0), formats=tuple(OutputFormat)
    )
    result = made(png(400, 300, alpha=True), spec)
    assert len(result.data) == len(OutputFormat)
    mark = replace(MARK, opacity=1.0)
    box = place_mark((200, 150), mark)
    for data in result.data:
        middle = array(data)[box.top + box.height // 2, box.left + box.width // 2]
        assert np.abs(middle[:3] - (210, 60, 20)).max() < 30


def test_every_frame_has_it() -> None:
    """At the same place of each; one decode of the mark for all."""
    data = webp(160, 120, frames=4)
    spec = RenditionSpec(
        name="a", width=120, formats=(OutputFormat.WEBP,), animated=True, quality=95
    )
    (without,) = made(data, spec).data
    (marked,) = made(data, replace(spec, watermark=replace(MARK, opacity=1.0))).data
    box = place_mark((120, 90), MARK)
    for page in range(4):
        one, other = (
            pyvips.Image.webpload_buffer(each, page=page).numpy().astype(float)
            for each in (marked, without)
        )
        middle = one[box.top + box.height // 2, box.left + box.width // 2]
        assert np.abs(middle[:3] - (210, 60, 20)).max() < 25
        assert np.abs(one[:40, :60] - other[:40, :60]).mean() < 3


def test_a_rendition_in_a_pass_of_its_own_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Row by row from the decoder, in which nothing can be read twice."""
    monkeypatch.setattr("imaging.planning._MAX_HELD_BYTES", 100_000)
    for data in (jpeg(800, 1200), png(800, 1200), tiff(800, 1200)):
        for width in (800, 640):
            marked, without, _, result = pair(data, RenditionSpec(name="a", width=width))
            assert isinstance(result.renditions[0].planned.way, OwnPass)
            check(marked, without, (210, 60, 20))


def test_a_raw_s_preview_has_it() -> None:
    """It is a photo like any other."""
    data = raf(jpeg(1200, 800), sensor=(1200, 800))
    marked, without, _, _ = pair(data, RenditionSpec(name="a", width=200))
    check(marked, without, (210, 60, 20))


def test_under_it_a_gain_map_adds_no_light() -> None:
    """Elsewhere the map is as it is without the mark."""
    data = ultra_hdr_jpeg(640, 480)
    spec = RenditionSpec(name="a", width=640, hdr=Hdr.KEEP, quality=95)
    (without,) = made(data, spec).data
    opaque = replace(MARK, opacity=1.0)
    result = made(data, replace(spec, watermark=opaque))
    (marked,) = result.data
    assert result.renditions[0].gain_map_size
    maps = []
    for each in (marked, without):
        blob = bytes(pyvips.Image.uhdrload_buffer(each).get("gainmap-data"))  # type: ignore[arg-type]
        maps.append(pyvips.Image.jpegload_buffer(blob))
    new, old = (each.numpy().astype(float) for each in maps)
    box = place_mark((640, 480), opaque)
    scale = new.shape[1] / 640
    row, column = (int(scale * at) for at in (box.top + box.height / 2, box.left + box.width / 2))
    from imaging.gainmap import read_gain_map

    read = read_gain_map(marked, 1)
    assert read is not None
    assert abs(float(new[row, column].max()) - read.neutral[0]) <= 3
    assert np.abs(new[: row // 2] - old[: row // 2]).max() <= 3


@given(
    st.tuples(st.integers(1, 3000), st.integers(1, 3000)),
    st.tuples(st.integers(1, 2048), st.integers(1, 2048)),
    st.sampled_from(FIXED),
    st.floats(0.001, 1),
    st.floats(0, 0.25),
)
def test_it_lies_within_every_rendition(
    output: tuple[int, int],
    size: tuple[int, int],
    position: Position,
    width: float,
    margin: float,
) -> None:
    """At least a pixel of it, within the margins, in its own proportions."""
    asked = Watermark(image="a", size=size, position=position, width=width, margin=margin)
    box = place_mark(output, asked)
    edge = int(margin * min(output))
    assert edge <= box.left <= box.left + box.width <= output[0] - edge
    assert edge <= box.top <= box.top + box.height <= output[1] - edge
    assert box.width >= 1
    assert box.height >= 1
    assert abs(box.width / size[0] - box.height / size[1]) <= 1 / size[0] + 1 / size[1]


def test_whatever_decides_its_pixels_is_in_the_digest() -> None:
    """Its picture, place, size, opacity and margin; not the picture's name."""
    spec = RenditionSpec(name="a", width=10, watermark=MARK)
    digest = spec.digest(OutputFormat.JPEG)
    assert digest != replace(spec, watermark=None).digest(OutputFormat.JPEG)
    changes: dict[str, Any] = {
        "image": "renamed.png",
        "position": Position.NORTH,
        "width": 0.25,
        "opacity": 0.25,
        "margin": 0.2,
        "digest": "f" * 64,
        "size": (60, 25),
    }
    assert changes.keys() == {field.name for field in fields(Watermark)}
    for name, value in changes.items():
        changed = replace(spec, watermark=replace(MARK, **{name: value}))
        assert (changed.digest(OutputFormat.JPEG) == digest) is (name == "image"), name


def test_a_worker_is_given_each_mark_once() -> None:
    """Behind the wall it looks the same, for photo after photo, and a new worker has it too."""
    large = logo(700, 500)
    one, first = watermark(large, width=0.5)
    two, second = watermark(noise(5, height=500), width=0.5, position=Position.NORTH)
    # Of several frames.
    assert len(second[two.digest]) > READ_BYTES
    specs = tuple(
        RenditionSpec(name=name, width=200, formats=(OutputFormat.PNG,), watermark=mark)
        for name, mark in (("a", one), ("b", two), ("c", None))
    )
    asked = Asked(specs=specs, marks=first | second)
    data = jpeg(400, 300)
    here = render_in_memory(open_photo, MemorySource(data), asked)
    workers = Workers(Launch())
    try:
        for _ in range(3):
            there = render_in_memory(workers.open_photo, MemorySource(data), asked)
            assert there.data == here.data
        (kept,) = workers._pool._idle
        assert kept.marks == {one.digest, two.digest}
    finally:
        workers.close()


@pytest.mark.parametrize("comments", range(0, 8, 2))
def test_marks_come_over_nothing_of_the_photo(comments: int) -> None:
    """They lie where the photo's bytes lay, of which the header is read by then and no more."""
    marked = [watermark(noise(seed), width=0.5) for seed in (1, 2)]
    specs = tuple(RenditionSpec(name=mark.digest, width=200, watermark=mark) for mark, _ in marked)
    asked = Asked(specs=specs, marks=marked[0][1] | marked[1][1])
    photo = jpeg(900, 700, quality=95)
    data = photo[:2] + segment(0xFE, bytes(50_000)) * comments + photo[2:]
    here = render_in_memory(open_photo, MemorySource(data), asked)
    with closing(Workers(Launch())) as workers:
        assert render_in_memory(workers.open_photo, MemorySource(data), asked).data == here.data


def test_it_counts_in_the_memory_that_a_photo_takes() -> None:
    """A large mark is a picture of its own."""
    header = header_of(jpeg(400, 300))
    large = Watermark(image="a", digest="0", size=(2048, 2048), width=1.0)
    bare = RenditionSpec(name="a", width=300)
    marked = replace(bare, watermark=large)
    plans = [make_plan(header, Asked(specs=(spec,), marks={"0": b""})) for spec in (bare, marked)]
    assert plans[1].peak_bytes - plans[0].peak_bytes > 2048 * 2048 * 4


def test_it_is_read_from_beside_the_configuration(tmp_path: Path) -> None:
    """Once, however many renditions have it; two of the same bytes are one."""
    (tmp_path / "marks").mkdir()
    (tmp_path / "logo.png").write_bytes(LOGO)
    (tmp_path / "marks" / "copy.png").write_bytes(LOGO)
    (tmp_path / "renditions.toml").write_text(
        '[[renditions]]\nname = "a"\nwatermark = { image = "logo.png", position = "north", '
        "width = 1, opacity = 0.5, margin = 0 }\n"
        '[[renditions]]\nname = "b"\nwatermark = { image = "marks/copy.png" }\n'
        '[[renditions]]\nname = "c"\n',
        encoding="utf-8",
    )
    config = load_config(tmp_path / "renditions.toml")
    one, two, none = (spec.watermark for spec in config.renditions)
    assert none is None
    assert one is not None
    assert two is not None
    assert one.digest == two.digest == hashlib.sha256(LOGO).hexdigest()
    assert one.size == two.size == (240, 96)
    assert (one.position, one.width, one.opacity, one.margin) == (Position.NORTH, 1, 0.5, 0)
    assert (two.position, two.width, two.opacity, two.margin) == (Position.SOUTHEAST, 0.2, 1, 0.02)
    assert config.asked().marks == {hashlib.sha256(LOGO).hexdigest(): LOGO}


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ('"logo.png"', "expected a table of image, position, width, opacity, margin"),
        ("{}", "of which image is needed"),
        ('{ image = "logo.png", rotate = 3 }', "expected a table of image, position"),
        ('{ image = "logo.png", width = 0 }', "watermark.width: expected a number above 0"),
        ('{ image = "logo.png", width = "x" }', "with a number for width"),
        ('{ image = "logo.png", opacity = 1.5 }', "watermark.opacity"),
        ('{ image = "logo.png", margin = 0.5 }', "from 0 to 0.25"),
        ('{ image = "logo.png", position = "entropy" }', "a fixed position"),
        ('{ image = "logo.png", position = "top" }', 'one of "centre"'),
        ('{ image = "gone.png" }', "expected a readable PNG at"),
        ('{ image = "s3://bucket/logo.png" }', "expected a file beside a configuration"),
        ('{ image = "photo.jpg" }', "expected a whole, still PNG but photo.jpg has the first"),
        ('{ image = "cut.png" }', "expected a whole, still PNG but cut.png"),
        ('{ image = "large.png" }', f"at most {MAX_MARK_BYTES:,} bytes"),
        ('{ image = "wide.png" }', "at most 2,048 pixels a side but wide.png has 3,000 x 1"),
    ],
)
def test_a_wrong_one_is_an_error_at_init(tmp_path: Path, table: str, words: str) -> None:
    """It names the file, the line, the rendition and the key, what was expected and received."""
    files = {
        "logo.png": LOGO,
        "photo.jpg": jpeg(20, 20),
        "cut.png": LOGO[:-30],
        "large.png": LOGO + bytes(MAX_MARK_BYTES),
        "wide.png": logo(3000, 1),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    path = tmp_path / "renditions.toml"
    path.write_text(f'[[renditions]]\nname = "a"\nwatermark = {table}\n', encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load_config(path)
    assert str(error.value).startswith(f'{path}:3: rendition "a": watermark')
    assert words in str(error.value)


@given(st.integers(0, len(LOGO) - 1), st.integers(0, 7))
def test_a_damaged_png_is_none(at: int, bit: int) -> None:
    """Any bit that is flipped is noticed at init: no photo fails of it."""
    damaged = bytearray(LOGO)
    damaged[at] ^= 1 << bit
    with pytest.raises(ConfigError, match="expected"):
        checked_mark("a", lambda _: bytes(damaged))


Chunk = tuple[bytes, bytes]


def chunks(data: bytes) -> list[Chunk]:
    """Return kind and content of each chunk of a PNG."""
    found, at = [], 8
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        found.append((kind, data[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


def written(parts: list[Chunk]) -> bytes:
    """Return a PNG of these chunks, whose checksums are right."""
    body = b"".join(
        struct.pack(">I", len(content)) + kind + content + zlib.crc32(kind + content).to_bytes(4)
        for kind, content in parts
    )
    return b"\x89PNG\r\n\x1a\n" + body


def rearranged(whole: list[Chunk]) -> Iterator[list[Chunk]]:
    """Yield what an editor could leave: a chunk gone, moved, twice, cut, in two, or one more."""
    more = [(kind, content) for kind in (b"ABCD", b"a1cd", b"tEXt") for content in (b"", b"k\0v")]
    for at, (kind, content) in enumerate(whole):
        others = whole[:at] + whole[at + 1 :]
        yield others
        yield from ([*others[:to], whole[at], *others[to:]] for to in range(len(whole)))
        yield from ([*whole[:to], whole[at], *whole[to:]] for to in range(len(whole)))
        yield from ([*whole[:at], one, *whole[at:]] for one in more)
        for length in {0, 1, len(content) - 4, len(content) - 1} & set(range(len(content))):
            head, tail = (kind, content[:length]), (kind, content[length:])
            yield [*whole[:at], head, *whole[at + 1 :]]
            yield from (
                [*whole[:at], head, *between, tail, *whole[at + 1 :]] for between in ([], more[-1:])
            )
        yield from (
            [*whole[:at], (kind, content[:byte] + b"\x01" + content[byte + 1 :]), *whole[at + 1 :]]
            for byte in range(min(13, len(content)))
        )
        yield [*whole[:at], (kind, content + content), *whole[at + 1 :]]


def is_taken(data: bytes) -> bool:
    """Tell whether init takes a PNG."""
    try:
        checked_mark("logo.png", lambda _: data)
    except ConfigError:
        return False
    return True


@pytest.mark.parametrize("mode", ["RGBA", "P"])
def test_what_is_taken_at_init_can_be_decoded(mode: str) -> None:
    """However its chunks stand, a PNG is an error at init, or a mark that no photo fails for."""
    buffer = io.BytesIO()
    Image.new(mode, (9, 5)).save(buffer, "PNG")
    taken = 0
    for parts in rearranged(chunks(buffer.getvalue())):
        data = written(parts)
        if not is_taken(data):
            continue
        Marks({"": data})._decoded("")
        taken += 1
    assert taken > 10


def test_text_without_a_place_names_s3() -> None:
    """A configuration in a variable has nothing beside it."""
    text = '[[renditions]]\nname = "a"\nwatermark = { image = "logo.png" }\n'
    with pytest.raises(ConfigError, match="beside a configuration"):
        parse_config(text, file="RENDITIONS_TOML")
    spec = parse_config(text, file="x", read_mark=lambda _: LOGO).renditions[0]
    assert json.dumps(spec.watermark and spec.watermark.pixels)


def test_who_has_none_imports_nothing_for_it() -> None:
    """A configuration without a watermark reads no picture, and needs no reader of one."""
    code = (
        "import sys; from imaging.config import DEFAULT_CONFIG, load_config; "
        "import imaging.worker.client; config = load_config(DEFAULT_CONFIG); "
        "names = {'imaging.mark_files', 'imaging.watermark', 'imaging.files.xmp_values', 'pyexpat',"
        " 'imaging.provenance', 'pyvips'}; print(names & set(sys.modules), dict(config.marks))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set() {}"


def test_a_configuration_with_one_is_warmed_up() -> None:
    """Before a snapshot is taken, every rendition is made once."""
    text = (
        '[[renditions]]\nname = "a"\nwatermark = { image = "logo.png" }\n[limits]\nmax_width = 1\n'
    )
    warm_up(open_photo, parse_config(text, file="x", read_mark=lambda _: LOGO))


def test_nobody_asks_for_one_without_its_picture() -> None:
    """A worker would look for it in vain, photo after photo."""
    spec = RenditionSpec(name="a", watermark=MARK)
    with pytest.raises(ValueError, match="among the marks"):
        Asked(specs=(spec,))
    unread = replace(spec, watermark=replace(MARK, digest=""))
    with pytest.raises(ValueError, match="among the marks"):
        Asked(specs=(unread,), marks=MARKS)


def test_a_check_says_what_changes_of_it() -> None:
    """As the file has it, with a part of the picture's digest: its name may stay."""
    one = '[[renditions]]\nname = "a"\nwatermark = { image = "logo.png", opacity = 0.5 }\n'
    before = parse_config(one, file="one", read_mark=lambda _: LOGO)
    after = parse_config(one, file="two", read_mark=lambda _: logo(50, 20))
    (line,) = changes(before, after)
    old, new = (hashlib.sha256(each).hexdigest()[:8] for each in (LOGO, logo(50, 20)))
    shown = (
        "{{image = logo.png ({}), position = southeast, width = 0.2, opacity = 0.5, margin = 0.02}}"
    )
    assert line == f'~ rendition "a": watermark: {shown.format(old)} -> {shown.format(new)}'
