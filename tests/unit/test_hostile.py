"""Photos that lie are refused by name, or rendered within their estimate; the next one is made."""

import re
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

import pytest

from imaging.bridge.source import OpenPhoto
from imaging.deadline import Deadline
from imaging.decoders import read_header
from imaging.errors import (
    CorruptPhotoError,
    NeedsMoreMemoryError,
    OutOfMemoryError,
    OverLimitError,
    RejectedPhotoError,
    RenditionsError,
)
from imaging.formats import OutputFormat
from imaging.limits import Limits, Memory
from imaging.local import MemorySink, MemorySource
from imaging.planning import Asked, make_plan
from imaging.specs import Colour, Hdr, RenditionSpec
from imaging.worker import client
from imaging.worker.client import Workers
from imaging.worker.spawning import Launch
from tests.photos import jpeg, webp
from tests.wall.crafted import riff, vp8x
from tests.wall.hostile import BOMBS, ROWS, drawn_lies, profile

_MEMORY: Final = Memory(bytes=1024 << 20)
_ASKED: Final = Asked(
    specs=(
        RenditionSpec(name="small", width=32),
        RenditionSpec(name="hdr", width=48, hdr=Hdr.KEEP),
        RenditionSpec(name="own", width=40, colour=Colour.SOURCE, formats=(OutputFormat.PNG, None)),
    ),
    memory=_MEMORY,
)
_SECONDS: Final = 60
_FUNCTION_BYTES: Final = 38 << 20
"""Of the process that holds the photo's bytes and S3, measured in the image."""
_LIES_OF_EACH_FORMAT: Final = 12

LIMITS: Final = {
    "avif_frame": "coded pixels",
    "avif_huge_frame": "coded pixels",
    "gif_comments": "max_metadata_bytes",
    "gif_frame_beyond_screen": "max_pixels",
    "gif_frames": "max_frames",
    "heic_frame": "coded pixels",
    "heic_metadata": "max_metadata_bytes",
    "heic_tiles": "max_tiles",
    "jpeg_apple_gain_map": "max_gain_map_pixels",
    "jpeg_application_data": "max_metadata_bytes",
    "jpeg_comments": "max_metadata_bytes",
    "jpeg_gain_map": "max_gain_map_pixels",
    "jpeg_gain_map_scans": "max_scans",
    "jpeg_profile": "max_profile_bytes",
    "jpeg_scans": "max_scans",
    "jpeg_segments": "max_metadata_bytes",
    "jpeg_sides": "max_pixels",
    "png_exif": "max_metadata_bytes",
    "png_padding": "max_metadata_bytes",
    "png_profile": "max_profile_bytes",
    "png_sides": "max_pixels",
    "png_text": "max_metadata_bytes",
    "png_xmp": "max_metadata_bytes",
    "tiff_more_pages": "max_frames",
    "tiff_profile": "max_metadata_bytes",
    "tiff_scans": "max_scans",
    "tiff_tile": "max_pixels",
    "webp_canvas": "pixels of a WebP",
    "webp_frames": "max_frames",
    "webp_metadata": "max_metadata_bytes",
    "webp_on_a_small_canvas": "pixels of a WebP",
}
"""How the limits begin that some of them exceed."""

_TOO_LARGE: Final = (
    *("avif_sides", "gif_restored", "jpeg_coefficients", "png_of_one_bit", "tiff_planes"),
    "webp_behind_a_chunk",
    "webp_lossless",
)
"""Those whose estimate says that a gigabyte would not do."""


_MADE: Final = {row.__name__ for row in ROWS} - {*LIMITS, *_TOO_LARGE}


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    """Workers of a function of a gigabyte, whatever the tests' process holds."""
    wall = Workers(Launch(concurrency=1, memory_bytes=_MEMORY.bytes), _MEMORY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "resident_bytes", lambda _: _FUNCTION_BYTES)
        yield wall
    wall.close()


def render(workers: Workers, photo: bytes) -> None:
    """Render one photo in a new worker, for a while at most, within its estimate and 15 %."""
    started = time.monotonic()
    try:
        with workers.open_photo(MemorySource(photo), _ASKED, Deadline(_SECONDS)) as opened:
            plan = make_plan(opened.header, _ASKED)
            list(opened.render(plan, lambda _: MemorySink()))
    finally:
        assert time.monotonic() - started < _SECONDS + 1
    worker = workers._pool._idle.pop()
    status = Path(f"/proc/{worker.process.pid}/status").read_text("ascii")
    (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", status)
    workers._pool.end(worker)
    assert (int(peak) << 10) + _FUNCTION_BYTES <= 1.15 * plan.peak_bytes


@pytest.mark.parametrize(
    "name", [name for name in BOMBS if name not in {*LIMITS, *_TOO_LARGE, *_MADE}]
)
def test_a_bomb_is_refused_or_fits(workers: Workers, name: str) -> None:
    """It is an answer of imaging's, in time, and the next photo is made."""
    with suppress(RejectedPhotoError):
        render(workers, BOMBS[name]())
    render(workers, jpeg(64, 48))


def test_there_are_enough_kinds() -> None:
    """What was once seen, and thirty kinds more, of every format."""
    assert len(BOMBS) >= len(ROWS) + 30
    kinds = {name.partition("_")[0] for name in BOMBS}
    assert kinds == {"avif", "gif", "heic", "jpeg", "png", "tiff", "webp"}


@pytest.mark.parametrize("name", sorted(_MADE))
def test_what_was_seen_is_made_where_no_limit_is_exceeded(workers: Workers, name: str) -> None:
    """Within its estimate: of what once took more than that, nothing is called corrupt."""
    render(workers, BOMBS[name]())


def test_a_profile_hides_no_lossless_webp(workers: Workers) -> None:
    """An ordinary one behind 3 kB of profile: the estimate is that without, and holds."""
    bare = webp(2400, 1600, lossless=True)
    at = bare.index(b"VP8L")
    coded = bare[at + 8 : at + 8 + int.from_bytes(bare[at + 4 : at + 8], "little")]
    profiled = riff((b"VP8X", vp8x(0x20, 2400, 1600)), (b"ICCP", profile(3000)), (b"VP8L", coded))
    estimates = []
    for photo in (bare, profiled):
        with workers.open_photo(MemorySource(photo), _ASKED) as opened:
            assert opened.header.lossless
            estimates.append(make_plan(opened.header, _ASKED).peak_bytes)
    assert estimates[1] == pytest.approx(estimates[0], rel=0.01)
    render(workers, profiled)


@pytest.mark.parametrize("name", _TOO_LARGE)
def test_what_takes_too_much_says_so(workers: Workers, name: str) -> None:
    """It is refused before a pixel is decoded, with what would do."""
    with pytest.raises(NeedsMoreMemoryError, match=r"MB would do"):
        render(workers, BOMBS[name]())
    render(workers, jpeg(64, 48))


@pytest.mark.parametrize("name", ["webp_lossless", "webp_behind_a_chunk"])
def test_a_decoder_that_is_refused_memory_calls_no_photo_corrupt(name: str) -> None:
    """The answer is what would do: libvips wants a canvas of 1 GB for the header alone."""
    memory = Memory(bytes=256 << 20)
    asked = Asked(specs=(RenditionSpec(name="small", width=64),), memory=memory)
    wall = Workers(Launch(concurrency=1, memory_bytes=memory.bytes), memory)
    with (
        closing(wall),
        pytest.raises(NeedsMoreMemoryError, match=r"MB would do"),
        wall.open_photo(MemorySource(BOMBS[name]()), asked, Deadline(_SECONDS)) as opened,
    ):
        make_plan(opened.header, asked)


def test_a_canvas_that_there_is_no_memory_for_is_said_as_such(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever refuses it, the kernel's guess included, which counts no limit of ours."""

    def give_up(*_: object, **__: object) -> None:
        raise CorruptPhotoError("Expected a whole webp photo but its decoder gave up")

    with OpenPhoto(MemorySource(BOMBS["webp_lossless"]()), Limits(), 256 << 20) as photo:
        photo.load()
        monkeypatch.setattr(photo, "load", give_up)
        with pytest.raises(OutOfMemoryError, match="256 MB"):
            read_header(photo)
    with OpenPhoto(MemorySource(webp(64, 48)), Limits(), 256 << 20) as photo:
        photo.load()
        monkeypatch.setattr(photo, "load", give_up)
        with pytest.raises(CorruptPhotoError):
            read_header(photo)


@pytest.mark.parametrize(("name", "limit"), LIMITS.items())
def test_what_is_too_much_is_named(workers: Workers, name: str, limit: str) -> None:
    """The error states the limit, what there is, and what is allowed."""
    with pytest.raises(OverLimitError) as refused:
        render(workers, BOMBS[name]())
    error = refused.value
    assert error.limit.startswith(limit)
    assert error.actual > error.maximum
    assert f"{error.maximum:,}" in error.message
    assert f"{error.actual:,}" in error.message
    render(workers, jpeg(64, 48))


def test_no_number_in_a_header_is_believed(workers: Workers) -> None:
    """Whatever a number of a header is, there is an answer, and no worker is left in a photo."""
    for name, photo in drawn_lies(_LIES_OF_EACH_FORMAT):
        try:
            render(workers, photo)
        except RejectedPhotoError:
            continue
        except RenditionsError as error:
            pytest.fail(f"{name}: {error!r}")
    render(workers, jpeg(64, 48))
