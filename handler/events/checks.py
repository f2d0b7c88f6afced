"""The door: every field of every envelope is decoded and checked here, and nowhere else.

An event is JSON that others wrote. What comes out of this module is text that UTF-8 can hold, of a
length that S3 knows, and numbers of a size that S3 knows. Anything else is an EventError, which is
the answer to that one record. Code behind the door does not check these fields again.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import unquote_plus

from handler.errors import EventError
from handler.objects import (
    BUCKET_PATTERN,
    ETAG_PATTERN,
    MAX_KEY_BYTES,
    VERSION_ID_PATTERN,
    Change,
    ObjectEvent,
)

__all__ = [
    "field_at",
    "fields_of",
    "identifier",
    "object_event",
    "sequence_of",
    "shown",
    "url_decoded",
]

_MAX_SIZE: Final = 1 << 53
"""Bytes; far above S3's largest object, and whole in every JSON."""
_MAX_NAME_BYTES: Final = 256
_MAX_IDENTIFIER_BYTES: Final = 1024
_MAX_COUNT_DIGITS: Final = 9
_MAX_SHOWN: Final = 60
_MAX_SHOWN_BITS: Final = 64

_BUCKET: Final = re.compile(BUCKET_PATTERN)
_VERSION_ID: Final = re.compile(VERSION_ID_PATTERN)
_ETAG: Final = re.compile(ETAG_PATTERN)
# S3's have 16 to 18 digits. One of thousands would come after every genuine one, for ever.
_SEQUENCER: Final = re.compile(r"[0-9A-Fa-f]{1,64}", re.ASCII)


def fields_of(value: object) -> Mapping[str, Any]:
    """Return ``value``; no fields where it has none, so that the first one missing is named."""
    return value if isinstance(value, Mapping) else {}


def field_at(value: object, *path: str) -> object:
    """Return the field at the end of ``path``; None where the path ends before that."""
    for name in path:
        value = fields_of(value).get(name)
    return value


def sequence_of(value: object) -> list[Any]:
    """Return ``value`` if it is a list, else none of its elements."""
    return value if isinstance(value, list) else []


def shown(value: object) -> str:
    """Return what a message shows of a value that is wrong: short, and text whatever it is."""
    match value:
        case str():
            # repr() escapes what is not printable, lone surrogates among it.
            return repr(value[:_MAX_SHOWN]) + ("..." if len(value) > _MAX_SHOWN else "")
        case int() if value.bit_length() > _MAX_SHOWN_BITS:
            return f"an integer of {value.bit_length()} bits"
        case int() | float() | None:
            return repr(value)
    return f"a value of type {type(value).__name__}"


def _expected(what: str, name: str, value: object) -> EventError:
    return EventError(f"Expected {what} for {name} but received {shown(value)}")


def _is_text(value: str, most_bytes: int) -> bool:
    try:
        return len(value.encode()) <= most_bytes
    except UnicodeEncodeError:
        # JSON can name half of a surrogate pair: "\ud800".
        return False


def identifier(value: object) -> str:
    """Return what a source calls an item, to be repeated in the answer; empty if it is no text."""
    return value if isinstance(value, str) and _is_text(value, _MAX_IDENTIFIER_BYTES) else ""


def url_decoded(key: object) -> str:
    """Return the key of a source that URL-encodes it, ``+`` being a space.

    Raises:
        EventError: It is no text, or its bytes are not UTF-8.
    """
    if not isinstance(key, str):
        raise _expected("a URL-encoded text", "the object's key", key)
    try:
        return unquote_plus(key, errors="strict")
    except UnicodeError as error:
        raise _expected("URL-encoded UTF-8", "the object's key", key) from error


def object_event(  # noqa: PLR0913 - what an event says
    *,
    bucket: object,
    key: object,
    change: Change = Change.CREATED,
    name: object = "job",
    version_id: object = None,
    etag: object = None,
    sequencer: object = None,
    time: object = None,
    size: object = None,
    receive_count: object = None,
) -> ObjectEvent:
    """Return what a record says; the fields are those of ObjectEvent, as they stand in JSON.

    None and an empty text are a field that is not there. A key is the object's own, decoded.

    Raises:
        EventError: A field is wrong; the message names it, what was expected and what was received.
    """
    return ObjectEvent(
        bucket=_required(bucket, "the bucket", _BUCKET, "a bucket's name"),
        key=_key(key),
        change=change,
        name=_name(name),
        version_id=_optional(version_id, "the version ID", _VERSION_ID, "printable ASCII"),
        etag=_optional(
            etag.strip('"') if isinstance(etag, str) else etag,
            "the ETag",
            _ETAG,
            "printable ASCII without quotes",
        ),
        sequencer=_optional(sequencer, "the sequencer", _SEQUENCER, "up to 64 hexadecimal digits"),
        time=_time(time),
        size=_size(size),
        receive_count=_count(receive_count),
    )


def _required(value: object, name: str, pattern: re.Pattern[str], what: str) -> str:
    if not isinstance(value, str) or pattern.fullmatch(value) is None:
        raise _expected(what, name, value)
    return value


def _optional(value: object, name: str, pattern: re.Pattern[str], what: str) -> str | None:
    return None if value is None or value == "" else _required(value, name, pattern, what)


def _key(value: object) -> str:
    if not isinstance(value, str) or not value or not _is_text(value, MAX_KEY_BYTES):
        raise _expected(f"a text of 1 to {MAX_KEY_BYTES} bytes of UTF-8", "the object's key", value)
    return value


def _name(value: object) -> str:
    if not isinstance(value, str) or not value or not _is_text(value, _MAX_NAME_BYTES):
        raise _expected(f"a text of up to {_MAX_NAME_BYTES} bytes", "the event's name", value)
    return value


def _time(value: object) -> datetime | None:
    """Return an ISO 8601 time in UTC; None for anything else, since nothing depends on it."""
    try:
        read = datetime.fromisoformat(value) if isinstance(value, str) else None
        if read is None:
            return None
        # A moment near the year 1 or 9999 is none in another time zone.
        return read.astimezone(UTC) if read.tzinfo is not None else read.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _size(value: object) -> int | None:
    if value is None:
        return None
    # JSON's true is an int to Python.
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MAX_SIZE:
        raise _expected("a number of bytes", "the object's size", value)
    return value


def _count(value: object) -> int:
    """Return how often a message was received; SQS writes the number as text."""
    if value is None:
        return 1
    if not isinstance(value, str) or not value.isascii() or not value.isdecimal():
        raise _expected("decimal digits", "the receive count", value)
    if len(value) > _MAX_COUNT_DIGITS:
        raise _expected(f"up to {_MAX_COUNT_DIGITS} digits", "the receive count", value)
    return max(1, int(value))
