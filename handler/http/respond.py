"""``GET /{rendition}/{key}``: the rendition as it is stored, made first where it is missing."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from botocore.exceptions import BotoCoreError

from handler.errors import (
    Disposition,
    ObjectMissingError,
    RequestError,
    StorageError,
    StoreArchivedError,
)
from handler.http.choice import Choice, choice_from_request, fallback_of
from handler.http.cors import preflight, shared
from handler.http.messages import Request, answer_of, http_answer, json_answer, read_request
from handler.http.turns import taking_turns
from handler.objects import ObjectEvent
from handler.report import JobReport
from handler.s3.meanings import is_archived
from handler.s3.requests import Requests
from handler.settings import Settings
from handler.version import version_from_metadata
from imaging.errors import RejectedPhotoError, RenditionsError
from imaging.specs import RenditionSpec

__all__ = ["respond"]

Make = Callable[[ObjectEvent, Sequence[RenditionSpec]], JobReport]
"""Makes and stores one photo's renditions of the given specs."""
Done = Callable[[JobReport], None]
"""Told what became of a photo."""

_REDIRECT_SECONDS: Final = 300
_OK: Final = 200
_NOT_FOUND: Final = 404
_FALLBACK_SECONDS: Final = 60
"""How long a cache may show the photo that stands for one that is missing: it may come."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored:
    """A rendition in the destination: its key, and S3's answer to a GET or a HEAD."""

    key: str
    answer: Mapping[str, Any]


def respond(
    event: Mapping[str, Any],
    settings: Settings,
    requests: Requests,
    make: Make,
    done: Done,
) -> dict[str, Any]:
    """Answer the HTTP request in ``event``; never raises an Exception.

    *Cost*: one GetObject for a rendition that is there; a HeadObject alone for a HEAD, or for a
    client that has it already. What is missing or stale costs what ``make`` does, and that once
    more.

    Args:
        event: The request, in any of Lambda's formats.
        settings: The settings.
        requests: Of this invocation.
        make: How a missing rendition is made.
        done: Told what became of a photo.
    """
    request = None
    try:
        request = read_request(event)
        answer = _respond(request, settings, requests, make, done)
    except Exception as error:  # noqa: BLE001 - a client is answered, whatever happened
        answer = _answer_to_failure(error)
    return answer_of(event, shared(answer, request, settings))


def _answer_to_failure(failure: Exception) -> dict[str, Any]:
    match failure:
        case RequestError():
            return json_answer(failure.status, failure.code, failure.message)
        case RenditionsError():
            _log.warning("%s: %s", failure.code, failure)
            message = "S3 did not hand the rendition over"
            return json_answer(503, failure.code, message, retry=True)
        case BotoCoreError():
            _log.warning("the rendition was truncated: %s", failure)
            return json_answer(503, StorageError.code, "The rendition was truncated", retry=True)
    _log.error("an exception that nobody foresaw", exc_info=failure)
    return json_answer(500, "internal", "An unexpected error; the log has the traceback")


def _respond(
    request: Request,
    settings: Settings,
    requests: Requests,
    make: Make,
    done: Done,
) -> dict[str, Any]:
    if (answer := preflight(request, settings)) is not None:
        return answer
    if not settings.source_buckets:
        return json_answer(501, "http-not-set-up", "Expected SOURCE_BUCKET to be set")
    asked = choice_from_request(request, settings, time.time())
    stored = _have(request, asked, settings, requests, make, done)
    if isinstance(stored, _Stored):
        return _answer(request, asked, stored, settings, requests)
    instead = fallback_of(request, asked, settings) if stored["statusCode"] == _NOT_FOUND else None
    if instead is None:
        return stored
    return _answer_instead(request, instead, stored, settings, requests, make, done)


def _have(
    request: Request,
    asked: Choice,
    settings: Settings,
    requests: Requests,
    make: Make,
    done: Done,
) -> _Stored | dict[str, Any]:
    """Return the rendition, made where it is missing; or the answer that says why not."""
    stored = _find(request, asked, settings, requests)
    if stored is None:
        with taking_turns((asked.bucket, asked.key, asked.spec.name)) as has_waited:
            # Whoever was first may have made it.
            stored = _find(request, asked, settings, requests) if has_waited else None
            if stored is None:
                report = make(
                    ObjectEvent(bucket=asked.bucket, key=asked.key, name="HTTP"), (asked.spec,)
                )
                done(report)
                if (refusal := _refusal(report)) is not None:
                    return refusal
                stored = _find(request, asked, settings, requests)
    if stored is None:
        return json_answer(503, "store-failed", "The rendition was made and is gone", retry=True)
    return stored


def _answer_instead(
    request: Request,
    instead: Choice,
    refusal: dict[str, Any],
    settings: Settings,
    requests: Requests,
    make: Make,
    done: Done,
) -> dict[str, Any]:
    """Return 404 with the photo that stands for those that are missing, where that can be had."""
    # It must not be taken for the one that the client may have.
    headers = {name: value for name, value in request.headers.items() if name != "if-none-match"}
    plain = replace(request, headers=headers)
    stored = _have(plain, instead, settings, requests, make, done)
    if not isinstance(stored, _Stored):
        return refusal
    answer = _answer(plain, instead, stored, settings, requests)
    if answer["statusCode"] != _OK:
        return refusal
    del answer["headers"]["ETag"]
    left_s = instead.left_s(time.time())
    seconds = _FALLBACK_SECONDS if left_s is None else min(_FALLBACK_SECONDS, left_s)
    scope = "public" if left_s is None else "private"
    answer["headers"]["Cache-Control"] = f"{scope}, max-age={seconds}"
    return answer | {"statusCode": _NOT_FOUND}


def _find(
    request: Request,
    asked: Choice,
    settings: Settings,
    requests: Requests,
) -> _Stored | None:
    """Return the rendition if it is stored as the spec wants it today."""
    # Of what a client may have already, the headers will do.
    wants_body = request.method == "GET" and "if-none-match" not in request.headers
    operation = "get_object" if wants_body else "head_object"
    for output in asked.formats:
        key = settings.key_template.destination(
            asked.key, asked.spec.name, output.extension, bucket=asked.bucket
        )
        try:
            answer = requests.of_destination(operation, Bucket=settings.destination_bucket, Key=key)
        except (ObjectMissingError, StoreArchivedError):
            # Whoever asks waits for another one, rather than hours for that.
            continue
        metadata = answer.get("Metadata", {})
        version = version_from_metadata(metadata)
        is_ours = version.is_of_key(asked.key) and version.is_of_bucket(asked.bucket)
        is_current = is_ours and metadata.get("spec") == asked.spec.digest(output)
        if is_current and (wants_body or not is_archived(answer)):
            return _Stored(key=key, answer=answer)
        if wants_body:
            answer["Body"].close()
    return None


def _refusal(report: JobReport) -> dict[str, Any] | None:
    """Return the answer to a request whose photo gave no rendition; None if it gave one."""
    match report.disposition:
        case Disposition.SUPERSEDED | Disposition.IGNORED:
            return json_answer(404, "no-such-photo", f"There is no photo {report.key!r}")
        case Disposition.REJECTED:
            return json_answer(422, report.code or "rejected", _public_message(report))
        case Disposition.RETRY:
            return json_answer(503, report.code or "retry", "Try again", retry=True)
        case _:
            return None


def _public_message(report: JobReport) -> str:
    """Return what the public may know of a rejection.

    What ``imaging`` says is of the photo's own bytes: it knows of no bucket. Any other message may
    have S3's words in it, with accounts, roles and keys; the log has those.
    """
    if report.code in _codes_of_imaging(RejectedPhotoError) and report.message:
        return report.message
    return "The photo is rejected"


def _codes_of_imaging(family: type[RejectedPhotoError]) -> set[str]:
    own = {family.code} if family.__module__.startswith("imaging.") else set()
    return own.union(*map(_codes_of_imaging, family.__subclasses__()))


def _answer(
    request: Request,
    asked: Choice,
    stored: _Stored,
    settings: Settings,
    requests: Requests,
) -> dict[str, Any]:
    place = {"Bucket": settings.destination_bucket, "Key": stored.key}
    answer = stored.answer
    try:
        # Only now: the rendition may have taken seconds to make.
        left_s = asked.left_s(time.time())
    except RequestError:
        _close(answer)
        raise
    headers = _headers(answer, settings, varies=asked.varies, left_s=left_s)
    if _has_it(request.headers.get("if-none-match", ""), headers["ETag"]):
        return http_answer(304, headers)
    if answer["ContentLength"] > request.max_body_bytes:
        _close(answer)
        operation = "get_object" if request.method == "GET" else "head_object"
        # Nobody may fetch it for longer than the URL that was asked for is good.
        seconds = _REDIRECT_SECONDS if left_s is None else min(_REDIRECT_SECONDS, left_s)
        url = requests.presigned_url(operation, seconds=seconds, **place)
        return http_answer(302, {"Location": url, "Cache-Control": "no-store"})
    if request.method == "HEAD":
        return http_answer(200, headers)
    if "Body" not in answer:
        answer = requests.of_destination("get_object", **place, IfMatch=headers["ETag"])
    return http_answer(200, headers, answer["Body"].read())


def _close(answer: Mapping[str, Any]) -> None:
    if "Body" in answer:
        answer["Body"].close()


def _headers(
    answer: Mapping[str, Any], settings: Settings, *, varies: bool, left_s: int | None
) -> dict[str, str]:
    cache_control = answer.get("CacheControl", settings.cache_control)
    if left_s is not None:
        # No cache may hand it on for longer than its URL is good.
        cache_control = f"private, max-age={left_s}"
    headers = {
        "Content-Type": answer["ContentType"],
        "ETag": answer["ETag"],
        "Cache-Control": cache_control,
        "X-Content-Type-Options": "nosniff",
    }
    if "ContentDisposition" in answer:
        headers["Content-Disposition"] = answer["ContentDisposition"]
    return headers | {"Vary": "Accept"} if varies else headers


def _has_it(if_none_match: str, etag: str) -> bool:
    """Tell whether the client has this very rendition (RFC 9110, 13.1.2: the weak comparison)."""
    tags = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return bool(tags & {etag, "*"})
