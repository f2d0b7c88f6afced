"""A photo that is there: look up its manifest, make what is missing, write the manifest.

The order of the requests is the rule's (docs/failures.md): the manifest is read first, then S3 is
asked for the photo, and the manifest is written on the condition that it is as it was read.
"""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from typing import NoReturn, assert_never

from handler.errors import (
    ConditionFailedError,
    Disposition,
    KnownRejectionError,
    OtherSourceError,
    PoisonPhotoError,
    SourceChangedError,
)
from handler.objects import Change
from handler.photo.about import About, about_with
from handler.photo.attempt import Attempt, Outcome, check_not_folder, found_gone, is_folder
from handler.photo.destinations import candidate_keys, made_digest
from handler.photo.manifest import Announced, Kept, Manifest, Verdict, judge
from handler.photo.poison import watched
from handler.photo.present import is_current
from handler.photo.renditions import store_renditions
from handler.photo.rule import Addition, Draft, GivenUp, Refusal, Rejection, WholeSet, Withheld
from handler.s3.source import S3Source
from handler.stages import Stage
from handler.version import SourceVersion, version_from_event
from imaging.errors import RejectedPhotoError
from imaging.specs import RenditionSpec

__all__ = ["leave_nothing", "make", "make_some", "superseded"]


def make(attempt: Attempt) -> Outcome:
    """Make every rendition, unless the manifest says that they are there.

    Raises:
        KnownRejectionError: This version was rejected before, under the same settings.
        OtherSourceError: The manifest is of a photo in another bucket.
        SourceChangedError: The object is gone or is another version.
        RejectedPhotoError: The photo is rejected; the manifest says so from now on.
        RenditionsError: Any other; another attempt may succeed.
    """
    attempt.journal.enter(Stage.FETCH)
    named = version_from_event(attempt.event)
    manifest = _look_up(attempt, named)
    attempt.manifests.check_place()
    if manifest is None:
        if is_folder(attempt.event, attempt.event.size):
            leave_nothing(attempt)
            check_not_folder(attempt.event, attempt.event.size)
        if not _specs(attempt):
            # No rendition is for it: it is not even asked for. Another template may have had some.
            attempt.manifests.remove_former()
            was_there = bool(attempt.leftovers.removed)
            return Outcome(Disposition.REMOVED if was_there else Disposition.IGNORED)
    return _make_unless_made(attempt, named, manifest)


def _make_unless_made(attempt: Attempt, named: SourceVersion, manifest: Manifest | None) -> Outcome:
    if manifest is not None and named.etag not in attempt.leftovers.removed:
        match _judged_and_seen(attempt, named, manifest):
            case Verdict.UNCHANGED:
                return _unchanged(attempt, manifest)
            case Verdict.SUPERSEDED:
                superseded(attempt, named)
            case Verdict.UNCHANGED_IF_CURRENT:
                if is_current(attempt.requests, attempt.event, manifest.version):
                    return _unchanged(attempt, manifest)
            case Verdict.MAKE:
                pass
            case verdict:
                assert_never(verdict)
    try:
        source = _open(attempt)
    except SourceChangedError:
        attempt.leftovers.remove_of_version(named)
        if attempt.trigger.sequencer is None:
            # It may have come before, and left what nothing else tells of.
            _remove_unnamed(attempt)
        attempt.manifests.give_back()
        raise
    attempt.manifests.asked()
    with closing(source):
        attempt.manifests.read_kept()
        _check_no_folder(attempt, source)
        attempt.manifests.prove(source.check_current)
        attempt.manifests.check_free()
        return _make_of(attempt, source)


def _open(attempt: Attempt) -> S3Source:
    """Return the photo. If S3 refuses it for good, the manifest of an older one says so first.

    Raises:
        RejectedPhotoError: S3 does not hand it over.
        RenditionsError: As :class:`S3Source`.
    """
    try:
        return S3Source(attempt.requests, attempt.event)
    except RejectedPhotoError as error:
        # Imported on first use: most photos are handed over.
        from handler.photo.refused import check_still_refused, refused_version

        manifests, version = attempt.manifests, refused_version(attempt)
        if version is None:
            # Nobody ever made anything of a photo of which S3 does not even say which it is.
            manifests.remove_former()
            raise
        manifests.asked()
        manifests.read_kept()
        # Where something of it was taken away, what the manifest names is not there any more.
        is_robbed = version.etag in attempt.leftovers.removed
        if not is_robbed and _says_all(manifests.manifest, version):
            # The very version went into an archive: its renditions are as right as before.
            raise
        draft = Withheld(
            version=version,
            code=error.code,
            reason=error.message,
            is_robbed=is_robbed,
            announced=_all_announced(attempt, version),
        )
        _commit(attempt, lambda: check_still_refused(attempt, version), draft)
        raise


def _says_all(before: Manifest | None, version: SourceVersion) -> bool:
    """Tell whether ``before`` says all of ``version`` that is to be said, which S3 keeps back.

    An event of bytes that were there before, and put again, is to be said: an attempt at what was
    the photo in between must not write over the manifest.
    """
    if before is None or not version.is_same_upload(before.version):
        return False
    is_of_job, has_id = version.sequencer is None, version.version_id is not None
    return is_of_job or has_id or before.version.covers(version)


def _make_of(attempt: Attempt, source: S3Source) -> Outcome:
    """Make every rendition of the photo in ``source``, and write the manifest."""
    if attempt.event.sequencer is None:
        # Another may have been refused it since a job looked. An event's is written down anew.
        _check_not_refused(attempt, source.version)
    specs = _specs(attempt)
    made = made_digest(attempt.settings, attempt.event.key, None)
    missing, there, about = _missing(attempt, source.version, specs)
    attempt.leftovers.found.update(there)
    if not missing:
        # What no rendition is for any more goes.
        draft = WholeSet(version=source.version, made=made, kept=there, about=about)
        _commit(attempt, lambda: _check_stored(attempt, source, there), draft)
        return Outcome(Disposition.WRITTEN if specs else Disposition.REMOVED)
    try:
        with watched(attempt, source):
            stored = store_renditions(
                attempt,
                source,
                missing,
                sidecar=attempt.settings.config.sidecar,
                announces=_announces(attempt, source.version),
            )
            draft = WholeSet(
                version=source.version,
                made=made,
                kept=(*there, *stored.kept),
                about=about_with(about, stored.about),
            )
            _commit_stored(attempt, source, draft)
    except OtherSourceError:
        # It says nothing of the photo.
        raise
    except PoisonPhotoError as error:
        _give_up(attempt, source, error)
        raise
    except RejectedPhotoError as error:
        # The renditions of the version before show another photo.
        _commit(attempt, source.check_current, _rejection(attempt, source, error))
        raise
    return Outcome(Disposition.WRITTEN, stored.reports)


def _missing(
    attempt: Attempt, version: SourceVersion, specs: tuple[RenditionSpec, ...]
) -> tuple[tuple[RenditionSpec, ...], tuple[Kept, ...], About | None]:
    """Return which of ``specs`` have to be made, what is there of the others, and what is said."""
    manifest = attempt.manifests.manifest
    if attempt.event.sequencer is not None or manifest is None or not manifest.kept:
        return specs, (), None
    # Imported for jobs about photos that were done.
    from handler.photo.current import find_current

    return find_current(attempt, version, specs, manifest)


def _specs(attempt: Attempt) -> tuple[RenditionSpec, ...]:
    return attempt.settings.config.specs_of(attempt.event.key)


def _announces(attempt: Attempt, version: SourceVersion) -> bool:
    """Tell whether the keys are named before anything is stored under them.

    Keys that depend on the photo's format may be those of no later version.
    """
    return not _comes_again(attempt, version) and any(
        None in spec.formats for spec in _specs(attempt)
    )


def _comes_again(attempt: Attempt, version: SourceVersion) -> bool:
    """Tell whether it is an event of ``version``, which comes until that is named or gone.

    A job may not come again, and neither a job nor a deletion, coming again, tells of this version.
    """
    trigger = attempt.trigger
    return trigger.sequencer is not None and version_from_event(trigger).is_same(version)


def _judged(attempt: Attempt, named: SourceVersion, manifest: Manifest) -> Verdict:
    return judge(
        named, manifest, made_digest(attempt.settings, attempt.event.key, manifest.rejected)
    )


def _is_in_doubt(attempt: Attempt) -> bool:
    """Tell whether something may be missing of what the manifest names.

    An attempt at a version that was deleted may have taken something away of the one below. So may
    an attempt that ended, and that comes again now.
    """
    return attempt.trigger.change is Change.DELETED or attempt.trigger.receive_count > 1


def _judged_and_seen(attempt: Attempt, named: SourceVersion, manifest: Manifest) -> Verdict:
    """Return the verdict, once what :func:`_look_up` gave was looked at if it is in doubt.

    *Cost*: none, or a HeadObject for each rendition.
    """
    verdict = _judged(attempt, named, manifest)
    is_done = verdict in {Verdict.UNCHANGED, Verdict.UNCHANGED_IF_CURRENT}
    if is_done and _is_in_doubt(attempt) and not attempt.leftovers.is_whole(manifest):
        return Verdict.MAKE
    return verdict


def _look_up(attempt: Attempt, named: SourceVersion) -> Manifest | None:
    """Return the manifest.

    *Cost*: a HeadObject, and a GetObject where renditions are replaced, or in doubt.
    """
    manifest = attempt.manifests.look()
    if manifest is None or manifest.deleted:
        return manifest
    if _judged(attempt, named, manifest) is not Verdict.MAKE and not _is_in_doubt(attempt):
        return manifest
    # The body alone lists the keys and what they hold.
    return attempt.manifests.read()


def make_some(attempt: Attempt, specs: Sequence[RenditionSpec]) -> Outcome:
    """Make ``specs`` of the present version, and add them to the manifest.

    The manifest says of a whole set only what it said before.

    Raises:
        KnownRejectionError: As :func:`make`.
        OtherSourceError: As :func:`make`.
        SourceChangedError: As :func:`make`.
        RejectedPhotoError: As :func:`make`.
        RenditionsError: Any other; another attempt may succeed.
    """
    attempt.journal.enter(Stage.FETCH)
    attempt.manifests.read()
    attempt.manifests.check_place()
    with closing(_open(attempt)) as source:
        attempt.manifests.asked()
        _check_no_folder(attempt, source)
        attempt.manifests.prove(source.check_current)
        names = tuple(spec.name for spec in specs)
        # Asking again must not decode again.
        _check_not_refused(attempt, source.version, names)
        before = attempt.manifests.manifest
        try:
            with watched(attempt, source):
                # Nobody asks again for what was asked for if this ends in between.
                stored = store_renditions(attempt, source, specs, sidecar=False, announces=True)
                addition = Addition(
                    version=source.version,
                    names=names,
                    kept=stored.kept,
                    about=stored.about,
                    listed=stored.listed,
                    # It would have been refused by any other rejection.
                    stale=before.made if before is not None and before.rejected is not None else "",
                )
                _commit_stored(attempt, source, addition)
        except OtherSourceError:
            # As in the whole set.
            raise
        except PoisonPhotoError as error:
            _give_up(attempt, source, error)
            raise
        except RejectedPhotoError as error:
            draft = Refusal(names=names, rejection=_rejection(attempt, source, error))
            _commit(attempt, source.check_current, draft)
            raise
    if _is_robbed(attempt):
        version = source.version
        attempt.leftovers.removed.add(version.etag)
        found = replace(attempt.event, etag=version.etag, version_id=version.version_id)
        rest = make(attempt.about(found))
        again = {one.key for one in rest.renditions}
        asked_for = (one for one in stored.reports if one.key not in again)
        return rest._replace(renditions=(*asked_for, *rest.renditions))
    return Outcome(Disposition.WRITTEN, stored.reports)


def _is_robbed(attempt: Attempt) -> bool:
    """Tell whether something is missing of the set that a rendition was added to.

    Whoever left what was in the way, and ended, may have replaced more of it; whoever took away
    what the manifest names, more than that.

    *Cost*: none, where nothing was in the way or gone; else a HeadObject for each rendition.
    """
    manifest, leftovers = attempt.manifests.manifest, attempt.leftovers
    is_in_doubt = leftovers.has_met_unnamed or leftovers.has_missed_named
    return manifest is not None and is_in_doubt and not leftovers.is_whole(manifest)


def _check_not_refused(
    attempt: Attempt, version: SourceVersion, names: tuple[str, ...] = ()
) -> None:
    """Check what the manifest, as it was read last, says of ``version``.

    Raises:
        KnownRejectionError: It, or one of ``names``, was refused under the settings of today.
    """
    manifest = attempt.manifests.manifest
    if manifest is None or not version.is_same(manifest.version):
        return
    known = [(one.made, one.code, one.reason) for one in manifest.refused if one.name in names]
    if manifest.rejected is not None:
        known.append((manifest.made, manifest.rejected, manifest.reason))
    for made, code, reason in known:
        if made == made_digest(attempt.settings, attempt.event.key, code):
            raise KnownRejectionError(code, reason)


def _rejection(attempt: Attempt, source: S3Source, error: RejectedPhotoError) -> Rejection:
    return Rejection(
        version=source.version,
        made=made_digest(attempt.settings, attempt.event.key, error.code),
        code=error.code,
        reason=error.message,
    )


def _give_up(attempt: Attempt, source: S3Source, error: PoisonPhotoError) -> None:
    """Say that the photo is poison, unless anybody has written anything meanwhile.

    The attempt that left the trace may have been slow, and be done by now.

    Raises:
        ConditionFailedError: Another wrote the manifest.
        RenditionsError: As :func:`_commit`.
    """
    draft = GivenUp(
        rejection=_rejection(attempt, source, error),
        announced=_all_announced(attempt, source.version),
    )
    attempt.manifests.prove(source.check_current)
    if not attempt.manifests.write(draft):
        raise ConditionFailedError("Expected the manifest to be as it was; another wrote it")


def _all_announced(attempt: Attempt, version: SourceVersion) -> tuple[Announced, ...]:
    """Return whatever there can be of ``version``, for a manifest that leaves it there."""
    keys = candidate_keys(attempt.event, attempt.settings)
    return tuple(Announced(key=key, version=version.name) for key in sorted(keys))


def _check_no_folder(attempt: Attempt, source: S3Source) -> None:
    """Remove what is there of a photo whose place a folder has taken; write nothing for others.

    Raises:
        FolderError: It is a folder, and nothing of a photo is left.
    """
    manifests = attempt.manifests
    if not is_folder(attempt.event, source.size):
        return
    while manifests.manifest is not None:
        manifests.prove(source.check_current)
        if manifests.write(found_gone(attempt.event)):
            break
    else:
        leave_nothing(attempt)
    check_not_folder(attempt.event, source.size)


def _remove_unnamed(attempt: Attempt) -> None:
    """Remove what is there of another version than the photo and is not named in its manifest."""
    attempt.manifests.read_kept()
    nothing = Manifest(version=SourceVersion(), deleted=True)
    attempt.leftovers.remove_unnamed(attempt.manifests.manifest or nothing)


def leave_nothing(attempt: Attempt) -> None:
    """Remove what is there of a photo that has no manifest, and write none: for folders."""
    attempt.manifests.remove_former()
    _remove_unnamed(attempt)


def _commit_stored(attempt: Attempt, source: S3Source, draft: WholeSet | Addition) -> None:
    """Write ``draft``; if another was faster, remove what was stored."""
    try:
        _commit(attempt, lambda: _check_stored(attempt, source, draft.kept), draft)
    except OtherSourceError:
        attempt.leftovers.remove_stored(draft.kept)
        raise
    except SourceChangedError:
        attempt.leftovers.remove_own(draft.kept)
        raise


def _check_stored(attempt: Attempt, source: S3Source, kept: Sequence[Kept]) -> None:
    source.check_current()
    attempt.leftovers.check_there(kept)


def _commit(attempt: Attempt, ask: Callable[[], None], draft: Draft) -> None:
    """Write ``draft`` into the manifest.

    Args:
        attempt: The attempt.
        ask: As for :meth:`ManifestStore.prove`.
        draft: What to write.

    Raises:
        SourceChangedError: The photo is another by now.
        ConditionFailedError: A rendition is gone, and has to be made again.
        StorageError: Or one of its kind: S3 did not take it.
    """
    manifests = attempt.manifests
    manifests.prove(ask)
    while not manifests.write(draft):
        manifests.prove(ask)


def _unchanged(attempt: Attempt, manifest: Manifest) -> Outcome:
    attempt.journal.add_etag(manifest.version.etag)
    if attempt.event.sequencer is None:
        # A job, such as a backfill's, looks after what another template has left.
        attempt.manifests.remove_former()
    if manifest.rejected is not None:
        is_given_up = manifest.rejected == PoisonPhotoError.code
        if is_given_up or not _comes_again(attempt, manifest.version):
            # Of what an attempt left that does not come again, nothing else may tell; nor of what
            # an attempt at a photo left that others gave up, while a deletion is under way.
            attempt.leftovers.remove_unnamed(manifest)
        raise KnownRejectionError(manifest.rejected, manifest.reason)
    return Outcome(Disposition.UNCHANGED)


def superseded(attempt: Attempt, version: SourceVersion) -> NoReturn:
    """End the attempt: the manifest covers ``version``, or something after it.

    Raises:
        SourceChangedError: Always, once the older renditions are removed.
    """
    manifests = attempt.manifests
    manifests.read_kept()
    if (manifest := manifests.manifest) is not None:
        attempt.leftovers.remove_unnamed(manifest)
        raise SourceChangedError(f"Expected {version} to be the newest but {manifest.version} is")
    raise SourceChangedError(f"Expected {version} to be the newest")
