"""SNS messages that Lambda receives from a topic itself.

Source: https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
"""

from handler.errors import Disposition
from handler.events.checks import field_at, identifier, sequence_of
from handler.events.envelope import Envelope, Item, answer_or_raise
from handler.events.payloads import read_payload

__all__ = ["open_envelope"]


def open_envelope(event: object) -> Envelope:
    """Return the messages, one item each; SNS delivers them asynchronously, one at a time."""
    return Envelope(
        items=tuple(map(_item, sequence_of(field_at(event, "Records")))),
        unreadable=Disposition.RETRY,
        answer=answer_or_raise,
    )


def _item(record: object) -> Item:
    return Item(
        id=identifier(field_at(record, "Sns", "MessageId")),
        events=read_payload(field_at(record, "Sns", "Message")),
    )
