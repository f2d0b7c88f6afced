"""Finds the photos whose renditions are missing or out of date."""

import logging
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Final

from handler.backfill.listing import Photo
from handler.objects import ObjectEvent
from handler.photo.destinations import made_digest
from handler.photo.leftovers import Leftovers
from handler.photo.manifest import Verdict, judge
from handler.photo.manifest_store import ManifestStore
from handler.photo.present import is_current
from handler.s3.requests import Requests
from handler.settings import Settings
from handler.version import version_from_event
from imaging.errors import InternalError, RejectedPhotoError, error_from_exception

__all__ = ["only_stale"]

_AT_ONCE: Final = 16

_log = logging.getLogger(__name__)


def only_stale(
    photos: Iterable[Photo], *, bucket: str, settings: Settings, requests: Requests
) -> Iterator[Photo]:
    """Yield those of ``photos`` whose manifest does not say that this version has the whole set.

    A photo that cannot be looked up for a reason of its own counts as stale: the work on it reports
    the reason.

    *Cost*: a HeadObject for each, 16 at once, and one of the photo where the list and the manifest
    disagree when it was put; as many photos in memory.

    Raises:
        StorageError: The destination cannot be asked.
    """

    def look_up(photo: Photo) -> bool:
        event = ObjectEvent(bucket=bucket, key=photo.key, etag=photo.etag)
        leftovers = Leftovers(requests, settings, event)
        manifest = ManifestStore(requests, settings, event, leftovers).look()
        if manifest is None:
            return bool(settings.config.specs_of(photo.key))
        made = made_digest(settings, photo.key, manifest.rejected)
        verdict = judge(version_from_event(event), manifest, made)
        is_known = verdict in {Verdict.UNCHANGED, Verdict.UNCHANGED_IF_CURRENT}
        if is_known and photo.modified != manifest.version.modified:
            # The same bytes, put again; or a list that tells the time otherwise, as of parts.
            return not is_current(requests, event, manifest.version)
        # The list has just said that the version is the current one.
        return not is_known

    def is_stale(photo: Photo) -> bool:
        try:
            return look_up(photo)
        except Exception as raised:
            error = error_from_exception(raised, "look-up")
            if isinstance(error, InternalError):
                _log.exception("%s: %s", photo.key, error)
            elif not isinstance(error, RejectedPhotoError):
                raise
            return True

    coming = iter(photos)
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="stale") as threads:
        while some := list(islice(coming, _AT_ONCE)):
            stale = threads.map(is_stale, some)
            yield from (photo for photo, found in zip(some, stale, strict=True) if found)
