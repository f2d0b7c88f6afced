"""Outdated renditions in the destination: found and removed."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace

from handler.errors import ConditionFailedError, ObjectMissingError
from handler.objects import ObjectEvent
from handler.photo.destinations import candidate_keys
from handler.photo.manifest import Kept, Manifest
from handler.s3.requests import Requests
from handler.settings import Settings
from handler.version import SourceVersion, version_from_metadata

__all__ = ["Leftovers"]


class Leftovers:
    """The outdated renditions of the photo of ``event``.

    What carries no version was not made here and stays. What another attempt replaced in between
    stays too. *Cost*: a HeadObject for each key, and a DeleteObject for each that is removed.
    """

    def __init__(self, requests: Requests, settings: Settings, event: ObjectEvent) -> None:
        self._requests = requests
        self._settings = settings
        self._event = event

    def remove_behind(self, manifest: Manifest) -> None:
        """Remove what is older than ``manifest`` and under none of its keys.

        An attempt leaves such if it was ended from outside, or lost against ``manifest``. Of a
        deleted or rejected photo no rendition may stay. Otherwise those stay whose key is the same
        in every version: only a format that depends on the photo gives other keys.
        """
        has_none = manifest.deleted or manifest.rejected is not None
        keys = candidate_keys(self._event, self._settings, of_any_format=not has_none)
        self._remove(keys, lambda found: found.precedes(manifest.version))

    def remove_of_version(self, version: SourceVersion) -> None:
        """Remove what an earlier attempt at ``version`` left, where a newer one would not."""
        ours = replace(version, modified=None)
        keys = candidate_keys(self._event, self._settings, of_any_format=True)
        self._remove(keys, lambda found: found.is_same(ours))

    def remove_all(self, kept: Iterable[Kept], version: SourceVersion) -> None:
        """Remove every rendition that is not newer than ``version``, a deletion's."""
        keys = candidate_keys(self._event, self._settings) | {one.key for one in kept}
        self.remove_keys(keys, version)

    def remove_keys(self, keys: Iterable[str], version: SourceVersion) -> None:
        """Remove the renditions under ``keys`` that are not newer than ``version``."""
        self._remove(keys, lambda found: not version.precedes(found))

    def _remove(self, keys: Iterable[str], is_stale: Callable[[SourceVersion], bool]) -> None:
        for key in sorted(keys):
            where = {"Bucket": self._settings.destination_bucket, "Key": key}
            with suppress(ObjectMissingError, ConditionFailedError):
                answer = self._requests.of_destination("head_object", **where)
                found = version_from_metadata(answer["Metadata"])
                if found.etag is not None and is_stale(found):
                    condition = (
                        {"IfMatch": answer["ETag"]} if self._settings.conditional_writes else {}
                    )
                    self._requests.of_destination("delete_object", **where, **condition)
