"""What can go wrong around a photo, and what each error means for its event."""

from enum import StrEnum
from typing import ClassVar

from imaging.errors import ConfigError, RejectedPhotoError, RenditionsError, SinkError, SourceError

__all__ = [
    "AccessDeniedError",
    "CompletionError",
    "Disposition",
    "EventError",
    "InvocationError",
    "KeyTooLongError",
    "LoopError",
    "QuarantineError",
    "RequestError",
    "SettingsError",
    "SourceChangedError",
    "StorageError",
    "disposition_of",
]


class Disposition(StrEnum):
    """What became of one record."""

    WRITTEN = "written"
    IGNORED = "ignored"
    SUPERSEDED = "superseded"
    REJECTED = "rejected"
    RETRY = "retry"


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


class SourceChangedError(RenditionsError):
    """The object is gone, or is not the version that the event names: a newer event covers it."""

    code = "superseded"


class AccessDeniedError(SourceError):
    """S3 refuses to hand the photo over; once the policy is mended, another attempt succeeds."""

    code = "source-access-denied"


class StorageError(SinkError):
    """S3 did not store a rendition."""

    code = "store-failed"


class QuarantineError(RenditionsError):
    """The rejection of a photo could not be kept; another attempt may."""

    code = "quarantine-failed"
    retryable = True


class CompletionError(RenditionsError):
    """Whoever waits for the photo could not be told that it is done; another attempt may."""

    code = "completion-failed"
    retryable = True


class RequestError(RenditionsError):
    """An HTTP request that cannot be answered with a rendition; its message is the answer."""

    code: ClassVar[str] = "bad-request"
    status: ClassVar[int] = 400


class InvocationError(RenditionsError):
    """At least one record wants another attempt; Lambda's asynchronous retry brings it."""

    code: ClassVar[str] = "retry"
    retryable = True


def disposition_of(error: Exception) -> tuple[Disposition, str]:
    """Return what ``error`` means for its record, and its code.

    What nobody foresaw is retried: the failure destination keeps it where it can be seen.
    """
    match error:
        case SourceChangedError():
            return Disposition.SUPERSEDED, error.code
        case RenditionsError() if not error.retryable:
            return Disposition.REJECTED, error.code
        case RenditionsError():
            return Disposition.RETRY, error.code
        case _:
            return Disposition.RETRY, "internal"
