"""Outdated renditions in the destination: found and removed."""

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from contextlib import suppress

from handler.errors import ConditionFailedError, ObjectMissingError
from handler.objects import ObjectEvent
from handler.photo import rule
from handler.photo.destinations import asked_keys, candidate_keys
from handler.photo.manifest import Announced, Kept, Manifest
from handler.photo.present import present_event
from handler.photo.rule import Found
from handler.s3.requests import Requests
from handler.settings import Settings
from handler.version import SourceVersion, version_from_event, version_from_metadata

__all__ = ["Leftovers"]


class Leftovers:
    """The outdated renditions of the photo of ``event``.

    What carries no version was not made here and stays; so does what names another photo's key, and
    what another attempt replaced in between. *Cost*: a HeadObject for each key, and a DeleteObject
    for each that is removed.

    Attributes:
        removed: The ETags of the photos of which something was removed or replaced, by this attempt
            or, as far as it knows, by another: the one that is there is made anew.
        removed_keys: Where they were.
        found: What this attempt found as it would have stored it. Where the place may be another
            bucket's, it says whose it is, until that is known.
        has_met_unnamed: Something stood where a rendition was to be stored, and no manifest said
            so: there may be more.
        has_missed_named: Nothing was left where a rendition was to be stored over what the manifest
            names of this version: more of it may be gone.
    """

    def __init__(self, requests: Requests, settings: Settings, event: ObjectEvent) -> None:
        self._requests = requests
        self._settings = settings
        self._event = event
        self.removed: set[str | None] = set()
        self.removed_keys: set[str] = set()
        self.found: set[Kept] = set()
        self.has_met_unnamed = False
        self.has_missed_named = False

    def remove_named(self, named: Iterable[Kept | Announced], before: Manifest) -> None:
        """Remove what ``before`` names and the manifest that replaces it does not."""
        for one in named:
            self._remove(one.key, lambda found, one=one: rule.is_named(one, found, before))  # type: ignore[misc]  # mypy cannot infer a default

    def remove_unnamed(self, manifest: Manifest) -> SourceVersion | None:
        """Remove what ``manifest`` does not name and what is not of the photo as it is now.

        An attempt that was ended from outside leaves such, also under a key that the manifest
        names: while a deletion is under way that has looked there. What is for this photo no more
        goes also where it is of the present version.

        What it names may have been replaced or removed by an attempt at another version, which
        ended before it could notice.

        *Cost*: a HeadObject for each key, and one of the photo besides, where something is found.

        Args:
            manifest: The photo's, or what is about to be written; with its renditions.

        Returns:
            The version of a rendition that is there of the same key in another bucket; None for
            none.
        """
        keys = candidate_keys(self._event, self._settings)
        unasked: set[str] = set()
        if not manifest.deleted and manifest.rejected is None:
            unasked = keys - asked_keys(self._event, self._settings)
        there = {key: one for key in sorted(keys) if (one := self._find(key)) is not None}
        named = {one.key: one.etag for one in manifest.kept or ()}
        if any(key not in there or there[key].etag != named[key] for key in named.keys() & keys):
            self.removed.add(manifest.version.etag)
        found = {key: one for key, one in there.items() if one.etag != named.get(key)}
        if not found:
            return None
        event = present_event(self._requests, self._event)
        present = SourceVersion() if event is None else version_from_event(event)
        for key, one in found.items():
            is_unasked = key in unasked and not self._is_of_another(one)
            if is_unasked or rule.is_outdated(one, present, self._event.bucket):
                self._delete(key, one)
        return next((one.version for one in found.values() if self._is_of_another(one)), None)

    def remove_every(self, settings: Settings, besides: AbstractSet[str] = frozenset()) -> None:
        """Remove whatever ``settings`` could have made of it.

        For a photo that has no place there: the settings are no longer in use, or the place is
        another bucket's, whose renditions stay.

        Args:
            settings: By which it had a place.
            besides: Keys that are in use otherwise.
        """
        bucket = self._event.bucket
        for key in sorted(candidate_keys(self._event, settings) - besides):
            self._remove(key, lambda found: found.version.bucket == bucket)

    def find_other_bucket(self) -> SourceVersion | None:
        """Return of what a rendition is there of the same key in another bucket; None for none.

        *Cost*: a HeadObject for each key, up to the first one.
        """
        for key in sorted(candidate_keys(self._event, self._settings)):
            found = self._find(key)
            if found is not None and self._is_of_another(found):
                return found.version
        return None

    def has_own(self) -> bool:
        """Tell whether a rendition of this photo is there, of any version.

        *Cost*: a HeadObject for each key, up to the first one.
        """
        keys = sorted(candidate_keys(self._event, self._settings))
        found = (self._find(key) for key in keys)
        return any(one.version.bucket == self._event.bucket for one in found if one is not None)

    def remove_of_version(self, version: SourceVersion) -> None:
        """Remove what an attempt at ``version`` left that was ended from outside.

        *Cost*: none for a version that nothing names: a job's.
        """
        if version.etag is None and version.version_id is None:
            return
        for key in sorted(candidate_keys(self._event, self._settings)):
            self._remove(key, lambda found: found.version.is_same(version))

    def remove_own(self, made: Iterable[Kept]) -> None:
        """Remove what this attempt has stored, or taken over, of a photo that is another by now.

        A manifest may name it. Then that is of the same version, and about to be replaced, too; and
        whoever replaces it may have looked already.
        """
        for one in made:
            self._remove(one.key, lambda found, one=one: found.etag == one.etag)  # type: ignore[misc]  # as above

    def remove_stored(self, made: Iterable[Kept]) -> None:
        """Remove what this attempt has stored itself, and not only found."""
        self.remove_own(one for one in made if one not in self.found)

    def remove_found(self) -> None:
        """Remove the rest of it: the place is another bucket's."""
        self.remove_own(self.found)
        self.found.clear()

    def check_there(self, kept: Iterable[Kept]) -> None:
        """Make sure that each is as it was stored. *Cost*: a HeadObject for each.

        Raises:
            ConditionFailedError: One is gone or replaced, and has to be made again.
        """
        for one in kept:
            if not self._is_there(one):
                raise ConditionFailedError(f"Expected {one.key} to be there still; another took it")

    def is_whole(self, manifest: Manifest) -> bool:
        """Tell whether all is there that ``manifest`` names, whose list was read.

        *Cost*: a HeadObject for each.
        """
        return all(map(self._is_there, manifest.kept or ()))

    def _is_there(self, one: Kept) -> bool:
        with suppress(ObjectMissingError):
            answer = self._requests.of_destination("head_object", **self._where(one.key))
            return bool(answer["ETag"].strip('"') == one.etag)
        return False

    def _is_of_another(self, found: Found) -> bool:
        return not found.version.is_of_bucket(self._event.bucket)

    def _remove(self, key: str, is_stale: Callable[[Found], bool]) -> None:
        found = self._find(key)
        if found is not None and is_stale(found):
            self._delete(key, found)

    def _find(self, key: str) -> Found | None:
        """Return what was made of this photo's key and is there."""
        try:
            answer = self._requests.of_destination("head_object", **self._where(key))
        except ObjectMissingError:
            return None
        version = version_from_metadata(answer["Metadata"])
        if not version.is_of_photo or not version.is_of_key(self._event.key):
            return None
        return Found(etag=answer["ETag"].strip('"'), version=version)

    def _delete(self, key: str, found: Found) -> None:
        condition = {"IfMatch": f'"{found.etag}"'} if self._settings.conditional_writes else {}
        self.removed.add(found.version.etag)
        self.removed_keys.add(key)
        with suppress(ObjectMissingError, ConditionFailedError):
            self._requests.of_destination("delete_object", **self._where(key), **condition)

    def _where(self, key: str) -> dict[str, str]:
        return {"Bucket": self._settings.destination_bucket, "Key": key}
