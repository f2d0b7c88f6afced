"""What every module of this package makes of an event: items to work on, and how to answer."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from handler.errors import Disposition, EventError, InvocationError
from handler.objects import ObjectEvent
from handler.report import JobReport

__all__ = ["Envelope", "Item", "ItemReport", "answer_or_raise", "answer_with_failures"]

_MAX_FAILURES_SHOWN: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What its source delivers, acknowledges and brings again as one: a message, a record, a task.

    Attributes:
        id: What its source calls it; the answer names it.
        events: What it holds, in order, and an error for each part that cannot be read; none for
            an ``s3:TestEvent``.
        group: Items of one group are worked on in order, and the first that fails is the group's
            last; items without a group are independent.
    """

    id: str
    events: tuple[ObjectEvent | EventError, ...] = ()
    group: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemReport:
    """What became of one item: a report for each of its events, in order."""

    item: Item
    records: tuple[JobReport, ...]

    @property
    def retried(self) -> tuple[JobReport, ...]:
        """The records that want another attempt."""
        return tuple(one for one in self.records if one.disposition is Disposition.RETRY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """An event, opened.

    Attributes:
        items: In the event's order.
        unreadable: What becomes of a part that cannot be read: RETRY where the source hands it to
            a dead-letter queue in the end, which keeps it where it can be seen, and REJECTED where
            it would come again for ever.
        answer: Takes the report of each item, in that order; returns what the source expects, or
            raises InvocationError where raising is how the source is told.
    """

    items: tuple[Item, ...]
    unreadable: Disposition
    answer: Callable[[Sequence[ItemReport]], Any]


def answer_or_raise(reports: Sequence[ItemReport]) -> dict[str, Any]:
    """Answer an asynchronous invocation: its result is ignored, its exception is what counts.

    Lambda tries such an event twice more, and hands it to the function's failure destination then.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html

    Raises:
        InvocationError: A record wants another attempt; the message names each.
    """
    records = [record for report in reports for record in report.records]
    failed = [record for report in reports for record in report.retried]
    if failed:
        raise InvocationError(f"{len(failed)} of {len(records)} records {_why(failed)}")
    return {"records": [asdict(record) for record in records]}


def answer_with_failures(reports: Sequence[ItemReport]) -> dict[str, Any]:
    """Name the items that must come again; the others are done.

    Where every one failed, the invocation does: the same items come again, and Lambda counts an
    error, which alarms and a gradual deployment watch. A partial answer is a success to Lambda.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html

    Raises:
        InvocationError: No item is done, or one that failed has no identifier: an empty one in the
            answer would fail the whole batch without a word.
    """
    failed = [report for report in reports if report.retried]
    if failed and len(failed) == len(reports):
        records = [record for report in failed for record in report.retried]
        raise InvocationError(f"All {len(reports)} items {_why(records)}")
    if not all(report.item.id for report in failed):
        raise InvocationError("Expected an identifier of each item but one that failed has none")
    return {"batchItemFailures": [{"itemIdentifier": report.item.id} for report in failed]}


def _why(failed: Sequence[JobReport]) -> str:
    """Return what the first of the records that want another attempt say."""
    named = [f"{record.key}: {record.code}: {record.message}" for record in failed]
    more = len(named) - _MAX_FAILURES_SHOWN
    return (
        "want another attempt: "
        + "; ".join(named[:_MAX_FAILURES_SHOWN])
        + (f"; and {more} more" if more > 0 else "")
    )
