"""Which version of which photo something was made of, and which of two versions is newer; pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from handler.objects import ObjectEvent

__all__ = ["SourceVersion", "version_from_answer", "version_from_event", "version_from_metadata"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceVersion:
    """One version of an object, or its deletion.

    Attributes:
        etag: Without quotes; None where the event does not say, and for a deletion.
        version_id: On a versioned bucket.
        sequencer: S3's, as it stands in the event; a job has none.
        modified: The object's Last-Modified, in seconds since 1970, once S3 said it.
    """

    etag: str | None = None
    version_id: str | None = None
    sequencer: str | None = None
    modified: int | None = None

    def precedes(self, other: "SourceVersion") -> bool:
        """Tell whether this is certainly older than ``other``.

        Sequencers decide; where one of the two has none, Last-Modified does, to the second, and
        what is of the same second is not older. Two events of one key only: sequencers of different
        keys say nothing.

        Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
        """
        if self.sequencer and other.sequencer:
            length = max(len(self.sequencer), len(other.sequencer))
            ours, theirs = (
                text.upper().ljust(length, "0") for text in (self.sequencer, other.sequencer)
            )
            return ours < theirs
        if self.modified is not None and other.modified is not None:
            return self.modified < other.modified
        return False

    def is_same(self, other: "SourceVersion") -> bool:
        """Tell whether both name the very same version, as far as each says which it is.

        The same bytes put again have the same ETag, and are another version: without version IDs,
        different sequencers tell them apart.
        """
        if self.version_id and other.version_id:
            return self.version_id == other.version_id
        if self.sequencer and other.sequencer and self.sequencer != other.sequencer:
            return False
        return self.etag is not None and self.etag == other.etag

    def metadata(self) -> dict[str, str]:
        """Return it as an object's user metadata; see :func:`version_from_metadata`."""
        values = {
            "source-etag": self.etag,
            "source-version": self.version_id,
            "source-sequencer": self.sequencer,
            "source-modified": None if self.modified is None else str(self.modified),
        }
        return {name: value for name, value in values.items() if value is not None}


def version_from_metadata(metadata: Mapping[str, str]) -> SourceVersion:
    """Return what :meth:`SourceVersion.metadata` wrote; empty where another wrote the object."""
    modified = metadata.get("source-modified", "")
    return SourceVersion(
        etag=metadata.get("source-etag"),
        version_id=metadata.get("source-version"),
        sequencer=metadata.get("source-sequencer"),
        modified=int(modified) if modified.isdecimal() else None,
    )


def version_from_event(event: ObjectEvent) -> SourceVersion:
    """Return what the event says of the version."""
    return SourceVersion(etag=event.etag, version_id=event.version_id, sequencer=event.sequencer)


def version_from_answer(event: ObjectEvent, answer: Mapping[str, Any]) -> SourceVersion:
    """Return what S3's answer says of the version, in the order that the event gives it."""
    return SourceVersion(
        etag=answer["ETag"].strip('"'),
        version_id=event.version_id or answer.get("VersionId"),
        sequencer=event.sequencer,
        modified=int(answer["LastModified"].timestamp()),
    )
