"""A photo that is gone: its renditions are removed, and the manifest says so."""

import time
from dataclasses import replace

from handler.errors import Disposition, SourceChangedError
from handler.objects import Change, ObjectEvent
from handler.photo.attempt import Attempt, Outcome
from handler.photo.making import make, superseded
from handler.photo.manifest import Manifest
from handler.stages import Stage
from handler.version import SourceVersion

__all__ = ["remove"]


def remove(attempt: Attempt) -> Outcome:
    """Remove the renditions of a deleted photo; make those of a version that is still there.

    Raises:
        SourceChangedError: A newer version was made already.
        RenditionsError: Any other; another attempt may succeed.
    """
    attempt.journal.enter(Stage.STORE)
    event, manifests = attempt.event, attempt.manifests
    gone = SourceVersion(sequencer=event.sequencer)
    manifest = manifests.look()
    if manifest is None and event.key.endswith("/"):
        # A folder of a console's: nothing was made of it, and nothing is to be kept of its end.
        return Outcome(Disposition.IGNORED)
    ordered = event.sequencer and (manifest is None or manifest.version.sequencer)
    if event.version_id is not None or not ordered:
        # The event may be about the last version, an older one, or a delete marker: only S3 knows
        # what is left.
        if (present := _present(attempt)) is not None:
            return make(replace(attempt, event=present))
        gone = replace(gone, modified=int(time.time()))
    if manifest is not None:
        if gone.precedes(manifest.version):
            superseded(attempt, gone, manifest)
        manifest = manifests.read()
    manifests.commit(Manifest(version=gone, deleted=True))
    attempt.leftovers.remove_all(manifest.kept if manifest is not None else (), gone)
    return Outcome(Disposition.REMOVED)


def _present(attempt: Attempt) -> ObjectEvent | None:
    """Return an event for the version that is there now; None if there is none."""
    event = attempt.event
    try:
        answer = attempt.requests.of_source("head_object", Bucket=event.bucket, Key=event.key)
    except SourceChangedError:
        return None
    return replace(
        event,
        change=Change.CREATED,
        version_id=answer.get("VersionId"),
        etag=answer["ETag"].strip('"'),
        size=answer["ContentLength"],
    )
