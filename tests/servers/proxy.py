"""A reverse proxy before an S3 server: it counts, and it does what a `Fault` says."""

from __future__ import annotations

import contextlib
import http.client
import select
import ssl
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4
from xml.sax.saxutils import escape

from . import faults
from .calls import call_from_request
from .faults import Cut, Ending, Flip, Script, Stall, offset
from .listening import Handler, Listener, S3Endpoint, reset_on_close
from .log import Entry, RequestLog

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator

    from .authority import Authority
    from .faults import Action, Answer, Fault
    from .log import Request

_A = TypeVar("_A")

# Pieces bound how much of a body is sent before a hang-up is seen, and how far `sent` lags behind.
_PIECE = 1 << 16
# A client that reads nothing is sent 0.26 MB, against 4 MB with the system's buffers. Any smaller,
# and a segment of the loopback interface (64 KiB) does not fit: 2 MB/s instead of 600.
_SEND_BUFFER = 1 << 16
# Sleeping for less costs more in oversleeping than it gains in smoothness.
_SHORTEST_PAUSE_S = 0.002
_HANG_UP = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)
# Between two hops only: https://datatracker.ietf.org/doc/html/rfc9110#section-7.6.1
_HOP_HEADERS = {"connection", "expect", "keep-alive", "te", "trailer", "upgrade"}
_BODYLESS = {204, 304}


class FaultProxy(S3Endpoint):
    """Stands between a client and an S3 server; bodies stream through it.

        with MotoServer() as moto, FaultProxy(moto.endpoint_url) as proxy:
            proxy.add(Fault(method="GET", key="a.jpg", action=Cut(at=0.5)))
            ...
            assert proxy.count(method="GET") == 2
            assert not proxy.unused

    Method, target and headers go on as the client sent them, Host among them, so that signatures
    stay true. An answer without `Content-Length` is held whole; S3 gives such ones to lists only.

    Args:
        upstream_url: the S3 server.
        upstream_ca: the certificate to trust, where the server speaks TLS.
        bytes_per_s: what the link carries in each direction, all connections together.
        latency_s: what passes before each answer's first byte.
        send_buffer: the bytes that may wait in a connection's socket: small ones keep `sent` close
            to what the client took before it hung up, None lets a fast link be fast.
        host: the address to listen on; `0.0.0.0` for clients in containers.
        port: 0 for a free one.
        authority: speak TLS with this authority's certificate; plain HTTP if None.
    """

    def __init__(
        self,
        upstream_url: str,
        *,
        upstream_ca: str | None = None,
        bytes_per_s: float | None = None,
        latency_s: float = 0.0,
        send_buffer: int | None = _SEND_BUFFER,
        host: str = "127.0.0.1",
        port: int = 0,
        authority: Authority | None = None,
    ) -> None:
        super().__init__(host=host, port=port, authority=authority)
        self._link = _Link(
            upstream=_Upstream(upstream_url, upstream_ca),
            script=Script(),
            log=RequestLog(),
            latency_s=latency_s,
            down=None if bytes_per_s is None else _Pacer(bytes_per_s),
            up=None if bytes_per_s is None else _Pacer(bytes_per_s),
        )
        self._send_buffer = send_buffer

    def _listen(self, host: str, port: int) -> Listener:
        listener = _ProxyListener((host, port), _ProxyHandler)
        listener.link = self._link
        listener.send_buffer = self._send_buffer
        return listener

    def add(self, *faults: Fault) -> None:
        """Let faults befall the requests from now on."""
        self._link.script.add(*faults)

    def clear(self) -> None:
        """Forget all faults and all requests, as between two tests."""
        self._link.script.clear()
        self._link.log.clear()

    @property
    def unused(self) -> tuple[Fault, ...]:
        """The faults that have befallen no request."""
        return self._link.script.unused()

    @property
    def requests(self) -> tuple[Request, ...]:
        """All requests in the order in which they came; those under way are waited for, shortly."""
        return self._link.log.requests(settle_s=2.0)

    def matching(
        self,
        *,
        method: str | None = None,
        operation: str | None = None,
        bucket: str | None = None,
        key: str | None = None,
    ) -> list[Request]:
        """Return the requests that have all that is named."""
        return [
            request
            for request in self.requests
            if method in {None, request.method}
            and operation in {None, request.operation}
            and bucket in {None, request.bucket}
            and key in {None, request.key}
        ]

    def count(
        self,
        *,
        method: str | None = None,
        operation: str | None = None,
        bucket: str | None = None,
        key: str | None = None,
    ) -> int:
        """Count the requests that have all that is named."""
        return len(self.matching(method=method, operation=operation, bucket=bucket, key=key))

    def bytes_sent(self, *, bucket: str | None = None, key: str | None = None) -> int:
        """Count the bytes of answers' bodies that clients were sent."""
        return sum(request.sent for request in self.matching(bucket=bucket, key=key))

    def bytes_received(self, *, bucket: str | None = None, key: str | None = None) -> int:
        """Count the bytes of request bodies that clients sent."""
        return sum(request.received for request in self.matching(bucket=bucket, key=key))


class _Pacer:
    """Shares a number of bytes per second among all who ask. Thread: any."""

    def __init__(self, bytes_per_s: float) -> None:
        self._seconds_per_byte = 1 / bytes_per_s
        self._free_at = 0.0
        self._lock = threading.Lock()

    def wait_for(self, size: int) -> float:
        """Book the next `size` bytes, and return the seconds until they are through."""
        with self._lock:
            now = time.monotonic()
            # What was booked late, after an oversleep, is caught up; an idle link saves up nothing.
            self._free_at = max(self._free_at, now - _SHORTEST_PAUSE_S)
            self._free_at += size * self._seconds_per_byte
            return self._free_at - now


@dataclass(frozen=True, slots=True)
class _Upstream:
    url: str
    ca: str | None

    def connect(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=self.ca)
            return http.client.HTTPSConnection(parts.netloc, timeout=120, context=context)
        return http.client.HTTPConnection(parts.netloc, timeout=120)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Link:
    upstream: _Upstream
    script: Script
    log: RequestLog
    latency_s: float
    down: _Pacer | None
    up: _Pacer | None


def _place(action: Stall | Cut | Flip, size: int) -> int:
    place = offset(action.at, size)
    # There is no byte to flip behind the last.
    return min(place, size - 1) if isinstance(action, Flip) else place


class _ProxyListener(Listener):
    link: _Link


class _HungUpError(ConnectionError):
    """The client is gone."""


class _ProxyHandler(Handler):
    server: _ProxyListener

    def exchange(self) -> None:
        link = self.server.link
        call = call_from_request(self.command, self.path, self.headers.items())
        entry = Entry(call, link.script.actions_for(call))
        link.log.begin(entry)
        try:
            _Exchange(self, link, entry).run()
        except (OSError, http.client.HTTPException):
            # Client or server hung up: so does the proxy, on the other.
            self.close_connection = True
        finally:
            link.log.end(entry)


class _Exchange:
    """One request on its way there, and its answer on the way back."""

    def __init__(self, handler: _ProxyHandler, link: _Link, entry: Entry) -> None:
        self._handler = handler
        self._client = handler.connection
        self._link = link
        self._entry = entry

    def run(self) -> None:
        """Take the request as far as its faults let it."""
        call = self._entry.call
        self._pause(self._link.latency_s + sum(act.seconds for act in self._all(faults.Delay)))
        for act in self._all(faults.CallBefore):
            act.function(call)
        if drop := self._one(faults.Drop):
            self._hang_up(drop.ending)
            return
        if answer := self._one(faults.Answer):
            self._handler.skip_request_body()
            self._refuse(answer)
            return
        if truncate := self._one(faults.TruncateUpload):
            self._read_until(truncate)
            self._hang_up(truncate.ending)
            return
        with contextlib.closing(self._link.upstream.connect()) as upstream:
            response = self._forward(upstream)
            with response:
                self._give_back(response)

    def _give_back(self, response: http.client.HTTPResponse) -> None:
        calls = self._all(faults.CallAfter)
        lost = self._one(faults.LoseAnswer)
        # S3 is done when its answer is: that of a completed upload begins before.
        body = response.read() if calls or lost else None
        for act in calls:
            act.function(self._entry.call)
        if lost is None:
            self._relay(response, body)
        elif lost.instead is None:
            self._hang_up(Ending.FIN)
        else:
            self._refuse(lost.instead)

    # Faults

    def _all(self, kind: type[_A]) -> list[_A]:
        return [action for action in self._entry.actions if isinstance(action, kind)]

    def _one(self, kind: type[_A]) -> _A | None:
        return next(iter(self._all(kind)), None)

    def _hang_up(self, ending: Ending) -> None:
        if ending is Ending.RESET:
            reset_on_close(self._client)
        self._handler.close_connection = True

    def _pause(self, seconds: float) -> None:
        """Wait, but no longer than the client does."""
        if seconds < _SHORTEST_PAUSE_S:
            return
        poll = select.poll()
        poll.register(self._client, _HANG_UP)
        if poll.poll(seconds * 1000):
            raise _HungUpError("the client hung up")

    def _read_until(self, truncate: faults.TruncateUpload) -> None:
        body = self._handler.request_body()
        headers = self._entry.call.headers
        size = int(headers.get("x-amz-decoded-content-length", headers.get("content-length", 0)))
        left = offset(truncate.at, size)
        while left and (piece := body.read(min(_PIECE, left))):
            left -= len(piece)
            self._entry.received += len(piece)

    def _refuse(self, answer: Answer) -> None:
        call = self._entry.call
        request_id = uuid4().hex
        document = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Error><Code>{answer.code}</Code><Message>{escape(answer.message)}</Message>"
            f"<Resource>{escape(f'/{call.bucket}/{call.key}')}</Resource>"
            f"<RequestId>{request_id}</RequestId></Error>"
        ).encode()
        headers = [("x-amz-request-id", request_id), ("Content-Type", "application/xml")]
        if call.method == "HEAD":
            self._send_head(answer.status, answer.code, headers)
        else:
            headers.append(("Content-Length", str(len(document))))
            self._send_head(answer.status, answer.code, headers)
            self._send(document)

    # There

    def _forward(self, upstream: http.client.HTTPConnection) -> http.client.HTTPResponse:
        handler = self._handler
        ignored = _HOP_HEADERS | ({"range"} if self._one(faults.IgnoreRange) else set())
        upstream.putrequest(
            handler.command, handler.path, skip_host=True, skip_accept_encoding=True
        )
        for name, value in handler.headers.items():
            if name.lower() not in ignored:
                upstream.putheader(name, value)
        upstream.endheaders()
        chunked = handler.headers.get("Transfer-Encoding", "").lower() == "chunked"
        for piece in self._incoming(handler.request_body()):
            upstream.send(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            upstream.send(b"0\r\n\r\n")
        return upstream.getresponse()

    def _incoming(self, body: io.RawIOBase) -> Iterator[bytes]:
        while piece := body.read(_PIECE):
            self._entry.received += len(piece)
            if self._link.up is not None:
                self._pause(self._link.up.wait_for(len(piece)))
            yield piece

    # And back

    def _relay(self, response: http.client.HTTPResponse, body: bytes | None) -> None:
        headers = [
            (name, value)
            for name, value in response.getheaders()
            if name.lower() not in {*_HOP_HEADERS, "content-length", "transfer-encoding"}
        ]
        stated = response.getheader("Content-Length")
        if self._entry.call.method == "HEAD" or response.status in _BODYLESS:
            if stated is not None:
                headers.append(("Content-Length", stated))
            self._send_head(response.status, response.reason, headers)
            return
        if stated is None and body is None:
            body = response.read()
        size = int(stated) if body is None and stated is not None else len(body or b"")
        wrong = self._one(faults.WrongLength)
        declared = max(0, size + (0 if wrong is None else wrong.by))
        headers.append(("Content-Length", str(declared)))
        self._send_head(response.status, response.reason, headers)
        self._send_body(response, body, size, end=min(size, declared))
        if declared > size:
            self._hang_up(Ending.FIN)

    def _send_body(
        self, response: http.client.HTTPResponse, body: bytes | None, size: int, *, end: int
    ) -> None:
        """Send the answer's body up to `end`, its faults at their places."""
        events: list[tuple[int, Action]] = sorted(
            (
                (_place(action, size), action)
                for action in self._entry.actions
                if isinstance(action, Stall | Cut | Flip)
            ),
            key=lambda event: event[0],
        )
        slow = self._one(faults.Slow)
        pacers = [
            pacer
            for pacer in (self._link.down, None if slow is None else _Pacer(slow.bytes_per_s))
            if pacer is not None
        ]
        # A tenth of a second's worth, so that a trickle is one.
        largest = _PIECE if slow is None else max(1, min(_PIECE, int(slow.bytes_per_s / 10)))
        flip = False
        position = 0
        while True:
            while events and events[0][0] <= position:
                match events.pop(0)[1]:
                    case Stall(seconds=seconds):
                        self._pause(seconds)
                    case Cut(ending=ending):
                        self._hang_up(ending)
                        return
                    case _:
                        flip = True
            if position >= end:
                return
            step = 1 if flip else min(largest, (events[0][0] if events else end) - position)
            step = min(step, end - position)
            piece = response.read1(step) if body is None else body[position : position + step]
            if not piece:
                raise ConnectionError("the server's answer ended early")
            if flip:
                piece = bytes(byte ^ 0xFF for byte in piece)
                flip = False
            for pacer in pacers:
                self._pause(pacer.wait_for(len(piece)))
            self._send(piece)
            position += len(piece)

    def _send_head(self, status: int, reason: str, headers: list[tuple[str, str]]) -> None:
        if self._handler.close_connection:
            headers = [*headers, ("Connection", "close")]
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        # Before the client can know it.
        self._entry.status = status
        self._client.sendall(f"HTTP/1.1 {status} {reason}\r\n{lines}\r\n".encode("latin-1"))

    def _send(self, piece: bytes) -> None:
        rest = memoryview(piece)
        while rest:
            sent = self._client.send(rest)
            self._entry.sent += sent
            rest = rest[sent:]
