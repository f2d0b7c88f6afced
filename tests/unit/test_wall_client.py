"""The parent believes nothing: whatever a worker says, what is stored is what was asked for."""

import os
import signal
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.deadline import NEVER, Deadline
from imaging.errors import (
    CorruptPhotoError,
    CrashedError,
    NotAPhotoError,
    OutOfMemoryError,
    OutOfTimeError,
    OverLimitError,
    RenditionsError,
    SinkError,
    SourceError,
)
from imaging.files.credentials import Credentials
from imaging.formats import OutputFormat, sniff
from imaging.limits import Limits, Memory
from imaging.local import MemorySink, MemorySource
from imaging.plan import PlannedRendition
from imaging.planning import Asked, make_plan
from imaging.rendition import Rendition
from imaging.signatures import (
    MAX_SIGNED_BYTES,
    SIGNATURE_BYTES,
    SIGNED_PREFIX,
    Carried,
    Signer,
    Signing,
)
from imaging.specs import RenditionSpec
from imaging.streams import ByteSource
from imaging.worker import client, protocol
from imaging.worker.client import WorkerError, Workers
from imaging.worker.pool import Room
from imaging.worker.protocol import (
    READ_BYTES,
    UNPREPARED,
    GoneError,
    Kind,
    Made,
    Open,
    Read,
    Readiness,
    Refused,
    send,
)
from imaging.worker.spawning import Launch
from imaging.worker.values import to_json
from imaging.worker.window import Window, new_window
from imaging.worker.worker import _Forward, _Wire
from tests.photos import jpeg
from tests.rendering import header_of, rendered
from tests.wall.scripted import Peer, Script, ScriptedPool, _Scripted

SPECS = (
    RenditionSpec(name="small", width=20),
    RenditionSpec(name="large", width=40, formats=(OutputFormat.JPEG, OutputFormat.PNG)),
)
ASKED = Asked(specs=SPECS)
PHOTO = jpeg(80, 60)
HEADER = header_of(PHOTO)
TRUTH = rendered(PHOTO, *SPECS)

Say = tuple[Kind, bytes, bytes]


def made(index: int) -> Made:
    """Return what an honest worker says of a rendition."""
    one = TRUTH.renditions[index]
    return Made(
        width=one.width,
        height=one.height,
        size=len(TRUTH.data[index]),
        quality=one.quality,
        gain_map_size=None,
        warnings=(),
        elapsed_ms=1.0,
        appearance=None,
        carried=None,
    )


def one(index: int) -> list[Say]:
    """Return the frames of one rendition."""
    return [
        (Kind.OPEN, to_json(Open(index=index)), b""),
        (Kind.WRITE, b"", TRUTH.data[index]),
        (Kind.MADE, to_json(made(index)), b""),
    ]


HONEST: list[Say] = [
    (Kind.HEADER, to_json(HEADER), b""),
    *one(0),
    *one(1),
    *one(2),
    (Kind.DONE, b"", b""),
]


def saying(frames: list[Say]) -> Script:
    """Return a worker that says ``frames``, come what may."""

    def script(peer: Peer) -> None:
        peer.hear()
        for kind, json, data in frames:
            send(peer.socket, kind, json, data)
            if kind in {Kind.READ, Kind.HEADER, Kind.SIGN}:
                peer.hear()

    return script


class Wall(Workers):
    """The parent's side over scripted workers."""

    def __init__(
        self,
        *scripts: Script,
        status: int | None = 0,
        is_bounded: bool = False,
        readiness: Readiness = Readiness.MOST,
        side_by_side: int = 1,
    ) -> None:
        super().__init__(Launch(), Memory(bytes=1 << 30), side_by_side=side_by_side)
        self.pool = ScriptedPool(list(scripts), status, is_bounded, readiness)
        self._pool = self.pool

    def run(
        self,
        photo: bytes | ByteSource = PHOTO,
        deadline: Deadline = NEVER,
        open_sink: Callable[[PlannedRendition], MemorySink] | None = None,
        asked: Asked = ASKED,
    ) -> tuple[list[Rendition], dict[str, MemorySink]]:
        """Return what came back, and every sink that was opened."""
        sinks: dict[str, MemorySink] = {}

        def sink(planned: PlannedRendition) -> MemorySink:
            name = f"{planned.spec.name}.{planned.format.extension}"
            # Again only after an attempt that was aborted.
            assert name not in self.stored
            sinks[name] = MemorySink()
            return sinks[name]

        self.sinks = sinks
        source = MemorySource(photo) if isinstance(photo, bytes) else photo
        with self.open_photo(source, asked, deadline) as opened:
            return list(opened.render(opened.plan(), open_sink or sink)), sinks

    @property
    def stored(self) -> dict[str, bytes]:
        """What was committed."""
        return {name: sink.data for name, sink in self.sinks.items() if sink.data is not None}


def test_an_honest_worker_is_believed_and_kept() -> None:
    """What it makes is stored under the names that were asked for, and the next photo gets it."""
    wall = Wall(saying(HONEST))
    renditions, _ = wall.run()
    assert wall.stored == TRUTH.files
    assert [each.planned for each in renditions] == [each.planned for each in TRUTH.renditions]
    assert (wall.pool.kept, wall.pool.ended) == (1, 0)


def lie(index: int, **facts: object) -> list[Say]:
    """Return the frames of ``HONEST``, where the worker says other facts of a rendition."""
    said = list(HONEST)
    said[3 * index + 3] = (Kind.MADE, to_json(replace(made(index), **facts)), b"")  # type: ignore[arg-type]  # any field
    return said


def swapped(at: int, frame: Say) -> list[Say]:
    """Return the frames of ``HONEST`` with another one at a place."""
    return [*HONEST[:at], frame, *HONEST[at + 1 :]]


LIES: dict[str, list[Say]] = {
    "another photo's header": swapped(0, (Kind.HEADER, to_json(replace(HEADER, size=1)), b"")),
    "a second header": [HONEST[0], *HONEST],
    "a plan's work before a header": HONEST[1:],
    "another rendition first": swapped(1, (Kind.OPEN, to_json(Open(index=1)), b"")),
    "a rendition that is none": swapped(1, (Kind.OPEN, to_json(Open(index=7)), b"")),
    "a rendition before the first": swapped(1, (Kind.OPEN, to_json(Open(index=-1)), b"")),
    "the same twice": [*HONEST[:4], *one(0), *HONEST[4:]],
    "bytes of none": [HONEST[0], (Kind.WRITE, b"", b"x"), *HONEST[1:]],
    "too early an end": [*HONEST[:4], HONEST[-1]],
    "the wrong width": lie(1, width=41),
    "the wrong height": lie(1, height=1),
    "the wrong size": lie(1, size=3),
    "another format": swapped(5, (Kind.WRITE, b"", TRUTH.data[2])),
    "no bytes": [*HONEST[:5], (Kind.MADE, to_json(replace(made(1), size=0)), b"")],
    "a script": swapped(5, (Kind.WRITE, b"", b"<svg onload=alert(1)>")),
    "a read before the photo": [(Kind.READ, Read(at=-1, length=10).to_bytes(), b""), *HONEST],
    "a read behind it": [(Kind.READ, Read(at=len(PHOTO), length=10).to_bytes(), b""), *HONEST],
    "a read of nothing": [(Kind.READ, Read(at=0, length=0).to_bytes(), b""), *HONEST],
    "a read of too much": [(Kind.READ, Read(at=0, length=1 << 30).to_bytes(), b""), *HONEST],
    "a read that is none": [(Kind.READ, b"{}", b""), *HONEST],
    "what a parent says": [(Kind.GO, b"", b""), *HONEST],
    "no value": swapped(0, (Kind.HEADER, b"", b"")),
    "no json": swapped(0, (Kind.HEADER, b"\xff{", b"")),
}


@pytest.mark.parametrize("frames", LIES.values(), ids=LIES)
def test_a_lie_ends_the_worker_and_another_does_it(frames: list[Say]) -> None:
    """Nothing of a lie is stored; an honest worker makes what is missing, and nothing twice."""
    wall = Wall(saying(frames), saying(HONEST))
    wall.run()
    assert wall.stored == TRUTH.files
    assert (wall.pool.kept, wall.pool.ended) == (1, 1)


CLAIM = SIGNED_PREFIX + b"Y\x03\x29 and so on"
SIGNED_BY: list[bytes] = []


def sign(data: bytes) -> bytes:
    """Sign, and note what."""
    SIGNED_BY.append(data)
    return bytes(SIGNATURE_BYTES)


def of_credentials(*frames: Say, carried: Carried | None = None) -> list[Say]:
    """Return the frames of one rendition that keeps credentials, with others before its bytes."""
    said = one(1)
    whole = replace(made(1), carried=carried)
    opened: Say = (Kind.OPEN, to_json(Open(index=0)), b"")
    return [HONEST[0], opened, *frames, said[1], (Kind.MADE, to_json(whole), b""), HONEST[-1]]


SIGN: Say = (Kind.SIGN, b"", CLAIM)
NOT_SIGNED: dict[str, list[Say]] = {
    "another kind of text": of_credentials((Kind.SIGN, b"", b"\x84\x6aSignature2" + CLAIM)),
    "a certificate": of_credentials((Kind.SIGN, b"", b"0\x82\x01\x0a")),
    "nothing": of_credentials((Kind.SIGN, b"", b"")),
    "too much": of_credentials((Kind.SIGN, b"", CLAIM + bytes(MAX_SIGNED_BYTES))),
    "twice": of_credentials(SIGN, SIGN),
    "after the first bytes": of_credentials((Kind.WRITE, b"", TRUTH.data[1][:9]), SIGN),
    "before it is opened": [HONEST[0], SIGN, *of_credentials(SIGN)[1:]],
    "credentials that nobody signed": of_credentials(carried=Carried()),
}


def signing_wall(frames: list[Say], spec: RenditionSpec) -> tuple[Wall, Asked]:
    """Return a wall whose two workers say ``frames``, and what asks for one rendition."""
    signer = Signer(certificates="-----BEGIN CERTIFICATE-----", release="1")
    asked = Asked(specs=(spec,), signing=Signing(signer=signer, sign=sign))
    return Wall(saying(frames), saying(frames), readiness=Readiness.CREDENTIALS), asked


@pytest.mark.parametrize("kind", ["honest", *NOT_SIGNED])
def test_the_parent_signs_one_claim_for_each_rendition_that_was_to_have_one(kind: str) -> None:
    """A worker that was taken over has that signed, and nothing of another kind, nor more."""
    SIGNED_BY.clear()
    frames = NOT_SIGNED.get(kind, of_credentials(SIGN, carried=Carried()))
    credentialed = replace(HEADER, credentials=Credentials())
    frames = [(Kind.HEADER, to_json(credentialed), b""), *frames[1:]]
    wall, asked = signing_wall(frames, SPECS[1].only(OutputFormat.JPEG).carrying(1))
    if kind == "honest":
        ((rendition,), _) = wall.run(asked=asked)
        assert rendition.carried == Carried()
        assert SIGNED_BY == [CLAIM]
        return
    with pytest.raises(CrashedError):
        wall.run(asked=asked)
    assert not wall.stored
    # Each of the two workers may have had one claim signed before it said what it may not.
    assert [CLAIM] * len(SIGNED_BY) == SIGNED_BY
    assert len(SIGNED_BY) <= 2


@pytest.mark.parametrize("side", [None, 1000], ids=["never", "larger"])
def test_nothing_is_signed_for_a_rendition_that_was_to_have_none(side: int | None) -> None:
    """Whatever the photo has."""
    SIGNED_BY.clear()
    credentialed = replace(HEADER, credentials=Credentials())
    frames = [(Kind.HEADER, to_json(credentialed), b""), *of_credentials(SIGN)[1:]]
    spec = SPECS[1].only(OutputFormat.JPEG)
    wall, asked = signing_wall(frames, spec if side is None else spec.carrying(side))
    with pytest.raises(CrashedError):
        wall.run(asked=asked)
    assert not SIGNED_BY


@pytest.mark.parametrize("frames", LIES.values(), ids=LIES)
def test_two_lies_are_an_answer(frames: list[Say]) -> None:
    """A photo of which two workers say what they may not is refused; what is stored is true."""
    wall = Wall(saying(frames), saying(frames))
    with pytest.raises(CrashedError):
        wall.run()
    assert wall.stored.items() <= TRUTH.files.items()


FRAMES = st.one_of(
    st.sampled_from(HONEST),
    st.tuples(
        st.sampled_from(Kind),
        st.one_of(
            st.just(b""), st.sampled_from([said[1] for said in HONEST]), st.binary(max_size=9)
        ),
        st.one_of(st.just(b""), st.sampled_from(TRUTH.data), st.binary(max_size=40)),
    ),
)


@given(st.lists(FRAMES, max_size=12), st.integers(0, len(HONEST)))
def test_whatever_is_said_only_the_truth_is_stored(frames: list[Say], honest: int) -> None:
    """After any true beginning and any frames, each sink holds what was asked for, or nothing."""
    wall = Wall(saying(HONEST[:honest] + frames), saying(HONEST[:honest] + frames))
    with suppress(RenditionsError, WorkerError):
        wall.run()
    for name, data in wall.stored.items():
        assert name in TRUTH.files
        assert sniff(data) is sniff(TRUTH.files[name])


@given(st.binary(max_size=200))
def test_bytes_that_are_no_frames_are_no_photo(data: bytes) -> None:
    """Rubbish on the socket is a worker that crashed."""

    def script(peer: Peer) -> None:
        peer.socket.sendall(data)

    with pytest.raises((CrashedError, CorruptPhotoError, WorkerError)):
        Wall(script, script).run()


def test_no_frame_takes_more_memory_than_one_may() -> None:
    """A frame that says that it has gigabytes is refused by its head."""

    def script(peer: Peer) -> None:
        peer.socket.sendall(struct.pack("<cII", b"H", 0xFFFFFFFF, 0))
        peer.hear()

    with pytest.raises(CrashedError):
        Wall(script, script).run()


def refusing(code: str = CorruptPhotoError.code, **limit: object) -> list[Say]:
    """Return what a worker says of a photo that it cannot render."""
    refused = Refused(code=code, message="of no use", detail="why", **limit)  # type: ignore[arg-type]  # its fields
    return [(Kind.REFUSED, to_json(refused), b"")]


def test_a_kept_workers_refusal_does_not_count() -> None:
    """What a worker says that had another photo before is asked of a new one."""
    wall = Wall(saying(refusing()), saying(HONEST))
    wall.run()
    assert wall.stored == TRUTH.files


@pytest.mark.parametrize(
    "code", ["corrupt", "truncated", "unsupported-format", "needs-more-memory", "internal"]
)
def test_a_refusal_under_a_limit_of_data_does_not_count(code: str) -> None:
    """Whatever a new worker says that may lack memory, one without a limit is asked."""
    wall = Wall(saying(refusing(code)), saying(HONEST), is_bounded=True)
    wall.run()
    assert wall.stored == TRUTH.files
    with pytest.raises(CorruptPhotoError):
        Wall(saying(refusing(code)), saying(refusing()), is_bounded=True).run()


def test_an_exceeded_limit_counts_at_once() -> None:
    """It was counted, not allocated: no second worker is asked."""
    over = saying(refusing("over-limit", limit="max_pixels", actual=2, maximum=1))
    with pytest.raises(OverLimitError):
        Wall(over, is_bounded=True).run()


@pytest.mark.parametrize(
    ("frames", "error"),
    [
        (refusing(), CorruptPhotoError),
        (refusing("over-limit", limit="max_pixels", actual=2, maximum=1), OverLimitError),
        (refusing("sink-failed"), SinkError),
        (refusing("needs-more-memory"), OutOfMemoryError),
        (refusing("internal"), WorkerError),
        (refusing("would-loop"), WorkerError),
    ],
)
def test_a_new_workers_refusal_is_the_photos(frames: list[Say], error: type[Exception]) -> None:
    """It is said of the photo as it is, if it is one that a decoder may say."""
    wall = Wall(saying(frames), saying(frames))
    with pytest.raises(error):
        wall.run()
    assert wall.stored == {}


def test_a_worker_that_lacks_a_module_says_nothing_of_the_photo() -> None:
    """One that is ready for all photos is asked; if that lacks something too, it is a bug."""
    unprepared = saying(refusing(UNPREPARED))
    wall = Wall(dying(0), unprepared, saying(HONEST))
    wall.run()
    assert wall.stored == TRUTH.files
    with pytest.raises(WorkerError):
        Wall(unprepared, unprepared).run()


def dying(after: int) -> Script:
    """Return a worker that is honest for ``after`` frames, and then is gone."""

    def script(peer: Peer) -> None:
        peer.hear()
        for kind, json, data in HONEST[:after]:
            send(peer.socket, kind, json, data)
            if kind is Kind.HEADER:
                peer.hear()

    return script


@pytest.mark.parametrize("after", range(len(HONEST)))
def test_a_death_is_made_good(after: int) -> None:
    """Wherever a worker dies, a new one makes the rest, and nothing is stored twice."""
    wall = Wall(dying(after), saying(HONEST))
    renditions, _ = wall.run()
    assert wall.stored == TRUTH.files
    assert len(renditions) == len(HONEST[1:-1]) // 3


@pytest.mark.parametrize("after", range(len(HONEST)))
def test_two_deaths_are_an_answer(after: int) -> None:
    """A photo that ends two workers is refused as such."""
    with pytest.raises(CrashedError):
        Wall(dying(after), dying(after)).run()


def test_the_kernels_kill_is_said_as_such() -> None:
    """A new worker that was killed by somebody else wanted more memory than there was."""
    wall = Wall(dying(2), dying(2), status=signal.SIGKILL)
    with pytest.raises(OutOfMemoryError):
        wall.run()


def test_memory_that_another_photo_has_is_not_this_ones_fault() -> None:
    """Of photos side by side, one that was starved is tried again without the others."""
    starved = {"status": signal.SIGKILL, "side_by_side": 2}
    wall = Wall(dying(2), dying(2), saying(HONEST), **starved)  # type: ignore[arg-type]  # as above
    wall.run()
    assert wall.stored == TRUTH.files
    with pytest.raises(OutOfMemoryError):
        Wall(dying(2), dying(2), dying(2), **starved).run()  # type: ignore[arg-type]  # as above


class Nearly(Deadline):
    """A deadline that no wait reaches: it passes when it is looked at for the third time."""

    looks = 0

    @property
    def remaining_s(self) -> float:
        return 0.0

    def check(self, what: str) -> None:
        self.looks += 1
        if self.looks == 3:
            raise OutOfTimeError(what)


def test_a_wait_that_ends_early_gives_nothing() -> None:
    """Neither a seat nor memory is had by a photo that waited a moment less than it may."""
    room = Room(100)
    room.take("other", 90, NEVER)
    with pytest.raises(OutOfTimeError):
        room.take("late", 20, Nearly())
    assert room.beside("other") == 0
    wall = Wall()
    with wall._seat(NEVER), pytest.raises(OutOfTimeError), wall._seat(Nearly()):
        pytest.fail("there is one seat")
    with wall._seat(NEVER):
        pass


def test_a_starved_photo_waits_until_it_is_alone() -> None:
    """It holds nothing while it waits, so that those that it waits for do not wait for it."""
    room = Room(100)
    room.take("other", 10, NEVER)
    room.take("starved", 80, NEVER)
    with pytest.raises(OutOfTimeError):
        room.take_all("starved", Deadline(0.01))
    room.take("other", 100, NEVER)
    room.give_back("other")
    room.take_all("starved", NEVER)
    assert room.beside("other") == 100


@pytest.mark.parametrize("after", range(len(HONEST)))
def test_a_death_of_the_zygote_is_no_photos(after: int) -> None:
    """Workers end with it: however that comes about, it is never said of the photo."""
    wall = Wall(dying(after), dying(after), saying(HONEST), status=None)
    wall.run()
    assert wall.stored == TRUTH.files
    with pytest.raises(WorkerError):
        Wall(*3 * [dying(after)], status=None).run()


def test_a_kept_workers_time_for_a_header_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """As no refusal does: what another photo has left running is not this one's."""
    looks = iter(range(0, 1 << 20, 1 << 10))
    first: list[object] = []

    def cpu_s(process: object) -> int:
        first.append(process)
        return next(looks) if process is first[0] else 0

    monkeypatch.setattr(_Scripted, "cpu_s", cpu_s)

    def hanging(peer: Peer) -> None:
        peer.hear()
        peer.hear()

    wall = Wall(hanging, saying(HONEST))
    wall.run()
    assert wall.stored == TRUTH.files


def test_a_plan_of_a_kept_workers_header_does_not_refuse() -> None:
    """A header that is refused is read by a new worker first, which may read another."""
    wide = to_json(replace(HEADER, width=HEADER.width << 20))
    wall = Wall(saying([(Kind.HEADER, wide, b"")]), saying(HONEST))
    wall.run()
    assert wall.stored == TRUTH.files
    assert (wall.pool.kept, wall.pool.ended) == (1, 1)


def test_a_worker_that_nobody_can_watch_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no thread is to be had, nothing is left of the attempt."""

    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    wall = Wall(saying(HONEST))
    monkeypatch.setattr(client, "_Watch", refuse)
    with pytest.raises(RuntimeError, match="thread"):
        wall.run()
    assert (wall.pool.kept, wall.pool.ended) == (0, 1)


def test_time_is_up_while_a_worker_works() -> None:
    """At the deadline a worker is ended, whatever it does."""

    def script(peer: Peer) -> None:
        peer.hear()
        peer.hear()

    wall = Wall(script)
    with pytest.raises(OutOfTimeError):
        wall.run(deadline=Deadline(0.1))
    assert (wall.pool.kept, wall.pool.ended) == (0, 1)


class Broken(MemorySource):
    """A source that fails at its end, as one does whose checksum is wrong."""

    def readinto(self, buffer: memoryview) -> int:
        count = super().readinto(buffer)
        if count == 0:
            raise SourceError("the checksum is another")
        return count


def test_nothing_is_stored_of_bytes_that_are_not_whole() -> None:
    """The parent reads to the end before the first sink, even if the worker never asked for it."""
    wall = Wall(saying(HONEST))
    with pytest.raises(SourceError, match="checksum"):
        wall.run(Broken(PHOTO))
    assert wall.sinks == {}


class BrokenAgain(MemorySource):
    """A source whose last download is broken, as its end shows.

    Attributes:
        seeks: Where it was told to go on.
    """

    def __init__(self, downloads: int) -> None:
        super().__init__(PHOTO)
        self._whole = downloads - 1
        self.seeks: list[int] = []

    def readinto(self, buffer: memoryview) -> int:
        count = super().readinto(buffer)
        if count == 0 and len(self.seeks) >= self._whole:
            raise SourceError("the checksum is another")
        return count

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self.seeks.append(offset)
        return super().seek(offset, whence)


OVER_LIMIT = refusing("over-limit", limit="max_pixels", actual=2, maximum=1)


@pytest.mark.parametrize(
    "last", [refusing(), refusing("truncated"), refusing("needs-more-memory"), OVER_LIMIT, []]
)
def test_no_refusal_counts_of_bytes_that_are_not_the_photos(last: list[Say]) -> None:
    """A worker refuses, or dies, before its download shows at its end that it was damaged."""
    with pytest.raises(SourceError, match="checksum"):
        Wall(saying([]), saying(last)).run(BrokenAgain(2))


def test_no_plan_refuses_bytes_that_are_not_the_photos() -> None:
    """The header that it is made from may have been damaged on its way."""
    asked = replace(ASKED, limits=Limits(max_pixels=1))
    with pytest.raises(OverLimitError):
        Wall(saying(HONEST), saying(HONEST)).run(asked=asked)
    with pytest.raises(SourceError, match="checksum"):
        Wall(saying(HONEST)).run(BrokenAgain(1), asked=asked)


@pytest.mark.parametrize("after", range(len(HONEST)))
def test_a_second_worker_has_one_download_again(after: int) -> None:
    """It asks for what follows the head; a source that had to jump there would check nothing."""
    source = BrokenAgain(3)
    asking = [(Kind.READ, Read(at=1024, length=READ_BYTES).to_bytes(), b""), *HONEST]
    Wall(dying(after), saying(asking)).run(source)
    assert source.seeks == [0]


class Failing(MemorySource):
    """A source whose second read fails in its own way."""

    def readinto(self, buffer: memoryview) -> int:
        if self.seek(0, os.SEEK_CUR):
            raise ValueError("the network")
        return super().readinto(buffer)


def test_a_source_that_fails_is_no_photos_fault() -> None:
    """Whatever the worker makes of it, the parent knows what happened."""
    frames = [(Kind.READ, Read(at=1024, length=10).to_bytes(), b""), *HONEST]
    with pytest.raises(SourceError, match="the network"):
        Wall(saying(frames)).run(Failing(PHOTO))


class Full(MemorySink):
    """A sink that takes nothing, and notes that it was aborted."""

    aborted = 0

    def write(self, data: memoryview) -> None:
        raise OSError(len(data))

    def abort(self) -> None:
        type(self).aborted += 1


def test_a_sink_that_fails_is_aborted() -> None:
    """It is said as such, and the worker, which is in the middle of something, is ended."""
    wall = Wall(saying(HONEST))
    with pytest.raises(SinkError):
        wall.run(open_sink=lambda _: Full())
    assert Full.aborted == 1
    assert wall.pool.ended == 1


def test_who_does_not_go_on_ends_the_worker() -> None:
    """A rendition that nobody takes leaves no worker in the middle of it."""
    wall = Wall(saying(HONEST))
    with wall.open_photo(MemorySource(PHOTO), ASKED) as opened:
        plan = make_plan(opened.header, ASKED)
        first: Iterator[Rendition] = opened.render(plan, lambda _: MemorySink())
        next(first)
    assert (wall.pool.kept, wall.pool.ended) == (0, 1)


def test_a_photo_that_is_not_made_ends_its_worker() -> None:
    """One over a limit may have left much behind: the next photo has a new one."""
    wall = Wall(saying([HONEST[0], HONEST[0]]))
    with wall.open_photo(MemorySource(PHOTO), ASKED):
        pass
    assert (wall.pool.kept, wall.pool.ended) == (0, 1)


def test_what_is_no_photo_sees_no_worker() -> None:
    """The first bytes are looked at here."""
    wall = Wall()
    with pytest.raises(NotAPhotoError):
        wall.run(b"no photo at all")


class Changing(MemorySource):
    """A source whose first bytes are others once it was told to begin again."""

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._view = memoryview(PHOTO)
        return super().seek(offset, whence)


@pytest.mark.parametrize("size", [len(PHOTO), 9 << 20], ids=["small", "large"])
def test_what_is_no_photo_is_so_twice(size: int) -> None:
    """A bit that flipped on the way, in the first kilobyte, is no word about the photo."""
    flipped = bytes([PHOTO[0] ^ 1]) + PHOTO[1:].ljust(size - 1, b"\0")
    with pytest.raises(NotAPhotoError):
        Wall().run(flipped)
    with pytest.raises(SourceError, match="a second time"):
        Wall().run(Changing(flipped))


def test_a_small_one_that_is_no_photo_is_read_to_its_end() -> None:
    """There its source checks the checksum."""
    with pytest.raises(SourceError, match="checksum"):
        Wall().run(Broken(b"no photo at all"))


@given(st.binary(max_size=3000), st.binary(max_size=30000))
def test_frames_arrive_as_they_were_sent(json: bytes, data: bytes) -> None:
    """In one piece or in several, small or large."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sender = threading.Thread(target=send, args=(ours, Kind.WRITE, json, data))
        sender.start()
        frame = protocol.receive(theirs, memoryview(bytearray(len(data))))
        sender.join()
    assert (frame.kind, bytes(frame.json), bytes(frame.data)) == (Kind.WRITE, json, data)


def test_an_end_in_the_middle_of_a_frame_is_an_end() -> None:
    """Half a frame is none."""
    ours, theirs = socket.socketpair()
    with theirs:
        with ours:
            ours.sendall(struct.pack("<cII", b"W", 0, 100) + b"half")
        with pytest.raises(GoneError):
            protocol.receive(theirs, memoryview(bytearray(100)))


def test_photos_side_by_side_wait_for_memory() -> None:
    """One that does not fit beside another waits; the only one never does."""
    room = Room(100)
    room.take("a", 90, NEVER)
    with pytest.raises(OutOfTimeError):
        room.take("b", 20, Deadline(0.01))
    room.take("b", 10, NEVER)
    room.give_back("b")
    room.give_back("a")
    room.take("c", 1000, NEVER)
    assert (room.beside("a"), room.beside("c")) == (1000, 0)


def test_a_window_keeps_its_size() -> None:
    """A worker that could shorten it would have the kernel end the parent at its next write."""
    memory = new_window()
    size = os.fstat(memory).st_size
    with pytest.raises(PermissionError):
        os.truncate(memory, size - 1)
    os.close(memory)


def test_both_sides_look_at_the_same_half() -> None:
    """What the parent puts into a half is in the worker's, frame by frame; the last one stays."""
    memory = new_window()
    ours, theirs = Window(memory), Window(memory)
    os.close(memory)
    seen = []
    for number in range(4):
        ours.next()[:] = bytes([number]) * READ_BYTES
        seen.append(theirs.next())
        assert [half[0] for half in seen[-2:]] == [*range(4)][max(0, number - 1) : number + 1]


LONG = bytes(range(256)) * (READ_BYTES // 64)
WORDS = (Kind.HEADER, Kind.MARK, Kind.SIGN, Kind.DONE, Kind.REFUSED)


def answering(peer: socket.socket, window: Window) -> None:
    """Be a parent that gives bytes of ``LONG``, and answers every other word with other bytes."""
    buffer = memoryview(bytearray(protocol.CHUNK_BYTES))
    with suppress(GoneError):
        while True:
            frame = protocol.receive(peer, buffer)
            if frame.kind is Kind.READ:
                read = Read.from_bytes(frame.json)
                data = LONG[read.at : read.at + read.length]
            elif frame.kind in WORDS:
                data = b"\xff\x00" * (READ_BYTES // 2)
            else:
                continue
            window.next()[: len(data)] = data
            kind = Kind.BYTES if frame.kind is Kind.READ else Kind.SIGNED
            protocol.send_words(peer, kind, length=len(data))


@given(
    st.lists(
        st.one_of(
            st.integers(1, 2 * READ_BYTES),
            st.sampled_from([0, 1, READ_BYTES, len(LONG)]).map(lambda at: -at),
            st.sampled_from([*WORDS, Kind.OPEN, Kind.WRITE]),
        ),
        max_size=30,
    )
)
def test_the_photos_bytes_are_its_own_whatever_is_said_between_reads(
    done: list[int | Kind],
) -> None:
    """Reads of any length, jumps and words in any order: no answer lies where bytes are wanted."""
    memory = new_window()
    ours, theirs = socket.socketpair()
    parent = threading.Thread(target=answering, args=(theirs, Window(memory)))
    with theirs, ours:
        parent.start()
        wire = _Wire(ours, Window(memory))
        os.close(memory)
        wire.begin(LONG[:1024])
        source = _Forward(wire, len(LONG))
        at = 0
        for what in done:
            if isinstance(what, Kind):
                wire.say(what)
                assert what not in WORDS or wire.hear().kind is Kind.SIGNED
            elif what <= 0:
                at = source.seek(-what)
            else:
                buffer = memoryview(bytearray(what))
                count = source.readinto(buffer)
                assert buffer[:count] == LONG[at : at + count]
                assert count > 0 or at == len(LONG)
                at += count
        ours.shutdown(socket.SHUT_WR)
        parent.join()
