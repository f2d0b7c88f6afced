"""What can go wrong between a client and S3, as values: a `Fault` says when, its action what."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from .calls import S3Call

Position: TypeAlias = "int | float"
"""A place in a body: an int counts bytes, from the end if negative; a float is a fraction."""


def offset(at: Position, size: int) -> int:
    """Return the place in a body of `size` bytes, clamped to it."""
    if isinstance(at, float):
        return min(max(int(at * size), 0), size)
    return min(max(at if at >= 0 else size + at, 0), size)


class Ending(StrEnum):
    """How a connection is cut."""

    FIN = "fin"
    """As if the server had said all that it wanted to say."""

    RESET = "reset"
    """RST: what the client has not read yet is lost too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """The answer's first byte comes late."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CallBefore:
    """A function runs before the request goes on to S3, in the connection's thread.

    For what another client does in between: replace the object, delete it.
    """

    function: Callable[[S3Call], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallAfter:
    """A function runs once S3 has done what it was asked, before the client hears of it."""

    function: Callable[[S3Call], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """The connection ends before there is an answer; S3 never sees the request."""

    ending: Ending = Ending.FIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """S3's error document instead of what was asked for; S3 never sees the request.

    `SLOW_DOWN`, `INTERNAL_ERROR` and `ACCESS_DENIED` are the usual ones.
    """

    status: int
    code: str
    message: str


SLOW_DOWN = Answer(status=503, code="SlowDown", message="Please reduce your request rate.")
INTERNAL_ERROR = Answer(
    status=500,
    code="InternalError",
    message="We encountered an internal error. Please try again.",
)
ACCESS_DENIED = Answer(status=403, code="AccessDenied", message="Access Denied")


@dataclass(frozen=True, slots=True, kw_only=True)
class TruncateUpload:
    """The connection ends within the request body; S3 never sees the request."""

    at: Position
    ending: Ending = Ending.RESET


@dataclass(frozen=True, slots=True, kw_only=True)
class LoseAnswer:
    """S3 does what it was asked, and the client does not learn of it.

    Attributes:
        instead: what it is told; None to hang up on it.
    """

    instead: Answer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IgnoreRange:
    """The whole object comes, with status 200, whatever range was asked for.

    The Range header does not reach S3, so a store that checks signatures refuses the request.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongLength:
    """`Content-Length` is off by so many bytes.

    Too small, and the body ends early at a whole message: only the client's own idea of the size
    can tell. Too large, and the connection ends behind the true body.
    """

    by: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """The connection ends within the answer's body."""

    at: Position
    ending: Ending = Ending.RESET


@dataclass(frozen=True, slots=True, kw_only=True)
class Stall:
    """The answer's body stops, and goes on later."""

    at: Position
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow:
    """The answer's body trickles."""

    bytes_per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """Every bit of one byte of the answer's body is inverted."""

    at: Position


Action: TypeAlias = (
    "Delay | CallBefore | CallAfter | Drop | Answer | TruncateUpload | LoseAnswer | IgnoreRange"
    " | WrongLength | Cut | Stall | Slow | Flip"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """An action, and the requests that it befalls. Several may befall the same request.

    Attributes:
        action: what happens.
        method: only requests with this HTTP method.
        operation: only this S3 operation, as in `UploadPart`.
        bucket: only in this bucket.
        key: only this key.
        when: only requests for which this is true; a seeded generator makes a random fault of it.
        nth: the first of these requests to be hit, counted from 1.
        times: how many are hit from there on; None for all.
    """

    action: Action
    method: str | None = None
    operation: str | None = None
    bucket: str | None = None
    key: str | None = None
    when: Callable[[S3Call], bool] | None = None
    nth: int = 1
    times: int | None = 1

    def __post_init__(self) -> None:
        if self.nth < 1:
            raise ValueError(f"expected nth from 1 but received {self.nth}")

    def concerns(self, call: S3Call) -> bool:
        """Say whether a request is one that this fault counts."""
        return (
            self.method in {None, call.method}
            and self.operation in {None, call.operation}
            and self.bucket in {None, call.bucket}
            and self.key in {None, call.key}
            and (self.when is None or self.when(call))
        )


class Script:
    """The faults that are still to come. Thread: any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._seen: list[int] = []
        self._hits: list[int] = []

    def add(self, *faults: Fault) -> None:
        """Add faults; requests before now do not count."""
        with self._lock:
            for fault in faults:
                self._faults.append(fault)
                self._seen.append(0)
                self._hits.append(0)

    def clear(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._faults.clear()
            self._seen.clear()
            self._hits.clear()

    def unused(self) -> tuple[Fault, ...]:
        """Return the faults that have befallen no request; a test that leaves one proves little."""
        with self._lock:
            return tuple(
                fault for fault, hits in zip(self._faults, self._hits, strict=True) if not hits
            )

    def actions_for(self, call: S3Call) -> tuple[Action, ...]:
        """Count a request, and return what befalls it."""
        actions = []
        with self._lock:
            for index, fault in enumerate(self._faults):
                if not fault.concerns(call):
                    continue
                self._seen[index] += 1
                number = self._seen[index]
                if number >= fault.nth and (
                    fault.times is None or number < fault.nth + fault.times
                ):
                    self._hits[index] += 1
                    actions.append(fault.action)
        return tuple(actions)
