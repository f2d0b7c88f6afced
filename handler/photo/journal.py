"""What becomes known of one photo during the work on it; an error does not lose it."""

import time
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from handler.errors import Disposition, disposition_of
from handler.report import JobReport, RenditionReport
from handler.stages import Span, Stage, stages_from_spans

if TYPE_CHECKING:
    from handler.objects import ObjectEvent
    from imaging.errors import PhotoWarning, RenditionsError
    from imaging.header import ImageHeader
    from imaging.plan import RenditionPlan
    from imaging.signatures import Carried

__all__ = ["Journal"]


class Journal:
    """The report of one photo, as far as it is known. Facts are added and never changed.

    *Thread*: the photo's own.
    """

    def __init__(self, event: "ObjectEvent") -> None:
        # The wall clock is read once: setting it during the work must not bend the spans.
        self._started = self._since = time.perf_counter()
        self._epoch_s = time.time() - self._started
        self.stage: Stage | None = None
        self._spans: list[Span] = []
        self._waited_ms = 0.0
        self._report = JobReport(
            bucket=event.bucket,
            key=event.key,
            disposition=Disposition.IGNORED,
            event=event.name,
            event_time_s=event.time.timestamp() if event.time is not None else None,
            version_id=event.version_id,
            etag=event.etag,
            size=event.size,
        )

    def enter(self, stage: Stage) -> None:
        """Begin ``stage``, which ends the one before; again is no change."""
        if stage is not self.stage:
            self._end_stage()
            self.stage = stage

    def _end_stage(self) -> None:
        now = time.perf_counter()
        if self.stage is not None:
            self._spans.append(
                Span(
                    stage=self.stage,
                    started_s=self._epoch_s + self._since,
                    elapsed_ms=(now - self._since) * 1000,
                )
            )
        self._since = now

    def add_etag(self, etag: str | None) -> None:
        """Add the ETag, without quotes, that S3 gives the object."""
        self._report = replace(self._report, etag=etag or self._report.etag)

    def add_header(self, header: "ImageHeader") -> None:
        """Add what the photo's header says."""
        width, height = header.upright
        self._report = replace(
            self._report,
            loader=header.loader,
            width=width,
            height=height,
            size=header.size,
            source_types=header.source_types,
        )
        if header.credentials is not None:
            # Imported on first use: most photos have none.
            from imaging.provenance import credentials_word

            self._report = replace(self._report, credentials=credentials_word(header))

    def add_plan(self, plan: "RenditionPlan") -> None:
        """Add what will be made."""
        self._report = replace(self._report, plan=plan.summary())
        self.add_warnings(plan.warnings)

    def add_warnings(self, warnings: "Iterable[PhotoWarning]") -> None:
        """Add warnings; one that several renditions give is listed once."""
        known = (*self._report.warnings, *warnings)
        self._report = replace(self._report, warnings=tuple(dict.fromkeys(known)))

    def add_carried(self, carried: "Iterable[Carried | None]") -> None:
        """Add whether the photo's content credentials hold, where renditions carry them on."""
        if self._report.credentials is not None:
            from imaging.provenance import are_valid

            self._report = replace(self._report, credentials_valid=are_valid(carried))

    def add_waiting(self, waited_s: float) -> None:
        """Add the seconds for which the decoder waited for bytes."""
        self._waited_ms += waited_s * 1000

    def succeeded(
        self, disposition: Disposition, renditions: tuple[RenditionReport, ...]
    ) -> JobReport:
        """Return the report of work that ended as intended."""
        return replace(self._ended(), disposition=disposition, renditions=renditions)

    def failed(self, error: "RenditionsError") -> JobReport:
        """Return the report of work that ``error`` ended."""
        return replace(
            self._ended(),
            disposition=disposition_of(error),
            code=error.code,
            message=error.message,
            detail=error.detail,
        )

    def _ended(self) -> JobReport:
        self._end_stage()
        self.stage = None
        elapsed_ms = round((self._since - self._started) * 1000, 1)
        report = replace(self._report, elapsed_ms=elapsed_ms)
        if not self._spans:
            return report
        stages = stages_from_spans(self._spans, waited_ms=self._waited_ms)
        return replace(report, spans=tuple(self._spans), stages=stages)
