"""What queues, topics and streams carry: a text that holds object events, in any known wrapping.

A notification may come as it is, or inside an SNS message, which is how a subscription without raw
delivery hands it on.

Source: https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
"""

import json
from collections.abc import Mapping
from typing import Any

from handler.errors import EventError
from handler.events.objects import ObjectEvent

__all__ = ["read_payload"]

_MAX_WRAPPINGS = 3
"""SNS in SNS is more than any subscription makes; a text that goes on is not from AWS."""


def read_payload(text: object, receive_count: int = 1) -> tuple[ObjectEvent | EventError, ...]:
    """Return the object events that ``text`` holds, and an error for each that cannot be read.

    None for an ``s3:TestEvent``; one error if the whole is not JSON, or of no shape known here.
    """
    payload: Any = None
    for _ in range(_MAX_WRAPPINGS):
        try:
            payload = json.loads(text) if isinstance(text, str) else None
        except (ValueError, RecursionError):
            payload = None
        match payload:
            case {"Type": "Notification", "Message": text}:
                continue
            case {"Event": "s3:TestEvent"}:
                return ()
            case {"Records": [*records]}:
                from handler.events.s3 import read_records

                return read_records(records, receive_count)
            case {"source": "aws.s3", "detail": _}:
                from handler.events.eventbridge import read_event

                return (read_event(payload, receive_count),)
            case {"bucket": _, "key": _}:
                from handler.events.job import read_job

                return (read_job(payload, receive_count),)
        break
    return (EventError(f"Expected a text with object events but received {_seen(text, payload)}"),)


def _seen(text: object, payload: object) -> str:
    if isinstance(payload, Mapping):
        return f"the keys {sorted(payload)}"
    return f"{text[:80]!r}" if isinstance(text, str) else type(text).__name__
