"""One call of a client without a connection: the request it makes, what it makes of an answer.

The trimmed clients are compared with botocore's own through this, at one moment and with one ID.
"""

import datetime as dt
import functools
import io
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import botocore.session
import pytest
from botocore import xform_name
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import Loader

from handler.aws.clients import create_client

__all__ = [
    "NOW",
    "WHOLE",
    "Answer",
    "exchange",
    "fix_environment",
    "trimmed_client",
    "whole_client",
]

NOW: Final = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
WHOLE: Final = Loader()
"""botocore's own models."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the service is made to answer."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


class _Connection(io.BytesIO):
    """As much of a connection as botocore reads an answer from."""

    def stream(self) -> Iterator[bytes]:
        yield self.read()


_SESSION: Final = Answer(
    body=b"<CreateSessionResult><Credentials><AccessKeyId>a</AccessKeyId><SecretAccessKey>b"
    b"</SecretAccessKey><SessionToken>c</SessionToken><Expiration>2036-01-01T00:00:00Z"
    b"</Expiration></Credentials></CreateSessionResult>"
)


def fix_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give both clients the same credentials, moment and invocation ID.

    What is patched is the clock, as botocore reads it, and the random IDs: nothing else in a
    request differs from one call to the next.
    """
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda **_: NOW)
    monkeypatch.setattr(time, "time", NOW.timestamp)
    monkeypatch.setattr(uuid, "uuid4", functools.partial(uuid.UUID, int=1))


def _config(region: str, options: dict[str, Any]) -> Config:
    return Config(region_name=region, retries={"mode": "standard", "max_attempts": 1}, **options)


def whole_client(service: str, region: str = "us-east-1", **options: Any) -> Any:  # noqa: ANN401 - botocore's
    """Return botocore's own client, from its own models."""
    session = botocore.session.Session()
    session.register_component("data_loader", WHOLE)
    return session.create_client(service, config=_config(region, options))


def trimmed_client(service: str, region: str = "us-east-1", **options: Any) -> Any:  # noqa: ANN401 - botocore's
    """Return the function's kind of client, from the trimmed models."""
    return create_client(service, _config(region, options))


def exchange(
    client: Any,  # noqa: ANN401 - botocore's
    operation: str,
    arguments: dict[str, Any],
    answer: Answer = Answer(),
) -> dict[str, Any]:
    """Return the signed requests that a call makes, and the result or error that it ends in.

    A directory bucket's session, which botocore asks for before the call, is granted.
    """
    requests = []

    def answer_at_once(request: Any, **_: object) -> AWSResponse:  # noqa: ANN401 - botocore's
        body = request.body.read() if hasattr(request.body, "read") else request.body
        requests.append((request.method, request.url, dict(request.headers), body))
        given = _SESSION if operation != "CreateSession" and "?session" in request.url else answer
        headers = HTTPHeaders()
        for name, text in given.headers:
            headers[name] = text
        return AWSResponse(request.url, given.status, headers, _Connection(given.body))

    client.meta.events.register("before-send", answer_at_once)
    try:
        result = getattr(client, xform_name(operation))(**arguments)
    except ClientError as error:
        result = [base.__name__ for base in type(error).__mro__], error.response
    except BotoCoreError as error:
        result = type(error).__name__, str(error)
    else:
        if hasattr(result.get("Body"), "read"):
            result["Body"] = result["Body"].read()
    finally:
        client.meta.events.unregister("before-send", answer_at_once)
    return {"requests": requests, "result": result}
