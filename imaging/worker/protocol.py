"""What is said over the wall, and how: frames of capped size over a stream socket.

The parent holds the credentials, the bytes and the sinks; the worker holds the decoders. A photo
goes like this, ``<`` from the worker, ``>`` from the parent:

    < READY   once in a worker's life: what of its sandbox does not hold
    > PHOTO   the size, the limits, and the first bytes
    < READ    an offset and a length              } as often as the decoder wants,
    > BYTES   what is there                       } from here to DONE
    < HEADER  what the header says
    > MARK    a part of a watermark's picture } as many as the plan needs and the worker lacks
    < MARK    it is taken                     }
    > GO      the plan
    < OPEN    the number of a rendition, in the plan's order }
    < SIGN    what its manifest is signed by                 } at most once for one that keeps
    > SIGNED  the signature                                  } credentials, before it is written
    < WRITE   some of its bytes                              } for each rendition
    < MADE    what it became; it is stored now               }
    < DONE    or REFUSED, at any time after PHOTO

Values are JSON (``values.py``), never pickle: nothing that a worker sends is run. The data of the
parent's frames lie in memory that both have (``window.py``); those of a worker's are sent.
"""

import socket
import struct
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final, NamedTuple

from imaging.errors import PhotoWarning
from imaging.limits import Limits
from imaging.rendition import Appearance
from imaging.signatures import Carried

__all__ = [
    "CHUNK_BYTES",
    "FORK",
    "INTEGER",
    "MOST_WORDS",
    "READ_BYTES",
    "REAP",
    "UNBOUNDED",
    "UNPREPARED",
    "Frame",
    "GoneError",
    "Kind",
    "Made",
    "Open",
    "PhotoAhead",
    "ProtocolError",
    "Read",
    "Readiness",
    "Ready",
    "Refused",
    "read_line",
    "receive",
    "receive_words",
    "send",
    "send_words",
]

CHUNK_BYTES: Final = 256 << 10
"""Of data, the most in one frame of a worker's."""

READ_BYTES: Final = 512 << 10
"""The same, of the parent's."""

FORK: Final = b"F"
UNBOUNDED: Final = b"U"
"""Behind it: without a limit of data, which makes decoders lie."""

REAP: Final = b"R"
INTEGER: Final = struct.Struct("<i")
"""What the parent and the zygote say: ``zygote.py``."""

MOST_WORDS: Final = 2000
"""Characters of a message or a detail, at most."""

UNPREPARED: Final = "unprepared"
"""The code of a refusal for want of a module: it is about the worker, not about the photo."""

_MAX_JSON_BYTES: Final = 1 << 20
_MAX_LINE_BYTES: Final = 64 << 10
_HEAD: Final = struct.Struct("<cII")
_READ: Final = struct.Struct("<qI")
_SMALL: Final = 16 << 10
"""Up to here a copy costs less than a second system call."""


class Readiness(IntEnum):
    """What is imported in a worker; each has what the ones before have."""

    MOST = 0
    """What most photos need."""
    ALL = 1
    """Whatever a photo's renditions may need."""
    CREDENTIALS = 2
    """What carries content credentials on, too."""


class ProtocolError(Exception):
    """The other side said what it may not say, or not now."""


class GoneError(ProtocolError):
    """The other side has closed its end, in the middle or between two frames."""


class Kind(Enum):
    """What a frame is: its first byte."""

    READY = b"Y"
    PHOTO = b"P"
    BYTES = b"B"
    MARK = b"K"
    GO = b"G"
    READ = b"R"
    HEADER = b"H"
    OPEN = b"O"
    WRITE = b"W"
    MADE = b"M"
    SIGN = b"S"
    SIGNED = b"T"
    DONE = b"D"
    REFUSED = b"E"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A new worker's first word.

    Attributes:
        unguarded: What the kernel refused of its sandbox, in words.
    """

    unguarded: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoAhead:
    """A photo to come; its first bytes are the frame's data.

    Attributes:
        size: Encoded bytes.
        limits: What it may be at most.
        memory_bytes: What there is to decode it in; None for no limit.
    """

    size: int
    limits: Limits
    memory_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkPart:
    """A part of a watermark's PNG is the frame's data; the parts come in order, before the plan.

    Attributes:
        digest: Whose it is.
    """

    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """The worker wants bytes.

    Attributes:
        at: The first.
        length: How many at most; fewer come at the end of the photo only.
    """

    at: int
    length: int

    def to_bytes(self) -> bytes:
        """Return what stands in the place of JSON: most of what is said is this."""
        return _READ.pack(self.at, self.length)

    @classmethod
    def from_bytes(cls, said: bytes | bytearray) -> "Read":
        """Return what ``to_bytes`` was made of.

        Raises:
            ProtocolError: It was not.
        """
        if len(said) != _READ.size:
            raise ProtocolError(f"expected a read but received {len(said)} bytes")
        at, length = _READ.unpack(said)
        return cls(at=at, length=length)


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """A rendition's bytes are about to come.

    Attributes:
        index: Its place in the plan.
    """

    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The photo cannot be rendered; the worker is ready for the next one.

    Attributes:
        code: The error's.
        message: The error's.
        detail: The error's.
        limit: The limit that is exceeded, for that error; empty for any other.
        actual: What the photo has of it.
        maximum: What is allowed of it.
    """

    code: str
    message: str
    detail: str
    limit: str = ""
    actual: int = 0
    maximum: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A rendition is whole. The attributes are those of ``imaging.rendition.Rendition``."""

    width: int
    height: int
    size: int
    quality: int | None
    gain_map_size: int | None
    warnings: tuple[PhotoWarning, ...]
    elapsed_ms: float
    appearance: Appearance | None
    carried: Carried | None


class Frame(NamedTuple):
    """One frame as it was received.

    Attributes:
        kind: What it is.
        json: Its value, as JSON; may be empty.
        data: Its bytes; may be empty. Valid until the next frame is received into the same place.
    """

    kind: Kind
    json: bytearray
    data: memoryview


def read_line(origin: socket.socket) -> bytes:
    """Return a line of the talk between the parent and the zygote; nothing where that has ended."""
    words = b""
    while not words.endswith(b"\n") and len(words) < _MAX_LINE_BYTES:
        part = origin.recv(_MAX_LINE_BYTES)
        if not part:
            return b""
        words += part
    return words


def send_words(to: socket.socket, kind: Kind, json: bytes = b"", length: int = 0) -> None:
    """Send a frame whose ``length`` bytes of data lie where the other side looks for them.

    Raises:
        GoneError: The other side has ended.
    """
    try:
        to.sendall(_HEAD.pack(kind.value, len(json), length) + json)
    except OSError as error:
        raise GoneError(f"the other side has ended: {error}") from error


def send(
    to: socket.socket, kind: Kind, json: bytes = b"", data: bytes | bytearray | memoryview = b""
) -> None:
    """Send one frame with its data.

    *Cost*: one system call, two for more than 16 KiB of data.

    Raises:
        GoneError: The other side has ended.
    """
    head = _HEAD.pack(kind.value, len(json), len(data)) + json
    try:
        if len(data) <= _SMALL:
            to.sendall(head + data)
        else:
            to.sendall(head)
            to.sendall(data)
    except OSError as error:
        raise GoneError(f"the other side has ended: {error}") from error


def _fill(origin: socket.socket, view: memoryview) -> None:
    filled = 0
    while filled < len(view):
        try:
            count = origin.recv_into(view[filled:])
        except OSError as error:
            raise GoneError(f"the other side has ended: {error}") from error
        if count == 0:
            raise GoneError(f"the other side has ended after {filled} of {len(view)} bytes")
        filled += count


def receive_words(origin: socket.socket, most: int) -> tuple[Kind, bytearray, int]:
    """Wait for a frame, and return what it is, its JSON, and how long its data is.

    Args:
        origin: Where it comes from.
        most: Bytes of data that it may have.

    Raises:
        GoneError: The other side has ended.
        ProtocolError: What came is no frame, or is larger than one may be.
    """
    head = bytearray(_HEAD.size)
    _fill(origin, memoryview(head))
    letter, json_length, data_length = _HEAD.unpack(head)
    try:
        kind = Kind(letter)
    except ValueError:
        raise ProtocolError(f"expected a frame but received {bytes(head)!r}") from None
    if json_length > _MAX_JSON_BYTES or data_length > most:
        raise ProtocolError(f"expected a {kind.name} that is smaller than {bytes(head)!r} says")
    json = bytearray(json_length)
    _fill(origin, memoryview(json))
    return kind, json, data_length


def receive(origin: socket.socket, buffer: memoryview) -> Frame:
    """Wait for a frame that is sent with its data, and return it; the data lies in ``buffer``.

    Args:
        origin: Where it comes from.
        buffer: As large as the data may be.

    Raises:
        GoneError: The other side has ended.
        ProtocolError: What came is no frame, or is larger than one may be.
    """
    kind, json, data_length = receive_words(origin, len(buffer))
    data = buffer[:data_length]
    _fill(origin, data)
    return Frame(kind, json, data)
