"""Batches of EventBridge Pipes: a list of records, as their source made them or a transformer did.

What a transformer made of a record is read as a message is.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-event-source.html,
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-batching-concurrency.html
"""

from handler.errors import Disposition
from handler.events.checks import field_at, identifier, sequence_of
from handler.events.envelope import Envelope, Item, answer_with_failures
from handler.events.payloads import read_payload
from handler.settings import JobAttributes

__all__ = ["open_envelope"]

_SHARD = "shard"


def open_envelope(batch: object, attributes: JobAttributes) -> Envelope:
    """Return the records, one item each; ``attributes`` name what makes a job of a table's item.

    Those of a stream keep their order. What cannot be read is not deleted, unless it is of a
    stream, which it would hold up.
    """
    items = tuple(_item(record, attributes) for record in sequence_of(batch))
    is_stream = any(item.group == _SHARD for item in items)
    return Envelope(
        items=items,
        unreadable=Disposition.REJECTED if is_stream else Disposition.RETRY,
        answer=answer_with_failures,
    )


def _item(record: object, attributes: JobAttributes) -> Item:
    # A stream's records are called by the ID of their event, not by their sequence number.
    event_id = identifier(field_at(record, "eventID"))
    match field_at(record, "eventSource"):
        case "aws:sqs":
            from handler.events.sqs import read_message

            return read_message(record)
        case "aws:kinesis":
            from handler.events.kinesis import read_data

            # Without the "kinesis" that Lambda's own events have around it.
            data = field_at(record, "data")
            return Item(id=event_id, events=read_data(data), group=_SHARD)
        case "aws:dynamodb":
            from handler.events.dynamodb import read_change

            return Item(id=event_id, events=read_change(record, attributes), group=_SHARD)
    return Item(id="", events=read_payload(record))
