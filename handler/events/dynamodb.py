"""Records of a DynamoDB stream: each new or changed item of the table is a job.

Source: https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
"""

from handler.errors import EventError
from handler.events.checks import field_at, identifier, sequence_of, shown
from handler.events.envelope import Envelope
from handler.events.job import read_job
from handler.events.shards import stream_envelope
from handler.objects import ObjectEvent
from handler.settings import JobAttributes

__all__ = ["open_envelope", "read_change"]


def open_envelope(event: object, attributes: JobAttributes) -> Envelope:
    """Return the records of one shard, in its order; ``attributes`` name what makes a job."""
    return stream_envelope(
        (
            identifier(field_at(record, "dynamodb", "SequenceNumber")),
            read_change(record, attributes),
        )
        for record in sequence_of(field_at(event, "Records"))
    )


def read_change(record: object, attributes: JobAttributes) -> tuple[ObjectEvent | EventError, ...]:
    """Return the job that a changed item is; none where the item was removed."""
    if field_at(record, "eventName") == "REMOVE":
        # An item that is gone, or expired, says nothing about the photo.
        return ()
    image = field_at(record, "dynamodb", "NewImage")
    if image is None:
        view = shown(field_at(record, "dynamodb", "StreamViewType"))
        return (
            EventError(
                "Expected the new image of the item but received none: the stream's view type must "
                f"be NEW_IMAGE or NEW_AND_OLD_IMAGES and is {view}"
            ),
        )
    # A text is ``{"S": "text"}``; an attribute of any other type has none.
    job = {
        "bucket": field_at(image, attributes.bucket, "S"),
        "key": field_at(image, attributes.key, "S"),
        "versionId": field_at(image, attributes.version_id, "S"),
    }
    return (read_job(job),)
