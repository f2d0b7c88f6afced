"""One record: what is there -> S3 source -> plan -> renditions -> S3 sinks -> record -> report."""

import logging
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from typing import Any, Final, NamedTuple, NoReturn, assert_never

from handler.errors import (
    Disposition,
    KnownRejectionError,
    NotModifiedError,
    PoisonPhotoError,
    SourceChangedError,
    StorageError,
    disposition_of,
)
from handler.events.objects import Change, ObjectEvent
from handler.photo.destinations import asked_digest, destination, refused_digest
from handler.photo.ledger import Ledger
from handler.photo.lineage import Lineage, lineage_from_event
from handler.photo.manifest import Kept, Record, Verdict, judge
from handler.photo.progress import Progress, Stage, stages_from_spans
from handler.report import JobReport, RenditionReport
from handler.runtime.poison import MOST_CRASHES, crashes, name_of, traced
from handler.s3.requests import Requests
from handler.s3.sink import S3Sink
from handler.s3.source import S3Source
from handler.settings import Settings
from imaging.errors import RejectedPhotoError, RenditionsError
from imaging.plan import PlannedRendition
from imaging.planning import make_plan
from imaging.rendering import open_photo
from imaging.rendition import Rendition
from imaging.specs import RenditionSpec

__all__ = ["process"]

_FOCAL_POINT: Final = "focal-point"
"""The key of the object's user metadata, without S3's prefix."""

_log = logging.getLogger(__name__)


def process(
    event: ObjectEvent,
    settings: Settings,
    requests: Requests,
    executor: Executor,
    specs: Sequence[RenditionSpec] | None = None,
) -> JobReport:
    """Make and store the renditions of one object, or remove them; never raises an Exception.

    Args:
        event: What happened to the object.
        settings: The settings.
        requests: Of this invocation.
        executor: Uploads.
        specs: Some renditions only, whatever is there already; None for the whole set, as far as
            it is not there.
    """
    started = time.perf_counter()
    progress = Progress()
    report = JobReport(
        bucket=event.bucket,
        key=event.key,
        disposition=Disposition.IGNORED,
        event=event.name,
        event_time_s=event.time.timestamp() if event.time is not None else None,
        version_id=event.version_id,
        etag=event.etag,
        size=event.size,
    )
    try:
        photo = _Photo(event, progress, settings, requests, executor)
        match event.change:
            case Change.CREATED:
                outcome = photo.make() if specs is None else photo.make_some(specs)
            case Change.DELETED:
                outcome = photo.remove()
            case Change.OTHER:
                outcome = _Outcome(Disposition.IGNORED)
            case _:
                assert_never(event.change)
        report = replace(report, disposition=outcome.disposition, renditions=outcome.renditions)
    except Exception as error:  # noqa: BLE001 - one bad record never loses the others
        disposition, code = disposition_of(error)
        detail = error.detail if isinstance(error, RenditionsError) else ""
        report = replace(
            report, disposition=disposition, code=code, message=str(error), detail=detail
        )
        if code == "internal":
            _log.exception("nobody foresaw this")
    return _told(report, progress, elapsed_ms=round((time.perf_counter() - started) * 1000, 1))


def _told(report: JobReport, progress: Progress, *, elapsed_ms: float) -> JobReport:
    """Return ``report`` with what became known of the photo, however it ended."""
    spans = progress.end()
    if spans:
        stages = stages_from_spans(spans, waited_ms=progress.waited_ms)
        report = replace(report, spans=spans, stages=stages)
    if (header := progress.header) is not None:
        width, height = header.upright
        report = replace(report, loader=header.loader, width=width, height=height, size=header.size)
    if progress.plan is not None:
        warnings = (*progress.plan.warnings, *progress.warnings)
        report = replace(report, plan=progress.plan.summary(), warnings=warnings)
    return replace(report, etag=progress.etag or report.etag, elapsed_ms=elapsed_ms)


class _Outcome(NamedTuple):
    disposition: Disposition
    renditions: tuple[RenditionReport, ...] = ()


class _Stored(NamedTuple):
    """What S3 now holds of a photo: for the report, for the record, and for an app."""

    reports: tuple[RenditionReport, ...]
    kept: tuple[Kept, ...]
    about: dict[str, Any] | None


class _Photo:
    """One photo under way, made or removed."""

    def __init__(
        self,
        event: ObjectEvent,
        progress: Progress,
        settings: Settings,
        requests: Requests,
        executor: Executor,
    ) -> None:
        self._event = event
        self._progress = progress
        self._settings = settings
        self._requests = requests
        self._executor = executor
        self._ledger = Ledger(requests, settings, event)

    def make(self) -> _Outcome:
        """Make what the record does not say is there already."""
        self._progress.enter(Stage.FETCH)
        ledger, asked = self._ledger, asked_digest(self._settings)
        named = lineage_from_event(self._event)
        # What is too large for today's limits, or memory, may not be so for tomorrow's.
        refused = refused_digest(self._settings)
        record = ledger.look()
        verdict = judge(named, record, asked, refused)
        if verdict is Verdict.MAKE and record is not None and not record.deleted:
            # Which keys it names, and what they hold, stands in the body.
            record = ledger.read()
            verdict = judge(named, record, asked, refused)
        unless = None
        match verdict:
            case Verdict.UNCHANGED:
                assert record is not None  # noqa: S101 - it says so
                return self._unchanged(record)
            case Verdict.SUPERSEDED:
                assert record is not None  # noqa: S101 - by what it is superseded
                self._supersede(named, record)
            case Verdict.UNCHANGED_IF_CURRENT:
                assert record is not None  # noqa: S101 - as above
                unless = record.lineage.etag
            case Verdict.MAKE:
                pass
            case _:
                assert_never(verdict)
        try:
            source = S3Source(self._requests, self._event, unless)
        except NotModifiedError:
            assert record is not None  # noqa: S101 - it has the version
            return self._unchanged(record)
        except SourceChangedError:
            ledger.sweep_own(named)
            raise
        with closing(source):
            if record is not None and source.lineage.precedes(record.lineage):
                self._supersede(source.lineage, record)
            specs = self._settings.config.renditions
            try:
                with self._watched(source.lineage):
                    stored = self._store(source, specs, sidecar=self._settings.config.sidecar)
            except RejectedPhotoError as error:
                # What was made of the version before it is no picture of this one.
                ledger.commit(
                    Record(
                        lineage=source.lineage,
                        made=refused,
                        rejected=error.code,
                        reason=error.message,
                    )
                )
                raise
            ledger.commit(
                Record(lineage=source.lineage, made=asked, kept=stored.kept, about=stored.about)
            )
            return _Outcome(Disposition.WRITTEN, stored.reports)

    @contextmanager
    def _watched(self, lineage: Lineage) -> Iterator[None]:
        """Within: should the process end, the attempts after it find out.

        Raises:
            PoisonPhotoError: It did so twice.
        """
        name = name_of(self._event.bucket, self._event.key, lineage)
        record = self._ledger.record
        marked = record is not None and record.suspect == name
        if marked or crashes(name) >= MOST_CRASHES:
            raise PoisonPhotoError(
                f"Expected a photo that can be decoded but s3://{self._event.bucket}/"
                f"{self._event.key} ended the process {MOST_CRASHES} times"
            )
        with ExitStack() as stack:
            if self._event.receive_count > 1:
                stack.enter_context(self._ledger.suspecting(name))
            stack.enter_context(traced(name))
            yield

    def make_some(self, specs: Sequence[RenditionSpec]) -> _Outcome:
        """Make ``specs`` of the present version, and add them to the record.

        The record does not become that of a whole set by it.
        """
        self._progress.enter(Stage.FETCH)
        refused = refused_digest(self._settings)
        record = self._ledger.read()
        with closing(S3Source(self._requests, self._event)) as source:
            if record is not None:
                if source.lineage.precedes(record.lineage):
                    self._supersede(source.lineage, record)
                same = source.lineage.is_version(record.lineage)
                if same and record.rejected is not None and record.made == refused:
                    # Who asks again and again must not have it decoded again and again.
                    raise KnownRejectionError(record.rejected, record.reason)
            stored = self._store(source, specs, sidecar=False)
            kept, made, about = stored.kept, "", None
            if record is not None and not record.deleted:
                kept = (
                    *(one for one in record.kept if one.key not in {new.key for new in kept}),
                    *kept,
                )
                if source.lineage.is_version(record.lineage) and record.rejected is None:
                    made, about = record.made, record.about
            self._ledger.commit(Record(lineage=source.lineage, made=made, kept=kept, about=about))
            return _Outcome(Disposition.WRITTEN, stored.reports)

    def _unchanged(self, record: Record) -> _Outcome:
        self._progress.etag = record.lineage.etag
        if record.rejected is not None:
            raise KnownRejectionError(record.rejected, record.reason)
        return _Outcome(Disposition.UNCHANGED)

    def _supersede(self, lineage: Lineage, record: Record) -> NoReturn:
        self._ledger.sweep(record)
        raise SourceChangedError(f"Expected {lineage} to be the newest but {record.lineage} is")

    def _store(self, source: S3Source, specs: Sequence[RenditionSpec], *, sidecar: bool) -> _Stored:
        """Return what was made and stored of ``source``."""
        self._progress.enter(Stage.DECODE)
        self._progress.etag = source.lineage.etag
        sinks: list[S3Sink] = []
        try:
            made = self._render(source, specs, sinks, sidecar=sidecar)
            self._progress.enter(Stage.STORE)
            stored = [sink.stored() for sink in sinks]
        except BaseException as error:
            # What is whole may stand; an upload in parts must not stay open.
            for sink in sinks:
                with suppress(StorageError):
                    sink.abort()
            if isinstance(error, SourceChangedError):
                self._ledger.sweep_own(source.lineage)
            raise
        kept = tuple(Kept(key=place.key, etag=place.etag.strip('"')) for place in stored)
        reports = tuple(
            RenditionReport(
                name=rendition.planned.spec.name,
                format=rendition.planned.format.value,
                key=place.key,
                width=rendition.width,
                height=rendition.height,
                size=rendition.size,
                quality=rendition.quality,
                gain_map_size=rendition.gain_map_size,
                elapsed_ms=round(rendition.elapsed_ms, 1),
            )
            for rendition, place in zip(made, stored, strict=True)
        )
        about = None
        if sidecar:
            keys = [place.key for place in stored]
            about = self._about(source, list(zip(made, keys, strict=True)))
        return _Stored(reports=reports, kept=kept, about=about)

    def _about(self, source: S3Source, made: list[tuple[Rendition, str]]) -> dict[str, Any]:
        """Return what the record says to an app: docs/sidecar.md."""
        # Imported on first use: most functions store no sidecar.
        from imaging.sidecar import sidecar

        event, plan = self._event, self._progress.plan
        assert plan is not None  # noqa: S101 - something was made by it
        named = {"bucket": event.bucket, "key": event.key, "etag": source.lineage.etag or ""}
        if event.version_id is not None:
            named["version_id"] = event.version_id
        return sidecar(named, plan, made)

    def _render(
        self,
        source: S3Source,
        specs: Sequence[RenditionSpec],
        sinks: list[S3Sink],
        *,
        sidecar: bool,
    ) -> list[Rendition]:
        """Return what was made; ``sinks`` grows by each that was opened."""
        progress, settings = self._progress, self._settings

        def open_sink(rendition: PlannedRendition) -> S3Sink:
            # The first is opened when the whole photo was decoded.
            progress.enter(Stage.ENCODE)
            place = destination(self._event, source.lineage, rendition, settings)
            sink = S3Sink(
                self._requests,
                self._executor,
                bucket=place.bucket,
                key=place.key,
                headers=place.headers,
                condition=self._ledger.condition(place.key),
            )
            sinks.append(sink)
            return sink

        try:
            asked = replace(
                settings.config.asked(
                    memory=settings.memory, focal_point=source.metadata.get(_FOCAL_POINT)
                ),
                specs=tuple(specs),
                sidecar=sidecar,
            )
            with open_photo(source, asked) as photo:
                progress.header = photo.header
                plan = progress.plan = make_plan(photo.header, asked)
                # Every key is checked before the first rendition is stored.
                for rendition in plan.renditions:
                    destination(self._event, source.lineage, rendition, settings)
                made = list(photo.render(plan, open_sink, self._requests.deadline))
        finally:
            progress.waited_ms = source.waited_s * 1000
        # What holds of the photo, each of its renditions says.
        progress.warnings = list(
            dict.fromkeys(warning for each in made for warning in each.warnings)
        )
        return made

    def remove(self) -> _Outcome:
        """Take the renditions of a deleted photo away, and note that it is gone."""
        self._progress.enter(Stage.STORE)
        ledger, event = self._ledger, self._event
        gone = Lineage(sequencer=event.sequencer)
        record = ledger.look()
        ordered = event.sequencer and (record is None or record.lineage.sequencer)
        if event.version_id is not None or not ordered:
            # One version of several may be gone, the last one or another, or a delete marker: only
            # S3 knows what is left.
            if (current := self._current()) is not None:
                return _Photo(
                    current, self._progress, self._settings, self._requests, self._executor
                ).make()
            gone = replace(gone, modified=int(time.time()))
        if record is not None:
            if gone.precedes(record.lineage):
                self._supersede(gone, record)
            record = ledger.read()
        ledger.commit(Record(lineage=gone, deleted=True))
        ledger.remove_all(record.kept if record is not None else (), gone)
        return _Outcome(Disposition.REMOVED)

    def _current(self) -> ObjectEvent | None:
        """Return the event that the object's present version would have been created by, if any."""
        event = self._event
        try:
            answer = self._requests.of_source("head_object", Bucket=event.bucket, Key=event.key)
        except SourceChangedError:
            return None
        return replace(
            event,
            change=Change.CREATED,
            version_id=answer.get("VersionId"),
            etag=answer["ETag"].strip('"'),
            size=answer["ContentLength"],
        )
