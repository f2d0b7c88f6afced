"""The manifest of a photo: one small object that lists what the destination holds; pure.

It is written last, so that a whole set is proven by one HeadObject, and every change of it is
conditional on the one before, so that of two attempts at once one finds out about the other.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from handler.s3.metadata import text_from_metadata, with_text
from handler.version import SourceVersion, version_from_metadata

__all__ = [
    "MANIFEST_EXTENSION",
    "MANIFEST_NAME",
    "Kept",
    "Manifest",
    "Verdict",
    "judge",
    "manifest_from_object",
    "set_digest",
]

MANIFEST_NAME: Final = "photo"
MANIFEST_EXTENSION: Final = "json"
"""Its place in the key template; no rendition is JSON, so that none can have its key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One rendition that the destination holds: its key, and its ETag without quotes."""

    key: str
    etag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What the destination holds of one photo.

    Attributes:
        version: The version that the renditions are of; of a deleted photo, its deletion.
        made: :func:`set_digest` of what they were to be; empty where that is not the whole set.
        rejected: The code with which this version was rejected; None where it was not.
        reason: The message of that rejection, in ASCII, truncated to what fits.
        suspect: The name of a version that is being decoded, and may have ended a process before.
        deleted: The photo is gone, and what is older than that must not bring it back.
        kept: The renditions; of a deleted photo, those that were to be removed. In the body, which
            a HeadObject does not show.
        about: What the body says besides.
    """

    version: SourceVersion
    made: str = ""
    rejected: str | None = None
    reason: str = ""
    suspect: str | None = None
    deleted: bool = False
    kept: tuple[Kept, ...] = ()
    about: Mapping[str, Any] | None = None

    def metadata(self) -> dict[str, str]:
        """Return the part that a HeadObject shows."""
        state = {"state": "deleted"} if self.deleted else {"state": "made", "set": self.made}
        if self.suspect is not None:
            state["suspect"] = self.suspect
        metadata = self.version.metadata() | state
        if self.rejected is None:
            return metadata
        return with_text(metadata | {"rejected": self.rejected}, "reason", self.reason)

    def body(self, key: str) -> bytes:
        """Return the part that a GetObject shows, as JSON; ``key`` is the photo's."""
        document = {
            "key": key,
            "deleted": self.deleted,
            **(self.about or {}),
            "kept": {one.key: one.etag for one in self.kept},
        }
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def manifest_from_object(metadata: Mapping[str, str], body: bytes | None) -> Manifest:
    """Return the manifest that an object is; ``body`` is None where it was not asked for."""
    document = {} if body is None else json.loads(body)
    kept = document.pop("kept", {})
    for own in ("key", "deleted"):
        document.pop(own, None)
    return Manifest(
        version=version_from_metadata(metadata),
        made=metadata.get("set", ""),
        rejected=metadata.get("rejected"),
        reason=text_from_metadata(metadata, "reason"),
        suspect=metadata.get("suspect"),
        deleted=metadata.get("state") == "deleted",
        kept=tuple(Kept(key=key, etag=etag) for key, etag in kept.items()),
        about=document,
    )


def set_digest(*digests: str) -> str:
    """Return one digest of all that a set of renditions depends on, in any order."""
    return hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()[:16]


class Verdict(StrEnum):
    """What the manifest means for an event about new bytes."""

    MAKE = "make"
    UNCHANGED = "unchanged"
    """The very version that the event names has the very set that is asked for, or was rejected."""
    UNCHANGED_IF_CURRENT = "unchanged-if-current"
    """The set is the one asked for. The event names no version, so S3 has to be asked whether the
    version in the manifest is the present one."""
    SUPERSEDED = "superseded"


def judge(event: SourceVersion, manifest: Manifest, asked: str, refused: str) -> Verdict:
    """Return what is to be done about ``event``.

    Args:
        event: What it says of the version.
        manifest: The photo's.
        asked: The digest of the set that is asked for.
        refused: The digest under which a photo is rejected today.
    """
    made = manifest.made == (asked if manifest.rejected is None else refused)
    same_version = not manifest.deleted and event.is_same(manifest.version)
    if same_version and made:
        return Verdict.UNCHANGED
    if not same_version and event.precedes(manifest.version):
        return Verdict.SUPERSEDED
    names_none = event.etag is None and event.version_id is None
    if names_none and event.sequencer is None and not manifest.deleted and made:
        return Verdict.UNCHANGED_IF_CURRENT
    return Verdict.MAKE
