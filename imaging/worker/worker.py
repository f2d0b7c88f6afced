"""A worker: decodes and encodes for the parent, one photo after another, over one socket.

Whatever it says may be the words of a photo that took it over: the parent (``client.py``) holds
every one of them against what it asked for.
"""

import os
import socket
import sys
import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING, Final, NamedTuple

from imaging.bridge.source import OpenPhoto
from imaging.decoders import read_header
from imaging.errors import OverLimitError, RenditionsError, SourceError
from imaging.formats import Reading, sniff
from imaging.pipeline import render
from imaging.plan import PlannedRendition, RenditionPlan
from imaging.worker.protocol import (
    CHUNK_BYTES,
    MOST_WORDS,
    READ_BYTES,
    UNPREPARED,
    GoneError,
    Kind,
    Made,
    MarkPart,
    Open,
    PhotoAhead,
    ProtocolError,
    Read,
    Readiness,
    Ready,
    Refused,
    receive_words,
    send,
)
from imaging.worker.values import from_json, to_json
from imaging.worker.window import Window

if TYPE_CHECKING:
    from imaging.watermark import Marks

__all__ = ["serve"]

_FIRST_BYTES: Final = 64 << 10
_BLOCK_BYTES: Final = 64 << 10
_KEPT_BLOCKS: Final = 32
_NOTHING: Final = memoryview(b"")

_UNANSWERED: Final = frozenset({Kind.OPEN, Kind.WRITE, Kind.MADE})
"""What a worker says and goes on; whatever else it says, the parent may speak then."""


class Heard(NamedTuple):
    """What the parent said.

    Attributes:
        kind: What it is.
        json: Its value, as JSON; may be empty.
        data: A copy of its bytes; may be empty.
    """

    kind: Kind
    json: bytearray
    data: bytes


class _Wire:
    """The worker's end of the socket, and those of the photo's bytes that lie in the window.

    What the parent says next overwrites what it said the time before last. So a view of the window
    leaves here as ``piece`` alone, and whatever gives the parent leave to speak looks after it:
    ``ask`` is for one who has taken what was asked for before, and ``say`` copies.

    *Thread*: one at a time hears and asks; any says what wants no answer: in a pass of its own, a
    rendition is written while libvips' threads read.

    Attributes:
        piece: The photo's bytes that came last; of no use after the next ``take``.
    """

    def __init__(self, parent: socket.socket, window: Window) -> None:
        self._parent = parent
        self._window = window
        self._saying = threading.Lock()
        self._is_asked = False
        self.begin(b"")

    def begin(self, head: bytes) -> None:
        """Have the first bytes of a photo as the piece, and nothing of the one before."""
        self.piece = memoryview(head)
        self._early = _NOTHING

    def say(self, kind: Kind, value: object = None, data: bytes | memoryview = b"") -> None:
        if kind not in _UNANSWERED:
            self._settle()
        self._send(kind, b"" if value is None else to_json(value), data)

    def _send(self, kind: Kind, json: bytes, data: bytes | memoryview = b"") -> None:
        with self._saying:
            send(self._parent, kind, json, data)

    def _settle(self) -> None:
        """Take what was asked for, so that the next answer is to another word, and copy it all."""
        if not self.piece.readonly:
            # It lies in the window, which is written to.
            self.piece = memoryview(bytes(self.piece))
        if self._is_asked:
            self._early = memoryview(bytes(self._answer()))

    def ask(self, at: int, length: int) -> None:
        """Ask for bytes of the photo, once before each ``take``."""
        assert not self._is_asked  # noqa: S101 - the answer would be to another question
        assert not self._early  # noqa: S101 - as above
        self._is_asked = True
        self._send(Kind.READ, Read(at=at, length=length).to_bytes())

    def take(self) -> None:
        """Have what was asked for as the piece."""
        self.piece, self._early = self._early or self._answer(), _NOTHING

    def _answer(self) -> memoryview:
        self._is_asked = False
        kind, _, data = self._receive()
        if kind is not Kind.BYTES or not data:
            raise ProtocolError(f"expected bytes but received {kind.name}")
        return data

    def hear(self) -> Heard:
        """Return what the parent says of itself."""
        kind, json, data = self._receive()
        return Heard(kind, json, bytes(data))

    def _receive(self) -> tuple[Kind, bytearray, memoryview]:
        kind, json, length = receive_words(self._parent, READ_BYTES)
        return kind, json, self._window.next()[:length] if length else _NOTHING


class _Remote(ABC):
    """The photo's bytes, which the parent has; a ByteSource in one of two ways."""

    def __init__(self, wire: _Wire, size: int) -> None:
        self._wire = wire
        self._size = size
        self._at = 0

    @property
    def size(self) -> int:
        return self._size

    @abstractmethod
    def readinto(self, buffer: memoryview) -> int: ...

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if at < 0:
            raise SourceError(f"Expected a position of 0 or more but received {at}")
        self._at = at
        return at

    def close(self) -> None:
        """The parent holds what there is to close."""
        return


class _Forward(_Remote):
    """A photo that is read from start to end, a chunk ahead of the decoder.

    What was asked for is kept: asking twice would turn the parent's one download into ranges.
    """

    def __init__(self, wire: _Wire, size: int) -> None:
        super().__init__(wire, size)
        self._held_at = 0
        self._next = len(wire.piece)
        self._is_ahead = False

    def readinto(self, buffer: memoryview) -> int:
        if not 0 <= self._at - self._held_at < len(self._wire.piece):
            if self._at >= self._size:
                return 0
            self._fetch()
        start = self._at - self._held_at
        chunk = self._wire.piece[start : start + len(buffer)]
        buffer[: len(chunk)] = chunk
        self._at += len(chunk)
        return len(chunk)

    def _fetch(self) -> None:
        if self._at != self._next:
            # Back to the start, for another pass.
            if self._is_ahead:
                self._take()
            self._next = self._at
        if not self._is_ahead:
            # The decoder waits, and begins with the header.
            self._wire.ask(self._next, _FIRST_BYTES)
        self._take()
        if self._next < self._size:
            self._wire.ask(self._next, READ_BYTES)
            self._is_ahead = True

    def _take(self) -> None:
        self._wire.take()
        self._is_ahead = False
        self._held_at = self._next
        self._next += len(self._wire.piece)


class _Ranges(_Remote):
    """A photo whose decoder jumps about in it: blocks, of which the last ones are kept."""

    def __init__(self, wire: _Wire, size: int) -> None:
        super().__init__(wire, size)
        self._blocks: OrderedDict[int, bytes] = OrderedDict()

    def readinto(self, buffer: memoryview) -> int:
        if self._at >= self._size:
            return 0
        number, offset = divmod(self._at, _BLOCK_BYTES)
        if number not in self._blocks and len(buffer) > _BLOCK_BYTES:
            # Who reads so much reads it once, and knows where it ends.
            self._wire.ask(self._at, min(len(buffer), READ_BYTES, self._size - self._at))
            self._wire.take()
            data = self._wire.piece
            buffer[: len(data)] = data
            self._at += len(data)
            return len(data)
        if number not in self._blocks:
            self._wire.ask(number * _BLOCK_BYTES, _BLOCK_BYTES)
            self._wire.take()
            self._blocks[number] = bytes(self._wire.piece)
            if len(self._blocks) > _KEPT_BLOCKS:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(number)
        chunk = self._blocks[number][offset : offset + len(buffer)]
        buffer[: len(chunk)] = chunk
        self._at += len(chunk)
        return len(chunk)


class _Sink:
    """A rendition on its way to the parent, which stores it once it is said to be whole.

    Its bytes are put together to whole chunks: libvips writes 8 KiB at a time, and each frame wakes
    the parent.
    """

    def __init__(self, wire: _Wire, index: int) -> None:
        self._wire = wire
        self._buffer = memoryview(bytearray(CHUNK_BYTES))
        self._filled = 0
        wire.say(Kind.OPEN, Open(index=index))

    def write(self, data: memoryview) -> None:
        view = memoryview(data)
        while view:
            part = view[: CHUNK_BYTES - self._filled]
            self._buffer[self._filled : self._filled + len(part)] = part
            self._filled += len(part)
            view = view[len(part) :]
            if self._filled == CHUNK_BYTES:
                self._flush()

    def _flush(self) -> None:
        self._wire.say(Kind.WRITE, data=self._buffer[: self._filled])
        self._filled = 0

    def commit(self) -> None:
        """Send what is left; MADE commits it, once the facts of the rendition are known."""
        if self._filled:
            self._flush()

    def abort(self) -> None:
        """REFUSED says it."""


class _Unimported:
    """Stands before Python's finders: no file is read from here on, so that none is looked for.

    Attributes:
        missed: What was asked for.
    """

    def __init__(self) -> None:
        self.missed: list[str] = []

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        del path, target
        self.missed.append(name)
        raise ModuleNotFoundError(f"{name} is not imported in this worker", name=name)


def _refusal(error: Exception) -> Refused:
    if isinstance(error, OverLimitError):
        return Refused(
            code=error.code,
            message=error.message,
            detail="",
            limit=error.limit,
            actual=error.actual,
            maximum=error.maximum,
        )
    if isinstance(error, RenditionsError):
        return Refused(
            code=error.code,
            message=error.message[:MOST_WORDS],
            detail=error.detail[:MOST_WORDS],
        )
    code = "needs-more-memory" if isinstance(error, MemoryError) else "internal"
    return Refused(code=code, message=repr(error)[:MOST_WORDS], detail="")


class _MarksHere:
    """The marks that this worker was given; none at first.

    Attributes:
        marks: Them; None without.
    """

    def __init__(self) -> None:
        self.marks: Marks | None = None

    def add(self, part: MarkPart, data: bytes) -> None:
        if self.marks is None:
            # Imported on first use: most configurations have no watermark.
            from imaging.watermark import Marks

            self.marks = Marks()
        self.marks.add(part.digest, data)


def _hear_plan(wire: _Wire, here: _MarksHere) -> RenditionPlan:
    """Return the plan; the marks that come before it stay for later photos."""
    while (frame := wire.hear()).kind is Kind.MARK:
        here.add(from_json(MarkPart, frame.json), frame.data)
        wire.say(Kind.MARK)
    if frame.kind is not Kind.GO:
        raise ProtocolError(f"expected a plan but received {frame.kind.name}")
    return from_json(RenditionPlan, frame.json)


def _make(wire: _Wire, source: _Remote, ahead: PhotoAhead, here: _MarksHere) -> None:
    with OpenPhoto(source, ahead.limits, ahead.memory_bytes) as photo:
        wire.say(Kind.HEADER, read_header(photo))
        plan = _hear_plan(wire, here)
        places = {id(planned): index for index, planned in enumerate(plan.renditions)}

        def open_sink(planned: PlannedRendition) -> _Sink:
            return _Sink(wire, places[id(planned)])

        def sign(data: bytes) -> bytes:
            wire.say(Kind.SIGN, data=data)
            if (frame := wire.hear()).kind is not Kind.SIGNED:
                raise ProtocolError(f"expected a signature but received {frame.kind.name}")
            return frame.data

        for rendition in render(plan, photo, open_sink, here.marks, sign):
            made = Made(
                width=rendition.width,
                height=rendition.height,
                size=rendition.size,
                quality=rendition.quality,
                gain_map_size=rendition.gain_map_size,
                warnings=rendition.warnings,
                elapsed_ms=rendition.elapsed_ms,
                appearance=rendition.appearance,
                carried=rendition.carried,
            )
            wire.say(Kind.MADE, made)
    wire.say(Kind.DONE)


def _serve_one(wire: _Wire, unimported: _Unimported, here: _MarksHere) -> None:
    frame = wire.hear()
    if frame.kind is not Kind.PHOTO:
        raise ProtocolError(f"expected a photo but received {frame.kind.name}")
    ahead = from_json(PhotoAhead, frame.json)
    wire.begin(frame.data)
    reads_ranges = sniff(frame.data).row.reading is Reading.RANGES
    source = _Ranges(wire, ahead.size) if reads_ranges else _Forward(wire, ahead.size)
    refused = None
    try:
        _make(wire, source, ahead, here)
    except ProtocolError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it is an answer
        refused = _refusal(error)
        if unimported.missed:
            refused = Refused(code=UNPREPARED, message=str(unimported.missed), detail="")
    # Not while the error is handled: it holds the decode and its memory.
    if refused is not None:
        wire.say(Kind.REFUSED, refused)


def serve(
    parent: socket.socket, window: Window, refused: tuple[str, ...], readiness: Readiness
) -> None:
    """Work for the parent until it ends.

    Args:
        parent: The socket.
        window: Where the data of its frames lies.
        refused: What the sandbox could not do, which is said first.
        readiness: What is imported. Where that is all that a photo may need, what is missing is
            optional, and its importer does without.
    """
    unimported = _Unimported()
    if readiness is Readiness.MOST:
        sys.meta_path.insert(0, unimported)
    wire = _Wire(parent, window)
    here = _MarksHere()
    wire.say(Kind.READY, Ready(unguarded=refused))
    try:
        while True:
            _serve_one(wire, unimported, here)
    except GoneError:
        return
