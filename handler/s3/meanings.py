"""What S3's errors mean: whether another request, or another attempt, could end differently; pure.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

__all__ = ["Meaning", "is_archived", "meaning_of"]


class Meaning(StrEnum):
    """What a failed request says about the next one."""

    AGAIN = "again"
    """S3, or the way to it, is at fault: it is asked again, after a pause."""
    NOT_OURS = "not-ours"
    """A policy, a key or a setting is: asking again is no help, but once somebody changed it the
    event may come again."""
    NEVER = "never"
    """The object or its key is: no attempt will ever succeed."""


_AGAIN: Final = (
    "BadDigest",
    "BandwidthLimitExceeded",
    "Busy",
    "ConditionalRequestConflict",
    # The next request is signed with credentials that were renewed meanwhile.
    "ExpiredToken",
    "IncompleteBody",
    "InternalError",
    "InvalidPart",
    "KMS.KMSInternalException",
    "KMS.ThrottlingException",
    "OperationAborted",
    "RequestLimitExceeded",
    "RequestTimeTooSkewed",
    "RequestTimeout",
    "ServiceUnavailable",
    "SlowDown",
    "TemporaryRedirect",
    "Throttling",
    "ThrottlingException",
    "TooManyRequests",
    "XAmzContentSHA256Mismatch",
)
_NOT_OURS: Final = (
    "AccessDenied",
    "AccountProblem",
    "AllAccessDisabled",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
    "InvalidAccessKeyId",
    "InvalidBucketName",
    "InvalidBucketState",
    "InvalidSecurity",
    "InvalidToken",
    "NoSuchBucket",
    "NotImplemented",
    "NotSignedUp",
    "PermanentRedirect",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
    "UnauthorizedAccess",
)
_NEVER: Final = (
    "EntityTooLarge",
    "EntityTooSmall",
    "InvalidArgument",
    "InvalidObjectState",
    # Of a photo that is encrypted with a key of its uploader's (SSE-C), among others.
    "InvalidRequest",
    "InvalidURI",
    "KeyTooLongError",
    "MetadataTooLarge",
)

_CODES: Final[Mapping[str, Meaning]] = {
    **dict.fromkeys(_AGAIN, Meaning.AGAIN),
    **dict.fromkeys(_NOT_OURS, Meaning.NOT_OURS),
    **dict.fromkeys(_NEVER, Meaning.NEVER),
}
_KMS: Final = "KMS."
_TIMEOUT_OR_THROTTLED: Final = frozenset({408, 429})
_UNAUTHORISED: Final = frozenset({401, 403, 407})


_ARCHIVES: Final = frozenset({"GLACIER", "DEEP_ARCHIVE"})


def is_archived(answer: Mapping[str, Any]) -> bool:
    """Tell whether a HeadObject's ``answer`` is of an object that a GetObject would not return.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
    """
    is_put_away = answer.get("StorageClass") in _ARCHIVES or "ArchiveStatus" in answer
    return is_put_away and 'ongoing-request="false"' not in answer.get("Restore", "")


def meaning_of(status: int, code: str) -> Meaning:
    """Return what an answer of S3's means.

    Args:
        status: HTTP's.
        code: S3's own, from the body. A HEAD has no body: there it is empty or the status again.
    """
    if (known := _CODES.get(code)) is not None:
        return known
    if code.startswith(_KMS):
        return Meaning.NOT_OURS
    if status >= 500 or status in _TIMEOUT_OR_THROTTLED:
        return Meaning.AGAIN
    if status in _UNAUTHORISED or status < 400:
        return Meaning.NOT_OURS
    # A 400 without a code may have any reason, expired credentials among them.
    return Meaning.NOT_OURS if not code or code.isdecimal() else Meaning.NEVER
