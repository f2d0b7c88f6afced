"""Jobs: a bucket, a key and maybe a version, from any client that wants renditions.

They come in a direct invocation, and are what streams and queues carry.
"""

from handler.errors import Disposition, EventError
from handler.events.checks import field_at, object_event
from handler.events.envelope import Envelope, Item, answer_or_raise
from handler.objects import ObjectEvent

__all__ = ["open_envelope", "read_job"]


def read_job(job: object, receive_count: object = None) -> ObjectEvent | EventError:
    """Return the event that asks for a photo's renditions, or why it cannot be read.

    ``bucket`` and ``key`` are required, ``versionId`` is optional, and anything else is ignored.
    The key is the object's own, not URL-encoded.
    """
    try:
        return object_event(
            bucket=field_at(job, "bucket"),
            key=field_at(job, "key"),
            version_id=field_at(job, "versionId"),
            receive_count=receive_count,
        )
    except EventError as error:
        return error


def open_envelope(event: object) -> Envelope:
    """Return the one job of a direct invocation."""
    return Envelope(
        items=(Item(id="job", events=(read_job(event),)),),
        unreadable=Disposition.RETRY,
        answer=answer_or_raise,
    )
