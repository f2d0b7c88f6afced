"""HTTP request -> which rendition of which photo, or why there is none to have; pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from handler.errors import KeyTooLongError, RequestError
from handler.http.messages import Request
from handler.http.signing import is_signed
from handler.keys import has_relative_segment
from handler.settings import Settings
from imaging.formats import OutputFormat
from imaging.specs import RenditionSpec

__all__ = ["Choice", "choice_from_request", "fallback_of"]

_ANY_FORMAT: Final = "image/*"
_BY_NAME: Final = frozenset({OutputFormat.AVIF, OutputFormat.WEBP})
"""What a client gets only if its Accept names it: clients that show neither send ``*/*``."""
_MAX_EXPIRES_DIGITS: Final = 12
"""The year 33658; int() refuses a number of thousands of digits."""


class MethodNotAllowedError(RequestError):
    """Neither GET nor HEAD."""

    code = "method-not-allowed"
    status = 405


class BadSignatureError(RequestError):
    """The URL is not signed by any key of ours, or is good for something else."""

    code = "bad-signature"
    status = 403


class ExpiredError(RequestError):
    """The URL is no longer good."""

    code = "expired"
    status = 403


class UnknownRenditionError(RequestError):
    """The config has no rendition of that name for the photo's key."""

    code = "unknown-rendition"
    status = 404


class OutsidePrefixError(RequestError):
    """The key does not begin with ``SOURCE_PREFIX``."""

    code = "outside-prefix"
    status = 404


class OutsideBasePathError(RequestError):
    """The path does not begin with ``HTTP_BASE_PATH``."""

    code = "outside-base-path"
    status = 404


class TooLongKeyError(RequestError):
    """S3 has no key as long as the photo's, or as its rendition's would be."""

    code = KeyTooLongError.code
    status = 414


class NotAcceptableError(RequestError):
    """The client takes none of the rendition's formats."""

    code = "not-acceptable"
    status = 406


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a request asks for, and may have.

    Attributes:
        bucket: The photo's.
        key: The photo's.
        spec: The rendition's, with only the format that the client prefers.
        formats: What that can come out as: one, or every one where it is the photo's own.
        varies: Whether another ``Accept`` could have been answered otherwise.
        expires_at_s: Until when the URL is good, in seconds since 1970, where it says.
    """

    bucket: str
    key: str
    spec: RenditionSpec
    formats: tuple[OutputFormat, ...]
    varies: bool
    expires_at_s: int | None

    def left_s(self, now_s: float) -> int | None:
        """Return for how many whole seconds the URL is still good; None if for ever.

        Raises:
            ExpiredError: For none.
        """
        if self.expires_at_s is None:
            return None
        return _left_s(self.expires_at_s, now_s)


def choice_from_request(request: Request, settings: Settings, now_s: float) -> Choice:
    """Return what ``request`` asks for.

    Raises:
        RequestError: There is none to have; the subclass and its message say why.
    """
    if request.method not in {"GET", "HEAD"}:
        raise MethodNotAllowedError(f"Expected GET or HEAD but received {request.method}")
    path = request.path.removeprefix(settings.http_base_path)
    if settings.http_base_path and (path == request.path or not path.startswith("/")):
        raise OutsideBasePathError(f"Expected a path below {settings.http_base_path}")
    name, _, key = path.removeprefix("/").partition("/")
    if not name or not key:
        raise RequestError(f"Expected /rendition/key but received {request.path!r}")
    if has_relative_segment(key):
        raise RequestError(f"Expected a key without '.' and '..' but received {key!r}")
    # First: an unsigned request must not learn which renditions and prefixes exist.
    expires_at_s = _check_signature(request, settings, name, key, now_s)
    bucket, key = _place(key, settings)
    if not settings.is_source(bucket, key):
        raise OutsidePrefixError(f"Expected a key that is served but received {key!r}")
    specs = {spec.name: spec for spec in settings.config.specs_of(key)}
    if name not in specs:
        raise UnknownRenditionError(
            f"Expected one of {', '.join(specs) or 'no renditions'} but received {name!r}"
        )
    spec = specs[name]
    chosen = _choose(spec.formats, request.headers.get("accept") or "*/*")
    choice = _choice(bucket, key, spec, chosen, expires_at_s)
    _check_length(bucket, key, name, choice.formats, settings)
    return choice


def _choice(
    bucket: str,
    key: str,
    spec: RenditionSpec,
    chosen: OutputFormat | None,
    expires_at_s: int | None,
) -> Choice:
    return Choice(
        bucket=bucket,
        key=key,
        # The photo's own format has no settings of its own to leave out.
        spec=replace(spec, formats=(None,)) if chosen is None else spec.only(chosen),
        formats=_outcomes(chosen, key),
        varies=len(spec.formats) > 1,
        expires_at_s=expires_at_s,
    )


def fallback_of(request: Request, asked: Choice, settings: Settings) -> Choice | None:
    """Return the rendition of that name of the photo that stands for missing ones.

    None where there is none to have: the config may have another rendition of that name for its
    key, or none, and nothing else is ever stored as one of its set.
    """
    key = settings.http_fallback_key
    if key is None or key == asked.key:
        return None
    spec = next((one for one in settings.config.specs_of(key) if one.name == asked.spec.name), None)
    if spec is None:
        return None
    try:
        chosen = _choose(spec.formats, request.headers.get("accept") or "*/*")
    except NotAcceptableError:
        return None
    return _choice(asked.bucket, key, spec, chosen, asked.expires_at_s)


def _check_signature(
    request: Request, settings: Settings, name: str, key: str, now_s: float
) -> int | None:
    """Return until when the URL is good; None if for ever, or nothing is signed."""
    if not settings.url_signing_keys:
        return None
    expires = request.query.get("expires", "")
    given = request.query.get("signature", "")
    if not is_signed(settings.url_signing_keys, given, name, key, expires):
        raise BadSignatureError(
            "Expected a signature that one of URL_SIGNING_KEYS makes of this rendition and key, "
            f"and of {f'expires={expires}' if expires else 'no expires'}"
        )
    if not expires:
        return None
    if not (expires.isascii() and expires.isdecimal() and len(expires) <= _MAX_EXPIRES_DIGITS):
        raise RequestError("Expected expires in seconds since 1970, as decimal digits")
    _left_s(int(expires), now_s)
    return int(expires)


def _left_s(expires_at_s: int, now_s: float) -> int:
    left_s = math.floor(expires_at_s - now_s)
    if left_s <= 0:
        raise ExpiredError(f"This URL was good until {expires_at_s}, seconds since 1970")
    return left_s


def _place(key: str, settings: Settings) -> tuple[str, str]:
    """Return bucket and key: of several source buckets, the path names one before the key."""
    if len(settings.source_buckets) == 1:
        return settings.source_buckets[0], key
    bucket, _, rest = key.partition("/")
    return bucket, rest


def _check_length(
    bucket: str, key: str, name: str, outcomes: Sequence[OutputFormat], settings: Settings
) -> None:
    # A rendition's key holds the photo's, and is longer.
    try:
        for output in outcomes:
            settings.key_template.destination(key, name, output.extension, bucket=bucket)
    except KeyTooLongError as error:
        raise TooLongKeyError("Expected a shorter key: S3 has none as long as this") from error


def _outcomes(chosen: OutputFormat | None, key: str) -> tuple[OutputFormat, ...]:
    """Return the formats that ``chosen`` can give, the likeliest first."""
    if chosen is not None:
        return (chosen,)
    extension = key.rpartition(".")[2].lower()
    return tuple(
        sorted(OutputFormat, key=lambda output: extension not in {output, output.extension})
    )


def _choose(formats: Sequence[OutputFormat | None], accept: str) -> OutputFormat | None:
    """Return the format with the highest weight in ``accept``; of equals, the spec's first.

    AVIF and WebP only where it names them, unless there is nothing else to have.

    Raises:
        NotAcceptableError: It takes none.
    """
    weights = {
        output: _weight_of(accept, output.content_type if output else _ANY_FORMAT)
        for output in formats
    }
    taken = [output for output in formats if weights[output] > 0]
    if not taken:
        listed = ", ".join(output.content_type if output else _ANY_FORMAT for output in formats)
        raise NotAcceptableError(f"Expected Accept to take one of {listed} but received {accept!r}")
    named = {item.split(";")[0].strip().lower() for item in accept.split(",")}
    suitable = [
        output
        for output in taken
        if output is None or output not in _BY_NAME or output.content_type in named
    ]
    return max(suitable or taken, key=lambda output: weights[output])


def _weight_of(accept: str, content_type: str) -> float:
    """Return the weight of ``content_type``: the most specific range that covers it decides.

    Any range of images covers a photo's own format: the header was not read yet.

    Source: RFC 9110, 12.5.1.
    """
    decisive = (-1, 0.0)
    for item in accept.split(","):
        media, *parameters = (part.strip().lower() for part in item.split(";"))
        specificity = {content_type: 2, "image/*": 1, "*/*": 0}.get(media, -1)
        if specificity < 0 and content_type == _ANY_FORMAT and media.startswith("image/"):
            specificity = 1
        weight = next((part[2:] for part in parameters if part.startswith("q=")), "1")
        try:
            decisive = max(decisive, (specificity, min(max(float(weight), 0.0), 1.0)))
        except ValueError:
            continue
    return decisive[1] if decisive[0] >= 0 else 0.0
