"""Which version of which photo something was made of, and which of two versions is newer; pure."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from handler.objects import ObjectEvent

__all__ = [
    "SourceVersion",
    "key_digest",
    "version_from_answer",
    "version_from_event",
    "version_from_metadata",
    "version_id_from_answer",
]

# One of other letters, or of thousands, would come after every genuine one, for ever.
_SEQUENCER: Final = re.compile("[0-9A-Fa-f]{1,64}")
# Seconds; one of thousands of digits is no number to Python.
_MODIFIED: Final = re.compile("[0-9]{1,12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceVersion:
    """One version of an object, or its deletion.

    Attributes:
        bucket: The object's; None where an earlier release wrote it down.
        key_digest: :func:`key_digest` of the object's key; None where an earlier release wrote it
            down.
        etag: Without quotes; None where the event does not say, and for a deletion.
        version_id: On a versioned bucket. S3's ``null`` is no identity: the next object under the
            key has it too.
        sequencer: S3's, as it stands in the event; a job has none. In a manifest: that of the
            latest event which it covers.
        modified: The object's Last-Modified, in seconds since 1970, once S3 said it; of a deletion,
            when it was found out.
    """

    bucket: str | None = None
    key_digest: str | None = None
    etag: str | None = None
    version_id: str | None = None
    sequencer: str | None = None
    modified: int | None = None

    def __str__(self) -> str:
        if self.version_id is not None:
            return f"version {self.version_id}"
        return f"the version with ETag {self.etag}" if self.etag is not None else "no version"

    @property
    def name(self) -> str:
        """16 hexadecimal digits that no other version of any photo has; for manifests and files."""
        parts = (self.bucket, self.key_digest, self.version_id or self.etag)
        return hashlib.sha256("\n".join(part or "" for part in parts).encode()).hexdigest()[:16]

    @property
    def is_of_photo(self) -> bool:
        """Whether there are bytes of it: no deletion, and nothing that another wrote."""
        return self.etag is not None

    def is_of_bucket(self, bucket: str | None) -> bool:
        """Tell whether it is of an object in ``bucket``, as far as both are known."""
        return self.bucket is None or bucket is None or self.bucket == bucket

    def is_of_key(self, key: str) -> bool:
        """Tell whether it is of an object under ``key``, as far as that is known."""
        return self.key_digest is None or self.key_digest == key_digest(key)

    def _can_be_of(self, other: "SourceVersion") -> bool:
        """Tell whether both can be of one object: only then do their sequencers compare."""
        is_of_key = None in {self.key_digest, other.key_digest} or (
            self.key_digest == other.key_digest
        )
        return is_of_key and self.is_of_bucket(other.bucket)

    def precedes(self, other: "SourceVersion") -> bool:
        """Tell whether ``other`` was seen after this; only sequencers decide."""
        return other.covers(self) and not self.covers(other)

    def covers(self, event: "SourceVersion") -> bool:
        """Tell whether ``event``, or a later one, was seen already; only sequencers decide.

        Those of different keys say nothing of each other.

        Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
        """
        if not self._can_be_of(event) or not self.sequencer or not event.sequencer:
            return False
        return _padded(event.sequencer, self.sequencer) <= _padded(self.sequencer, event.sequencer)

    def covering(self, before: "SourceVersion | None") -> "SourceVersion":
        """Return this version with the later sequencer of the two: what was seen stays seen."""
        if before is None or not before.sequencer or not self._can_be_of(before):
            return self
        if self.sequencer and not before.covers(self):
            return self
        return replace(self, sequencer=before.sequencer)

    def is_same(self, other: "SourceVersion") -> bool:
        """Tell whether both name the very same version, as far as each says which it is.

        Without version IDs that is the ETag: the same bytes, put again, are the same. Where one has
        an ID, the other may be of before the bucket had versions: S3 tells them by their times.
        """
        if not self._can_be_of(other):
            return False
        if self.version_id and other.version_id:
            return self.version_id == other.version_id
        if self.etag is None or self.etag != other.etag:
            return False
        return self.version_id == other.version_id or self._can_be_as_old(other)

    def _can_be_as_old(self, other: "SourceVersion") -> bool:
        return None in {self.modified, other.modified} or self.modified == other.modified

    def is_same_upload(self, other: "SourceVersion") -> bool:
        """Tell the same, and of the same bytes, put again, as far as S3 said when.

        They may have another focal point, or other tags. Within a second they cannot be told.
        """
        return self.is_same(other) and self._can_be_as_old(other)

    def metadata(self) -> dict[str, str]:
        """Return it as an object's user metadata; see :func:`version_from_metadata`."""
        values = {
            "source-bucket": self.bucket,
            "source-key-digest": self.key_digest,
            "source-etag": self.etag,
            "source-version": self.version_id,
            "source-sequencer": self.sequencer,
            "source-modified": None if self.modified is None else str(self.modified),
        }
        return {name: value for name, value in values.items() if value is not None}


def key_digest(key: str) -> str:
    """Return 16 hexadecimal digits of ``key``: the key itself may not fit into metadata."""
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def _padded(sequencer: str, other: str) -> str:
    """Return a sequencer as it compares with ``other``: the shorter is padded on its right."""
    return sequencer.upper().ljust(len(other), "0")


def _identity(version_id: str | None) -> str | None:
    return None if version_id == "null" else version_id


def version_from_metadata(metadata: Mapping[str, str]) -> SourceVersion:
    """Return what :meth:`SourceVersion.metadata` wrote; empty where another wrote the object."""
    modified = metadata.get("source-modified", "")
    sequencer = metadata.get("source-sequencer", "")
    return SourceVersion(
        bucket=metadata.get("source-bucket"),
        key_digest=metadata.get("source-key-digest"),
        etag=metadata.get("source-etag"),
        version_id=_identity(metadata.get("source-version")),
        sequencer=sequencer if _SEQUENCER.fullmatch(sequencer) else None,
        modified=int(modified) if _MODIFIED.fullmatch(modified) else None,
    )


def version_from_event(event: ObjectEvent) -> SourceVersion:
    """Return what the event says of the version."""
    return SourceVersion(
        bucket=event.bucket,
        key_digest=key_digest(event.key),
        etag=event.etag,
        version_id=_identity(event.version_id),
        sequencer=event.sequencer,
        modified=event.modified,
    )


def version_id_from_answer(answer: Mapping[str, Any]) -> str | None:
    """Return which version S3's answer is about; None where it has no identity."""
    return _identity(answer.get("VersionId"))


def version_from_answer(event: ObjectEvent, answer: Mapping[str, Any]) -> SourceVersion:
    """Return what S3's answer says of the version, in the order that the event gives it."""
    return SourceVersion(
        bucket=event.bucket,
        key_digest=key_digest(event.key),
        etag=answer["ETag"].strip('"'),
        version_id=version_id_from_answer(answer),
        sequencer=event.sequencer,
        modified=int(answer["LastModified"].timestamp()),
    )
