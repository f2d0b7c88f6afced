"""The manifest of one photo in S3, changed by compare-and-swap only; see docs/failures.md."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from botocore.exceptions import BotoCoreError

from handler.errors import (
    ConditionFailedError,
    ObjectMissingError,
    SourceChangedError,
    StorageError,
)
from handler.objects import ObjectEvent
from handler.photo.destinations import manifest_key
from handler.photo.leftovers import Leftovers
from handler.photo.manifest import Manifest, manifest_from_object
from handler.s3.requests import Requests
from handler.s3.sink import Condition, condition_over
from handler.settings import Settings
from handler.version import SourceVersion, version_from_metadata

__all__ = ["ManifestStore"]

_MAX_TURNS: Final = 5


class ManifestStore:
    """The manifest of the photo of ``event``, as this attempt last saw or wrote it.

    *Thread*: one.
    """

    def __init__(self, requests: Requests, settings: Settings, event: ObjectEvent) -> None:
        self._requests = requests
        self._settings = settings
        self._leftovers = Leftovers(requests, settings, event)
        self._photo_key = event.key
        self._key = manifest_key(event, settings)
        # The ETag that was last seen under the key; None for no object.
        self._etag: str | None = None
        self.manifest: Manifest | None = None

    def _where(self, key: str) -> dict[str, str]:
        return {"Bucket": self._settings.destination_bucket, "Key": key}

    def look(self) -> Manifest | None:
        """Return the manifest without its list of renditions. *Cost*: one HeadObject."""
        try:
            answer = self._requests.of_destination("head_object", **self._where(self._key))
        except ObjectMissingError:
            self._etag = self.manifest = None
        else:
            self._etag = answer["ETag"]
            self.manifest = manifest_from_object(answer["Metadata"], None)
        return self.manifest

    def read(self) -> Manifest | None:
        """Return the whole manifest. *Cost*: one GetObject."""
        try:
            answer = self._requests.of_destination("get_object", **self._where(self._key))
        except ObjectMissingError:
            self._etag = self.manifest = None
        else:
            self._etag = answer["ETag"]
            try:
                body = answer["Body"].read()
            except (BotoCoreError, OSError) as error:
                raise StorageError(f"Expected to read {self._key} but received {error}") from error
            self.manifest = manifest_from_object(answer["Metadata"], body)
        return self.manifest

    def condition(self, key: str) -> Condition:
        """Return what a rendition's key is expected to hold, going by the manifest as last seen."""
        if not self._settings.conditional_writes:
            return {}
        kept = self.manifest.kept if self.manifest is not None and not self.manifest.deleted else ()
        return condition_over(next((f'"{one.etag}"' for one in kept if one.key == key), None))

    @contextmanager
    def suspecting(self, name: str) -> Iterator[None]:
        """Within: the manifest says that the version called ``name`` is being decoded.

        Any answer removes the mark; an end of the process leaves it.

        *Cost*: one PutObject, and another where no manifest of the version follows.
        """
        before = self.manifest
        # Without a manifest, write one that names no version and no rendition.
        manifest = before if before is not None else Manifest(version=SourceVersion())
        self._put(replace(manifest, suspect=name))
        try:
            yield
        except Exception:
            self._put(manifest)
            raise

    def commit(self, manifest: Manifest) -> None:
        """Write ``manifest`` over one that is not newer, and remove renditions that it drops.

        *Cost*: one PutObject; where another wrote meanwhile, a GetObject and a PutObject more each
        time, and a HeadObject for each rendition: what that other one removed must not be missed.

        Raises:
            SourceChangedError: A newer version, or the photo's deletion, was recorded meanwhile.
            StorageError: S3 did not take it, or a rendition is gone and has to be made again.
        """
        for turn in range(_MAX_TURNS):
            if turn and not manifest.deleted:
                self._check_kept(manifest)
            try:
                self._write(manifest)
            except (ConditionFailedError, ObjectMissingError):
                present = self.read()
                if present is not None and manifest.version.precedes(present.version):
                    self._leftovers.remove_behind(present)
                    raise SourceChangedError(
                        f"Expected to manifest {manifest.version} but {present.version} is newer"
                    ) from None
                if present is not None and _are_same(present, manifest):
                    # Written by this very request, whose answer was lost, or by another attempt.
                    return
            else:
                return
        raise StorageError(f"Expected {self._key} to stay unchanged; others write it all the time")

    def _write(self, manifest: Manifest) -> None:
        before = self.manifest
        condition: Condition = {}
        if self._settings.conditional_writes:
            condition = condition_over(self._etag)
        elif (now := self.look()) is not None and manifest.version.precedes(now.version):
            # The store cannot tell, so this look has to; what comes between it and the write is
            # missed.
            raise ConditionFailedError(f"Expected {self._key} to be older than {manifest.version}")
        if manifest.deleted:
            # Should this end before they are gone, the next attempt finds here what to remove.
            manifest = replace(manifest, kept=before.kept if before is not None else ())
        elif before is not None:
            # First: once the manifest is written, nothing lists them any more.
            left = {one.key for one in before.kept} - {one.key for one in manifest.kept}
            self._leftovers.remove_keys(left, manifest.version)
        self._put(manifest, condition)

    def _put(self, manifest: Manifest, condition: Condition | None = None) -> None:
        if condition is None:
            condition = condition_over(self._etag) if self._settings.conditional_writes else {}
        answer = self._requests.of_destination(
            "put_object",
            **self._where(self._key),
            **condition,
            Body=manifest.body(self._photo_key),
            ContentType="application/json",
            # It changes with the photo, unlike the renditions of one version.
            CacheControl="no-cache",
            Metadata=manifest.metadata(),
        )
        self._etag, self.manifest = answer["ETag"], manifest

    def _check_kept(self, manifest: Manifest) -> None:
        for one in manifest.kept:
            try:
                answer = self._requests.of_destination("head_object", **self._where(one.key))
            except ObjectMissingError:
                raise StorageError(
                    f"Expected {one.key} to be there still, but another attempt removed it"
                ) from None
            if manifest.version.precedes(version_from_metadata(answer["Metadata"])):
                raise SourceChangedError(f"Expected {one.key} but a newer one is there")


def _are_same(one: Manifest, other: Manifest) -> bool:
    return (one.version, one.made, one.deleted) == (other.version, other.made, other.deleted)
