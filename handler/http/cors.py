"""Which pages of other origins may read renditions: ``CORS_ORIGINS``; pure.

Source: https://fetch.spec.whatwg.org/#http-cors-protocol
"""

from collections.abc import Mapping
from typing import Any, Final

from handler.http.messages import Request, http_answer
from handler.settings import Settings

__all__ = ["preflight", "shared"]

_METHODS: Final = "GET, HEAD"
_MAX_AGE_S: Final = 7200
"""As long as any browser keeps it."""


def preflight(request: Request, settings: Settings) -> dict[str, Any] | None:
    """Return the answer to a browser that asks whether it may ask; None for any other request."""
    if request.method != "OPTIONS" or not settings.cors_origins:
        return None
    headers = {"Allow": f"{_METHODS}, OPTIONS", "Cache-Control": "no-store"}
    if _is_allowed(request, settings):
        headers |= {
            "Access-Control-Allow-Methods": _METHODS,
            "Access-Control-Max-Age": str(_MAX_AGE_S),
        }
        # A GET has no body and no effect: whatever header it comes with changes nothing.
        if asked := request.headers.get("access-control-request-headers"):
            headers["Access-Control-Allow-Headers"] = asked
    return http_answer(204, headers)


def shared(
    answer: Mapping[str, Any], request: Request | None, settings: Settings
) -> dict[str, Any]:
    """Return ``answer`` with what lets the page of the request's origin read it.

    Where only some origins may, every answer says that it varies, also one to no origin: a cache
    must not hand it to another.
    """
    headers = dict(answer["headers"])
    origins = settings.cors_origins
    if not origins:
        return dict(answer)
    if "*" not in origins:
        headers["Vary"] = ", ".join(filter(None, [headers.get("Vary"), "Origin"]))
    if request is not None and _is_allowed(request, settings):
        any_origin = "*" in origins
        headers["Access-Control-Allow-Origin"] = "*" if any_origin else request.headers["origin"]
        headers["Access-Control-Expose-Headers"] = "ETag, Content-Disposition"
    return {**answer, "headers": headers}


def _is_allowed(request: Request, settings: Settings) -> bool:
    origins = settings.cors_origins
    return "*" in origins or request.headers.get("origin") in origins
