"""The parent's side of the wall: a photo whose bytes are here, and whose pixels are elsewhere.

:meth:`Workers.open_photo` has the shape of ``imaging.rendering.open_photo``. What a worker says is
believed only as far as it was asked for and can be checked: the state it is in decides what it may
say, values have their types and ranges, a rendition is the next of the plan, of the planned size,
format and bytes, and is committed only after the photo's own bytes were read to their end here.

One worker is kept while all is well. After anything else it is ended, and a new one takes 2 ms. A
refusal counts only if a new worker gave it, or the header that a plan refuses, and one whose data
the kernel does not limit: what another photo left behind has no say, and a decoder that was refused
memory calls a good photo corrupt. That memory is short counts once no other photo has some of it.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from enum import Enum
from typing import Final

from imaging.deadline import NEVER, Deadline
from imaging.errors import (
    CorruptPhotoError,
    CrashedError,
    OutOfMemoryError,
    OutOfTimeError,
    OverLimitError,
    RawWithoutPreviewError,
    RejectedPhotoError,
    RenditionsError,
    SinkError,
    SourceError,
    TruncatedPhotoError,
    UnsupportedFormatError,
)
from imaging.formats import SNIFF_BYTES, InputFormat, Reading, sniff
from imaging.header import ImageHeader
from imaging.limits import Limits, Memory
from imaging.memory import PROCESS_BYTES
from imaging.plan import OwnPass, PlannedRendition, RenditionPlan
from imaging.planning import Asked, make_plan
from imaging.rendition import OpenSink, Rendition
from imaging.signatures import MAX_SIGNED_BYTES, SIGNED_PREFIX, Signing
from imaging.streams import ByteSink, ByteSource, fill, read_some
from imaging.worker.pool import Pool, Room, Worker
from imaging.worker.protocol import (
    MOST_WORDS,
    READ_BYTES,
    UNPREPARED,
    Frame,
    GoneError,
    Kind,
    Made,
    MarkPart,
    Open,
    PhotoAhead,
    ProtocolError,
    Read,
    Readiness,
    Refused,
    receive,
    send_words,
)
from imaging.worker.spawning import Launch, Process, resident_bytes
from imaging.worker.values import MisfitError, from_json, to_json

__all__ = ["Workers"]

_COPIES: Final = 2
"""Of a file that is held, while it is put together."""

_SCRATCH_BYTES: Final = 64 << 10

_SMALL_BYTES: Final = 8 << 20
"""Of what is no photo: read to its end all the same, where a source checks its checksum."""

_FASTEST: Final = 4 << 30
"""Bytes in a second: no worker fills memory faster."""

_LOOK_S: Final = 0.005
_LONGEST_LOOK_S: Final = 0.25
_MOST_DEATHS: Final = 2
_MOST_LOSSES: Final = 3
_MOST_WARNINGS: Final = 100

_SAMPLE_BYTES: Final = 8
"""Of a pixel, encoded, at most: four bands of 16 bits."""

_BESIDE_PIXELS: Final = 32 << 20
"""Of an encoded rendition, at most: its profile, its metadata, its gain map."""


class WorkerError(Exception):
    """An exception in a worker that nobody foresaw: a bug."""


_SAYABLE: Final = {
    kind.code: kind
    for kind in (
        CorruptPhotoError,
        RawWithoutPreviewError,
        SinkError,
        TruncatedPhotoError,
        UnsupportedFormatError,
    )
}
"""What a worker may say of a photo, beside a limit that is exceeded."""


class _Refusal(Exception):  # noqa: N818 - it never leaves this module
    """The worker says that the photo cannot be rendered."""

    def __init__(
        self, error: Exception, *, is_starved: bool = False, is_unprepared: bool = False
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.is_starved = is_starved
        self.is_unprepared = is_unprepared

    @property
    def may_lie(self) -> bool:
        """Whether an allocation that failed may be behind it, whatever it names."""
        return not isinstance(self.error, OverLimitError)


class _Reason(Enum):
    HEADER = "header"
    TIME = "time"
    MEMORY = "memory"


class _Watch:
    """Ends a worker that takes too long or too much.

    Attributes:
        reason: Why it was ended; None while it was not.
        seen_bytes: The most that it held.
        is_at_header: Whether it may take ``most_header_s`` only: until its header has come.

    *Cost*: a thread, which looks at the worker's memory 200 times a second where it has little
    left, and 4 times where it would take long to fill.
    """

    def __init__(
        self,
        process: Process,
        deadline: Deadline,
        most_bytes: Callable[[], int | None],
        most_header_s: int,
    ) -> None:
        self._process = process
        self._most_cpu_s = process.cpu_s() + most_header_s
        self.is_at_header = True
        self._deadline = deadline
        self._most_bytes = most_bytes
        self._done = threading.Event()
        self.reason: _Reason | None = None
        self.seen_bytes = 0
        self._thread = threading.Thread(target=self._look, name="watch", daemon=True)
        self._thread.start()

    def _look(self) -> None:
        patience = _LOOK_S
        while not self._done.wait(min(patience, self._deadline.remaining_s)):
            most = self._most_bytes()
            if self._deadline.has_passed:
                self.reason = _Reason.TIME
            elif self.is_at_header and self._process.cpu_s() > self._most_cpu_s:
                self.reason = _Reason.HEADER
            elif most is not None:
                self.seen_bytes = max(self.seen_bytes, self._process.resident_bytes())
                if self.seen_bytes > most:
                    self.reason = _Reason.MEMORY
                patience = min(max(_LOOK_S, (most - self.seen_bytes) / _FASTEST), _LONGEST_LOOK_S)
            if self.reason is not None:
                self._process.kill()
                return

    def end(self) -> None:
        self._done.set()
        self._thread.join()


class _Feed:
    """The photo's bytes, as the worker asks for them.

    Attributes:
        head: The first bytes.
        format: What they are of.
        limits: What the photo may be at most.

    Raises:
        RejectedPhotoError: They are not those of a photo that is accepted.
        SourceError: They cannot be read.
    """

    def __init__(self, source: ByteSource, limits: Limits) -> None:
        self._source = source
        self.limits = limits
        self._at = 0
        self._is_whole = False
        self.head = self._read_head()
        self.format = self._sniffed()

    @property
    def size(self) -> int:
        return self._source.size

    def _read_head(self) -> bytes:
        head = memoryview(bytearray(SNIFF_BYTES))
        return bytes(head[: self.read(0, head)])

    def _sniffed(self) -> InputFormat:
        """Return the format of the head. That it is of none counts once it came twice the same.

        *Cost*: for what is no photo, its first bytes once more, which is a request, and the rest of
        a small one.
        """
        try:
            return sniff(self.head)
        except RejectedPhotoError:
            if self.size <= _SMALL_BYTES:
                self._read_on()
            if self._read_head() != self.head:
                raise SourceError(
                    "Expected the same first bytes a second time but received others"
                ) from None
            raise

    def _fill(self, buffer: memoryview) -> int:
        count = read_some(self._source, buffer, at=self._at)
        self._at += count
        return count

    def read(self, at: int, buffer: memoryview) -> int:
        """Fill ``buffer`` with the bytes from ``at``, and return how many; fewer at the end."""
        if at != self._at:
            self._at = self._source.seek(at)
            self._is_whole = False
        return fill(buffer[: self.size - at], self._fill)

    def finish(self) -> None:
        """Read on to the end, where a source checks its checksum; not of a photo read by ranges.

        Raises:
            SourceError: The rest cannot be read, or is not what it was.
        """
        if not self._is_whole and self.format.row.reading is not Reading.RANGES:
            self._read_on()

    def _read_on(self) -> None:
        scratch = memoryview(bytearray(_SCRATCH_BYTES))
        while self._fill(scratch):
            pass
        self._is_whole = True

    def rewind(self) -> None:
        """Begin again, behind the head: a worker is given that, and asks for what follows.

        *Cost*: the rest of the bytes, and a second download: a source that has come to its end is
        one download again, and any other would go on by ranges, without a checksum.

        Raises:
            SourceError: The bytes cannot be read, or are not what they were.
        """
        self.finish()
        self.read(0, memoryview(bytearray(len(self.head))))

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Within: what is said against the photo counts once its bytes are known to be its own.

        A download that was damaged on its way may be corrupt, over a limit, or end a decoder.

        *Cost*: for a photo that is refused, the rest of the bytes.

        Raises:
            SourceError: The rest cannot be read, or the bytes are not what they were.
        """
        try:
            yield
        except RejectedPhotoError:
            self.finish()
            raise

    def close(self) -> None:
        self._source.close()


class _Nowhere:
    """The sink of a rendition that was committed before its worker died, and is made again."""

    def write(self, data: memoryview) -> None: ...

    def commit(self) -> None: ...

    def abort(self) -> None: ...


class _Talk:
    """One photo with one worker: what it may say depends on what was said before."""

    def __init__(
        self,
        worker: Worker,
        feed: _Feed,
        marks: Mapping[str, bytes],
        signing: Signing | None,
        memory_bytes: int | None,
    ) -> None:
        self._worker = worker
        self._feed = feed
        self._marks = marks
        self._signing = signing
        self._memory_bytes = memory_bytes
        self.is_done = False

    def _say(self, kind: Kind, value: object = None, data: bytes | memoryview = b"") -> None:
        json = b"" if value is None else to_json(value)
        if data:
            self._worker.process.window.next()[: len(data)] = data
        send_words(self._worker.process.socket, kind, json, len(data))

    def _hear(self, *expected: Kind) -> Frame:
        """Return the next frame of an ``expected`` kind; the worker's reads are answered here."""
        while True:
            frame = receive(self._worker.process.socket, self._worker.buffer)
            if frame.kind is Kind.READ:
                self._answer(Read.from_bytes(frame.json))
                continue
            if frame.kind is Kind.REFUSED:
                raise _refusal(from_json(Refused, frame.json))
            if frame.kind not in expected:
                raise ProtocolError(f"expected {expected} but received {frame.kind}")
            return frame

    def _answer(self, read: Read) -> None:
        if not (0 <= read.at < self._feed.size and 0 < read.length <= READ_BYTES):
            raise ProtocolError(f"received {read} of a photo of {self._feed.size} bytes")
        process = self._worker.process
        length = self._feed.read(read.at, process.window.next()[: read.length])
        send_words(process.socket, Kind.BYTES, length=length)

    def header(self) -> ImageHeader:
        """Begin, and return what the photo's header says."""
        ahead = PhotoAhead(
            size=self._feed.size, limits=self._feed.limits, memory_bytes=self._memory_bytes
        )
        self._say(Kind.PHOTO, ahead, self._feed.head)
        header = from_json(ImageHeader, self._hear(Kind.HEADER).json)
        fits = header.format is self._feed.format or (
            # Most camera raw begins as a TIFF.
            (self._feed.format, header.format) == (InputFormat.TIFF, InputFormat.RAW)
        )
        if header.size != self._feed.size or not fits:
            raise ProtocolError(f"expected a header of this photo but received {header}")
        return header

    def render(
        self, plan: RenditionPlan, open_sink: OpenSink, done: set[int]
    ) -> Iterator[Rendition]:
        """Yield each rendition that is not ``done`` yet, as it is committed, and note it there."""
        self._give_marks(plan)
        self._say(Kind.GO, plan)
        for index, planned in enumerate(plan.renditions):
            if from_json(Open, self._hear(Kind.OPEN).json).index != index:
                raise ProtocolError(f"expected rendition {index}")
            if not isinstance(planned.way, OwnPass):
                # Nothing is opened for a photo that is not whole.
                self._feed.finish()
            sink: ByteSink = _Nowhere() if index in done else open_sink(planned)
            try:
                made = self._copy(planned, sink)
                self._feed.finish()
                sink.commit()
            except BaseException:
                sink.abort()
                raise
            if index not in done:
                done.add(index)
                yield _rendition(planned, made)
        self._hear(Kind.DONE)
        self.is_done = True

    def _give_marks(self, plan: RenditionPlan) -> None:
        """Hand over the watermarks' pictures that the plan names, once to each worker."""
        watermarks = (planned.spec.watermark for planned in plan.renditions)
        named = {each.digest for each in watermarks if each}
        for digest in sorted(named - self._worker.marks):
            data = memoryview(self._marks[digest])
            for at in range(0, len(data), READ_BYTES):
                self._say(Kind.MARK, MarkPart(digest=digest), data[at : at + READ_BYTES])
                # The next part may lie where this one does.
                self._hear(Kind.MARK)
            self._worker.marks.add(digest)

    def _copy(self, planned: PlannedRendition, sink: ByteSink) -> Made:
        """Hand a rendition's bytes to its sink, and return what the worker says of it."""
        width, height = planned.placement.output
        most = planned.pixels * planned.frames * _SAMPLE_BYTES + _BESIDE_PIXELS
        head = bytearray()
        size = 0
        is_signed = False
        allowed = {Kind.WRITE, Kind.MADE}
        if planned.keeps_credentials:
            allowed.add(Kind.SIGN)
        while (frame := self._hear(*allowed)).kind is not Kind.MADE:
            # It is signed before it is written, and once.
            allowed.discard(Kind.SIGN)
            if frame.kind is Kind.SIGN:
                is_signed = self._sign_for_it(frame.data)
                continue
            size += len(frame.data)
            if size > most:
                raise ProtocolError(f"expected a rendition of at most {most} bytes")
            if len(head) < SNIFF_BYTES:
                head += frame.data[:SNIFF_BYTES]
            _write(sink, frame.data)
        made = from_json(Made, frame.json)
        if (made.width, made.height, made.size) != (width, height, size) or size == 0:
            raise ProtocolError(f"expected {width} x {height} in {size} bytes but received {made}")
        if not _has_magic(bytes(head), planned):
            raise ProtocolError(f"expected {planned.format} but received {bytes(head[:16])!r}")
        if made.carried is not None and not is_signed:
            raise ProtocolError("expected credentials only where something was signed")
        if len(made.warnings) > _MOST_WARNINGS:
            raise ProtocolError(f"received {len(made.warnings)} warnings")
        return made

    def _sign_for_it(self, data: memoryview) -> bool:
        """Sign what a manifest is signed by, and nothing that is of another kind.

        Raises:
            ProtocolError: It is none, or too long.
            RenditionsError: It cannot be signed.
        """
        signing = self._signing
        if signing is None or len(data) > MAX_SIGNED_BYTES:
            raise ProtocolError(f"expected at most {MAX_SIGNED_BYTES} bytes to sign")
        if bytes(data[: len(SIGNED_PREFIX)]) != SIGNED_PREFIX:
            raise ProtocolError("expected the claim of a manifest to sign")
        self._say(Kind.SIGNED, data=signing.sign(bytes(data)))
        return True


def _has_magic(head: bytes, planned: PlannedRendition) -> bool:
    try:
        return sniff(head).value == planned.format.value
    except RejectedPhotoError:
        return False


def _write(sink: ByteSink, data: memoryview) -> None:
    try:
        sink.write(data)
    except RenditionsError:
        raise
    except Exception as error:
        raise SinkError(f"Expected to write the rendition: {error}") from error


def _rendition(planned: PlannedRendition, made: Made) -> Rendition:
    return Rendition(
        planned=planned,
        width=made.width,
        height=made.height,
        size=made.size,
        quality=made.quality,
        gain_map_size=made.gain_map_size,
        warnings=made.warnings,
        elapsed_ms=made.elapsed_ms,
        appearance=made.appearance,
        carried=made.carried,
    )


def _refusal(refused: Refused) -> _Refusal:
    """Return the error that a worker names: one that a photo can have, and no other."""
    message, detail = refused.message[:MOST_WORDS], refused.detail[:MOST_WORDS]
    if refused.limit:
        limit = refused.limit[:MOST_WORDS]
        return _Refusal(OverLimitError(limit, actual=refused.actual, maximum=refused.maximum))
    if refused.code in _SAYABLE:
        return _Refusal(_SAYABLE[refused.code](message, detail=detail))
    return _Refusal(
        WorkerError(message),
        is_starved=refused.code == OutOfMemoryError.code,
        is_unprepared=refused.code == UNPREPARED,
    )


def _was_killed(status: int | None) -> bool:
    """Tell whether somebody else ended it: the kernel, for want of memory."""
    return status is not None and os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


_FAILURES: Final = (_Refusal, ProtocolError, MisfitError)


class _PhotoElsewhere:
    """A photo that a worker has; another takes over where the first is not to be believed."""

    def __init__(
        self, pool: Pool, room: Room, feed: _Feed, asked: Asked, *, is_alone: bool
    ) -> None:
        self._pool = pool
        self._room = room
        self._is_alone = is_alone
        self._feed = feed
        self._asked = asked
        self._memory = asked.memory
        # The appearance has libraries of its own, and watermarks have modules.
        is_common = feed.format.row.is_common and not asked.sidecar and not asked.marks
        self._readiness = Readiness.MOST if is_common else Readiness.ALL
        self._marks = asked.marks
        self._signing = asked.signing
        self._deadline = NEVER
        self._deaths = 0
        self._losses = 0
        self._growing = ExitStack()
        self._worker: Worker | None = None
        self.header: ImageHeader

    def read_header(self, deadline: Deadline) -> None:
        """Have a worker read the header, which is there from then on."""
        self._deadline = deadline
        if not self._feed.format.row.header_alone:
            # The whole file may be read for its header, and is held from there on.
            self._growing.enter_context(self._room.growing())
            self._room.take(self, _COPIES * self._feed.size, deadline)
        self._begin(fresh=False)
        self._read_header()

    def _read_header(self) -> None:
        while True:
            try:
                self.header = self._header()
            except _FAILURES as failure:
                self._begin_again(failure)
            else:
                return

    def plan(self) -> RenditionPlan:
        while True:
            try:
                return make_plan(self.header, self._asked)
            except RejectedPhotoError:
                if self._held.is_fresh:
                    raise
            self._end()
            self._feed.rewind()
            self._begin(fresh=True)
            self._read_header()

    @property
    def _held(self) -> Worker:
        assert self._worker is not None  # noqa: S101 - from `read_header` to `close`
        return self._worker

    def render(self, plan: RenditionPlan, open_sink: OpenSink) -> Iterator[Rendition]:
        if not self._is_alone:
            self._room.take(self, plan.peak_bytes - PROCESS_BYTES, self._deadline)
        self._growing.close()
        done: set[int] = set()
        is_new = self._made_ready(plan)
        while True:
            try:
                if is_new and self._header() != self.header:
                    raise ProtocolError("expected the header that another worker read")
                yield from self._talk.render(plan, open_sink, done)
            except _FAILURES as failure:
                self._begin_again(failure)
                is_new = True
            else:
                return

    def _made_ready(self, plan: RenditionPlan) -> bool:
        """Have another worker if this one cannot do what is planned; tell whether there is one.

        *Cost*: where there is, the photo is downloaded and its header read again.
        """
        if plan.signer is None or self._held.readiness is Readiness.CREDENTIALS:
            return False
        self._end()
        self._readiness = Readiness.CREDENTIALS
        self._feed.rewind()
        self._begin(fresh=False)
        return True

    def _header(self) -> ImageHeader:
        header = self._talk.header()
        self._watch.is_at_header = False
        return header

    def _begin(self, *, fresh: bool) -> None:
        worker = self._pool.take(self._readiness, fresh=fresh)
        memory_bytes = None if self._memory is None else self._memory.bytes
        self._talk = _Talk(worker, self._feed, self._marks, self._signing, memory_bytes)
        try:
            self._watch = _Watch(
                worker.process, self._deadline, self._most_bytes, self._feed.limits.max_header_s
            )
        except BaseException:
            # No thread is to be had.
            self._pool.end(worker)
            raise
        self._worker = worker

    def _most_bytes(self) -> int | None:
        """Return what the worker may hold beside this process and the other photos."""
        if self._memory is None:
            return None
        return self._memory.bytes - resident_bytes("self") - self._room.beside(self)

    def _begin_again(self, failure: Exception) -> None:
        """Have a new worker do it, once what the last one said, or how it ended, is no answer.

        Raises:
            RenditionsError: It is one.
        """
        worker = self._held
        counts = worker.is_fresh
        if isinstance(failure, _Refusal):
            if failure.is_unprepared:
                counts = counts and worker.readiness > Readiness.MOST
                self._readiness = max(self._readiness, Readiness.ALL)
            counts = counts and not (worker.is_bounded and failure.may_lie)
        error = self._error(failure, self._end(), counts=counts)
        if error is not None:
            raise error from failure
        self._feed.rewind()
        self._begin(fresh=True)

    def _error(self, failure: Exception, status: int | None, *, counts: bool) -> Exception | None:
        """Return what the photo is refused with; None where another attempt is to say it."""
        if self._watch.reason is _Reason.TIME:
            return OutOfTimeError("Expected time to finish but there is none")
        if self._watch.reason is _Reason.HEADER:
            most = self._feed.limits.max_header_s
            over = OverLimitError("max_header_s", actual=most + 1, maximum=most)
            return over if counts else None
        if isinstance(failure, _Refusal):
            is_starved = failure.is_starved
        else:
            is_starved = self._watch.reason is _Reason.MEMORY or (
                isinstance(failure, GoneError) and _was_killed(status)
            )
        if is_starved:
            return self._starved() if counts else None
        if isinstance(failure, _Refusal):
            return failure.error if counts else None
        if isinstance(failure, GoneError) and status is None:
            # Its zygote has ended, and took it along: that is no photo's doing.
            self._losses += 1
            return None if self._losses < _MOST_LOSSES else WorkerError(f"the zygote: {failure}")
        self._deaths += 1
        if self._deaths < _MOST_DEATHS:
            return None
        return CrashedError(
            f"Expected a photo that can be decoded but it ended {_MOST_DEATHS} decoders",
            detail=f"{failure}; wait status {status}",
        )

    def _starved(self) -> Exception | None:
        """Return that it takes more memory than there is, once no other photo has some of it."""
        if not self._is_alone:
            self._room.take_all(self, self._deadline)
            self._is_alone = True
            return None
        available = 0 if self._memory is None else self._memory.bytes
        return OutOfMemoryError(held=self._watch.seen_bytes, available=available)

    def _end(self) -> int | None:
        worker, self._worker = self._worker, None
        self._watch.end()
        return None if worker is None else self._pool.end(worker)

    def close(self) -> None:
        """Keep the worker if the photo was made, and all was well; else end it."""
        self._growing.close()
        self._room.give_back(self)
        if self._worker is None:
            return
        if not self._talk.is_done or self._watch.reason is not None:
            self._end()
            return
        worker, self._worker = self._worker, None
        self._watch.end()
        self._pool.give_back(worker)


class Workers:
    """The wall: opens photos whose pixels are in workers.

    Args:
        launch: How workers are started.
        memory: What the function has; None for no limit.
        side_by_side: How many photos may be in workers at once, as far as the memory has room.
        keeps: Whether a worker is used for more than one photo.

    *Thread*: any. *Cost*: a process from which workers are forked, beside them.
    """

    def __init__(
        self,
        launch: Launch,
        memory: Memory | None = None,
        *,
        side_by_side: int = 1,
        keeps: bool = True,
    ) -> None:
        self._pool = Pool(launch, memory, keeps=keeps)
        self._seats = threading.BoundedSemaphore(side_by_side)
        self._room = Room(None if memory is None else memory.bytes - PROCESS_BYTES)
        # Without a limit nobody can tell who takes the memory from whom.
        self._are_alone = side_by_side == 1 or memory is None

    def start(self) -> None:
        """Have the first worker's ancestor start, and do not wait for it."""
        self._pool.start()

    @contextmanager
    def open_photo(
        self, source: ByteSource, asked: Asked, deadline: Deadline = NEVER
    ) -> Iterator[_PhotoElsewhere]:
        """Have a worker read the header of the photo that ``source`` gives.

        Render it once at most, within the context, which closes ``source`` once a photo was found
        in it.

        *Cost*: a round trip to the worker for each 512 KiB that the decoder reads, most of them
        while it works on what came before; 2 ms for a new worker.

        *Thread*: any; it waits until a worker may be had, and in ``render`` for memory.

        Raises:
            OverLimitError: It has more bytes than ``asked`` allows; nothing was read.
            RejectedPhotoError: It is no photo, or its header cannot be read.
            CrashedError: Two workers died of it.
            OutOfMemoryError: It takes more than there is.
            OutOfTimeError: ``deadline`` passed.
            SourceError: The bytes cannot be read.
        """
        asked.limits.check("max_bytes", source.size)
        feed = _Feed(source, asked.limits)
        with closing(feed), self._seat(deadline), feed.refusing(), ExitStack() as waiting:
            photo = _PhotoElsewhere(self._pool, self._room, feed, asked, is_alone=self._are_alone)
            waiting.callback(photo.close)
            photo.read_header(deadline)
            yield photo

    @contextmanager
    def _seat(self, deadline: Deadline) -> Iterator[None]:
        # A wait may end a moment before the deadline does; nobody goes on without a seat.
        while not self._seats.acquire(timeout=min(deadline.remaining_s, threading.TIMEOUT_MAX)):
            deadline.check("decode the photo")
        try:
            yield
        finally:
            self._seats.release()

    def close(self) -> None:
        """End every process that was started here."""
        self._pool.close()
