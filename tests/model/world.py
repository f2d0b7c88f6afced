"""S3 as far as one photo is concerned, as a value: a request gives an answer and another world."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, assert_never

import handler.version
from handler.version import SourceVersion

if TYPE_CHECKING:
    from handler.photo.manifest import Manifest
    from handler.photo.rule import Found


class Buckets(StrEnum):
    """What the bucket of the photos does with older versions."""

    PLAIN = "plain"
    VERSIONED = "versioned"
    SUSPENDED = "suspended"


class Kind(StrEnum):
    """What the bytes are."""

    PNG = "png"
    JPEG = "jpg"
    TEXT = "txt"


SETS: Final = {
    Kind.PNG: ("large.png", "small.jpg"),
    Kind.JPEG: ("large.jpg", "small.jpg"),
    Kind.TEXT: (),
}
"""The renditions of each: one in the photo's own format, one that is always the same."""


class Photo(NamedTuple):
    """One version of an object.

    Attributes:
        name: of its bytes, and so its ETag.
        kind: what they are.
        version_id: as S3 says it; None in a plain bucket.
    """

    name: str
    kind: Kind
    version_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """Somebody stores a photo.

    Attributes:
        name: of its bytes.
        kind: what they are.
        bucket: where.
        sends_job: instead of an event, which is lost.
    """

    name: str
    kind: Kind
    bucket: str = "photos"
    sends_job: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """Somebody deletes the object: on a versioned bucket a marker comes on top."""

    bucket: str = "photos"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteNewest:
    """Somebody deletes the newest version for good."""

    bucket: str = "photos"


Change: TypeAlias = Put | Delete | DeleteNewest


class Look(NamedTuple):
    """HeadObject of the manifest."""


class Read(NamedTuple):
    """GetObject of the manifest."""


class Write(NamedTuple):
    """PutObject of the manifest, over what has the ETag; over nothing for None."""

    manifest: Manifest
    over: int | None


class Unwrite(NamedTuple):
    """DeleteObject of the manifest, if it has the ETag."""

    over: int


class AskPhoto(NamedTuple):
    """HeadObject or GetObject of the photo as it is now."""

    bucket: str


class LookAtFile(NamedTuple):
    """HeadObject of a rendition."""

    key: str


class PutFile(NamedTuple):
    """PutObject of a rendition, over what has the ETag; over nothing for None."""

    key: str
    found: Found
    over: str | None


class DeleteFile(NamedTuple):
    """DeleteObject of a rendition, if it has the ETag."""

    key: str
    etag: str


Request: TypeAlias = Look | Read | Write | Unwrite | AskPhoto | LookAtFile | PutFile | DeleteFile
MISSING: Final = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One photo in its buckets, and its place in the destination.

    Attributes:
        buckets: of which kind those of the photos are.
        photos: by bucket, the versions, oldest first; None is a delete marker.
        manifest: its ETag, which is never used again, and what it says.
        files: the renditions by key.
        writes: how often the manifest was written.
        changes: how often a photo was changed: S3's sequencer and clock.
        is_robbed: a rendition was stored over one of a photo in another bucket that is still there.
    """

    buckets: Buckets
    photos: tuple[tuple[str, tuple[Photo | None, ...]], ...] = ()
    manifest: tuple[int, Manifest] | None = None
    files: tuple[tuple[str, Found], ...] = ()
    writes: int = 0
    changes: int = 0
    is_robbed: bool = False

    def versions(self, bucket: str) -> tuple[Photo | None, ...]:
        """Return the versions of the photo in ``bucket``, oldest first."""
        return dict(self.photos).get(bucket, ())

    def photo(self, bucket: str) -> Photo | None:
        """Return the photo as it is now."""
        versions = self.versions(bucket)
        return versions[-1] if versions else None

    def _with_versions(self, bucket: str, versions: tuple[Photo | None, ...]) -> World:
        photos = dict(self.photos) | {bucket: versions}
        return replace(self, photos=tuple(sorted(photos.items())), changes=self.changes + 1)

    def changed(self, change: Change) -> World:
        """Return the world after somebody changed the photo."""
        before = self.versions(change.bucket)
        keeps = before if self.buckets is Buckets.VERSIONED else ()
        after: tuple[Photo | None, ...]
        match change:
            case Put(name=name, kind=kind):
                version_id = {Buckets.PLAIN: None, Buckets.SUSPENDED: "null"}.get(
                    self.buckets, f"v{self.changes}"
                )
                after = (*keeps, Photo(name, kind, version_id))
            case Delete():
                after = (*keeps, None) if keeps else ()
            case DeleteNewest():
                after = before[:-1]
            case _:
                assert_never(change)
        return self._with_versions(change.bucket, after)

    def asked(  # noqa: C901, PLR0912 - one for each request
        self, request: Request
    ) -> tuple[Any, World]:
        """Return S3's answer, and the world after it."""
        files = dict(self.files)
        match request:
            case Look():
                if self.manifest is None:
                    return None, self
                etag, manifest = self.manifest
                return (etag, replace(manifest, kept=None, announced=())), self
            case Read():
                return self.manifest, self
            case Write(manifest, over):
                if over != (self.manifest[0] if self.manifest else None):
                    return None, self
                number = self.writes + 1
                return number, replace(self, manifest=(number, manifest), writes=number)
            case Unwrite(over):
                is_there = self.manifest is not None and self.manifest[0] == over
                return is_there, replace(self, manifest=None) if is_there else self
            case AskPhoto(bucket):
                return self.photo(bucket), self
            case LookAtFile(key):
                return files.get(key), self
            case PutFile(key, found, over):
                if over != (files[key].etag if key in files else None):
                    return False, self
                after = self._with_files(files | {key: found})
                return True, replace(after, is_robbed=self._robs(key, found))
            case DeleteFile(key, etag):
                if key in files and files[key].etag == etag:
                    del files[key]
                return None, self._with_files(files)
            case _:
                assert_never(request)

    def _robs(self, key: str, found: Found) -> bool:
        before = dict(self.files).get(key)
        if before is None or before.version.bucket is None:
            return self.is_robbed
        is_other = before.version.bucket != found.version.bucket
        return self.is_robbed or (is_other and self.photo(before.version.bucket) is not None)

    def _with_files(self, files: dict[str, Found]) -> World:
        return replace(self, files=tuple(sorted(files.items())))

    def wrong(self, bucket: str, *, is_given_up: bool = False) -> list[str]:
        """Return what the destination holds and should not, and the other way round.

        Of a photo that was given up there may be less, if the manifest tells of what is there.
        """
        photo = self.photo(bucket)
        expected = {key: f"{photo.name}/{key}" for key in SETS[photo.kind]} if photo else {}
        found = {key: one.etag for key, one in self.files}
        manifest = self.manifest[1] if self.manifest is not None else None
        named = {one.key: one.etag for one in manifest.kept or ()} if manifest is not None else {}
        missing = expected.keys() - found.keys()
        told = named
        if is_given_up and photo is not None and manifest is not None:
            name = version_of(bucket, photo).name
            announced = {one.key for one in manifest.announced if one.version == name}
            missing &= named.keys()
            told = {key: etag for key, etag in found.items() if key in announced} | named
        wrong = [f"missing {key}" for key in missing]
        wrong += [f"left over {key}" for key in found.keys() - expected.keys()]
        wrong += [
            f"of another photo: {key}"
            for key in expected.keys() & found.keys()
            if expected[key] != found[key]
        ]
        if self.is_robbed:
            wrong.append("a rendition of another bucket's photo was stored over")
        if not wrong and told != found:
            wrong.append(f"the manifest names {named}")
        return sorted(wrong)


def version_of(bucket: str, photo: Photo) -> SourceVersion:
    """Return the version without its sequencer, as S3's answer gives it."""
    version_id = handler.version._identity(photo.version_id)
    return SourceVersion(bucket=bucket, etag=photo.name, version_id=version_id)
