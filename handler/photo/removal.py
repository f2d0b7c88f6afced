"""A photo that is gone: its renditions are removed, and the manifest says so."""

from handler.errors import Disposition
from handler.photo import rule
from handler.photo.attempt import Attempt, Outcome, found_gone
from handler.photo.making import leave_nothing, make, superseded
from handler.photo.present import present_event
from handler.stages import Stage
from handler.version import SourceVersion, version_from_event

__all__ = ["remove"]


def remove(attempt: Attempt) -> Outcome:
    """Remove the renditions of a deleted photo; make those of a version that is still there.

    The event may be about the last version, an older one, or a delete marker, and may come late:
    only S3 knows what is left.

    Raises:
        OtherSourceError: The manifest is of a photo in another bucket.
        SourceChangedError: A newer event was handled already.
        RenditionsError: Any other; another attempt may succeed.
    """
    attempt.journal.enter(Stage.STORE)
    event, manifests = attempt.event, attempt.manifests
    gone = version_from_event(event)
    manifest = manifests.read()
    while True:
        manifests.check_place()
        if manifest is not None and gone.precedes(manifest.version):
            superseded(attempt, gone)
        if (present := present_event(attempt.requests, event)) is not None:
            if not _is_written_again(attempt, version_from_event(present)):
                manifest = manifests.manifest
                continue
            return make(attempt.about(present))
        if manifest is None and event.key.endswith("/"):
            # A folder of a console's: nothing is to be kept of its end.
            leave_nothing(attempt)
            return Outcome(Disposition.IGNORED)
        manifests.asked()
        if manifests.write(found_gone(event)):
            return Outcome(Disposition.REMOVED)
        manifest = manifests.manifest


def _is_written_again(attempt: Attempt, left: SourceVersion) -> bool:
    """Write the manifest again if it is of the version that is left: tell whether it was as read.

    An attempt at the version that is gone may have asked for the photo before the deletion, and
    have read that manifest since: it must not write over it.

    *Cost*: for such a manifest, a PutObject.
    """
    manifest = attempt.manifests.manifest
    if manifest is None or not manifest.version.is_same(left) or manifest.version.covers(left):
        return True
    return attempt.manifests.swap(rule.covering(manifest, left))
