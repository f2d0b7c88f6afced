"""One record: S3 source -> plan -> renditions -> S3 sinks -> report."""

import logging
import time
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import replace
from typing import Any

from handler.errors import Disposition, StorageError, disposition_of
from handler.events.objects import ObjectEvent
from handler.jobs import destination
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

_log = logging.getLogger(__name__)


def process(
    event: ObjectEvent,
    settings: Settings,
    client: Any,  # noqa: ANN401 - botocore's
    executor: Executor,
) -> JobReport:
    """Make and store the renditions of one object; never raises an Exception."""
    started = time.perf_counter()
    report = JobReport(
        bucket=event.bucket, key=event.key, disposition=Disposition.IGNORED, size=event.size
    )
    if event.is_created:
        try:
            report = _make(event, report, settings, client, executor)
        except Exception as error:  # noqa: BLE001 - one bad record never loses the others
            disposition, code = disposition_of(error)
            detail = error.detail if isinstance(error, RenditionsError) else ""
            report = replace(report, disposition=disposition, code=code, message=str(error))
            _log.log(
                logging.ERROR if disposition is Disposition.RETRY else logging.WARNING,
                "%s: %s",
                code,
                error,
                extra={"detail": detail},
                exc_info=code == "internal",
            )
    report = replace(report, elapsed_ms=round((time.perf_counter() - started) * 1000, 1))
    _log.info(
        "photo",
        extra={
            "bucket": report.bucket,
            "key": report.key,
            "disposition": report.disposition,
            "code": report.code,
            "elapsed_ms": report.elapsed_ms,
        },
    )
    return report


def _make(
    event: ObjectEvent,
    report: JobReport,
    settings: Settings,
    client: Any,  # noqa: ANN401 - botocore's
    executor: Executor,
) -> JobReport:
    limits = settings.config.limits
    source = S3Source(client, event)
    sinks: list[S3Sink] = []

    def open_sink(rendition: PlannedRendition) -> S3Sink:
        place = destination(event, source.etag, rendition, settings)
        sink = S3Sink(client, executor, bucket=place.bucket, key=place.key, headers=place.headers)
        sinks.append(sink)
        return sink

    try:
        limits.check_bytes(source.size)
        with OpenPhoto(source) as photo:
            header = read_header(photo)
            plan = make_plan(header, settings.config.renditions, limits)
            # Every key is checked before the first rendition is stored.
            for rendition in plan.renditions:
                destination(event, source.etag, rendition, settings)
            made = list(render(plan, photo, open_sink))
        stored = [sink.stored() for sink in sinks]
    except BaseException:
        # What is whole may stand; an upload in parts must not stay open.
        for sink in sinks:
            with suppress(StorageError):
                sink.abort()
        raise
    finally:
        source.close()
    width, height = header.upright
    return replace(
        report,
        disposition=Disposition.WRITTEN,
        loader=header.loader,
        width=width,
        height=height,
        size=header.size,
        renditions=tuple(
            RenditionReport(
                name=rendition.planned.spec.name,
                key=place.key,
                width=rendition.width,
                height=rendition.height,
                size=rendition.size,
                elapsed_ms=round(rendition.elapsed_ms, 1),
            )
            for rendition, place in zip(made, stored, strict=True)
        ),
    )
