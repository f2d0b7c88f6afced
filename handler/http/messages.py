"""HTTP requests through a Function URL or API Gateway, and the answers to them.

Source: https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html (Function URL),
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
(HTTP API, payload formats 1.0 and 2.0),
https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
(REST API).
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from handler.errors import RequestError
from handler.events.checks import fields_of, sequence_of, shown

__all__ = ["Request", "http_answer", "json_answer", "read_request"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a client asks for.

    Attributes:
        method: In capitals.
        path: Decoded, once, and without API Gateway's stage.
        query: Decoded.
        headers: By name in lower case.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


def read_request(event: Mapping[str, Any]) -> Request:
    """Return the request in ``event``.

    Raises:
        RequestError: Its path is not UTF-8.
    """
    context = fields_of(event.get("requestContext"))
    http = fields_of(context.get("http"))
    headers = _texts(event.get("headers")) | {
        # Of several headers of one name, format 1.0 keeps only the last in ``headers``.
        name: ",".join(_text(value) for value in sequence_of(values))
        for name, values in fields_of(event.get("multiValueHeaders")).items()
    }
    return Request(
        method=_text(http.get("method") or event.get("httpMethod")).upper(),
        path=_path(event, context),
        query=_texts(event.get("queryStringParameters")),
        headers={name.lower(): value for name, value in headers.items()},
    )


def _text(value: object) -> str:
    """Return ``value`` as text that UTF-8 holds: a question mark for half of a surrogate pair."""
    return value.encode(errors="replace").decode() if isinstance(value, str) else ""


def _texts(values: object) -> dict[str, str]:
    return {_text(name): _text(value) for name, value in fields_of(values).items()}


def _path(event: Mapping[str, Any], context: Mapping[str, Any]) -> str:
    path = event.get("rawPath") or event.get("path")
    if not isinstance(path, str) or _text(path) != path:
        raise RequestError(f"Expected a path in UTF-8 but received {shown(path)}")
    # A REST API's event has no version; a Function URL's has a domain of its own kind.
    if "version" in event and ".lambda-url." not in _text(context.get("domainName")):
        # HTTP APIs decode the path, and put their stage before it unless it is the default one.
        stage = f"/{_text(context.get('stage'))}"
        return path.removeprefix(stage) if path.startswith(f"{stage}/") else path
    try:
        return unquote(path, errors="strict")
    except UnicodeDecodeError as error:
        raise RequestError(f"Expected a path in UTF-8 but received {shown(path)}") from error


def http_answer(status: int, headers: Mapping[str, str], body: bytes = b"") -> dict[str, Any]:
    """Return what Lambda's HTTP integrations expect, in every format of theirs."""
    return {
        "statusCode": status,
        "headers": dict(headers),
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }


def json_answer(status: int, code: str, message: str, *, retry: bool = False) -> dict[str, Any]:
    """Return a JSON answer that says why there is no rendition. Caches must not store it."""
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return {
        "statusCode": status,
        "headers": headers | {"Retry-After": "1"} if retry else headers,
        "body": json.dumps({"code": code, "message": message}),
        "isBase64Encoded": False,
    }
