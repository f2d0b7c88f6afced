"""S3 event notifications, versions 2.x, delivered by S3 itself.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
"""

from collections.abc import Iterable
from typing import Final

from handler.errors import Disposition, EventError
from handler.events.checks import field_at, fields_of, object_event, sequence_of, shown, url_decoded
from handler.events.envelope import Envelope, Item, answer_or_raise
from handler.objects import Change, ObjectEvent

__all__ = ["open_envelope", "read_records"]

_RESTORED: Final = "ObjectRestore:Completed"
_CHANGES: Final = {
    "ObjectCreated": Change.CREATED,
    "ObjectRemoved": Change.DELETED,
    "LifecycleExpiration": Change.DELETED,
}


def read_records(
    records: Iterable[object], receive_count: object = None
) -> tuple[ObjectEvent | EventError, ...]:
    """Return what each record of a notification says, or why it cannot be read.

    A key is URL-encoded, with ``+`` for a space, and decoded here, once.
    """
    return tuple(_read(record, receive_count) for record in records)


def _read(record: object, receive_count: object) -> ObjectEvent | EventError:
    version = fields_of(record).get("eventVersion", "2.0")
    if not isinstance(version, str) or not version.startswith("2."):
        return EventError(f"Expected eventVersion 2.x but received {shown(version)}")
    name, described = field_at(record, "eventName"), field_at(record, "s3", "object")
    if not isinstance(name, str):
        return EventError(f"Expected an S3 record with eventName but received {shown(name)}")
    # MinIO writes the prefix, S3 does not.
    name = name.removeprefix("s3:")
    try:
        return object_event(
            bucket=field_at(record, "s3", "bucket", "name"),
            key=url_decoded(field_at(described, "key")),
            change=_change(name),
            name=name,
            version_id=field_at(described, "versionId"),
            etag=field_at(described, "eTag"),
            # The end of a restore is no change of the object: it has no place in their order.
            sequencer=None if name == _RESTORED else field_at(described, "sequencer"),
            time=field_at(record, "eventTime"),
            size=field_at(described, "size"),
            receive_count=receive_count,
        )
    except EventError as error:
        return error


def _change(name: str) -> Change:
    if name == _RESTORED:
        return Change.CREATED
    return _CHANGES.get(name.split(":", 1)[0], Change.OTHER)


def open_envelope(event: object) -> Envelope:
    """Return a notification's records, one item each; none for an ``s3:TestEvent``."""
    return Envelope(
        items=tuple(
            Item(id=f"Records[{at}]", events=(record,))
            for at, record in enumerate(read_records(sequence_of(field_at(event, "Records"))))
        ),
        unreadable=Disposition.RETRY,
        answer=answer_or_raise,
    )
