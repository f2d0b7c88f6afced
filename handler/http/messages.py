"""HTTP requests through a Function URL or API Gateway, and the answers to them.

Source: https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html (Function URL),
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
(HTTP API, payload formats 1.0 and 2.0),
https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
(REST API),
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
(Application Load Balancer).
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import unquote, unquote_plus

from handler.errors import RequestError
from handler.events.checks import fields_of, sequence_of, shown

__all__ = [
    "MAX_BALANCED_BYTES",
    "MAX_BODY_BYTES",
    "Request",
    "answer_of",
    "http_answer",
    "json_answer",
    "read_request",
]


MAX_BODY_BYTES: Final = ((6 << 20) - (64 << 10)) // 4 * 3
"""What fits into a Lambda response: 6 MiB less 64 KiB for its headers, base64 taking 4 for 3.

Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""
MAX_BALANCED_BYTES: Final = ((1 << 20) - (64 << 10)) // 4 * 3
"""The same of 1 MiB, which is what a load balancer takes from a function."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a client asks for.

    Attributes:
        method: In capitals.
        path: Decoded, once, and without API Gateway's stage.
        query: Decoded.
        headers: By name in lower case.
        max_body_bytes: What fits into an answer.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    max_body_bytes: int = MAX_BODY_BYTES


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
    query = _texts(event.get("queryStringParameters")) | {
        name: [*map(_text, sequence_of(values)), ""][0]
        for name, values in fields_of(event.get("multiValueQueryStringParameters")).items()
        if "queryStringParameters" not in event
    }
    is_balanced = "elb" in context
    if is_balanced:
        # A load balancer hands the query over as it was sent.
        query = {unquote_plus(name): unquote_plus(value) for name, value in query.items()}
    return Request(
        method=_text(http.get("method") or event.get("httpMethod")).upper(),
        path=_path(event, context),
        query=query,
        headers={name.lower(): value for name, value in headers.items()},
        max_body_bytes=MAX_BALANCED_BYTES if is_balanced else MAX_BODY_BYTES,
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


def answer_of(event: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``answer`` as what sent ``event`` expects it.

    A load balancer wants the status in words; with multi-value headers in its events, it wants them
    in answers too.
    """
    if "elb" not in fields_of(event.get("requestContext")):
        return dict(answer)
    status = HTTPStatus(answer["statusCode"])
    shaped = {**answer, "statusDescription": f"{status.value} {status.phrase}"}
    if "multiValueHeaders" in event:
        headers = shaped.pop("headers")
        shaped["multiValueHeaders"] = {name: [value] for name, value in headers.items()}
    return shaped


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
