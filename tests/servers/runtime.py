"""Lambda's Runtime API, as much as a runtime client asks of it, for one execution environment.

Source: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import json
import queue
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self

__all__ = ["Call", "RuntimeApi"]

_VERSION: Final = "/2018-06-01/runtime/"
_REQUEST_ID: Final = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
_POLLS: Final = ("invocation/next", "restore/next")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request of the runtime client.

    Attributes:
        what: ``invocation/next``, ``restore/next``, ``response``, ``init/error``, ...
        body: The JSON that came with it.
        at: When it came, by the monotonic clock.
    """

    what: str
    body: Any
    at: float


class RuntimeApi:
    """Answers a runtime client that is told its ``address`` in ``AWS_LAMBDA_RUNTIME_API``.

    A poll waits, as Lambda's does, until there is something to do.
    """

    def __init__(self) -> None:
        self._calls: queue.Queue[Call] = queue.Queue()
        self._events: queue.Queue[bytes | None] = queue.Queue()
        self._restored = threading.Event()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def address(self) -> str:
        """Host and port."""
        host, port = self._server.server_address[:2]
        return f"{host!s}:{port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._restored.set()
        self._events.put(None)
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def call(self, *, timeout_s: float = 60) -> Call:
        """Return the client's next request.

        Raises:
            TimeoutError: None came in time.
        """
        try:
            return self._calls.get(timeout=timeout_s)
        except queue.Empty:
            raise TimeoutError(f"no request of the runtime client in {timeout_s} s") from None

    def invoke(self, event: object) -> None:
        """Answer the poll for an invocation with ``event``."""
        self._events.put(json.dumps(event).encode())

    def restore(self) -> None:
        """Answer the poll for a restore: the snapshot was taken, and this is a copy of it."""
        self._restored.set()

    def take(self, what: str, body: bytes) -> bytes | None:
        """Note a request and return what it is answered with; None at the end of this server."""
        self._calls.put(
            Call(what=what, body=json.loads(body) if body else None, at=time.monotonic())
        )
        if what == "restore/next":
            self._restored.wait()
            return b""
        return self._events.get() if what == "invocation/next" else b""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, api: RuntimeApi) -> None:
        self.api = api
        super().__init__(("127.0.0.1", 0), _Request)


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._answer(200)

    def do_POST(self) -> None:
        self._answer(202)

    def _answer(self, status: int) -> None:
        what = self.path.removeprefix(_VERSION)
        if what not in (*_POLLS, "init/error", "restore/error"):
            what = what.rpartition("/")[2]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = self.server.api.take(what, body)
        if answer is None:
            self.close_connection = True
            return
        self.send_response(status)
        if what == "invocation/next":
            self.send_header(
                "Lambda-Runtime-Aws-Request-Id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
            )
            self.send_header("Lambda-Runtime-Deadline-Ms", str(int(time.time() * 1000) + 300_000))
            self.send_header(
                "Lambda-Runtime-Invoked-Function-Arn",
                "arn:aws:lambda:us-east-1:123456789012:function:renditions",
            )
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
