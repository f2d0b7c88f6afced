"""Jobs: a bucket, a key and maybe a version, from whoever wants the renditions made.

They come in a direct invocation, and are what streams and queues carry.
"""

from collections.abc import Mapping
from typing import Any

from handler.errors import Disposition, EventError
from handler.events.envelope import Envelope, Item, answer_or_raise
from handler.events.objects import ObjectEvent, optional_text, required_text

__all__ = ["open_envelope", "read_job"]


def read_job(job: Mapping[str, Any], receive_count: int = 1) -> ObjectEvent | EventError:
    """Return the event that asks for a photo's renditions, or why it cannot be read.

    ``bucket`` and ``key`` are required, ``versionId`` is optional, and anything else is ignored.
    The key is the object's own, not URL-encoded.
    """
    try:
        return ObjectEvent(
            bucket=required_text(job["bucket"]),
            key=required_text(job["key"]),
            version_id=optional_text(job.get("versionId")),
            receive_count=receive_count,
        )
    except (KeyError, TypeError) as error:
        return EventError(f"Expected a job with bucket, key and perhaps versionId: {error!r}")


def open_envelope(event: Mapping[str, Any]) -> Envelope:
    """Return the one job of a direct invocation."""
    return Envelope(
        items=(Item(id="job", events=(read_job(event),)),),
        unreadable=Disposition.RETRY,
        answer=answer_or_raise,
    )
