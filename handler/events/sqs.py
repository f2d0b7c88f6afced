"""SQS messages, of standard and FIFO queues.

Source: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
"""

from collections.abc import Mapping, Sequence
from typing import Any

from handler.errors import Disposition, InvocationError
from handler.events.envelope import Envelope, Item, ItemReport
from handler.events.objects import fields_of
from handler.events.payloads import read_payload

__all__ = ["open_envelope"]


def open_envelope(event: Mapping[str, Any]) -> Envelope:
    """Return the messages, one item each; a FIFO queue's keep the order of their group.

    A message that cannot be read is not deleted: after its attempts the queue moves it to the
    dead-letter queue.
    """
    return Envelope(
        items=tuple(map(_item, event["Records"])), unreadable=Disposition.RETRY, answer=_answer
    )


def _item(record: object) -> Item:
    message = fields_of(record)
    attributes = fields_of(message.get("attributes"))
    count = str(attributes.get("ApproximateReceiveCount"))
    return Item(
        id=str(message.get("messageId") or ""),
        events=read_payload(message.get("body"), int(count) if count.isdecimal() else 1),
        # A standard queue's messages may have a group too (fair queues), without an order.
        group=str(attributes.get("MessageGroupId")) if "SequenceNumber" in attributes else None,
    )


def _answer(reports: Sequence[ItemReport]) -> dict[str, Any]:
    """Name the messages that must come again; the others are deleted.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html

    Raises:
        InvocationError: A message that failed has no ID. An empty one in the answer would fail the
            whole batch without a word; so does this, with one.
    """
    failed = [report.item.id for report in reports if report.retried]
    if not all(failed):
        raise InvocationError("Expected a messageId for each message but one that failed has none")
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in failed]}
