"""The manifest of a photo: one small object that lists what the destination holds; pure.

It is written last, so that a whole set is proven by one HeadObject, and every change of it is
conditional on the one before, so that of two attempts at once one finds out about the other. The
rule by which it changes is in handler/photo/rule.py and docs/failures.md.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import accumulate
from typing import Any, Final

from handler.objects import BUCKET_PATTERN, ETAG_PATTERN, MAX_KEY_BYTES, VERSION_ID_PATTERN
from handler.release import VERSION
from handler.s3.metadata import text_from_metadata, with_text
from handler.version import SourceVersion, version_from_metadata

__all__ = [
    "MAX_BODY_BYTES",
    "Announced",
    "Kept",
    "Manifest",
    "Refused",
    "Suspect",
    "UnreadableManifestError",
    "Verdict",
    "judge",
    "manifest_from_answer",
    "manifest_from_head",
    "manifest_from_object",
    "set_digest",
]

MAX_BODY_BYTES: Final = 16 << 20
"""No function writes more: a configuration of 64 KiB, the most that S3 is read for, asks for 4,370
renditions. With keys of 1,024 bytes, kept, announced, in a sidecar, and with every name refused,
they take 13.5 MB. To read these takes 30 MB of memory."""
_MAX_DEPTH: Final = 32
"""Lists and objects within each other; a sidecar has four. Python's own limit depends on where it
reads or writes, so that what could be read could not be written."""

# What the metadata that are written again may be; all of it fits into 2,048 bytes. A text that
# no header takes, or one that is too long, would fail each attempt at writing it.
_WRITTEN_AGAIN: Final = {
    "source-bucket": re.compile(BUCKET_PATTERN),
    "source-key-digest": re.compile("[0-9a-f]{16}"),
    "source-etag": re.compile(ETAG_PATTERN),
    "source-version": re.compile(VERSION_ID_PATTERN),
    "set": re.compile("[!-~]{0,64}"),
    "rejected": re.compile("[!-~]{1,64}"),
}
_ETAG: Final = re.compile(ETAG_PATTERN)
# The times and seconds that there can be; whoever shows them need not look again.
_SUSPECT: Final = re.compile("([0-9a-f]{16}) ([1-9][0-9]?) ([0-9]{1,11})(?: ([0-9a-f]{1,16}))?")
_OWN_FIELDS: Final = frozenset(
    {"key", "deleted", "release", "config", "kept", "announced", "refused", "lost", "mark"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One rendition of the destination.

    Attributes:
        key: Its key.
        etag: Its ETag, without quotes.
    """

    key: str
    etag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """One rendition that an attempt was about to store, and perhaps did.

    Attributes:
        key: Its key.
        version: The name of the photo's version that it is of.
    """

    key: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """One rendition that was asked for by itself, and that cannot be made.

    Attributes:
        name: The rendition's.
        made: The digest of what was asked for and accepted then.
        code: The error's.
        reason: The error's message.
    """

    name: str
    made: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """The mark of a version that is being decoded, and of which an attempt failed before.

    Attributes:
        version: Its name.
        times: How many attempts began so without an answer, this one included.
        over_s: When Lambda has ended it, at the latest, in seconds since 1970.
        token: Of this attempt alone: two that begin in one second must not take away each other's.
    """

    version: str
    times: int
    over_s: int
    token: str = ""

    def __str__(self) -> str:
        return f"{self.version} {self.times} {self.over_s} {self.token}".rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What the destination holds of one photo.

    Attributes:
        version: The version that the renditions are of; of a deleted photo, its deletion.
        made: :func:`set_digest` of what they were to be; empty where that is not the whole set.
        rejected: The code with which this version was rejected; None where it was not.
        reason: The message of that rejection, in ASCII, truncated to what fits.
        suspect: A version that is being decoded, and may have ended a process before.
        lost: Its list could not be read, or it stands for what is no manifest of this photo: what
            it may have named has to be looked for.
        deleted: The photo is gone, and what is older than that must not bring it back.
        kept: The renditions; every key that was stored and not removed is among them. None where
            only a HeadObject was made, which does not show them.
        announced: What attempts were about to store when it was written; of no version that is
            newer than the one that its next writer sees. Empty where ``kept`` is None.
        refused: Renditions of this version that cannot be made, where others are kept.
        about: What the body says besides.
    """

    version: SourceVersion
    made: str = ""
    rejected: str | None = None
    reason: str = ""
    suspect: Suspect | None = None
    lost: bool = False
    deleted: bool = False
    kept: tuple[Kept, ...] | None = ()
    announced: tuple[Announced, ...] = ()
    refused: tuple[Refused, ...] = ()
    about: Mapping[str, Any] | None = None

    def is_of_another(self, bucket: str) -> bool:
        """Tell whether the renditions are of a photo in another bucket than ``bucket``.

        Once that one is deleted, its place is free.
        """
        return not self.deleted and not self.version.is_of_bucket(bucket)

    def metadata(self) -> dict[str, str]:
        """Return the part that a HeadObject shows."""
        state = {"state": "deleted"} if self.deleted else {"state": "made", "set": self.made}
        if self.suspect is not None:
            state["suspect"] = str(self.suspect)
        metadata = self.version.metadata() | state
        if self.rejected is None:
            return metadata
        return with_text(metadata | {"rejected": self.rejected}, "reason", self.reason)

    def body(self, key: str, token: str, config: str | None = None) -> bytes:
        """Return the part that a GetObject shows, as JSON.

        Args:
            key: The photo's.
            token: Another in each write: the ETag, on which the next write depends, is of the body
                alone, and must differ even where nothing but the metadata does.
            config: Which configuration the writer has, where it is not the image's.
        """
        document: dict[str, Any] = {
            "key": key,
            "deleted": self.deleted,
            "release": VERSION,
            **({} if config is None else {"config": config}),
            **(self.about or {}),
            "kept": {one.key: one.etag for one in self.kept or ()},
            "mark": token,
        }
        if self.lost:
            document["lost"] = True
        if self.announced:
            document["announced"] = [[one.key, one.version] for one in self.announced]
        if self.refused:
            document["refused"] = [
                [one.name, one.made, one.code, one.reason] for one in self.refused
            ]
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


class UnreadableManifestError(ValueError):
    """The object under the manifest's key is not a manifest; never leaves this package."""


def manifest_from_head(metadata: Mapping[str, str]) -> Manifest:
    """Return the manifest that a HeadObject shows: without its renditions.

    Raises:
        UnreadableManifestError: It is no manifest.
    """
    if metadata.get("state") not in {"made", "deleted"}:
        raise UnreadableManifestError("its metadata are not those of a manifest")
    for name, pattern in _WRITTEN_AGAIN.items():
        if name in metadata and pattern.fullmatch(metadata[name]) is None:
            raise UnreadableManifestError(f"its {name} is {metadata[name][:40]!a}")
    return Manifest(
        version=version_from_metadata(metadata),
        made=metadata.get("set", ""),
        rejected=metadata.get("rejected"),
        reason=text_from_metadata(metadata, "reason"),
        suspect=_suspect(metadata.get("suspect")),
        deleted=metadata["state"] == "deleted",
        kept=None,
    )


def _suspect(text: str | None) -> Suspect | None:
    if text is None:
        return None
    found = _SUSPECT.fullmatch(text)
    if found is None:
        # A release before this one said no more; its attempts are over.
        found = _SUSPECT.fullmatch(f"{text.partition(' ')[0]} 1 0")
    if found is None:
        # It names no version.
        return None
    version, times, over_s, token = found.groups()
    return Suspect(version=version, times=int(times), over_s=int(over_s), token=token or "")


def manifest_from_answer(answer: Mapping[str, Any]) -> Manifest:
    """Return the manifest that a GetObject's ``answer`` shows.

    *Cost*: its body, of at most :data:`MAX_BODY_BYTES`; a larger one is not read.

    Raises:
        UnreadableManifestError: It is no manifest.
    """
    size, body = answer["ContentLength"], answer["Body"]
    if size > MAX_BODY_BYTES:
        body.close()
        raise UnreadableManifestError(f"its body has {size} bytes")
    return manifest_from_object(answer["Metadata"], body.read())


def manifest_from_object(metadata: Mapping[str, str], body: bytes) -> Manifest:
    """Return the manifest that is stored so.

    Others may have written it. Whatever comes out of here can be written again, and asked for: each
    text is one that UTF-8 has, each key one that S3 takes, each ETag one that a header takes.

    Raises:
        UnreadableManifestError: It is no manifest.
    """
    head = manifest_from_head(metadata)
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UnreadableManifestError(f"its body is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise UnreadableManifestError("its body is no object")
    if not _is_writable(document):
        raise UnreadableManifestError("its body says what JSON in UTF-8 cannot say")
    kept, announced = document.get("kept"), document.get("announced", [])
    refused = document.get("refused", [])
    if not isinstance(kept, dict) or not all(map(_is_key, kept)):
        raise UnreadableManifestError("its body lists no renditions by their keys")
    if not all(isinstance(etag, str) and _ETAG.fullmatch(etag) for etag in kept.values()):
        raise UnreadableManifestError("its body lists what is no ETag")
    if not _are_texts(announced, 2) or not all(_is_key(key) for key, _ in announced):
        raise UnreadableManifestError("its body announces what is no key of a version")
    if not _are_texts(refused, 4):
        raise UnreadableManifestError("its body does not say what was refused")
    return replace(
        head,
        kept=tuple(Kept(key=key, etag=etag) for key, etag in kept.items()),
        announced=tuple(Announced(key=key, version=version) for key, version in announced),
        lost=document.get("lost") is True,
        refused=tuple(
            Refused(name=name, made=made, code=code, reason=reason)
            for name, made, code, reason in refused
        ),
        about={name: document[name] for name in document if name not in _OWN_FIELDS} or None,
    )


def _is_writable(document: dict[str, Any]) -> bool:
    """Tell whether ``document``, as it was read, can be written as JSON in UTF-8.

    Python reads half of a surrogate pair, and numbers that JSON has not.
    """
    within: list[Any] = [document]
    for _ in range(_MAX_DEPTH):
        lists = (one.values() if isinstance(one, dict) else one for one in within)
        within = [one for each in lists for one in each if isinstance(one, dict | list)]
    if within:
        return False
    try:
        json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        return False
    return True


def _are_texts(rows: Any, width: int) -> bool:  # noqa: ANN401 - any JSON
    """Tell whether ``rows`` is a list of lists of ``width`` texts each."""
    return isinstance(rows, list) and all(
        isinstance(row, list) and len(row) == width and all(isinstance(text, str) for text in row)
        for row in rows
    )


def _is_key(text: str) -> bool:
    """Tell whether S3 takes ``text``, which UTF-8 has, as a key.

    A HeadObject of any other one would fail each time: with one that leads out of the bucket S3
    answers 400, which says nothing.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
    """
    if not 0 < len(text.encode()) <= MAX_KEY_BYTES:
        return False
    depths = accumulate(-1 if segment == ".." else 1 for segment in text.split("/"))
    return min(depths) >= 0


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
    """What the event tells of, or something after it, was seen already."""


def judge(event: SourceVersion, manifest: Manifest, made: str) -> Verdict:
    """Return what is to be done about ``event``.

    Args:
        event: What it says of the version.
        manifest: The photo's.
        made: What the manifest would say today if there were nothing to do.
    """
    is_covered = manifest.version.covers(event)
    is_same = not manifest.deleted and event.is_same(manifest.version)
    # An ETag alone may be that of the same bytes, deleted and put again: then the manifest has to
    # change, or whoever is about to record that deletion would not notice.
    has_id = event.version_id is not None and event.version_id == manifest.version.version_id
    is_known = is_covered or has_id
    is_made = manifest.made == made
    if is_same and is_known:
        return Verdict.UNCHANGED if is_made else Verdict.MAKE
    if is_covered:
        return Verdict.SUPERSEDED
    names_none = event.etag is None and event.version_id is None
    if event.sequencer is None and is_made and not manifest.deleted and (names_none or is_same):
        return Verdict.UNCHANGED_IF_CURRENT
    return Verdict.MAKE
