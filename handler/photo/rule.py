"""The rule of the manifest: what was read and what was made -> what to write, what to remove; pure.

docs/failures.md states the rule and its reasons. tests/model explores these very functions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, assert_never

from handler.photo.about import About, about_with_made
from handler.photo.manifest import Announced, Kept, Manifest, Refused
from handler.version import SourceVersion

__all__ = [
    "Addition",
    "Draft",
    "Found",
    "GivenUp",
    "Refusal",
    "Rejection",
    "Removal",
    "WholeSet",
    "Withheld",
    "covering",
    "is_named",
    "is_outdated",
    "left_behind",
    "merged",
    "taken",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeSet:
    """Every rendition that the configuration asks for was stored.

    Attributes:
        version: What they were made of.
        made: The digest of the set.
        kept: Where they are.
        about: What the manifest says of the photo to an app, or None.
    """

    version: SourceVersion
    made: str
    kept: tuple[Kept, ...]
    about: About | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """Some renditions were stored, on demand.

    Attributes:
        version: What they were made of.
        names: Which of the configuration.
        kept: Where they are.
        about: What a manifest of these alone says of the photo to an app, or None.
        listed: How a sidecar lists them; none where today's configuration has no sidecar.
        stale: ``made`` of the rejection that was there when it began, and that today's settings do
            not give; it is written over. Empty for none, and for what S3 did not hand over
            (:class:`Withheld`), which is written over in any case.
    """

    version: SourceVersion
    names: tuple[str, ...]
    kept: tuple[Kept, ...]
    about: About | None = None
    listed: tuple[Mapping[str, Any], ...] = ()
    stale: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """The photo cannot be rendered.

    Attributes:
        version: The photo's.
        made: The digest of what is asked for and accepted today.
        code: The error's.
        reason: The error's message.
    """

    version: SourceVersion
    made: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Some renditions that were asked for by themselves cannot be made of the photo.

    Attributes:
        names: Which.
        rejection: Why; it holds for the whole photo where nothing of this version is stored.
    """

    names: tuple[str, ...]
    rejection: Rejection

    @property
    def version(self) -> SourceVersion:
        """The photo's."""
        return self.rejection.version


@dataclass(frozen=True, slots=True, kw_only=True)
class Withheld:
    """S3 does not hand the photo over; it may have done so before, and may again.

    Attributes:
        version: The photo's.
        code: The error's.
        reason: The error's message.
        is_robbed: Whether this attempt has removed or replaced something of it.
        announced: What attempts that were handed it may have stored: nothing else tells of that.
    """

    version: SourceVersion
    code: str
    reason: str
    is_robbed: bool
    announced: tuple[Announced, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenUp:
    """The photo ends the processes that decode it; a slow one may be done after all.

    Attributes:
        rejection: Why.
        announced: What those processes may have stored of it: nothing else tells of that.
    """

    rejection: Rejection
    announced: tuple[Announced, ...]

    @property
    def version(self) -> SourceVersion:
        """The photo's."""
        return self.rejection.version


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """The photo is gone: S3 said so.

    Attributes:
        version: The deletion's sequencer and time.
    """

    version: SourceVersion


Draft: TypeAlias = WholeSet | Addition | Rejection | Refusal | Withheld | GivenUp | Removal
"""What an attempt has to say about a photo, before it knows what others have said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What S3 holds under a rendition's key.

    Attributes:
        etag: Without quotes.
        version: Which version of which photo it was made of; empty if it was not made here.
    """

    etag: str
    version: SourceVersion


def merged(before: Manifest | None, draft: Draft) -> Manifest:
    """Return the manifest to write over ``before``, which was read just now.

    The draft's version replaces the one before: S3 said after that read that it is the photo. What
    others have stored of the same version stays named, and the sequencer never goes back.
    """
    version = draft.version.covering(before.version if before is not None else None)
    match draft:
        case WholeSet():
            return Manifest(version=version, made=draft.made, kept=draft.kept, about=draft.about)
        case Addition():
            return _with_addition(before, draft, version)
        case Rejection():
            return Manifest(
                version=version,
                made=draft.made,
                rejected=draft.code,
                reason=draft.reason,
                lost=before is not None and before.lost,
            )
        case Refusal():
            return _with_refusal(before, draft, version)
        case Withheld():
            return _with_withheld(before, draft, version)
        case GivenUp():
            announced = dict.fromkeys((*_of_version(before, draft.version), *draft.announced))
            return replace(merged(before, draft.rejection), announced=tuple(announced))
        case Removal():
            return Manifest(version=version, deleted=True)
        case _:
            assert_never(draft)


def _with_addition(before: Manifest | None, draft: Addition, version: SourceVersion) -> Manifest:
    if before is None:
        return Manifest(version=version, kept=draft.kept, about=draft.about)
    new = {one.key for one in draft.kept}
    # Others may be about to store these, of the same version.
    announced = tuple(
        one for one in before.announced if one.version == draft.version.name and one.key not in new
    )
    # It does not know what else a lost list named; whoever makes the whole set looks.
    alone = Manifest(
        version=version,
        kept=draft.kept,
        announced=announced,
        lost=before.lost,
        about=draft.about,
    )
    if before.deleted or not draft.version.is_same_upload(before.version):
        return alone
    kept = (*(one for one in before.kept or () if one.key not in new), *draft.kept)
    if before.rejected is not None and before.made == draft.stale:
        return replace(alone, kept=kept)
    if before.rejected is not None:
        # Another has rejected it meanwhile. What was made goes with the photo.
        new_ones = (Announced(key=key, version=version.name) for key in sorted(new))
        return replace(before, version=version, announced=(*announced, *new_ones))
    about = about_with_made(
        before.about, draft.about, names=draft.names, keys=new, listed=draft.listed
    )
    # What was made of it says that no attempt at it ends its process.
    return replace(
        before, version=version, kept=kept, announced=announced, about=about, suspect=None
    )


def _with_refusal(before: Manifest | None, draft: Refusal, version: SourceVersion) -> Manifest:
    rejection = draft.rejection
    is_known = before is not None and version.is_same_upload(before.version)
    if before is None or before.deleted or not is_known or not before.kept:
        return merged(before, rejection)
    new = (
        Refused(name=name, made=rejection.made, code=rejection.code, reason=rejection.reason)
        for name in draft.names
    )
    others = (one for one in before.refused if one.name not in draft.names)
    return replace(before, version=version, refused=(*others, *new), suspect=None)


def _with_withheld(before: Manifest | None, draft: Withheld, version: SourceVersion) -> Manifest:
    """Return a manifest that leaves what is of the very version: it is as right as before.

    Of the same bytes, put again, nothing is known; nor where something was taken away.
    """
    is_known = before is not None and draft.version.is_same_upload(before.version)
    if before is not None and is_known and not before.deleted and not draft.is_robbed:
        return covering(before, draft.version)
    announced = dict.fromkeys((*_of_version(before, draft.version), *draft.announced))
    return Manifest(
        version=version,
        # Once it is handed over it is the same version, and to be made: nothing says that it is
        # known.
        made="",
        rejected=draft.code,
        reason=draft.reason,
        announced=tuple(announced),
        # There may be renditions of this version that only that list named.
        lost=before is not None and before.lost,
    )


def _of_version(before: Manifest | None, version: SourceVersion) -> tuple[Announced, ...]:
    """Return what ``before`` names of ``version``.

    Who finds that such a photo cannot be had leaves that: another attempt may have seen it there,
    and be about to write so.
    """
    if before is None:
        return ()
    announced = tuple(one for one in before.announced if one.version == version.name)
    if before.deleted or not version.is_same(before.version):
        return announced
    kept = (Announced(key=one.key, version=version.name) for one in before.kept or ())
    return tuple(dict.fromkeys((*announced, *kept)))


def taken(before: Manifest | None, place: SourceVersion) -> Manifest:
    """Return ``before`` as who is about to store something takes its place; S3 has the photo.

    A tombstone ends, and what says of no bucket says it now. Nothing is ever announced for two
    buckets: one would remove what the other announced.

    Args:
        before: As it was read just now; of no other bucket, unless it is a tombstone.
        place: The photo's bucket and key, and no version.
    """
    if before is None:
        return Manifest(version=place)
    if before.version.bucket is not None and not before.deleted:
        return before
    version = place
    if before.version.is_of_bucket(place.bucket):
        version = replace(before.version, bucket=place.bucket, key_digest=place.key_digest)
    return replace(before, version=version, deleted=False)


def covering(before: Manifest, version: SourceVersion) -> Manifest:
    """Return ``before`` as an event writes it again that finds the photo to be what it is of.

    Another version was the photo until then: whoever asked before, and has read ``before``, must
    not write over it.

    Args:
        before: As it was read just now; of the version that S3 says is the photo.
        version: That version, with the event's sequencer.
    """
    sequencer = version.covering(before.version).sequencer
    return replace(before, version=replace(before.version, sequencer=sequencer))


def left_behind(before: Manifest | None, after: Manifest) -> tuple[Kept | Announced, ...]:
    """Return what ``before`` names and ``after`` does not; removed before ``after`` is written.

    Afterwards nothing would name it any more. An attempt that ends in between leaves
    ``before`` as it is, so that the next one finds the same.
    """
    if before is None:
        return ()
    names = {one.key for one in after.kept or ()}
    version = before.version.name
    kept = (
        one
        for one in before.kept or ()
        if Announced(key=one.key, version=version) not in after.announced
    )
    announced = (one for one in before.announced if one not in after.announced)
    named: tuple[Kept | Announced, ...] = (*kept, *announced)
    return tuple(one for one in named if one.key not in names)


def is_named(named: Kept | Announced, found: Found, before: Manifest) -> bool:
    """Tell whether ``found`` is the object that ``before`` names as ``named``.

    Any other object under the key was stored by another attempt, which is responsible for it.
    """
    if isinstance(named, Announced):
        return found.version.is_of_photo and found.version.name == named.version
    is_of_place = found.version.is_of_photo and found.version.is_of_bucket(before.version.bucket)
    return is_of_place and found.etag == named.etag


def is_outdated(found: Found, present: SourceVersion, bucket: str) -> bool:
    """Tell whether ``found``, which no manifest names, is of another version than the photo.

    Whoever stored it had asked S3 for the photo before, so what is there now is newer.

    Args:
        found: What is under a key.
        present: The photo, as S3 gave it after ``found`` was seen; no version for none.
        bucket: The photo's; what is of another bucket stays.
    """
    version = found.version
    is_ours = version.is_of_photo and version.is_of_bucket(bucket)
    return is_ours and not version.is_same(present)
