"""Records of a Kinesis data stream.

Source: https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html
"""

import base64
from collections.abc import Mapping
from typing import Any

from handler.errors import EventError
from handler.events.envelope import Envelope
from handler.events.objects import ObjectEvent, fields_of
from handler.events.payloads import read_payload
from handler.events.streams import stream_envelope

__all__ = ["open_envelope"]


def open_envelope(event: Mapping[str, Any]) -> Envelope:
    """Return the records of one shard, in its order."""
    return stream_envelope(map(_record, event["Records"]))


def _record(record: object) -> tuple[str, tuple[ObjectEvent | EventError, ...]]:
    kinesis = fields_of(fields_of(record).get("kinesis"))
    sequence_number = str(kinesis.get("sequenceNumber") or "")
    try:
        text = base64.b64decode(kinesis["data"], validate=True).decode()
    except (KeyError, TypeError, ValueError) as error:
        return sequence_number, (EventError(f"Expected data in base64 of UTF-8 text: {error!r}"),)
    return sequence_number, read_payload(text)
