"""S3 event notifications, versions 2.x, delivered by S3 itself.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from handler.errors import EventError

__all__ = ["ObjectEvent", "object_events"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectEvent:
    """One thing that happened to one object.

    Attributes:
        name: The event's name without ``s3:``, such as ``ObjectCreated:Put``.
        bucket: The bucket.
        key: The key as S3 stores it, decoded.
        version_id: Only on versioned buckets.
        etag: Its identity, without quotes; not an MD5.
        sequencer: Orders events of one key; hexadecimal.
        size: Bytes, where the event says.
    """

    name: str
    bucket: str
    key: str
    version_id: str | None = None
    etag: str | None = None
    sequencer: str | None = None
    size: int | None = None

    @property
    def is_created(self) -> bool:
        return self.name.startswith("ObjectCreated:")


def object_events(event: Mapping[str, Any]) -> list[ObjectEvent]:
    """Return the object events of a notification; none for an ``s3:TestEvent``.

    Keys are URL-encoded in a notification, with ``+`` for a space, and decoded here exactly once.

    Raises:
        EventError: It is not an S3 notification of major version 2.
    """
    if event.get("Event") == "s3:TestEvent":
        return []
    records = event.get("Records")
    if not isinstance(records, list):
        raise EventError(f"Expected an S3 notification but received the keys {sorted(event)}")
    return [_object_event(record) for record in records]


def _object_event(record: Mapping[str, Any]) -> ObjectEvent:
    try:
        version = str(record.get("eventVersion", "2.0"))
        if not version.startswith("2."):
            raise EventError(f"Expected eventVersion 2.x but received {version!r}")
        s3_object = record["s3"]["object"]
        return ObjectEvent(
            # MinIO writes the prefix, S3 does not.
            name=record["eventName"].removeprefix("s3:"),
            bucket=record["s3"]["bucket"]["name"],
            key=unquote_plus(s3_object["key"]),
            version_id=s3_object.get("versionId") or None,
            etag=(s3_object.get("eTag") or "").strip('"') or None,
            sequencer=s3_object.get("sequencer"),
            size=s3_object.get("size"),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise EventError(
            f"Expected an S3 record with eventName, s3.bucket.name and s3.object.key: {error!r}"
        ) from error
