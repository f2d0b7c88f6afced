"""One request to S3: as many attempts as it deserves, and what its failure means."""

import random
import threading
import time
from collections.abc import Mapping
from typing import Any, Final

import urllib3.exceptions
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from handler.errors import (
    ArchivedError,
    ConditionFailedError,
    DestinationAccessDeniedError,
    DestinationBucketMissingError,
    DestinationKeyDeniedError,
    ObjectMissingError,
    SourceAccessDeniedError,
    SourceBucketMissingError,
    SourceChangedError,
    SourceKeyDeniedError,
    SourceRefusedError,
    StorageError,
    StoreArchivedError,
    StoreRefusedError,
)
from handler.s3.meanings import Meaning, meaning_of
from imaging.deadline import NEVER, Deadline
from imaging.errors import RenditionsError, SourceError

__all__ = ["Requests"]

# urllib3's errors where an error document is cut off: botocore reads a streamed one unguarded.
_FAILURES: Final = (ClientError, BotoCoreError, urllib3.exceptions.HTTPError)
_ATTEMPTS: Final = 4
_FIRST_PAUSE_S: Final = 0.1
# Retries of one invocation in all. More would not help a store that is down, and Lambda bills for
# waiting; the event comes again.
_RETRIES: Final = 32

_CLEAN_UP_ATTEMPTS: Final = 3

_STORES: Final = frozenset(
    {"put_object", "create_multipart_upload", "upload_part", "complete_multipart_upload"}
)

_GONE_STATUS: Final = frozenset({404, 405, 412, 416})
"""405: the version that was asked for is a delete marker."""

# The system's random numbers, not this process's: every copy that is restored from one snapshot
# would draw the same ones.
_dice: Final = random.SystemRandom()


class Requests:
    """S3's operations within one invocation.

    Connections that fail before there is an answer, and answers of which ``handler/s3/meanings.py``
    says so, are tried again after a random pause, up to four times a request and 32 times an
    invocation, and never beyond the deadline.

    *Cost*: one request, mostly. *Thread*: any.

    Args:
        client: botocore's.
        deadline: When they stop.
        requester_pays: Whoever asks for a photo pays for it.
    """

    def __init__(
        self,
        client: Any,  # noqa: ANN401 - botocore's
        deadline: Deadline = NEVER,
        *,
        requester_pays: bool = False,
    ) -> None:
        self._client = client
        self._payer = {"RequestPayer": "requester"} if requester_pays else {}
        self._lock = threading.Lock()
        self._retries = _RETRIES
        self.deadline = deadline

    def of_source(self, operation: str, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401
        """Ask for a photo.

        Raises:
            SourceChangedError: It is gone, or is another version.
            SourceError: Or one of its kind: S3 does not hand it over.
            ArchivedError: It would have to be restored first.
            SourceRefusedError: S3 will never hand it over.
            OutOfTimeError: The deadline passed.
        """
        try:
            return self._attempt(operation, arguments | self._payer)
        except _FAILURES as error:
            raise _source_failure(error, _place(arguments)) from error

    def of_destination(self, operation: str, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401
        """Ask for a rendition or a manifest, or store or delete one.

        Raises:
            ObjectMissingError: There is none, or no such upload.
            ConditionFailedError: What stands there is not what the condition says.
            StorageError: Or one of its kind: S3 does not do it.
            StoreRefusedError: S3 will never store it.
            OutOfTimeError: The deadline passed.
        """
        try:
            return self._attempt(operation, arguments)
        except _FAILURES as error:
            raise _destination_failure(error, operation, _place(arguments)) from error

    def to_clean_up(self, operation: str, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401
        """Undo something in the destination, also when the deadline has passed.

        What S3 refuses for the moment is tried twice more, after up to 0.5 seconds in all, which do
        not count against the budget for retries. A connection that fails is tried again before the
        deadline only, since it may have taken seconds to do so.

        Raises:
            StorageError: Or one of its kind, or StoreRefusedError: S3 did not do it.
        """
        call = getattr(self._client, operation)
        for attempt in range(1, _CLEAN_UP_ATTEMPTS + 1):
            try:
                answer: dict[str, Any] = call(**arguments)
            except _FAILURES as error:
                may_retry = isinstance(error, ClientError) or not self.deadline.has_passed
                if attempt == _CLEAN_UP_ATTEMPTS or not may_retry or not _is_transient(error):
                    raise _destination_failure(error, operation, _place(arguments)) from error
                time.sleep(_pause_s(attempt))
            else:
                return answer
        raise AssertionError("the last attempt returns or raises")

    def presigned_url(self, operation: str, *, seconds: int, **arguments: Any) -> str:  # noqa: ANN401
        """Return a URL by which anybody may do this one thing for a while. *Cost*: no request."""
        url: str = self._client.generate_presigned_url(operation, arguments, ExpiresIn=seconds)
        return url

    def _attempt(self, operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        call = getattr(self._client, operation)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                answer: dict[str, Any] = call(**arguments)
            except _FAILURES as error:
                if attempt == _ATTEMPTS or not _is_transient(error) or not self.may_retry():
                    raise
                self.pause(attempt)
            else:
                return answer
        raise AssertionError("the last attempt returns or raises")

    def may_retry(self) -> bool:
        """Take one retry from the invocation's budget, if there is one left."""
        with self._lock:
            self._retries -= 1
            return self._retries >= 0

    def pause(self, attempt: int) -> None:
        """Wait before attempt number ``attempt`` + 1: up to 0.1, 0.4, 1.6 seconds.

        Raises:
            OutOfTimeError: The deadline has passed.
        """
        self.deadline.wait(_pause_s(attempt))
        self.deadline.check("ask S3 once more")


def _pause_s(attempt: int) -> float:
    # From nothing up to the bound ("full jitter"): clients that failed together must not come
    # back together. https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    return _dice.uniform(0, _FIRST_PAUSE_S * 4 ** (attempt - 1))


def _is_transient(error: Exception) -> bool:
    if isinstance(error, ClientError):
        status, code, _ = _parts(error)
        return meaning_of(status, code) is Meaning.AGAIN
    return isinstance(error, HTTPClientError | urllib3.exceptions.HTTPError)


def _parts(error: ClientError) -> tuple[int, str, str]:
    response = error.response
    status: int = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    said = response.get("Error", {})
    return status, said.get("Code", ""), said.get("Message", "")


def _place(arguments: Mapping[str, Any]) -> str:
    return f"s3://{arguments['Bucket']}/{arguments['Key']}"


def _is_of_key(code: str, message: str) -> bool:
    """Tell whether it is KMS that refuses.

    S3 says AccessDenied for both, and only its words name the action that was denied. Whichever it
    is, the disposition is the same; the code tells a person where to look.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/troubleshoot-403-errors.html
    """
    return code.startswith("KMS.") or "kms:" in message


# One return for each thing that S3 can mean.
def _source_failure(error: Exception, place: str) -> RenditionsError:
    if not isinstance(error, ClientError):
        return SourceError(f"Expected to read {place} but received {error}")
    status, code, message = _parts(error)
    said = f"but S3 answered {status} {code}: {message}"
    if code == "NoSuchBucket":
        return SourceBucketMissingError(f"Expected to read {place} {said}")
    if status in _GONE_STATUS:
        return SourceChangedError(f"Expected {place} {said}")
    if code == "InvalidObjectState":
        return ArchivedError(f"Expected {place} where it can be read {said}")
    if _is_of_key(code, message):
        return SourceKeyDeniedError(f"Expected to decrypt {place} {said}")
    if status == 403:
        return SourceAccessDeniedError(f"Expected to read {place} {said}")
    if meaning_of(status, code) is Meaning.NEVER:
        return SourceRefusedError(f"Expected to read {place} {said}")
    return SourceError(f"Expected to read {place} {said}")


def _destination_failure(error: Exception, operation: str, place: str) -> RenditionsError:
    if not isinstance(error, ClientError):
        return StorageError(f"Expected to reach {place} but received {error}")
    status, code, message = _parts(error)
    said = f"but S3 answered {status} {code}: {message}"
    if status == 412:
        return ConditionFailedError(f"Expected {place} to be as it was {said}")
    if code == "NoSuchBucket":
        return DestinationBucketMissingError(f"Expected a bucket for {place} {said}")
    if status == 404:
        return ObjectMissingError(f"Expected {place} {said}")
    if code == "InvalidObjectState":
        return StoreArchivedError(f"Expected {place} where it can be read {said}")
    if _is_of_key(code, message):
        return DestinationKeyDeniedError(f"Expected to encrypt {place} {said}")
    if status == 403:
        # Without s3:ListBucket S3 answers 403, not 404, about an object that is not there.
        return DestinationAccessDeniedError(f"Expected access to {place} {said}")
    if status == 501:
        return StorageError(
            f"Expected a store with conditional writes for {place} {said}; "
            "CONDITIONAL_WRITES=false does without"
        )
    if operation in _STORES and meaning_of(status, code) is Meaning.NEVER:
        return StoreRefusedError(f"Expected to store {place} {said}")
    # What cannot be read or removed, such as what somebody put there under a key of their own, says
    # nothing of the photo: a deletion that cannot be carried out must not count as done.
    return StorageError(f"Expected to use {place} {said}")
