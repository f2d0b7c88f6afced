"""SNS messages that Lambda receives from a topic itself.

Source: https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
"""

from collections.abc import Mapping
from typing import Any

from handler.errors import Disposition
from handler.events.envelope import Envelope, Item, answer_or_raise
from handler.events.objects import fields_of
from handler.events.payloads import read_payload

__all__ = ["open_envelope"]


def open_envelope(event: Mapping[str, Any]) -> Envelope:
    """Return the messages, one item each; SNS delivers them asynchronously, one at a time."""
    return Envelope(
        items=tuple(map(_item, event["Records"])),
        unreadable=Disposition.RETRY,
        answer=answer_or_raise,
    )


def _item(record: object) -> Item:
    message = fields_of(fields_of(record).get("Sns"))
    return Item(id=str(message.get("MessageId", "")), events=read_payload(message.get("Message")))
