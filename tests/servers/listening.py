"""Servers that a thread of the test process runs, and that leave nothing behind when they close."""

from __future__ import annotations

import contextlib
import http.server
import socket
import socketserver
import struct
import sys
import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

import boto3.session
from botocore.config import Config

from .bodies import ChunkedBody, LengthBody

if TYPE_CHECKING:
    import io
    import ssl
    from types import TracebackType

    from mypy_boto3_s3 import S3Client

    from .authority import Authority

REGION = "us-east-1"
_CLIENT_CONFIG = Config(
    retries={"total_max_attempts": 1}, connect_timeout=10, read_timeout=60, max_pool_connections=50
)
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Listener(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """Gives each connection a thread, and ends them all when it is closed.

    socketserver's own `daemon_threads` leaves connections that are kept alive to the end of the
    process; here closing hangs up on them and waits for their threads.

    Attributes:
        tls: wraps each connection, in its own thread, so that a slow handshake holds up no other.
        send_buffer: the bytes that may wait in a connection's socket; the system's choice if None.
        errors: what handlers raised, broken connections aside; the endpoint raises it at the end.
    """

    daemon_threads = False
    request_queue_size = 128
    tls: ssl.SSLContext | None = None
    send_buffer: int | None = None

    def server_activate(self) -> None:
        """Begin to listen, with no connection yet."""
        self._connections: set[socket.socket] = set()
        self._connections_lock = threading.Lock()
        self.errors: list[Exception] = []
        super().server_activate()

    def get_request(self) -> tuple[socket.socket, object]:
        """Accept a connection."""
        connection, address = super().get_request()
        if self.send_buffer is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.send_buffer)
        if self.tls is not None:
            connection = self.tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        with self._connections_lock:
            self._connections.add(connection)
        return connection, address

    def shutdown_request(self, request: object) -> None:
        """End a connection, which the base class calls a request."""
        if not isinstance(request, socket.socket):
            raise TypeError(f"expected a socket but received {request!r}")
        with self._connections_lock:
            self._connections.discard(request)
        if not resets_on_close(request):
            with contextlib.suppress(OSError):
                socket.socket.shutdown(request, socket.SHUT_WR)
        request.close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep what a handler raised."""
        del request, client_address
        error = sys.exc_info()[1]
        # A client that hangs up is what these servers are for.
        if isinstance(error, Exception) and not isinstance(error, OSError):
            self.errors.append(error)

    def server_close(self) -> None:
        """Hang up on everybody and wait for their threads."""
        with self._connections_lock:
            for connection in self._connections:
                # Not SSLSocket.shutdown, which pulls the session from under the reading thread.
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)
        super().server_close()


def reset_on_close(connection: socket.socket) -> None:
    """Make closing a connection throw away what is unsent and answer with RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)


def resets_on_close(connection: socket.socket) -> bool:
    """Say whether a connection was told to end in RST."""
    size = len(_RESET_ON_CLOSE)
    return connection.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, size) == _RESET_ON_CLOSE


class Handler(http.server.BaseHTTPRequestHandler):
    """Reads HTTP/1.1 requests as S3 does; `exchange` answers each.

    `Expect: 100-continue` is answered only when the body is asked for, so that a request can be
    refused before its body is sent, which is how S3 refuses.
    """

    protocol_version = "HTTP/1.1"
    # Headers and body go out separately; Nagle's algorithm would hold the second back for 40 ms.
    disable_nagle_algorithm = True
    awaits_continue = False

    def exchange(self) -> None:
        """Answer one request; `command`, `path` and `headers` are read."""
        raise NotImplementedError

    def do_GET(self) -> None:
        """Answer."""
        self.exchange()

    def do_HEAD(self) -> None:
        """Answer."""
        self.exchange()

    def do_PUT(self) -> None:
        """Answer."""
        self.exchange()

    def do_POST(self) -> None:
        """Answer."""
        self.exchange()

    def do_DELETE(self) -> None:
        """Answer."""
        self.exchange()

    def handle_expect_100(self) -> bool:
        """Put off the leave to send a body."""
        self.awaits_continue = True
        return True

    def request_body(self) -> io.RawIOBase:
        """Return the request's body, framing removed, having told the client to send it."""
        if self.awaits_continue:
            self.awaits_continue = False
            self.connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return ChunkedBody(self.rfile)
        return LengthBody(self.rfile, int(self.headers.get("Content-Length", 0)))

    def skip_request_body(self) -> None:
        """Get the body out of the way of an early answer.

        Closing a connection with bytes unread resets it, and the answer is lost with it. A client
        that awaits leave to send its body is not given it, and has to connect anew.
        """
        if self.awaits_continue:
            self.awaits_continue = False
            self.close_connection = True
            return
        body = self.request_body()
        while body.read(1 << 16):
            pass

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Print nothing: a test that cares reads the log of requests."""


class S3Endpoint(ABC):
    """An S3 endpoint, open while its context lasts.

    Args:
        host: the address to listen on; `0.0.0.0` for clients in containers.
        port: 0 for a free one.
        authority: speak TLS with this authority's certificate; plain HTTP if None.

    Attributes:
        endpoint_url: for boto3's `endpoint_url` or `AWS_ENDPOINT_URL_S3`, in this machine.
        port: where it listens, for clients elsewhere.
    """

    def __init__(
        self, *, host: str = "127.0.0.1", port: int = 0, authority: Authority | None = None
    ) -> None:
        self._host = host
        self._port = port
        self._authority = authority
        self._clients: list[S3Client] = []
        self._plain_client: S3Client | None = None
        self._clients_lock = threading.Lock()

    @abstractmethod
    def _listen(self, host: str, port: int) -> Listener:
        """Bind the server."""

    def __enter__(self) -> Self:
        self._listener = self._listen(self._host, self._port)
        if self._authority is not None:
            self._listener.tls = self._authority.server_context
        self.port = int(self._listener.server_address[1])
        scheme = "http" if self._authority is None else "https"
        host = "127.0.0.1" if self._host == "0.0.0.0" else self._host  # noqa: S104 - compared only
        self.endpoint_url = f"{scheme}://{host}:{self.port}"
        self._session = boto3.session.Session(
            aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION
        )
        self._thread = threading.Thread(
            target=self._listener.serve_forever,
            # Closing waits for the next poll.
            kwargs={"poll_interval": 0.02},
            name=f"{type(self).__name__} {self.endpoint_url}",
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for client in self._clients:
            client.close()
        self._listener.shutdown()
        self._listener.server_close()
        self._thread.join()
        if self._listener.errors:
            raise ExceptionGroup(f"{type(self).__name__} failed", self._listener.errors)

    @property
    def ca_bundle(self) -> str | None:
        """The path of the certificate that a client has to trust, None over plain HTTP."""
        return None if self._authority is None else str(self._authority.ca_bundle)

    def client(self, config: Config | None = None) -> S3Client:
        """Return a boto3 client of this endpoint, closed with it; one for all who want no `config`.

        It never retries, unless `config` says so: each request that a server sees was asked for.
        Thread: any.
        """
        with self._clients_lock:
            if config is not None:
                return self._new_client(_CLIENT_CONFIG.merge(config))
            if self._plain_client is None:
                self._plain_client = self._new_client(_CLIENT_CONFIG)
            return self._plain_client

    def _new_client(self, config: Config) -> S3Client:
        client = self._session.client(
            "s3", endpoint_url=self.endpoint_url, config=config, verify=self.ca_bundle
        )
        self._clients.append(client)
        return client

    def create_buckets(self, *names: str) -> None:
        """Create empty buckets."""
        client = self.client()
        for name in names:
            client.create_bucket(Bucket=name)


def open_uploads(client: S3Client, bucket: str) -> list[tuple[str, str]]:
    """Return key and upload ID of each multipart upload that was neither completed nor aborted."""
    return [
        (upload["Key"], upload["UploadId"])
        for page in client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket)
        for upload in page.get("Uploads", [])
    ]
