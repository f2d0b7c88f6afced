"""S3 event notifications, versions 2.x, delivered by S3 itself.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import unquote_plus

from handler.errors import Disposition, EventError
from handler.events.envelope import Envelope, Item, answer_or_raise
from handler.events.objects import Change, ObjectEvent, optional_text, parsed_time, required_text

__all__ = ["open_envelope", "read_records"]

_CHANGES: Final = {
    "ObjectCreated": Change.CREATED,
    "ObjectRemoved": Change.DELETED,
    "LifecycleExpiration": Change.DELETED,
}


def read_records(
    records: Iterable[Mapping[str, Any]], receive_count: int = 1
) -> tuple[ObjectEvent | EventError, ...]:
    """Return what each record of a notification says, or why it cannot be read.

    A key is URL-encoded, with ``+`` for a space, and decoded here, once.
    """
    return tuple(_read(record, receive_count) for record in records)


def _read(record: Mapping[str, Any], receive_count: int) -> ObjectEvent | EventError:
    try:
        version = str(record.get("eventVersion", "2.0"))
        if not version.startswith("2."):
            return EventError(f"Expected eventVersion 2.x but received {version!r}")
        # MinIO writes the prefix, S3 does not.
        name = record["eventName"].removeprefix("s3:")
        s3_object = record["s3"]["object"]
        etag = optional_text(s3_object.get("eTag"))
        return ObjectEvent(
            bucket=required_text(record["s3"]["bucket"]["name"]),
            key=unquote_plus(required_text(s3_object["key"]), errors="strict"),
            change=_CHANGES.get(name.split(":", 1)[0], Change.OTHER),
            name=name,
            version_id=optional_text(s3_object.get("versionId")),
            etag=etag and etag.strip('"'),
            sequencer=optional_text(s3_object.get("sequencer")),
            time=parsed_time(record.get("eventTime")),
            size=s3_object.get("size"),
            receive_count=receive_count,
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        return EventError(
            f"Expected an S3 record with eventName, s3.bucket.name and s3.object.key: {error!r}"
        )


def open_envelope(event: Mapping[str, Any]) -> Envelope:
    """Return a notification's records, one item each; none for an ``s3:TestEvent``."""
    return Envelope(
        items=tuple(
            Item(id=f"Records[{at}]", events=(record,))
            for at, record in enumerate(read_records(event.get("Records", ())))
        ),
        unreadable=Disposition.RETRY,
        answer=answer_or_raise,
    )
