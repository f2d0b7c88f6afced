"""Real workers: what comes through the wall is what is made without it, whatever happens."""

import ast
import ctypes
import gc
import logging
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Final

import numpy as np
import pytest
import pyvips

import imaging
from imaging.deadline import NEVER, Deadline
from imaging.errors import (
    CorruptPhotoError,
    CrashedError,
    OutOfMemoryError,
    OutOfTimeError,
    OverLimitError,
    SourceError,
)
from imaging.formats import SNIFF_BYTES, OutputFormat, sniff
from imaging.limits import Memory
from imaging.local import MemorySink, MemorySource
from imaging.plan import PlannedRendition
from imaging.planning import Asked, make_plan
from imaging.specs import Colour, Fit, Hdr, Metadata, Position, RenditionSpec
from imaging.streams import ByteSource
from imaging.worker import client
from imaging.worker.client import Workers
from imaging.worker.pool import Pool, Worker
from imaging.worker.protocol import Frame, Readiness, Ready, receive
from imaging.worker.spawning import Launch
from tests import photos
from tests.fuzz import mutants
from tests.photos.gifs import GifFrame, gif_of
from tests.photos.pngs import chunk, with_chunks
from tests.rendering import rendered
from tests.wall.taken_over import photo_that_runs

SECRET: Final = "wJalrXUtnFEMI" + "/K7MDENG/bPxRfiCYEXAMPLEKEY"

SPECS: Final = (
    RenditionSpec(name="small", width=100, formats=tuple(OutputFormat)),
    RenditionSpec(name="square", width=64, height=64, fit=Fit.COVER, position=Position.ATTENTION),
    RenditionSpec(name="sharp", width=80, sharpen=0.5, metadata=Metadata.ALL, colour=Colour.SOURCE),
    RenditionSpec(name="light", width=90, linear=True, colour=Colour.DISPLAY_P3, max_bytes=900),
    RenditionSpec(name="hdr", width=120, hdr=Hdr.KEEP),
    RenditionSpec(name="same", formats=(None,), animated=True, quality=70),
    RenditionSpec(name="padded", width=70, height=70, fit=Fit.CONTAIN, position=Position.CENTRE),
    RenditionSpec(name="found", width=50, height=20, fit=Fit.COVER, position=Position.ENTROPY),
)
ASKED: Final = Asked(specs=SPECS, sidecar=True)

PHOTOS: Final[dict[str, bytes]] = {
    "jpeg": photos.jpeg(320, 240),
    "progressive": photos.jpeg(320, 240, progressive=True),
    "cmyk": photos.cmyk_jpeg(160, 120),
    "grey": photos.grey_jpeg(160, 120),
    "ultra-hdr": photos.ultra_hdr_jpeg(320, 240),
    "png": photos.png(200, 150),
    "webp": photos.webp(200, 150),
    "gif": photos.gif(120, 90, frames=3),
    "tiff": photos.tiff(200, 150),
    "avif": photos.avif(200, 150),
    "heic": photos.heic(200, 150),
}


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    """Workers whose zygote was started by a process that has a secret."""
    os.environ["AWS_SECRET_ACCESS_KEY"] = SECRET
    wall = Workers(Launch(concurrency=1, modules=("tests.wall.taken_over",)))
    yield wall
    wall.close()
    del os.environ["AWS_SECRET_ACCESS_KEY"]


def render(
    wall: Workers, photo: bytes | ByteSource, asked: Asked = ASKED, deadline: Deadline = NEVER
) -> dict[str, bytes | None]:
    """Return the bytes of each rendition; None of one that was opened and not committed."""
    sinks: dict[str, MemorySink] = {}

    def open_sink(planned: PlannedRendition) -> MemorySink:
        name = f"{planned.spec.name}.{planned.format.extension}"
        assert name not in sinks or sinks[name].data is None
        sinks[name] = MemorySink()
        return sinks[name]

    source = MemorySource(photo) if isinstance(photo, bytes) else photo
    try:
        with wall.open_photo(source, asked, deadline) as opened:
            list(opened.render(make_plan(opened.header, asked), open_sink))
    except BaseException:
        torn = [name for name, sink in sinks.items() if sink.data is not None]
        assert torn in ([], sorted(torn, key=list(sinks).index))
        raise
    return {name: sink.data for name, sink in sinks.items()}


def assert_same(made: dict[str, bytes | None], expected: dict[str, bytes]) -> None:
    """The same pictures, but for what an encoder's threads decide."""
    assert made.keys() == expected.keys()
    for name, data in made.items():
        assert data is not None
        ours = pyvips.Image.new_from_buffer(data, "")
        theirs = pyvips.Image.new_from_buffer(expected[name], "")
        assert (ours.width, ours.height) == (theirs.width, theirs.height)
        assert (ours - theirs).abs().avg() < 0.5, name


ODD: Final[dict[str, Callable[[], bytes]]] = {
    **mutants.PHOTOS,
    "png-gamma": lambda: with_chunks(photos.png(40, 30), chunk(b"gAMA", struct.pack(">I", 70_000))),
    "png-cicp": lambda: with_chunks(photos.png(40, 30), chunk(b"cICP", bytes((9, 16, 0, 1)))),
}
"""Every kind of a format that is decoded in a way of its own."""


@pytest.mark.parametrize("kind", ODD)
def test_no_kind_of_photo_needs_a_file(workers: Workers, kind: str) -> None:
    """What is loaded on first use was loaded before the filter: none ends in an error of ours."""
    render(workers, ODD[kind](), Asked(specs=SPECS[:1]))


@pytest.mark.parametrize("pages", [1, 12])
def test_no_picture_is_too_large_to_be_held(workers: Workers, pages: int) -> None:
    """Libvips writes a whole picture of more than 100 MB into a file, unless it is told not to."""
    columns, rows = (6400, 5400) if pages == 1 else (1920, 1600)
    strip = pyvips.Image.black(columns, rows * pages, bands=3).copy()
    if pages > 1:
        strip.set_type(pyvips.GValue.gint_type, "page-height", rows)
    assert columns * rows * pages * 3 > 100_000_000
    full = RenditionSpec(name="full")
    moves = RenditionSpec(name="moves", width=64, animated=True, formats=(None,))
    asked = Asked(specs=(full if pages == 1 else moves,))
    assert render(workers, strip.webpsave_buffer(effort=0), asked)


def test_the_worker_names_no_codec_that_is_loaded_from_a_file() -> None:
    """Python has these within it; any other is imported where it is first used."""
    within = {"utf-8", "ascii", "latin-1", "utf-16", "utf-32"}
    for path in (Path(imaging.__file__).parent).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in {"encode", "decode"}
                and node.args
                and isinstance(node.args[0], ast.Constant)
            ):
                assert node.args[0].value in within, (path, node.lineno)


# What few photos need is imported by the worker that comes after.
RARE: Final = {"bare-gif": gif_of(9, 4, np.eye(2, 3), [GifFrame(indexes=np.ones((4, 5), int))])}


@pytest.mark.parametrize("photo", [*PHOTOS.values(), *RARE.values()], ids=[*PHOTOS, *RARE])
def test_what_comes_through_is_what_is_made_here(workers: Workers, photo: bytes) -> None:
    """Every format, with every kind of rendition: the worker needs no file for any of them."""
    specs = [spec for spec in SPECS if not spec.linear or photo is not PHOTOS["gif"]]
    asked = Asked(specs=tuple(specs), sidecar=True)
    assert_same(render(workers, photo, asked), rendered(photo, *specs, sidecar=True).files)


def test_a_first_worker_has_what_most_photos_need() -> None:
    """No photo of a common format, with any rendition, wants another worker; a sidecar does."""
    wall = Workers(Launch(concurrency=1))
    try:
        for photo in PHOTOS.values():
            if sniff(photo[:SNIFF_BYTES]).row.is_common:
                specs = [spec for spec in SPECS if not spec.linear or photo is not PHOTOS["gif"]]
                render(wall, photo, Asked(specs=tuple(specs)))
        (first,) = wall._pool._idle
        assert first.readiness is Readiness.MOST
        render(wall, PHOTOS["jpeg"], Asked(specs=SPECS[1:2], sidecar=True))
        (second,) = wall._pool._idle
        assert second.readiness is Readiness.ALL
        assert not Path(f"/proc/{first.process.pid}").exists()
        render(wall, PHOTOS["heic"], Asked(specs=SPECS[1:2]))
        render(wall, PHOTOS["jpeg"], Asked(specs=SPECS[1:2]))
        assert wall._pool._idle == [second]
    finally:
        wall.close()


def test_a_worker_that_lacks_a_module_is_replaced() -> None:
    """Whatever a photo turns out to need, it is made."""
    wall = Workers(Launch(concurrency=1, modules=("tests.wall.taken_over",)))
    try:
        assert attack(wall, "import_module imaging.decoders.tiles") == "succeeded: it is there"
    finally:
        wall.close()


def attack(wall: Workers, what: str, deadline: Deadline = NEVER) -> str:
    """Return what came of an attack from within a worker."""
    with pytest.raises(CorruptPhotoError) as refused:
        render(wall, photo_that_runs(what), deadline=deadline)
    return refused.value.message


@pytest.mark.parametrize(
    "what",
    [
        "open_file /proc/self/environ",
        f"open_file /proc/{os.getpid()}/environ",
        f"open_file /proc/{os.getpid()}/mem",
        "open_file /etc/passwd",
        f"open_file {__file__}",
        "write_file /tmp/taken-over",
        "connect",
        "run_program /bin/true",
        "fork",
        f"kill {os.getpid()}",
        f"read_memory {os.getpid()}",
        f"trace {os.getpid()}",
        "run_data",
        "raise_limits",
        "print_line",
    ],
    # Process IDs are no names: each process of a parallel run must collect the same tests.
    ids=lambda what: what.replace(str(os.getpid()), "parent"),
)
def test_a_decoder_that_is_taken_over_reaches_nothing(
    workers: Workers, what: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """No file, socket, program, process, memory, code, limit or line of the log."""
    assert attack(workers, what).startswith("failed: ")
    said = capfd.readouterr()
    assert "taken over" not in said.out + said.err
    assert not Path("/tmp/taken-over").exists()  # noqa: S108 - where anybody may write


def test_a_decoder_that_is_taken_over_names_no_key(workers: Workers) -> None:
    """Whatever it says over its one socket, no sink is opened, and the next photo is made."""
    with pytest.raises(CrashedError):
        render(workers, photo_that_runs("speak other/photo.jpg"))
    assert render(workers, PHOTOS["jpeg"]).keys()


def test_what_the_kernel_refuses_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """At WARNING, in the words of what does not hold, however many workers there are."""
    ready = Ready(unguarded=("a filter of system calls (refused)",))
    monkeypatch.setattr("imaging.worker.pool.from_json", lambda *_: ready)
    wall = Workers(Launch(concurrency=1), keeps=False)
    asked = Asked(specs=SPECS[1:2])
    try:
        with caplog.at_level(logging.WARNING):
            render(wall, PHOTOS["jpeg"], asked)
            render(wall, PHOTOS["jpeg"], asked)
    finally:
        wall.close()
    assert caplog.text.count("a filter of system calls (refused)") == 1


def test_the_kernel_lets_few_calls_pass(workers: Workers) -> None:
    """Of all that there are, those that compute, and those that talk over what is open."""
    passed = attack(workers, "calls").removeprefix("succeeded: ").split()
    assert 0 < len(passed) < 40


def test_nothing_of_the_environment_is_there(workers: Workers) -> None:
    """A worker sees how libraries are found, and no credential."""
    said = attack(workers, "who_am_i")
    assert "AWS" not in said
    assert SECRET not in said


def memory_of(pid: int) -> bytes:
    """Return all that a process could read of itself."""
    parts = []
    with Path(f"/proc/{pid}/mem").open("rb", 0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text("ascii").splitlines():
            addresses, rights, *_ = line.split()
            start, end = (int(address, 16) for address in addresses.split("-"))
            if rights.startswith("r") and "[v" not in line:
                memory.seek(start)
                try:
                    parts.append(memory.read(end - start))
                except OSError:
                    continue
    return b"\0".join(parts)


def test_no_secret_is_in_a_workers_memory(workers: Workers) -> None:
    """Neither the zygote nor a worker holds a byte of what the parent's environment holds."""
    render(workers, PHOTOS["jpeg"])
    zygote = workers._pool._zygote
    assert zygote is not None
    (worker, *_) = workers._pool._idle
    assert SECRET.encode() in Path("/proc/self/environ").read_bytes() + memory_of(os.getpid())
    for pid in (zygote.pid, worker.process.pid):
        assert SECRET.encode() not in memory_of(pid)
        assert SECRET.encode() not in Path(f"/proc/{pid}/environ").read_bytes()


def test_the_function_shows_its_memory_to_nobody(workers: Workers) -> None:
    """From the first worker on, no process of the same user may look into this one."""
    render(workers, PHOTOS["jpeg"])
    is_dumpable = ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)
    assert not is_dumpable


def test_the_kernel_ends_a_worker_before_the_function(workers: Workers) -> None:
    """Should the memory run out, its worker is the first to go."""
    render(workers, PHOTOS["jpeg"])
    (worker, *_) = workers._pool._idle
    assert Path(f"/proc/{worker.process.pid}/oom_score_adj").read_text() == "1000\n"


def test_a_photo_that_crashes_a_decoder_is_an_answer(workers: Workers) -> None:
    """It is refused as such, and the next photo is made."""
    with pytest.raises(CrashedError):
        render(workers, photo_that_runs("crash"))
    assert render(workers, PHOTOS["jpeg"]).keys()


def test_a_photo_that_takes_for_ever_ends_in_time(workers: Workers) -> None:
    """The worker is ended at the deadline, not at its own."""
    started = time.monotonic()
    with pytest.raises(OutOfTimeError):
        render(workers, photo_that_runs("hang"), deadline=Deadline(0.3))
    assert time.monotonic() - started < 5
    assert render(workers, PHOTOS["jpeg"]).keys()


def test_a_header_that_takes_for_ever_is_refused(workers: Workers) -> None:
    """Long before the deadline, by the CPU time that its decoder took: twice, as any refusal."""
    with pytest.raises(OverLimitError) as refused:
        render(workers, photo_that_runs("hang"))
    assert refused.value.limit == "max_header_s"
    assert render(workers, PHOTOS["jpeg"]).keys()


def test_a_photo_that_takes_all_memory_is_ended(workers: Workers) -> None:
    """The parent sees it, and ends the worker while there is still memory."""
    asked = Asked(specs=SPECS, memory=Memory(bytes=600 << 20))
    with pytest.raises(OutOfMemoryError, match="600 MB"):
        render(workers, photo_that_runs("swell"), asked)
    assert render(workers, PHOTOS["jpeg"]).keys()


class Counting:
    """Kills the worker when it has said so many frames, as often as it is told."""

    def __init__(self, at: int, times: int) -> None:
        self.at = at
        self.times = times
        self.seen = 0
        self.pool: Workers | None = None

    def __call__(self, origin: object, buffer: memoryview) -> Frame:
        frame = receive(origin, buffer)  # type: ignore[arg-type]  # the socket
        self.seen += 1
        if self.seen == self.at and self.times:
            self.times -= 1
            self.seen = 0
            pid = self.pids()[-1]
            os.kill(pid, signal.SIGSEGV)
            while " Z " not in Path(f"/proc/{pid}/stat").read_text():
                time.sleep(0.001)
        return frame

    def pids(self) -> list[int]:
        """Return the workers that live, the newest last."""
        assert self.pool is not None
        zygote = self.pool._pool._zygote
        assert zygote is not None
        children = Path(f"/proc/{zygote.pid}/task/{zygote.pid}/children").read_text()
        return [int(child) for child in children.split()]


def test_a_worker_may_die_at_every_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, and the photo is made; twice, and it is refused; never is a rendition torn."""
    wall = Workers(Launch(concurrency=1))
    photo = PHOTOS["jpeg"]
    specs = (SPECS[1], RenditionSpec(name="large", width=300, formats=(OutputFormat.PNG,)))
    asked = Asked(specs=specs)
    expected = rendered(photo, *specs).files
    counting = Counting(0, 0)
    counting.pool = wall
    monkeypatch.setattr(client, "receive", counting)
    try:
        assert_same(render(wall, photo, asked), expected)
        words = counting.seen
        assert words > 6
        for at in range(1, words + 1):
            counting.at, counting.times, counting.seen = at, 1, 0
            assert_same(render(wall, photo, asked), expected)
        crashed = 0
        for at in range(1, words):
            counting.at, counting.times, counting.seen = at, 2, 0
            try:
                # It may have said all there is before it dies.
                assert_same(render(wall, photo, asked), expected)
            except CrashedError:
                crashed += 1
            counting.times = 0
            assert_same(render(wall, photo, asked), expected)
        assert crashed > words // 2
    finally:
        wall.close()


def test_a_source_that_fails_outranks_the_decoder(workers: Workers) -> None:
    """What happened on this side is said, not what the worker made of it."""

    class Failing(MemorySource):
        def readinto(self, buffer: memoryview) -> int:
            if self.seek(0, os.SEEK_CUR) > self.size // 2:
                raise SourceError("cut off")
            return super().readinto(buffer[: self.size // 3])

    for photo in (PHOTOS["jpeg"], PHOTOS["heic"], PHOTOS["webp"]):
        with pytest.raises(SourceError, match="cut off"):
            render(workers, Failing(photo))


def test_a_photo_is_read_once(workers: Workers) -> None:
    """Bytes are asked for in order, and none twice: a source that streams stays one download."""
    seeks = []

    class Streaming(MemorySource):
        def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
            seeks.append((offset, whence))
            return super().seek(offset, whence)

    for name in ("jpeg", "png", "webp", "gif", "avif", "heic"):
        render(workers, Streaming(PHOTOS[name]))
    assert seeks == []


def test_a_large_photo_is_read_once(workers: Workers) -> None:
    """The same of one of many chunks."""
    reads: list[int] = []

    class Streaming(MemorySource):
        def readinto(self, buffer: memoryview) -> int:
            count = super().readinto(buffer)
            reads.append(count)
            return count

        def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
            raise AssertionError(offset, whence)

    photo = photos.png(1400, 1000)
    assert len(photo) > 4 * (256 << 10)
    render(workers, Streaming(photo), Asked(specs=SPECS[:2]))
    assert sum(reads) == len(photo)


def test_many_photos_leave_nothing_behind(workers: Workers) -> None:
    """No descriptor, thread, process or worker is left over, whatever came of a photo."""

    def left() -> tuple[int, int, int]:
        gc.collect()
        zygote = workers._pool._zygote
        assert zygote is not None
        children = Path(f"/proc/{zygote.pid}/task/{zygote.pid}/children").read_text().split()
        return len(os.listdir("/proc/self/fd")), threading.active_count(), len(children)  # noqa: PTH208

    asked = Asked(specs=SPECS[1:2])
    render(workers, PHOTOS["jpeg"], asked)
    before = left()
    for _ in range(10):
        render(workers, PHOTOS["jpeg"], asked)
        for what in ("crash", "open_file /etc/passwd"):
            with pytest.raises((CrashedError, CorruptPhotoError)):
                render(workers, photo_that_runs(what), asked)
        render(workers, PHOTOS["webp"], asked)
    # A thread whose work is done may take a moment to end, before as well as after.
    for _ in range(300):
        if all(now <= then for now, then in zip(left(), before, strict=True)):
            break
        time.sleep(0.1)
    assert all(now <= then for now, then in zip(left(), before, strict=True)), (left(), before)


def test_two_photos_are_made_side_by_side() -> None:
    """Where there is memory for both: each waits in its sink for the other."""
    wall = Workers(Launch(), Memory(bytes=1 << 30), side_by_side=2)
    asked = Asked(specs=SPECS[1:2])
    together = threading.Barrier(2, timeout=60)

    def make(_: int) -> int:
        def open_sink(_: PlannedRendition) -> MemorySink:
            together.wait()
            return MemorySink()

        with wall.open_photo(MemorySource(PHOTOS["webp"]), asked) as opened:
            return len(list(opened.render(make_plan(opened.header, asked), open_sink)))

    try:
        with ThreadPoolExecutor(2) as executor:
            assert list(executor.map(make, range(2))) == [1, 1]
        assert len(wall._pool._idle) == 2
    finally:
        wall.close()


def test_a_worker_is_kept_unless_that_is_not_wanted() -> None:
    """The same process has the next photo, or never another."""
    for keeps in (True, False):
        wall = Workers(Launch(modules=("tests.wall.taken_over",)), keeps=keeps)
        asked = Asked(specs=SPECS[1:2])
        try:
            render(wall, PHOTOS["jpeg"], asked)
            first = [worker.process.pid for worker in wall._pool._idle]
            render(wall, PHOTOS["jpeg"], asked)
            assert [worker.process.pid for worker in wall._pool._idle] == first
            assert len(first) == keeps
        finally:
            wall.close()


def test_a_worker_without_a_limit_of_data_is_not_kept() -> None:
    """It is there for a photo that another refused; the next one has a limit again."""
    pool = Pool(Launch(concurrency=1, memory_bytes=256 << 20), Memory(bytes=256 << 20))

    def most_data(worker: Worker) -> str:
        limits = Path(f"/proc/{worker.process.pid}/limits").read_text("ascii")
        (line,) = [line for line in limits.splitlines() if line.startswith("Max data size")]
        return line.split()[3]

    with closing(pool):
        last = pool.take(fresh=True)
        assert most_data(last) == "unlimited"
        pool.give_back(last)
        first = pool.take()
        assert first.process.pid != last.process.pid
        assert most_data(first) == str(384 << 20)
        pool.give_back(first)
        again = pool.take()
        assert again is first
        pool.give_back(again)


def test_what_dies_at_rest_is_replaced(caplog: pytest.LogCaptureFixture) -> None:
    """Neither a kept worker nor the zygote is missed."""
    wall = Workers(Launch())
    asked = Asked(specs=SPECS[1:2])
    try:
        render(wall, PHOTOS["jpeg"], asked)
        os.kill(wall._pool._idle[0].process.pid, signal.SIGKILL)
        render(wall, PHOTOS["jpeg"], asked)
        zygote = wall._pool._zygote
        assert zygote is not None
        os.kill(zygote.pid, signal.SIGKILL)
        with caplog.at_level(logging.WARNING):
            render(wall, PHOTOS["jpeg"], asked)
        assert "zygote has ended" in caplog.text
    finally:
        wall.close()


def test_a_zygote_that_took_anothers_place_is_none_of_its_workers() -> None:
    """A worker of the one that has ended leaves it and its own workers alone, whoever comes first.

    Of two photos side by side each finds that out for itself.
    """
    pool = Pool(Launch(concurrency=1))
    with closing(pool):
        first, second = pool.take(fresh=True), pool.take(fresh=True)
        ended = pool.start()
        os.kill(ended.pid, signal.SIGKILL)
        assert pool.end(first) is None
        next_one = pool.take(fresh=True)
        replaced = pool.start()
        assert replaced is not ended
        pool._lose(ended)
        assert pool.end(second) is None
        assert next_one.process.is_at_rest()
        assert pool.start() is replaced
        status = pool.end(next_one)
        assert status is not None
        assert os.WTERMSIG(status) == signal.SIGKILL


def test_a_fork_has_workers_of_its_own() -> None:
    """Processes that were forked after the start share nothing: both make photos at once."""
    wall = Workers(Launch())
    asked = Asked(specs=SPECS[1:2])
    render(wall, PHOTOS["jpeg"], asked)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            for _ in range(5):
                render(wall, PHOTOS["jpeg"], asked)
            wall.close()
            status = 0
        finally:
            os._exit(status)
    try:
        for _ in range(5):
            render(wall, PHOTOS["jpeg"], asked)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        render(wall, PHOTOS["jpeg"], asked)
    finally:
        wall.close()


def test_a_zygote_that_cannot_start_says_why() -> None:
    """A module that is missing is named, in the parent."""
    wall = Workers(Launch(modules=("no_such_module",)))
    with pytest.raises(Exception, match="no_such_module"):
        render(wall, PHOTOS["jpeg"])
    wall.close()


def test_the_parent_needs_no_libvips() -> None:
    """What opens photos through the wall, plans and describes them imports no decoder."""
    code = (
        "import sys, imaging.worker.client, imaging.planning, imaging.sidecar, imaging.config\n"
        "from imaging.decoders import decoder_of\n"
        "from imaging.encoders import encoder_of\n"
        "from imaging.formats import InputFormat, OutputFormat\n"
        "each = [*map(decoder_of, InputFormat), *map(encoder_of, OutputFormat)]\n"
        "print([name for name in sys.modules if name.partition('.')[0] in"
        " {'pyvips', 'cffi', '_cffi_backend', 'PIL', '_pi_heif', 'thash', 'dhash'}])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"


def test_init_needs_no_libvips() -> None:
    """Nor does the function's module, before its first photo."""
    code = (
        "import sys, handler.app\n"
        "print([name for name in sys.modules if name.partition('.')[0] in {'pyvips', 'cffi'}])"
    )
    environment = os.environ | {
        "DESTINATION_BUCKET": "renditions",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment
    )
    assert done.stdout == "[]\n"
