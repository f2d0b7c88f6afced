"""The items of one event, each worked on; none loses the others."""

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Final

from handler.errors import (
    DestinationAccessDeniedError,
    DestinationBucketMissingError,
    DestinationKeyDeniedError,
    Disposition,
    EventError,
)
from handler.events.envelope import Envelope, Item, ItemReport
from handler.objects import ObjectEvent
from handler.photo.traces import Suspicion, answered, suspicion
from handler.report import JobReport
from imaging.errors import OutOfTimeError, error_from_exception

__all__ = ["PARALLEL", "process_items"]

_log = logging.getLogger(__name__)


PARALLEL: Final = 2
"""Photos under way at once. Both are decoded where there are two vCPUs, and memory for both
(``imaging.worker.pool.Room``); else one waits for the other's pixels, and is looked up, downloaded
or uploaded meanwhile."""

# Whatever comes next would fail in the same way, and is not tried: the store is left alone.
_STOPPING: Final = frozenset({DestinationBucketMissingError.code, OutOfTimeError.code})
# The same, if they are about two photos: a policy may refuse one for its key or its tags.
_REFUSALS: Final = frozenset({DestinationAccessDeniedError.code, DestinationKeyDeniedError.code})
_MOST_REFUSED: Final = 2


def process_items(
    envelope: Envelope,
    process: Callable[[ObjectEvent], JobReport],
    done: Callable[[JobReport], None],
) -> tuple[ItemReport, ...]:
    """Return the report of each item, in order.

    Args:
        envelope: The items.
        process: Works on one record; an Exception is that record's alone. *Thread*: any, two at a
            time.
        done: Takes each report as soon as its record and those before it are over, in this thread.
            An Exception loses that report, and nothing else.

    Records of one group, or of one object, are worked on in order. A record after a failure in its
    group is not begun: it wants another attempt too, after the one before it. No record is begun
    after the destination has refused those of two photos, or after the deadline. Each time that a
    queue delivers them again another one comes first, so that those which always take the whole
    time do not keep the others waiting for ever.

    Where any record's photo may end the process, one is worked on after the other: which one did it
    must be known. Those with the least against them come first, for whatever comes after an end is
    not begun.
    """
    work = _Work(envelope, process)
    if work.is_one_by_one:
        for chain in work.chains:
            work.follow(chain)
        return work.reports(done)
    with ThreadPoolExecutor(max_workers=PARALLEL, thread_name_prefix="photo") as executor:
        for chain in work.chains:
            executor.submit(work.follow, chain)
        return work.reports(done)


_Place = tuple[int, int]
"""The number of an item, and of a record in it."""


class _Work:
    """The records of an event, in chains that do not depend on one another."""

    def __init__(self, envelope: Envelope, process: Callable[[ObjectEvent], JobReport]) -> None:
        self._envelope = envelope
        self._process = process
        self._results: dict[_Place, Future[JobReport]] = {}
        self._stopped_by: str | None = None
        self._refused: set[tuple[str, str]] = set()
        chains: dict[object, list[_Place]] = {}
        for number, item in enumerate(envelope.items):
            for at, event in enumerate(item.events):
                self._results[number, at] = Future()
                name = item.group or (
                    (number, at) if isinstance(event, EventError) else (event.bucket, event.key)
                )
                chains.setdefault(name, []).append((number, at))
        first = self._deliveries_before() % max(1, len(chains))
        in_turn = [*chains.values()][first:] + [*chains.values()][:first]
        self.chains = sorted(in_turn, key=self._suspicion)
        # One photo needs no thread of its own either.
        self.is_one_by_one = len(self.chains) < PARALLEL or any(map(self._is_suspect, self.chains))

    def _events(self, chain: Sequence[_Place]) -> Iterator[ObjectEvent]:
        for number, at in chain:
            event = self._envelope.items[number].events[at]
            if isinstance(event, ObjectEvent):
                yield event

    def _deliveries_before(self) -> int:
        events = (event for item in self._envelope.items for event in item.events)
        counts = (event.receive_count for event in events if isinstance(event, ObjectEvent))
        return max(counts, default=1) - 1

    def _suspicion(self, chain: Sequence[_Place]) -> Suspicion:
        """Return what there is against the photo that has most against it."""
        return max(map(suspicion, self._events(chain)), default=Suspicion())

    def _is_suspect(self, chain: Sequence[_Place]) -> bool:
        has_failed = any(event.receive_count > 1 for event in self._events(chain))
        return has_failed or self._suspicion(chain).has_traces

    def follow(self, chain: Sequence[_Place]) -> None:
        """Work on the records of a chain, one after another; never raises."""
        failed = False
        for number, at in chain:
            try:
                report = self._work_on(number, at, failed=failed)
            except BaseException as error:  # noqa: BLE001 - raised again where the report is wanted
                self._results[number, at].set_exception(error)
                failed = True
            else:
                ordered = self._envelope.items[number].group is not None
                failed = failed or (ordered and report.disposition is Disposition.RETRY)
                self._results[number, at].set_result(report)

    def _work_on(self, number: int, at: int, *, failed: bool) -> JobReport:
        item = self._envelope.items[number]
        event = item.events[at]
        if failed or self._stopped_by is not None:
            return _not_begun(event, self._stopped_by)
        if isinstance(event, EventError):
            return _unreadable(event, item, self._envelope.unreadable)
        try:
            report = self._process(replace(event, is_alone=self.is_one_by_one))
        except Exception as raised:  # noqa: BLE001 - one bad record never loses the others
            error = error_from_exception(raised, "process")
            _log.exception("%s", error)
            return _failed(event, error.code, error.message)
        if report.disposition is Disposition.RETRY:
            self._note_failure(event, report.code)
        answered(event, report.disposition)
        return report

    def _note_failure(self, event: ObjectEvent, code: str | None) -> None:
        """Stop if whatever comes next would fail in the same way."""
        if code in _REFUSALS:
            self._refused.add((event.bucket, event.key))
        if code in _STOPPING or len(self._refused) >= _MOST_REFUSED:
            self._stopped_by = code

    def reports(self, done: Callable[[JobReport], None]) -> tuple[ItemReport, ...]:
        """Return all reports, each after it was handed to ``done``."""
        items = []
        for number, item in enumerate(self._envelope.items):
            records = []
            for at in range(len(item.events)):
                record = self._results[number, at].result()
                try:
                    done(record)
                except Exception:  # noqa: BLE001 - a lost report is no reason to do a photo again
                    _log.exception("the report of %s is lost", record.key)
                records.append(record)
            items.append(ItemReport(item=item, records=tuple(records)))
        return tuple(items)


def _not_begun(event: ObjectEvent | EventError, stopped_by: str | None) -> JobReport:
    reason = "an earlier item of its group wants another attempt"
    if stopped_by is not None:
        reason = f"an earlier record of the event ended with {stopped_by}"
    return _failed(event, "not-begun", f"Not begun, because {reason}")


def _failed(event: ObjectEvent | EventError, code: str, message: str) -> JobReport:
    return JobReport(
        bucket=getattr(event, "bucket", ""),
        key=getattr(event, "key", ""),
        disposition=Disposition.RETRY,
        code=code,
        message=message,
    )


def _unreadable(error: EventError, item: Item, disposition: Disposition) -> JobReport:
    _log.error("%s: %s", error.code, error, extra={"item": item.id, "disposition": disposition})
    return JobReport(
        bucket="", key="", disposition=disposition, code=error.code, message=str(error)
    )
