"""The items of one event, each worked on; none loses the others."""

import logging
from collections.abc import Callable

from handler.errors import Disposition, EventError
from handler.events.envelope import Envelope, Item, ItemReport
from handler.events.objects import ObjectEvent
from handler.report import JobReport

__all__ = ["process_items"]

_log = logging.getLogger(__name__)


def process_items(
    envelope: Envelope,
    process: Callable[[ObjectEvent], JobReport],
    done: Callable[[JobReport], None],
) -> tuple[ItemReport, ...]:
    """Return the report of each item, in order.

    Args:
        envelope: The items.
        process: Works on one record; never raises an Exception.
        done: Told of each record as soon as it is over.

    An item whose group has failed is not begun: it wants another attempt too, after the one before
    it.
    """
    reports = []
    failed: set[str] = set()
    for item in envelope.items:
        records = []
        for event in item.events:
            if item.group in failed:
                record = _not_begun(event)
            elif isinstance(event, EventError):
                record = _unreadable(event, item, envelope.unreadable)
            else:
                record = process(event)
            done(record)
            records.append(record)
        report = ItemReport(item=item, records=tuple(records))
        if item.group is not None and report.retried:
            failed.add(item.group)
        reports.append(report)
    return tuple(reports)


def _not_begun(event: ObjectEvent | EventError) -> JobReport:
    return JobReport(
        bucket=getattr(event, "bucket", ""),
        key=getattr(event, "key", ""),
        disposition=Disposition.RETRY,
        code="not-begun",
        message="Not begun, because an earlier item of its group wants another attempt",
    )


def _unreadable(error: EventError, item: Item, disposition: Disposition) -> JobReport:
    _log.error("%s: %s", error.code, error, extra={"item": item.id, "disposition": disposition})
    return JobReport(
        bucket="", key="", disposition=disposition, code=error.code, message=str(error)
    )
