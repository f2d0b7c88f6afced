"""Bytes of a photo -> renditions that S3 has confirmed: the one place that calls imaging."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from time import time as now_s
from typing import Any, Final, NamedTuple

from handler.errors import OtherSourceError, SigningError, SourceChangedError
from handler.objects import ObjectEvent
from handler.photo.attempt import Attempt
from handler.photo.destinations import Destination, destination, tags_left_out
from handler.photo.manifest import Kept
from handler.report import RenditionReport
from handler.s3.sink import S3Sink
from handler.s3.source import S3Source
from handler.stages import Stage
from handler.version import SourceVersion, version_id_from_answer
from imaging.errors import RejectedPhotoError
from imaging.header import ImageHeader
from imaging.plan import PlannedRendition, RenditionPlan
from imaging.planning import Asked
from imaging.rendition import Rendition
from imaging.specs import RenditionSpec

__all__ = ["Stored", "store_renditions"]

_FOCAL_POINT: Final = "focal-point"
"""The key of the object's user metadata, without S3's prefix."""


class Stored(NamedTuple):
    """The renditions that S3 holds now: for the report, for the manifest, and for an app.

    ``about`` is of these alone, and so is ``listed``, where the configuration has a sidecar.
    """

    reports: tuple[RenditionReport, ...]
    kept: tuple[Kept, ...]
    about: dict[str, Any] | None
    listed: tuple[Mapping[str, Any], ...] = ()


class _Uploads:
    """The sinks of one photo's renditions, in the order of the plan."""

    def __init__(self, attempt: Attempt, source: S3Source, tags: Mapping[str, str]) -> None:
        self._attempt = attempt
        self._source = source
        self._tags = tags
        self._sinks: dict[str, S3Sink] = {}

    def place(self, rendition: PlannedRendition) -> Destination:
        """Return where ``rendition`` goes."""
        attempt = self._attempt
        version = self._source.version
        return destination(attempt.event, version, rendition, attempt.settings, self._tags)

    def open(self, rendition: PlannedRendition) -> S3Sink:
        """Return a sink for ``rendition``. The first one is opened after the whole decode.

        Where a decoder crashed, it is another one, and the one before was aborted.
        """
        attempt = self._attempt
        attempt.journal.enter(Stage.ENCODE)
        place = self.place(rendition)
        manifest, is_named = attempt.manifests.manifest, False
        if manifest is not None and any(one.key == place.key for one in manifest.kept or ()):
            # It is replaced.
            attempt.leftovers.removed.add(manifest.version.etag)
            is_named = self._source.version.is_same(manifest.version)
        sink = S3Sink(
            attempt.requests,
            attempt.executor,
            bucket=place.bucket,
            key=place.key,
            headers=place.headers,
            condition=attempt.manifests.condition(place.key),
            check_replaceable=partial(self._check_replaceable, is_named=is_named),
        )
        self._sinks[place.key] = sink
        return sink

    def _check_replaceable(self, found: SourceVersion | None, *, is_named: bool) -> None:
        leftovers = self._attempt.leftovers
        if found is not None:
            leftovers.has_met_unnamed = True
            self._attempt.manifests.check_replaceable(found)
        self._source.check_current()
        if found is None and is_named:
            leftovers.has_missed_named = True
        if found is not None:
            # Replaced is removed, if the photo turns out to be that one again.
            leftovers.removed.add(found.etag)

    def wait(self) -> None:
        """Wait until S3 has every rendition."""
        self._attempt.journal.enter(Stage.STORE)
        for sink in self._sinks.values():
            sink.wait()
        if self.found():
            # Whoever stored it has ended, perhaps after storing it over what told of more.
            self._attempt.leftovers.has_met_unnamed = True

    def abort(self) -> None:
        """Abort what is not complete: renditions that are whole may stay, open uploads may not."""
        for sink in self._sinks.values():
            sink.abort()

    def kept(self) -> tuple[Kept, ...]:
        """Return what is in the destination of these renditions, once the uploads are over.

        One that another attempt at the same version had stored already counts.
        """
        return self._kept(self._sinks.values())

    def found(self) -> tuple[Kept, ...]:
        """Return those of :meth:`kept` that another attempt had stored."""
        return self._kept(sink for sink in self._sinks.values() if sink.was_there)

    @staticmethod
    def _kept(sinks: Iterable[S3Sink]) -> tuple[Kept, ...]:
        there = ((sink.key, sink.etag) for sink in sinks)
        return tuple(Kept(key=key, etag=etag.strip('"')) for key, etag in there if etag is not None)


def store_renditions(
    attempt: Attempt,
    source: S3Source,
    specs: Sequence[RenditionSpec],
    *,
    sidecar: bool,
    announces: bool,
) -> Stored:
    """Make ``specs`` of the photo in ``source`` and store them.

    Args:
        attempt: The attempt.
        source: The photo; read, not closed.
        specs: What to make.
        sidecar: Describe the photo for an app too (docs/sidecar.md).
        announces: Name the keys in the manifest before anything is stored under them.

    Raises:
        SourceChangedError: The object is another version now; renditions of this one are removed.
        OtherSourceError: Renditions of a photo in another bucket are there; those of this one are
            removed.
        RejectedPhotoError: The photo cannot be rendered.
        RenditionsError: Any other; another attempt may succeed.
    """
    attempt.journal.enter(Stage.DECODE)
    attempt.journal.add_etag(source.version.etag)
    tags = _tags(attempt, source, specs)
    attempt.journal.add_warnings(tags_left_out(specs, tags))
    uploads = _Uploads(attempt, source, tags)
    try:
        asked = replace(
            attempt.settings.config.asked(
                memory=attempt.settings.memory, focal_point=source.metadata.get(_FOCAL_POINT)
            ),
            specs=tuple(specs),
            sidecar=sidecar,
            signing=attempt.settings.signing,
        )
        plan, made = _render(attempt, source, asked, uploads, announces=announces)
        uploads.wait()
    except BaseException as error:
        uploads.abort()
        attempt.leftovers.found.update(uploads.found())
        if isinstance(error, OtherSourceError):
            attempt.leftovers.remove_stored(uploads.kept())
        elif isinstance(error, SourceChangedError | RejectedPhotoError):
            attempt.leftovers.remove_own(uploads.kept())
        raise
    attempt.leftovers.found.update(uploads.found())
    kept = uploads.kept()
    pairs = list(zip(made, (one.key for one in kept), strict=True))
    return Stored(
        reports=tuple(_report(rendition, key) for rendition, key in pairs),
        kept=kept,
        about=_about(attempt.event, source.version, plan, pairs)
        if sidecar
        else _provenance(plan.header, made),
        listed=_listed(pairs) if attempt.settings.config.sidecar else (),
    )


def _tags(attempt: Attempt, source: S3Source, specs: Sequence[RenditionSpec]) -> dict[str, str]:
    """Return the photo's tags. *Cost*: a GetObjectTagging, where a rendition copies them.

    It is not asked by the version's ID, which would take a permission for all versions. Where there
    are no IDs, or the answer has none, a newer photo's tags go with it: its event comes.

    Raises:
        SourceChangedError: The tags are another version's.
    """
    if not any(spec.copy_tags for spec in specs):
        return {}
    event, version = attempt.event, source.version
    answer = attempt.requests.of_source("get_object_tagging", Bucket=event.bucket, Key=event.key)
    if "VersionId" in answer and version_id_from_answer(answer) != version.version_id:
        raise SourceChangedError(
            f"Expected the tags of {version} but S3 gave those of {answer['VersionId']}"
        )
    return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}


def _render(
    attempt: Attempt, source: S3Source, asked: Asked, uploads: _Uploads, *, announces: bool
) -> tuple[RenditionPlan, list[Rendition]]:
    """Return the plan and what was made by it; every rendition is on its way to S3."""
    journal = attempt.journal
    try:
        with attempt.open_photo(source, asked) as photo:
            journal.add_header(photo.header)
            plan = photo.plan()
            journal.add_plan(plan)
            _check_signer(plan, asked)
            # Every key is checked before the first rendition is stored.
            places = [uploads.place(rendition) for rendition in plan.renditions]
            if announces:
                keys = [place.key for place in places]
                attempt.manifests.announce(keys, source.version, source.check_current)
            made = list(photo.render(plan, uploads.open))
    finally:
        journal.add_waiting(source.waited_s)
    journal.add_warnings(warning for rendition in made for warning in rendition.warnings)
    journal.add_carried(rendition.carried for rendition in made)
    return plan, made


def _check_signer(plan: RenditionPlan, asked: Asked) -> None:
    """Check that what the plan has signed would count.

    Raises:
        SigningError: The certificates have ended: a new environment says so at init, too.
    """
    if plan.signer is None or asked.signing is None or now_s() < asked.signing.ends_s:
        return
    raise SigningError("Expected certificates of the signer that are valid today but they ended")


def _report(rendition: Rendition, key: str) -> RenditionReport:
    return RenditionReport(
        name=rendition.planned.spec.name,
        format=rendition.planned.format.value,
        key=key,
        width=rendition.width,
        height=rendition.height,
        size=rendition.size,
        quality=rendition.quality,
        gain_map_size=rendition.gain_map_size,
        elapsed_ms=round(rendition.elapsed_ms, 1),
    )


def _provenance(header: ImageHeader, made: Sequence[Rendition]) -> dict[str, Any] | None:
    """Return where the photo comes from, if it says so: what a manifest says without a sidecar."""
    if header.credentials is None and header.rights is None:
        return None
    # Imported on first use: most photos say nothing.
    from imaging.provenance import provenance

    return {"provenance": provenance(header, made)}


def _listed(made: list[tuple[Rendition, str]]) -> tuple[Mapping[str, Any], ...]:
    # Imported as in _about.
    from imaging.sidecar import listed

    return tuple(listed(rendition, key) for rendition, key in made)


def _about(
    event: ObjectEvent,
    version: SourceVersion,
    plan: RenditionPlan,
    made: list[tuple[Rendition, str]],
) -> dict[str, Any]:
    """Return what the manifest says of the photo to an app: docs/sidecar.md."""
    # Imported on first use: most functions write no sidecar.
    from imaging.sidecar import sidecar

    named = {"bucket": event.bucket, "key": event.key, "etag": version.etag or ""}
    if event.version_id is not None:
        named["version_id"] = event.version_id
    return sidecar(named, plan, made)
