"""moto's S3 over HTTP or TLS: the store with the most faithful answers."""

from __future__ import annotations

import http.client
import ssl
from urllib.parse import urlsplit

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import ThreadedWSGIServer

from .listening import Listener, S3Endpoint


class MotoServer(S3Endpoint):
    """An S3 that keeps its objects in this process, until `reset` or the end.

    Its state belongs to the process: two of them, one over TLS, show the same buckets. Each ranged
    read costs it the whole object (12 MB/s on large ones): measure against `FileS3`. It accepts
    wrong checksums, and signatures of any kind.

    moto's own ThreadedMotoServer speaks no TLS, and stopping it leaves its sockets open.
    """

    def _listen(self, host: str, port: int) -> Listener:
        return _MotoListener(
            host,
            port,
            DomainDispatcherApplication(create_backend_app),
            handler=_QuietHandler,
        )

    def __exit__(self, *exception: object) -> None:
        try:
            self.reset()
        finally:
            super().__exit__(None, None, None)

    def reset(self) -> None:
        """Forget every bucket, and everything else that moto holds in this process."""
        parts = urlsplit(self.endpoint_url)
        connection: http.client.HTTPConnection
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=self.ca_bundle)
            connection = http.client.HTTPSConnection(parts.netloc, timeout=30, context=context)
        else:
            connection = http.client.HTTPConnection(parts.netloc, timeout=30)
        try:
            connection.request("POST", "/moto-api/reset")
            connection.getresponse().read()
        finally:
            connection.close()


class _QuietHandler(MotoRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Print nothing."""


class _MotoListener(Listener, ThreadedWSGIServer):
    """The threads and connections are the Listener's, the WSGI server werkzeug's."""
