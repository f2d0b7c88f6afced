"""What can go wrong around a photo, and what each error means for its event."""

from enum import StrEnum
from typing import ClassVar

from imaging.errors import ConfigError, RejectedPhotoError, RenditionsError, SinkError, SourceError

__all__ = [
    "ArchivedError",
    "CompletionError",
    "ConditionFailedError",
    "DestinationAccessDeniedError",
    "DestinationBucketMissingError",
    "DestinationError",
    "DestinationKeyDeniedError",
    "Disposition",
    "EventError",
    "FolderError",
    "InvocationError",
    "KeyTooLongError",
    "KnownRejectionError",
    "LoopError",
    "ObjectMissingError",
    "OtherSourceError",
    "OutsideSourceError",
    "PoisonPhotoError",
    "QuarantineError",
    "RequestError",
    "SettingsError",
    "SigningError",
    "SourceAccessDeniedError",
    "SourceBucketMissingError",
    "SourceChangedError",
    "SourceKeyDeniedError",
    "SourceRefusedError",
    "StorageError",
    "StoreArchivedError",
    "StoreRefusedError",
    "disposition_of",
]


class Disposition(StrEnum):
    """What became of one record."""

    WRITTEN = "written"
    UNCHANGED = "unchanged"
    REMOVED = "removed"
    IGNORED = "ignored"
    SUPERSEDED = "superseded"
    REJECTED = "rejected"
    RETRY = "retry"


class SigningError(RenditionsError):
    """What a rendition says of its photo's content credentials could not be signed."""

    code = "signing-failed"
    retryable = True


class SettingsError(ConfigError):
    """An environment variable is wrong; raised at init."""

    code = "bad-settings"


class EventError(RenditionsError):
    """The event is of no shape known here."""

    code = "unknown-event"


class LoopError(RejectedPhotoError):
    """The rendition's key would trigger this function again."""

    code = "would-loop"


class KeyTooLongError(RejectedPhotoError):
    """A destination key would exceed S3's 1,024 bytes."""

    code = "key-too-long"


class OtherSourceError(RejectedPhotoError):
    """The destination holds renditions of the same key in another bucket; nothing is touched."""

    code = "other-source"


class OutsideSourceError(RejectedPhotoError):
    """The object is not in ``SOURCE_BUCKET``, or its key does not begin with ``SOURCE_PREFIX``."""

    code = "outside-source"


class SourceChangedError(RenditionsError):
    """The object is gone, or is not the version that the event names: a newer event covers it."""

    code = "superseded"


class FolderError(RenditionsError):
    """The object is a console's folder: no bytes, under a key that ends in a slash."""

    code = "folder"


class KnownRejectionError(RejectedPhotoError):
    """This version was rejected before, under the very same configuration.

    Args:
        code: The code that it was rejected with, which is this one's too.
        reason: The message of that rejection.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class ArchivedError(RejectedPhotoError):
    """The photo is in an archive. The event of its restore, or a job, brings it again."""

    code = "archived"


class PoisonPhotoError(RejectedPhotoError):
    """The photo ended the process that decoded it, twice."""

    code = "poison"


class SourceAccessDeniedError(SourceError):
    """S3 refuses to return the photo. Once the policy is fixed, another attempt succeeds."""

    code = "source-access-denied"


class SourceKeyDeniedError(SourceError):
    """KMS refuses to decrypt the photo."""

    code = "source-kms-denied"


class SourceBucketMissingError(SourceError):
    """The bucket that the event names does not exist."""

    code = "source-bucket-missing"


class SourceRefusedError(RejectedPhotoError):
    """S3 will never return the photo. The message has S3's own code."""

    code = "source-refused"


class StoreRefusedError(RejectedPhotoError):
    """S3 will never store a rendition or the manifest; the message has S3's own code."""

    code = "store-refused"


class StorageError(SinkError):
    """S3 did not store a rendition."""

    code = "store-failed"


class QuarantineError(RenditionsError):
    """The rejection of a photo could not be stored; another attempt may succeed."""

    code = "quarantine-failed"
    retryable = True


class CompletionError(RenditionsError):
    """The completion target did not take the event; another attempt may succeed."""

    code = "completion-failed"
    retryable = True


class RequestError(RenditionsError):
    """An HTTP request that cannot be answered with a rendition; its message is the answer."""

    code = "bad-request"
    status: ClassVar[int] = 400


class DestinationError(StorageError):
    """The base of errors that stop every photo until the destination is fixed."""


class DestinationAccessDeniedError(DestinationError):
    """S3 refuses to store a rendition, or to say whether one is there."""

    code = "destination-access-denied"


class DestinationKeyDeniedError(DestinationError):
    """KMS refuses to encrypt a rendition."""

    code = "destination-kms-denied"


class DestinationBucketMissingError(DestinationError):
    """The bucket in ``DESTINATION_BUCKET`` does not exist."""

    code = "destination-bucket-missing"


class ConditionFailedError(StorageError):
    """Another attempt wrote the object in between. The caller decides what that means."""

    code = "store-contended"


class ObjectMissingError(StorageError):
    """The destination has no such object or upload. The caller decides what that means."""

    code = "store-missing"


class StoreArchivedError(StorageError):
    """The destination's object is in an archive. The caller decides what that means."""

    code = "store-archived"


class InvocationError(RenditionsError):
    """At least one record wants another attempt; Lambda's asynchronous retry brings it."""

    code = "retry"
    retryable = True


def disposition_of(error: RenditionsError) -> Disposition:
    """Return what ``error`` means for its record."""
    if isinstance(error, SourceChangedError):
        return Disposition.SUPERSEDED
    if isinstance(error, FolderError):
        return Disposition.IGNORED
    return Disposition.RETRY if error.retryable else Disposition.REJECTED
