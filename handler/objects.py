"""What every event source comes down to: something happened to one object."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

__all__ = [
    "BUCKET_PATTERN",
    "ETAG_PATTERN",
    "MAX_KEY_BYTES",
    "VERSION_ID_PATTERN",
    "Change",
    "ObjectEvent",
]

MAX_KEY_BYTES: Final = 1024
"""What S3 takes as a key, in UTF-8.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
"""

BUCKET_PATTERN: Final = "[A-Za-z0-9._-]{1,255}"
"""What botocore lets pass: names from before 2018 are longer, and have other letters."""

# Both are opaque, and stand in HTTP headers.
ETAG_PATTERN: Final = "[!#-~]{1,256}"
"""Without the quotes around it."""
VERSION_ID_PATTERN: Final = "[!-~]{1,1024}"


class Change(StrEnum):
    """What happened to the object."""

    CREATED = "created"
    """It has new bytes, a job asks for its renditions, or it came back from an archive."""
    DELETED = "deleted"
    """It, or one of its versions, is gone; a delete marker counts."""
    OTHER = "other"
    """Its bytes are as they were: tags, a restore that begins, a change of its class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectEvent:
    """One thing that happened to one object; made in ``handler/events/checks.py`` from an event.

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
        modified: The object's Last-Modified, in seconds since 1970, where S3 was asked for it.
        receive_count: How often the queue has handed it over, this time included; 1 from sources
            that do not count.
        is_alone: Whether no other photo is decoded beside it in its process; ``handler/items.py``
            says so.
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
    modified: int | None = None
    receive_count: int = 1
    is_alone: bool = True
