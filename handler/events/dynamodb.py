"""Records of a DynamoDB stream: each new or changed item of the table is a job.

Source: https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
"""

from collections.abc import Mapping
from typing import Any

from handler.errors import EventError
from handler.events.envelope import Envelope
from handler.events.job import read_job
from handler.events.objects import ObjectEvent, fields_of
from handler.events.streams import stream_envelope
from handler.settings import JobAttributes

__all__ = ["open_envelope"]


def open_envelope(event: Mapping[str, Any], attributes: JobAttributes) -> Envelope:
    """Return the records of one shard, in its order; ``attributes`` name what makes a job."""
    return stream_envelope(_record(record, attributes) for record in event["Records"])


def _record(
    record: object, attributes: JobAttributes
) -> tuple[str, tuple[ObjectEvent | EventError, ...]]:
    fields = fields_of(record)
    change = fields_of(fields.get("dynamodb"))
    sequence_number = str(change.get("SequenceNumber") or "")
    if fields.get("eventName") == "REMOVE":
        # An item that is gone, or expired, says nothing about the photo.
        return sequence_number, ()
    image = change.get("NewImage")
    if not isinstance(image, Mapping):
        error = EventError(
            "Expected the new image of the item but received none: the stream's view type must be "
            f"NEW_IMAGE or NEW_AND_OLD_IMAGES and is {change.get('StreamViewType')}"
        )
        return sequence_number, (error,)
    job = {
        "bucket": _text(image, attributes.bucket),
        "key": _text(image, attributes.key),
        "versionId": _text(image, attributes.version_id),
    }
    return sequence_number, (read_job(job),)


def _text(image: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - read_job judges it
    """Return a string attribute's value: ``{"S": "text"}`` is text; None for any other type."""
    return fields_of(image.get(name)).get("S")
