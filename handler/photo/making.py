"""A photo that is there: look up its manifest, make what is missing, write the manifest."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from typing import NoReturn, assert_never

from handler.errors import (
    Disposition,
    KnownRejectionError,
    NotModifiedError,
    SourceChangedError,
)
from handler.photo.attempt import Attempt, Outcome
from handler.photo.destinations import asked_digest, refused_digest
from handler.photo.manifest import Manifest, Verdict, judge
from handler.photo.poison import watched
from handler.photo.renditions import store_renditions
from handler.s3.source import S3Source
from handler.stages import Stage
from handler.version import SourceVersion, version_from_event
from imaging.errors import RejectedPhotoError
from imaging.specs import RenditionSpec

__all__ = ["make", "make_some", "superseded"]


def make(attempt: Attempt) -> Outcome:
    """Make every rendition, unless the manifest says that they are there.

    Raises:
        KnownRejectionError: This version was rejected before, under the same settings.
        SourceChangedError: The object is gone or is another version, or a newer one was made.
        RejectedPhotoError: The photo is rejected; the manifest says so from now on.
        RenditionsError: Any other; another attempt may succeed.
    """
    attempt.journal.enter(Stage.FETCH)
    named, unless = version_from_event(attempt.event), None
    asked, refused = asked_digest(attempt.settings), refused_digest(attempt.settings)
    manifest = _look_up(attempt, named, asked, refused)
    if manifest is not None:
        match judge(named, manifest, asked, refused):
            case Verdict.UNCHANGED:
                return _unchanged(attempt, manifest)
            case Verdict.SUPERSEDED:
                superseded(attempt, named, manifest)
            case Verdict.UNCHANGED_IF_CURRENT:
                unless = manifest.version.etag
            case Verdict.MAKE:
                pass
            case verdict:
                assert_never(verdict)
    try:
        source = S3Source(attempt.requests, attempt.event, unless)
    except NotModifiedError:
        if manifest is None:
            raise
        return _unchanged(attempt, manifest)
    except SourceChangedError:
        attempt.leftovers.remove_of_version(named)
        raise
    with closing(source):
        if manifest is not None and source.version.precedes(manifest.version):
            superseded(attempt, source.version, manifest)
        return _make_all(attempt, source, asked, refused)


def _make_all(attempt: Attempt, source: S3Source, asked: str, refused: str) -> Outcome:
    version, config = source.version, attempt.settings.config
    try:
        with watched(attempt, version):
            stored = store_renditions(attempt, source, config.renditions, sidecar=config.sidecar)
    except RejectedPhotoError as error:
        # The renditions of the version before show another photo.
        attempt.manifests.commit(
            Manifest(version=version, made=refused, rejected=error.code, reason=error.message)
        )
        raise
    attempt.manifests.commit(
        Manifest(version=version, made=asked, kept=stored.kept, about=stored.about)
    )
    return Outcome(Disposition.WRITTEN, stored.reports)


def _look_up(attempt: Attempt, named: SourceVersion, asked: str, refused: str) -> Manifest | None:
    """Return the manifest. *Cost*: a HeadObject, and a GetObject where renditions are replaced."""
    manifest = attempt.manifests.look()
    if manifest is None or manifest.deleted:
        return manifest
    if judge(named, manifest, asked, refused) is not Verdict.MAKE:
        return manifest
    # The body alone lists the keys and what they hold.
    return attempt.manifests.read()


def make_some(attempt: Attempt, specs: Sequence[RenditionSpec]) -> Outcome:
    """Make ``specs`` of the present version, and add them to the manifest.

    The manifest says of a whole set only what it said before.

    Raises:
        KnownRejectionError: As :func:`make`.
        SourceChangedError: As :func:`make`.
        RenditionsError: Any other; a rejection is not written to the manifest.
    """
    attempt.journal.enter(Stage.FETCH)
    manifest = attempt.manifests.read()
    with closing(S3Source(attempt.requests, attempt.event)) as source:
        if manifest is not None:
            if source.version.precedes(manifest.version):
                superseded(attempt, source.version, manifest)
            is_refused = manifest.made == refused_digest(attempt.settings)
            if (
                source.version.is_same(manifest.version)
                and manifest.rejected is not None
                and is_refused
            ):
                # Asking again must not decode again.
                raise KnownRejectionError(manifest.rejected, manifest.reason)
        stored = store_renditions(attempt, source, specs, sidecar=False)
        added = Manifest(version=source.version, kept=stored.kept)
        attempt.manifests.commit(added if manifest is None else _merged(manifest, added))
        return Outcome(Disposition.WRITTEN, stored.reports)


def _merged(manifest: Manifest, added: Manifest) -> Manifest:
    """Return ``added`` with what ``manifest`` holds besides."""
    if manifest.deleted:
        return added
    new = {one.key for one in added.kept}
    kept = (*(one for one in manifest.kept if one.key not in new), *added.kept)
    if added.version.is_same(manifest.version) and manifest.rejected is None:
        return replace(added, kept=kept, made=manifest.made, about=manifest.about)
    return replace(added, kept=kept)


def _unchanged(attempt: Attempt, manifest: Manifest) -> Outcome:
    attempt.journal.add_etag(manifest.version.etag)
    if manifest.rejected is not None:
        raise KnownRejectionError(manifest.rejected, manifest.reason)
    return Outcome(Disposition.UNCHANGED)


def superseded(attempt: Attempt, version: SourceVersion, manifest: Manifest) -> NoReturn:
    """End the attempt: ``manifest`` is of something newer than ``version``.

    Raises:
        SourceChangedError: Always, once the older renditions are removed.
    """
    attempt.leftovers.remove_behind(manifest)
    raise SourceChangedError(f"Expected {version} to be the newest but {manifest.version} is")
