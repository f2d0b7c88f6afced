"""One event about one photo -> the report of what came of it."""

import logging
from collections.abc import Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Final, assert_never

from handler.errors import (
    Disposition,
    FolderError,
    KnownRejectionError,
    OtherSourceError,
    SourceChangedError,
    StorageError,
)
from handler.objects import Change, ObjectEvent
from handler.photo.attempt import Attempt, Outcome, is_folder
from handler.photo.destinations import check_source
from handler.photo.journal import Journal
from handler.photo.leftovers import Leftovers
from handler.photo.making import make, make_some
from handler.photo.manifest_store import ManifestStore, remove_former
from handler.photo.present import present_event
from handler.photo.removal import remove
from handler.report import JobReport
from handler.s3.requests import Requests
from handler.settings import Settings
from handler.version import SourceVersion, version_from_event
from imaging.errors import InternalError, RejectedPhotoError, error_from_exception
from imaging.photo import PhotoOpener
from imaging.specs import RenditionSpec

__all__ = ["process"]

_MAX_TURNS: Final = 4

_log = logging.getLogger(__name__)


def process(
    event: ObjectEvent,
    settings: Settings,
    requests: Requests,
    executor: Executor,
    open_photo: PhotoOpener,
    specs: Sequence[RenditionSpec] | None = None,
) -> JobReport:
    """Make and store the renditions of one object, or remove them; never raises an Exception.

    Args:
        event: What happened to the object.
        settings: The settings.
        requests: Of this invocation.
        executor: Uploads.
        open_photo: How the photo is opened: through the wall.
        specs: Make these renditions only, even if they are there already; None for all that are
            missing or stale.
    """
    journal = Journal(event)
    try:
        check_source(event, settings)
        leftovers = Leftovers(requests, settings, event)
        try:
            manifests = ManifestStore(requests, settings, event, leftovers)
        except RejectedPhotoError:
            # It has no place under this template. What it had under another one, nobody serves.
            remove_former(requests, settings, event, leftovers)
            raise
        attempt = Attempt(
            trigger=event,
            event=event,
            settings=settings,
            requests=requests,
            executor=executor,
            open_photo=open_photo,
            journal=journal,
            manifests=manifests,
            leftovers=leftovers,
        )
        outcome = _work_until_true(attempt, specs)
    except Exception as raised:  # noqa: BLE001 - one bad record never loses the others
        error = error_from_exception(raised, journal.stage or "start")
        if isinstance(error, InternalError):
            _log.exception("%s", error)
        return journal.failed(error)
    return journal.succeeded(outcome.disposition, outcome.renditions)


def _work_until_true(attempt: Attempt, specs: Sequence[RenditionSpec] | None) -> Outcome:
    """Work on the event; again, if something of the photo that is there was taken away.

    The same bytes, put again, have the same ETags: what was removed as the older photo's may have
    been named as the newer one's meanwhile. So may what was removed since its place was another's.
    Then the whole set is made, also for who asked for some of it.
    """
    comes_again = specs is None
    for _ in range(_MAX_TURNS):
        try:
            return _work(attempt, specs)
        except OtherSourceError:
            if not _is_free_by_now(attempt, comes_again=comes_again):
                raise
            present = _robbed_event(attempt)
        except SourceChangedError:
            present = _robbed_event(attempt) or _returned_event(attempt)
            if present is None:
                raise
        except (KnownRejectionError, FolderError):
            present = _robbed_event(attempt)
            if present is None or _is_rejected(attempt, present):
                raise
        if present is not None:
            attempt, specs = attempt.about(present), None
    raise StorageError("Expected the photo to stay unchanged; others write it all the time")


def _robbed_event(attempt: Attempt) -> ObjectEvent | None:
    """Return the event of the present photo if something of it was removed.

    Photos that look the same have the same renditions: one's, removed, can be the other's.

    No condition of S3's tells these apart. Where the manifest is of another version yet, whoever is
    about to name them must look again: it is written, so that they find it to be another.

    *Cost*: none, where nothing was removed; else a HeadObject, and, where it was another photo's, a
    GetObject of the manifest and a HeadObject for each rendition, or a HeadObject and a PutObject.
    """
    manifests, leftovers = attempt.manifests, attempt.leftovers
    present = _present_photo(attempt) if leftovers.removed else None
    if present is None or present.etag in leftovers.removed:
        return present
    version = version_from_event(present)
    manifests.read()
    try:
        if not manifests.is_of(version):
            keys = sorted(leftovers.removed_keys)
            manifests.alert(keys, version, partial(_check_present, attempt, version))
    except SourceChangedError:
        return _robbed_event(attempt)
    except OtherSourceError:
        # Whoever is about to name them finds that out, too.
        return None
    manifest = manifests.manifest
    if manifest is None or not manifests.is_of(version) or leftovers.is_whole(manifest):
        return None
    leftovers.removed.add(present.etag)
    return present


def _check_present(attempt: Attempt, version: SourceVersion) -> None:
    present = _present_photo(attempt)
    if present is None or not version.is_same(version_from_event(present)):
        raise SourceChangedError(f"Expected {version} to be the photo still")


def _present_photo(attempt: Attempt) -> ObjectEvent | None:
    """Return the event of the photo as it is now; None where there is none, or a folder."""
    present = present_event(attempt.requests, attempt.event)
    return None if present is None or is_folder(present, present.size) else present


def _is_rejected(attempt: Attempt, present: ObjectEvent) -> bool:
    """Tell whether the manifest, as it was read last, is of a rejection of that very photo.

    Another version of the same bytes is a photo of the same ETag.
    """
    manifest = attempt.manifests.manifest
    if manifest is None or manifest.rejected is None:
        return False
    return manifest.version.is_same(version_from_event(present))


def _returned_event(attempt: Attempt) -> ObjectEvent | None:
    """Return the event of the photo if it is the version of an event that comes again.

    This attempt did not find that version, or its manifest. The attempt before, which ended, may
    have taken away what another makes of it now, and names after that.

    *Cost*: none at the first delivery; else a HeadObject.
    """
    if attempt.trigger.receive_count == 1:
        return None
    # A deletion names no version that is there.
    present = _present_photo(attempt)
    named = version_from_event(attempt.trigger)
    if present is None or not named.is_same(version_from_event(present)):
        return None
    attempt.leftovers.removed.add(present.etag)
    return present


def _is_free_by_now(attempt: Attempt, *, comes_again: bool) -> bool:
    """Give up a place that is another's; tell whether that may have changed meanwhile.

    Of two attempts that find each other's renditions before either has a manifest, each has removed
    its own before it looks here: the last one to do so finds the place free.

    Args:
        attempt: The attempt.
        comes_again: Whether it does, if it ends in between. What it removes by then may be the
            present photo's, so who does not, an HTTP request, removes only what it has stored.
    """
    manifests, leftovers = attempt.manifests, attempt.leftovers
    if manifests.is_of_another():
        if manifests.withdraw_of_another():
            return True
        leftovers.remove_found()
        manifests.read_kept()
        manifest = manifests.manifest
        if manifest is None or not manifests.is_of_another():
            return True
        if comes_again:
            # Whatever is left from an attempt that found the place free, or from before.
            manifests.remove_former()
            leftovers.remove_every(attempt.settings)
        # If the place was free meanwhile, the present photo's may have been among it.
        return bool(leftovers.removed) and not manifests.swap(manifest)
    # Only a rendition says so.
    leftovers.remove_found()
    if not manifests.withdraw():
        return True
    if manifests.is_held() or leftovers.find_other_bucket() is None:
        return True
    manifests.remove_former()
    return False


def _work(attempt: Attempt, specs: Sequence[RenditionSpec] | None) -> Outcome:
    match attempt.event.change:
        case Change.CREATED:
            return make(attempt) if specs is None else make_some(attempt, specs)
        case Change.DELETED:
            return remove(attempt)
        case Change.OTHER:
            return Outcome(Disposition.IGNORED)
        case _:
            assert_never(attempt.event.change)
