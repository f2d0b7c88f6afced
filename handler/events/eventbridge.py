"""S3 events that come through EventBridge.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
"""

from typing import Final

from handler.errors import Disposition, EventError
from handler.events.checks import field_at, identifier, object_event
from handler.events.envelope import Envelope, Item, answer_or_raise
from handler.objects import Change, ObjectEvent

__all__ = ["open_envelope", "read_event"]

_RESTORED: Final = "Object Restore Completed"
_CHANGES: Final = {
    "Object Created": Change.CREATED,
    "Object Deleted": Change.DELETED,
    _RESTORED: Change.CREATED,
}


def read_event(event: object, receive_count: object = None) -> ObjectEvent | EventError:
    """Return what an event of ``aws.s3`` says, or why it cannot be read.

    Its key is the object's own: unlike a notification's it is not URL-encoded.
    """
    name, reason = field_at(event, "detail-type"), field_at(event, "detail", "reason")
    described = field_at(event, "detail", "object")
    try:
        return object_event(
            bucket=field_at(event, "detail", "bucket", "name"),
            key=field_at(described, "key"),
            change=_CHANGES.get(name, Change.OTHER) if isinstance(name, str) else Change.OTHER,
            name=f"{name}: {reason}" if isinstance(name, str) and isinstance(reason, str) else name,
            version_id=field_at(described, "version-id"),
            etag=field_at(described, "etag"),
            # The end of a restore is no change of the object: it has no place in their order.
            sequencer=None if name == _RESTORED else field_at(described, "sequencer"),
            time=field_at(event, "time"),
            size=field_at(described, "size"),
            receive_count=receive_count,
        )
    except EventError as error:
        return error


def open_envelope(event: object) -> Envelope:
    """Return the one event that EventBridge delivers at a time."""
    return Envelope(
        items=(Item(id=identifier(field_at(event, "id")), events=(read_event(event),)),),
        unreadable=Disposition.RETRY,
        answer=answer_or_raise,
    )
