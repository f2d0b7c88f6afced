"""Every broken upload has the disposition and the code that ``docs/damage.md`` says."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal, NamedTuple

import numpy as np
import pytest
import pyvips

from handler.errors import Disposition, disposition_of
from imaging.bridge.source import OpenPhoto
from imaging.decoders import libheif, read_header
from imaging.decoders import tiff as decoder
from imaging.decoders.heif_picture import part_of, picture_of, tiles_received
from imaging.errors import RenditionsError
from imaging.files.heif import from_memory, read_container
from imaging.files.heif_layout import read_layout, received
from imaging.local import MemorySink, MemorySource
from imaging.plan import Load
from imaging.planning import Asked, make_plan
from imaging.rendering import open_photo
from imaging.rendition import Rendition
from imaging.specs import RenditionSpec, Truncated
from tests.photos import (
    avif,
    bomb_jpeg,
    bomb_png,
    empty,
    exif,
    flipped,
    gif,
    gif_frames,
    heic,
    jpeg,
    mp4,
    pdf,
    png,
    psnr,
    svg,
    text,
    tiff,
    truncated,
    upright_reference,
    warning_jpeg,
    webp,
    with_trailing_rubbish,
)
from tests.photos.gifs import GifFrame, gif_of
from tests.photos.heif import grid_heic
from tests.photos.jpegs import Plane, jfif, jpeg_of
from tests.photos.pngs import chunk, with_chunks

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "damage.md"


GIF_PIXELS = b"\x08\xff\x00\x01"
"""Bits of a code, bytes of the first block, and in 9 bits 256: begin."""


def flat_gif() -> bytes:
    """Return a GIF of one colour among 256, whose codes stand each for a pixel."""
    return gif_of(64, 48, np.zeros((256, 3)), [GifFrame(indexes=np.zeros((48, 64), int))])


class Upload(NamedTuple):
    """One or more files of a kind, and the policy for those that are truncated."""

    make: Callable[[], list[bytes]]
    truncated: Truncated = Truncated.REFUSE


UPLOADS = {
    "JPEG truncated in its pixels": Upload(
        lambda: [truncated(jpeg(320, 240), part) for part in (0.1, 0.5, 0.9)]
    ),
    'the same, at least half there, with `truncated = "render"`': Upload(
        lambda: [truncated(jpeg(320, 240), 0.7), jpeg(320, 240)[:-2]], Truncated.RENDER
    ),
    'the same, less than half there, with `truncated = "render"`': Upload(
        lambda: [truncated(jpeg(320, 240), 0.3)], Truncated.RENDER
    ),
    'truncated progressive JPEG, with `truncated = "render"`': Upload(
        lambda: [truncated(jpeg(320, 240, progressive=True), 0.9)], Truncated.RENDER
    ),
    "JPEG truncated in its header": Upload(lambda: [jpeg(320, 240)[:300]]),
    "JPEG without its last two bytes": Upload(lambda: [jpeg(320, 240)[:-2]]),
    "truncated PNG": Upload(lambda: [truncated(png(320, 240), 0.5)]),
    "truncated WebP": Upload(lambda: [truncated(webp(320, 240), 0.5)]),
    "truncated GIF": Upload(lambda: [truncated(gif(320, 240), 0.5)]),
    "GIF truncated exactly between two frames": Upload(
        lambda: [(data := gif(320, 240, frames=3))[: data.rindex(b"\x21\xf9\x04")]]
    ),
    "truncated TIFF": Upload(lambda: [truncated(tiff(320, 240), 0.5)]),
    "truncated AVIF": Upload(lambda: [truncated(avif(160, 120), 0.5)]),
    "truncated HEIC": Upload(
        lambda: [
            truncated(data, part)
            for data in (heic(160, 120), grid_heic(3, 2, 190, 100))
            for part in (0.5, 0.9)
        ]
    ),
    'HEIC or AVIF of tiles, at least half of them there, with `truncated = "render"`': Upload(
        lambda: (
            [
                truncated(grid_heic(4, 3, 250, 180, **options), part)
                for options in ({}, {"bits": 10}, {"codec": "av01"})
                for part in (0.8, 0.95)
            ]
            + [grid_heic(4, 3, 250, 180, alpha=True)[:-1]]
        ),
        Truncated.RENDER,
    ),
    'the same, less than half of them there, with `truncated = "render"`': Upload(
        lambda: [
            truncated(grid_heic(4, 3, 250, 180), 0.4),
            # All colours are there, and little alpha.
            truncated(grid_heic(4, 3, 250, 180, alpha=True), 0.6),
        ],
        Truncated.RENDER,
    ),
    'truncated HEIC of one piece, with `truncated = "render"`': Upload(
        lambda: [
            truncated(heic(160, 120), 0.95),
            truncated(grid_heic(3, 3, 190, 190, tile=72), 0.9),
        ],
        Truncated.RENDER,
    ),
    "HEIC with zeros for a part of its pixels": Upload(
        lambda: [grid_heic(3, 2, 190, 100)[:-3_000] + bytes(3_000)]
    ),
    "HEIC with a flipped byte in its pixels": Upload(
        lambda: [flipped(data := grid_heic(3, 2, 190, 100), len(data) // 2)]
    ),
    "PNG or GIF that lacks only its end mark": Upload(
        lambda: [png(320, 240)[:-12], gif(320, 240)[:-1]]
    ),
    "JPEG with a flipped byte in its pixels": Upload(
        lambda: [flipped(data := jpeg(320, 240), len(data) // 2)]
    ),
    "JPEG with a flipped byte in its header": Upload(
        lambda: [flipped(data := jpeg(320, 240), data.index(b"\xff\xc0") + 1)]
    ),
    "PNG with a flipped byte": Upload(lambda: [flipped(data := png(320, 240), len(data) // 2)]),
    "TIFF of Deflate with a flipped byte": Upload(
        lambda: [flipped(data := tiff(320, 240, compression="deflate"), len(data) // 2)]
    ),
    "TIFF of LZW, PackBits or no compression with a flipped byte": Upload(
        lambda: [
            flipped(data := tiff(320, 240, compression=compression), len(data) * 2 // 3)
            for compression in ("packbits", "none")
        ]
    ),
    "WebP with a flipped byte in its pixels": Upload(
        lambda: [flipped(data := webp(320, 240), len(data) * 2 // 3)]
    ),
    "GIF with a flipped byte that leaves codes of its pixels": Upload(
        lambda: [
            flipped(data := gif(320, 240), len(data) // 2),
            # The first code and a part of the second.
            flipped(data := flat_gif(), data.index(GIF_PIXELS) + 3),
        ]
    ),
    "GIF with a flipped byte that leaves what is no code": Upload(
        # Nothing was coded yet for which a code of 384 could stand.
        lambda: [flipped(data := flat_gif(), data.index(GIF_PIXELS) + 4)]
    ),
    "AVIF with a flipped byte in its pixels": Upload(
        lambda: [flipped(data := avif(160, 120), len(data) // 2)]
    ),
    "JPEG of two components": Upload(
        lambda: [
            jpeg_of(32, 32, [Plane(levels=np.full((4, 4), level)) for level in (90, 200)], jfif())
        ]
    ),
    "PNG that says behind its pixels how it is turned": Upload(
        lambda: [
            with_chunks(
                png(320, 240),
                chunk(b"eXIf", exif(orientation=6).removeprefix(b"Exif\0\0")),
                behind=True,
            )
        ]
    ),
    "JPEG with trailing rubbish": Upload(lambda: [with_trailing_rubbish(jpeg(320, 240))]),
    "JPEG about which decoders warn": Upload(lambda: [warning_jpeg()]),
    "JPEG of 5 kB that declares 64,250 x 64,250 pixels": Upload(lambda: [bomb_jpeg()]),
    "PNG of 0.3 MB that declares 50,000 x 50,000 pixels": Upload(lambda: [bomb_png()]),
    "GIF of 100,000 frames": Upload(lambda: [gif_frames()]),
    "SVG": Upload(lambda: [svg()]),
    "PDF": Upload(lambda: [pdf()]),
    "video": Upload(lambda: [mp4()]),
    "empty object": Upload(lambda: [empty()]),
    "text file": Upload(lambda: [text()]),
}


def documented() -> dict[str, tuple[str, str]]:
    """Return the rows of the table in the document: upload -> disposition, code."""
    rows = re.findall(r"^\| (.+?) \| (\w+) \|(.*)\|$", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    return {upload: (disposition, code.strip()) for upload, disposition, code in rows[1:]}


def rendered(data: bytes, policy: Truncated) -> tuple[list[Rendition], list[MemorySink]]:
    """Render ``data``; the sinks are those that were opened, however it ended."""
    sinks: list[MemorySink] = []

    def open_sink(_: object) -> MemorySink:
        sinks.append(MemorySink())
        return sinks[-1]

    specs = tuple(RenditionSpec(name=f"w{width}", width=width) for width in (200, 100))
    asked = Asked(specs=specs, truncated=policy)
    made = []
    try:
        with open_photo(MemorySource(data), asked) as photo:
            made += list(photo.render(make_plan(photo.header, asked), open_sink))
    except RenditionsError as error:
        assert not sinks, "nothing is committed of a photo that is rejected"
        raise AssertionError(disposition_of(error).value, f"`{error.code}`") from error
    return made, sinks


def outcome(data: bytes, policy: Truncated) -> tuple[str, str]:
    """Return the disposition and the code as the document writes them."""
    try:
        made, _ = rendered(data, policy)
    except AssertionError as error:
        return error.args
    codes = {warning.code for rendition in made for warning in rendition.warnings}
    return Disposition.WRITTEN.value, "".join(f"warning `{code}`" for code in codes)


def test_the_document_and_the_uploads_are_of_the_same_kinds() -> None:
    """No row goes untried, and nothing is tried that has no row."""
    assert list(documented()) == list(UPLOADS)


_BY_LIBAOM: Final = {"AVIF with a flipped byte in its pixels": ("rejected", "`corrupt`")}
"""A developer's decoder of AV1 notices what the image's, of which the document tells, does not."""


def is_by_dav1d() -> bool:
    """Tell whether libheif has its plug-in for dav1d here, as the image's has."""
    libheif.preload()
    return "libheif-dav1d" in Path("/proc/self/maps").read_text("utf-8")


@pytest.mark.parametrize("kind", UPLOADS)
def test_each_upload_ends_as_the_document_says(kind: str) -> None:
    """Disposition and code are those of its row, for every file of the kind."""
    upload = UPLOADS[kind]
    expected = documented()[kind]
    if not is_by_dav1d():
        expected = _BY_LIBAOM.get(kind, expected)
    for data in upload.make():
        assert outcome(data, upload.truncated) == expected


def test_a_photo_that_points_before_its_first_byte_is_no_failure_of_its_source() -> None:
    """It would be tried again and again: some TIFFs make libtiff ask for byte -1."""
    with OpenPhoto(MemorySource(tiff(64, 48))) as photo:
        assert photo._on_seek(-1, 0) == -1
        assert photo._on_seek(-(1 << 30), 2) == -1
        assert decoder.header(photo).width == 64


def test_what_is_there_of_a_photo_is_rendered_and_the_rest_is_grey() -> None:
    """The upper part is the photo's, the lower is of one colour, and the warning says how much."""
    data = truncated(jpeg(320, 240), 0.7)
    made, sinks = rendered(data, Truncated.RENDER)
    assert made[0].warnings[0].message.startswith("The photo is truncated; it has ")
    image = pyvips.Image.new_from_buffer(sinks[-1].data or b"", "")
    whole = upright_reference(jpeg(320, 240), image.width, image.height)
    top = (0, 0, image.width, image.height // 2)
    assert psnr(image.crop(*top), whole.crop(*top)) >= 30
    assert image.crop(0, image.height - 10, image.width, 10).deviate() < 2
    assert abs(image.crop(0, image.height - 10, image.width, 10).avg() - 128) < 2


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_tile_that_is_not_there_is_grey(
    alpha: bool,  # noqa: FBT001
    bits: Literal[8, 10],
    threads: int,
) -> None:
    """Every other pixel is that of the whole photo, wherever the tile lies; none is green."""
    whole = grid_heic(4, 3, 250, 180, bits=bits, alpha=alpha)
    data = truncated(whole, 0.8)
    container = read_container(from_memory(data), len(data))
    layout = read_layout(container, from_memory(data))
    assert layout is not None
    assert layout.tiles is not None
    there = received(container, layout.tiles)
    assert 6 <= sum(there) < 12
    before = pyvips.vips_lib.vips_concurrency_get()
    pyvips.vips_lib.vips_concurrency_set(threads)
    try:
        with OpenPhoto(MemorySource(data)) as photo:
            image = part_of(photo, read_header(photo), Load()).copy_memory()
            assert tiles_received(photo) == (sum(there), 12)
        with OpenPhoto(MemorySource(whole)) as photo:
            expected = picture_of(photo, read_header(photo), Load()).copy_memory()
    finally:
        pyvips.vips_lib.vips_concurrency_set(before)
    for number, is_there in enumerate(there):
        row, column = divmod(number, 4)
        box = (64 * column, 64 * row, min(64, 250 - 64 * column), min(64, 180 - 64 * row))
        tile = image.crop(*box)
        if is_there:
            assert (tile - expected.crop(*box)).abs().max() == 0
        else:
            assert tile(0, 0) == [128, 128, 128] + [255] * alpha
            assert (tile - tile(0, 0)).abs().max() == 0


def test_a_truncated_grid_says_how_much_of_it_is_there() -> None:
    """The warning counts tiles."""
    made, _ = rendered(truncated(grid_heic(4, 3, 250, 180), 0.8), Truncated.RENDER)
    (warning,) = made[0].warnings
    assert re.fullmatch(r"The photo is truncated; it has \d\d % of its tiles", warning.message)


def test_a_sideways_photo_is_measured_as_it_was_stored() -> None:
    """Its missing rows are columns once it is turned upright."""
    made, _ = rendered(truncated(jpeg(320, 240, orientation=6), 0.7), Truncated.RENDER)
    assert {warning.code for rendition in made for warning in rendition.warnings} == {"truncated"}


def test_a_header_that_declares_too_much_is_refused_by_the_name_of_the_limit() -> None:
    """The bomb of 64,250 x 64,250 pixels names max_pixels, and what it has."""
    with pytest.raises(AssertionError) as caught:
        rendered(bomb_jpeg(), Truncated.REFUSE)
    assert "max_pixels of at most 300,000,000 but received 4,128,062,500" in str(
        caught.value.__cause__
    )
