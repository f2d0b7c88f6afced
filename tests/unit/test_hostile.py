"""Photos that lie are refused by name, or rendered within their estimate; the next one is made."""

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from imaging.deadline import Deadline
from imaging.errors import OverLimitError, RejectedPhotoError, RenditionsError
from imaging.limits import Memory
from imaging.local import MemorySink, MemorySource
from imaging.planning import Asked, make_plan
from imaging.specs import RenditionSpec
from imaging.worker.client import Workers
from imaging.worker.spawning import Launch
from tests.photos import jpeg
from tests.wall.hostile import BOMBS, drawn_lies

_MEMORY: Final = Memory(bytes=1024 << 20)
_ASKED: Final = Asked(specs=(RenditionSpec(name="small", width=32),), memory=_MEMORY)
_SECONDS: Final = 60
_FUNCTION_BYTES: Final = 38 << 20
"""Of the process that holds the photo's bytes and S3, measured in the image."""
_LIES_OF_EACH_FORMAT: Final = 12

LIMITS: Final = {
    "gif_frames": "max_frames",
    "jpeg_application_data": "max_metadata_bytes",
    "jpeg_comments": "bytes before the pixels",
    "jpeg_profile": "max_profile_bytes",
    "jpeg_scans": "max_scans",
    "jpeg_sides": "max_pixels",
    "png_padding": "bytes before the pixels",
    "png_profile": "max_profile_bytes",
    "png_sides": "max_pixels",
    "webp_metadata": "max_metadata_bytes",
}
"""The limits that some of them exceed."""


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    """Workers of a function of a gigabyte."""
    wall = Workers(Launch(concurrency=1, memory_bytes=_MEMORY.bytes), _MEMORY)
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


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_or_fits(workers: Workers, name: str) -> None:
    """It is an answer of imaging's, in time, and the next photo is made."""
    with suppress(RejectedPhotoError):
        render(workers, BOMBS[name]())
    render(workers, jpeg(64, 48))


@pytest.mark.parametrize(("name", "limit"), LIMITS.items())
def test_what_is_too_much_is_named(workers: Workers, name: str, limit: str) -> None:
    """The error states the limit, what there is, and what is allowed."""
    with pytest.raises(OverLimitError) as refused:
        render(workers, BOMBS[name]())
    assert refused.value.limit == limit
    assert refused.value.actual > refused.value.maximum


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
