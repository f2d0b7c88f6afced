"""S3 events that come through EventBridge.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
"""

from collections.abc import Mapping
from typing import Any, Final

from handler.errors import Disposition, EventError
from handler.events.envelope import Envelope, Item, answer_or_raise
from handler.events.objects import Change, ObjectEvent, optional_text, parsed_time, required_text

__all__ = ["open_envelope", "read_event"]

_CHANGES: Final = {"Object Created": Change.CREATED, "Object Deleted": Change.DELETED}


def read_event(event: Mapping[str, Any], receive_count: int = 1) -> ObjectEvent | EventError:
    """Return what an event of ``aws.s3`` says, or why it cannot be read.

    Its key is the object's own: unlike a notification's it is not URL-encoded.
    """
    try:
        detail = event["detail"]
        s3_object = detail["object"]
        name = event["detail-type"]
        etag = optional_text(s3_object.get("etag"))
        return ObjectEvent(
            bucket=required_text(detail["bucket"]["name"]),
            key=required_text(s3_object["key"]),
            change=_CHANGES.get(name, Change.OTHER),
            name=f"{name}: {detail['reason']}" if "reason" in detail else name,
            version_id=optional_text(s3_object.get("version-id")),
            etag=etag and etag.strip('"'),
            sequencer=optional_text(s3_object.get("sequencer")),
            time=parsed_time(event.get("time")),
            size=s3_object.get("size"),
            receive_count=receive_count,
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        return EventError(
            "Expected an EventBridge event with detail-type, detail.bucket.name and "
            f"detail.object.key: {error!r}"
        )


def open_envelope(event: Mapping[str, Any]) -> Envelope:
    """Return the one event that EventBridge delivers at a time."""
    return Envelope(
        items=(Item(id=str(event.get("id", "")), events=(read_event(event),)),),
        unreadable=Disposition.RETRY,
        answer=answer_or_raise,
    )
