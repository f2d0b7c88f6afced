"""What every event source comes down to: something happened to one object."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

__all__ = [
    "Change",
    "ObjectEvent",
    "fields_of",
    "optional_text",
    "parsed_time",
    "required_text",
]


class Change(StrEnum):
    """What happened to the object."""

    CREATED = "created"
    """It has new bytes, or a job asks for its renditions."""
    DELETED = "deleted"
    """It, or one of its versions, is gone; a delete marker counts."""
    OTHER = "other"
    """Its bytes are as they were: tags, a restore, a change of its class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectEvent:
    """One thing that happened to one object.

    Attributes:
        bucket: The bucket.
        key: The key as S3 stores it, decoded.
        change: What happened.
        name: The same in the source's own words, such as ``ObjectCreated:Put``; for logs.
        version_id: Only on versioned buckets.
        etag: Its identity, without quotes; not an MD5. A delete has none.
        sequencer: Orders the events of one key; hexadecimal, of varying length. A job has none.
        time: When it happened, as its source saw it; for people, never for order.
        size: Bytes, where the event says.
        receive_count: How often the queue has handed it over, this time included; 1 from sources
            that do not count.
    """

    bucket: str
    key: str
    change: Change = Change.CREATED
    name: str = "job"
    version_id: str | None = None
    etag: str | None = None
    sequencer: str | None = None
    time: datetime | None = None
    size: int | None = None
    receive_count: int = 1


def fields_of(value: object) -> Mapping[str, Any]:
    """Return ``value``; no fields where it has none, so that the first one missing is named."""
    return value if isinstance(value, Mapping) else {}


def parsed_time(text: object) -> datetime | None:
    """Return an ISO 8601 time; None where there is none, since nothing depends on it."""
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None


def optional_text(value: object) -> str | None:
    """Return ``value``; None where there is none, or it is empty.

    Raises:
        TypeError: It is not text.
    """
    return required_text(value) if value else None


def required_text(value: object) -> str:
    """Return ``value``.

    Raises:
        TypeError: It is not text, or is empty.
    """
    if not isinstance(value, str) or not value:
        raise TypeError(f"text expected, {value!r} received")
    return value
