"""What Kinesis and DynamoDB streams have in common: an order, and an answer that keeps it."""

from collections.abc import Iterable, Sequence
from typing import Any

from handler.errors import Disposition, EventError, InvocationError
from handler.events.envelope import Envelope, Item, ItemReport
from handler.objects import ObjectEvent

__all__ = ["stream_envelope"]


def stream_envelope(
    records: Iterable[tuple[str, tuple[ObjectEvent | EventError, ...]]],
) -> Envelope:
    """Return an envelope of sequence numbers and what each record holds.

    A batch comes from one shard, so its records are one group. One that cannot be read is
    rejected: it would come again until it expires, and block the shard until then.
    """
    return Envelope(
        items=tuple(
            Item(id=sequence_number, events=events, group="shard")
            for sequence_number, events in records
        ),
        unreadable=Disposition.REJECTED,
        answer=_answer,
    )


def _answer(reports: Sequence[ItemReport]) -> dict[str, Any]:
    """Name the first record that failed: Lambda resumes there and delivers the rest again.

    Where that is the first of all, the invocation fails: the same records come again, and Lambda
    counts an error, which alarms and a gradual deployment watch.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html

    Raises:
        InvocationError: No record is done, or the one that failed has no sequence number: an empty
            one in the answer would fail the whole batch without a word.
    """
    at = next((at for at, report in enumerate(reports) if report.retried), None)
    if at is None:
        return {"batchItemFailures": []}
    failed = reports[at]
    if at == 0:
        record = failed.retried[0]
        raise InvocationError(
            f"The first of {len(reports)} records wants another attempt, and with it the others: "
            f"{record.key}: {record.code}: {record.message}"
        )
    if not failed.item.id:
        raise InvocationError("Expected a sequence number but the record that failed has none")
    return {"batchItemFailures": [{"itemIdentifier": failed.item.id}]}
