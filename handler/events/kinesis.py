"""Records of a Kinesis data stream.

Source: https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html
"""

import base64

from handler.errors import EventError
from handler.events.checks import field_at, identifier, sequence_of, shown
from handler.events.envelope import Envelope
from handler.events.payloads import read_payload
from handler.events.shards import stream_envelope
from handler.objects import ObjectEvent

__all__ = ["open_envelope", "read_data"]


def open_envelope(event: object) -> Envelope:
    """Return the records of one shard, in its order."""
    return stream_envelope(
        (
            identifier(field_at(record, "kinesis", "sequenceNumber")),
            read_data(field_at(record, "kinesis", "data")),
        )
        for record in sequence_of(field_at(event, "Records"))
    )


def read_data(data: object) -> tuple[ObjectEvent | EventError, ...]:
    """Return the object events in a record's data, and an error for each that cannot be read."""
    try:
        text = base64.b64decode(data if isinstance(data, str) else b"?", validate=True).decode()
    except ValueError:
        return (EventError(f"Expected data in base64 of UTF-8 text but received {shown(data)}"),)
    return read_payload(text)
