"""What passed through the proxy, request by request."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from .calls import S3Call

if TYPE_CHECKING:
    from .faults import Action


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(S3Call):
    """One request and its answer.

    Attributes:
        actions: the faults that befell it.
        status: of the answer, as the client saw it; None if there was none.
        received: bytes of the request body that came, framing not counted.
        sent: bytes of the answer's body that were given to the client's connection. What lay
            there unread when the client hung up is among them.
        started_s: when the header had been read, on `time.monotonic`.
        ended_s: when the last byte had been sent or the connection had broken; None if neither.
    """

    actions: tuple[Action, ...]
    status: int | None
    received: int
    sent: int
    started_s: float
    ended_s: float | None


class Entry:
    """A request under way; its connection's thread alone writes it."""

    def __init__(self, call: S3Call, actions: tuple[Action, ...]) -> None:
        self.call = call
        self.actions = actions
        self.status: int | None = None
        self.received = 0
        self.sent = 0
        self.started_s = time.monotonic()
        self.ended_s: float | None = None

    def freeze(self) -> Request:
        """Return the request as it stands."""
        return Request(
            **{field.name: getattr(self.call, field.name) for field in fields(S3Call)},
            actions=self.actions,
            status=self.status,
            received=self.received,
            sent=self.sent,
            started_s=self.started_s,
            ended_s=self.ended_s,
        )


class RequestLog:
    """All requests in the order in which they came. Thread: any."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._changed = threading.Condition()

    def begin(self, entry: Entry) -> None:
        """Take note of a request."""
        with self._changed:
            self._entries.append(entry)

    def end(self, entry: Entry) -> None:
        """Take note of a request's end."""
        with self._changed:
            entry.ended_s = time.monotonic()
            self._changed.notify_all()

    def clear(self) -> None:
        """Forget all requests."""
        with self._changed:
            self._entries.clear()

    def requests(self, settle_s: float) -> tuple[Request, ...]:
        """Return all requests.

        A client has its answer, or has hung up, a moment before the connection's thread can note
        it: requests under way are waited for, up to `settle_s`.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: all(entry.ended_s is not None for entry in self._entries), settle_s
            )
            return tuple(entry.freeze() for entry in self._entries)
