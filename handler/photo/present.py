"""The photo as S3 has it now."""

from dataclasses import replace

from handler.errors import SourceChangedError, SourceRefusedError
from handler.objects import Change, ObjectEvent
from handler.s3.requests import Requests
from handler.version import SourceVersion, version_from_answer
from imaging.errors import RejectedPhotoError, SourceError

__all__ = ["is_current", "present_event"]


def is_current(requests: Requests, event: ObjectEvent, version: SourceVersion) -> bool:
    """Ask S3 whether ``version`` is still the photo of ``event``. *Cost*: a HeadObject."""
    try:
        answer = requests.of_source("head_object", Bucket=event.bucket, Key=event.key)
    except (SourceChangedError, SourceError, RejectedPhotoError):
        # Who asks for the photo itself finds out why.
        return False
    return version_from_answer(event, answer).is_same_upload(version)


def present_event(requests: Requests, event: ObjectEvent) -> ObjectEvent | None:
    """Return ``event`` for the version that is there now; None if there is none to be had.

    *Cost*: one HeadObject; a GetObject besides where that is refused.

    Raises:
        SourceError: S3 cannot be asked.
    """
    try:
        answer = requests.of_source("head_object", Bucket=event.bucket, Key=event.key)
    except SourceChangedError:
        return None
    except SourceError:
        if _is_refused(requests, event):
            return None
        raise
    return replace(
        event,
        change=Change.CREATED,
        version_id=answer.get("VersionId"),
        etag=answer["ETag"].strip('"'),
        size=answer["ContentLength"],
        modified=int(answer["LastModified"].timestamp()),
    )


def _is_refused(requests: Requests, event: ObjectEvent) -> bool:
    """Tell whether S3 will never hand the photo over, which a HEAD does not tell."""
    try:
        answer = requests.of_source("get_object", Bucket=event.bucket, Key=event.key)
    except SourceRefusedError:
        return True
    except SourceChangedError:
        return False
    answer["Body"].close()
    return False
