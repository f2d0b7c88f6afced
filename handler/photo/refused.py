"""A photo that is there and that S3 does not hand over: which version it is."""

from handler.errors import ConditionFailedError, SourceChangedError
from handler.photo.attempt import Attempt
from handler.s3.source import S3Source
from handler.version import SourceVersion, version_from_answer, version_from_event
from imaging.errors import RejectedPhotoError, SourceError

__all__ = ["check_still_refused", "refused_version"]


def refused_version(attempt: Attempt) -> SourceVersion | None:
    """Return which version S3 refuses; None where nobody says.

    An archive shows it in a HEAD. Of what is encrypted with its uploader's key a HEAD is refused as
    well; then it is the version that the event names: of another S3 would have said that.

    *Cost*: one HeadObject.

    Raises:
        SourceChangedError: The photo is gone, or is not the one that the event names.
    """
    event = attempt.event
    named = version_from_event(event)
    names_one = named.etag is not None or named.version_id is not None
    try:
        answer = attempt.requests.of_source("head_object", Bucket=event.bucket, Key=event.key)
    except (RejectedPhotoError, SourceError):
        return named if named.etag is not None else None
    version = version_from_answer(event, answer)
    if names_one and not named.is_same(version):
        raise SourceChangedError(f"Expected {named} to be the photo but it is {version}")
    return version


def check_still_refused(attempt: Attempt, version: SourceVersion) -> None:
    """Ask S3 for the photo once more. *Cost*: a GetObject and a HeadObject.

    Raises:
        SourceChangedError: It is another than ``version``.
        ConditionFailedError: It is handed over by now.
    """
    try:
        source = S3Source(attempt.requests, attempt.event)
    except RejectedPhotoError as error:
        present = refused_version(attempt)
        if present is None or not present.is_same(version):
            raise SourceChangedError(f"Expected {version} to be the photo still") from error
        return
    source.close()
    raise ConditionFailedError(f"Expected {attempt.event.key} to be refused, as it was just now")
