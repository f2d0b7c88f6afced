"""What Kinesis and DynamoDB streams have in common: an order, and an answer that keeps it."""

from collections.abc import Iterable, Sequence
from typing import Any

from handler.errors import Disposition, EventError, InvocationError
from handler.events.envelope import Envelope, Item, ItemReport
from handler.events.objects import ObjectEvent

__all__ = ["stream_envelope"]


def stream_envelope(
    records: Iterable[tuple[str, tuple[ObjectEvent | EventError, ...]]],
) -> Envelope:
    """Return an envelope of sequence numbers and what each record holds.

    A batch comes from one shard, so its records are one group. One that cannot be read is
    rejected: it would come again until it expires, and hold up the shard for as long.
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
    """Name the first record that failed: Lambda goes on from there, and brings the rest again.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html

    Raises:
        InvocationError: That record has no sequence number. An empty one in the answer would fail
            the whole batch without a word; so does this, with one.
    """
    failed = next((report.item for report in reports if report.retried), None)
    if failed is None:
        return {"batchItemFailures": []}
    if not failed.id:
        raise InvocationError("Expected a sequence number but the record that failed has none")
    return {"batchItemFailures": [{"itemIdentifier": failed.id}]}
