"""SQS messages, of standard and FIFO queues.

Source: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
"""

from handler.errors import Disposition
from handler.events.checks import field_at, fields_of, identifier, sequence_of
from handler.events.envelope import Envelope, Item, answer_with_failures
from handler.events.payloads import read_payload

__all__ = ["open_envelope", "read_message"]


def open_envelope(event: object) -> Envelope:
    """Return the messages, one item each; a FIFO queue's keep the order of their group.

    A message that cannot be read is not deleted: after its attempts the queue moves it to the
    dead-letter queue.
    """
    return Envelope(
        items=tuple(map(read_message, sequence_of(field_at(event, "Records")))),
        unreadable=Disposition.RETRY,
        answer=answer_with_failures,
    )


def read_message(message: object) -> Item:
    """Return a message of a queue."""
    attributes = fields_of(field_at(message, "attributes"))
    group = identifier(attributes.get("MessageGroupId")) or None
    return Item(
        id=identifier(field_at(message, "messageId")),
        events=read_payload(field_at(message, "body"), attributes.get("ApproximateReceiveCount")),
        # A standard queue's messages may have a group too (fair queues), without an order.
        group=group if "SequenceNumber" in attributes else None,
    )
