"""One record: S3 source -> plan -> renditions -> S3 sinks -> report."""

import logging
import time
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from handler.errors import Disposition, StorageError, disposition_of
from handler.events.objects import ObjectEvent
from handler.jobs import destination
from handler.progress import Progress, Stage, stages_from_spans
from handler.report import JobReport, RenditionReport
from handler.s3.sink import S3Sink
from handler.s3.source import S3Source
from handler.settings import Settings
from imaging.bridge import OpenPhoto
from imaging.errors import RenditionsError
from imaging.pipeline import render
from imaging.plan import PlannedRendition, make_plan
from imaging.reading import read_header

__all__ = ["process"]

_FOCAL_POINT: Final = "focal-point"
"""The key of the object's user metadata, without S3's prefix."""

_log = logging.getLogger(__name__)


def process(
    event: ObjectEvent,
    settings: Settings,
    client: Any,  # noqa: ANN401 - botocore's
    executor: Executor,
) -> JobReport:
    """Make and store the renditions of one object; never raises an Exception."""
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
    if event.is_created:
        try:
            renditions = _make(event, progress, settings, client, executor)
            report = replace(report, disposition=Disposition.WRITTEN, renditions=renditions)
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


def _make(
    event: ObjectEvent,
    progress: Progress,
    settings: Settings,
    client: Any,  # noqa: ANN401 - botocore's
    executor: Executor,
) -> tuple[RenditionReport, ...]:
    config = settings.config
    progress.enter(Stage.FETCH)
    source = S3Source(client, event)
    progress.enter(Stage.DECODE)
    progress.etag = source.etag.strip('"')
    sinks: list[S3Sink] = []

    def open_sink(rendition: PlannedRendition) -> S3Sink:
        # The first is opened when the whole photo was decoded.
        progress.enter(Stage.ENCODE)
        place = destination(event, source.etag, rendition, settings)
        sink = S3Sink(client, executor, bucket=place.bucket, key=place.key, headers=place.headers)
        sinks.append(sink)
        return sink

    try:
        config.limits.check_bytes(source.size)
        with OpenPhoto(source) as photo:
            header = progress.header = read_header(photo)
            plan = progress.plan = make_plan(
                header,
                config.renditions,
                config.limits,
                focal_point=source.metadata.get(_FOCAL_POINT),
                truncated=config.truncated,
            )
            # Every key is checked before the first rendition is stored.
            for rendition in plan.renditions:
                destination(event, source.etag, rendition, settings)
            made = list(render(plan, photo, open_sink))
            # What holds of the photo, each of its renditions says.
            progress.warnings = list(
                dict.fromkeys(warning for each in made for warning in each.warnings)
            )
        progress.enter(Stage.STORE)
        stored = [sink.stored() for sink in sinks]
    except BaseException:
        # What is whole may stand; an upload in parts must not stay open.
        for sink in sinks:
            with suppress(StorageError):
                sink.abort()
        raise
    finally:
        progress.waited_ms = source.waited_s * 1000
        source.close()
    return tuple(
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
