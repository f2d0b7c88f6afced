"""What queues, topics and streams carry: a text that holds object events, in any known wrapping.

A notification may come as it is; inside an SNS message, which is how a subscription without raw
delivery hands it on; inside the event by which SNS invoked a function; and any of these inside the
record that Lambda writes of an asynchronous invocation that failed.

Source: https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html,
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

import json
from collections.abc import Mapping
from typing import Final

from handler.errors import EventError
from handler.events.checks import shown
from handler.objects import ObjectEvent

__all__ = ["read_payload"]

_MAX_WRAPPINGS: Final = 4
"""A failure record of SNS in SNS is more than AWS makes."""
_MAX_KEYS_SHOWN: Final = 10


def read_payload(
    payload: object, receive_count: object = None
) -> tuple[ObjectEvent | EventError, ...]:
    """Return the object events that ``payload`` holds, and an error for each that cannot be read.

    None for an ``s3:TestEvent``; one error if the whole is not JSON, or of no shape known here.

    Args:
        payload: JSON as text, or as it was parsed already.
        receive_count: What the queue says of the message that holds it.
    """
    for _ in range(_MAX_WRAPPINGS):
        if isinstance(payload, str):
            try:
                payload = json.loads(payload)
            except (ValueError, RecursionError):
                break
        match payload:
            case {"Type": "Notification", "Message": wrapped}:
                payload = wrapped
            case {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": wrapped}}]}:
                payload = wrapped
            case {"requestPayload": wrapped}:
                payload = wrapped
            case _:
                return _read(payload, receive_count)
    return (_unknown(payload),)


def _read(payload: object, receive_count: object) -> tuple[ObjectEvent | EventError, ...]:
    match payload:
        case {"Event": "s3:TestEvent"}:
            return ()
        case {"Records": [*records]}:
            from handler.events.notification import read_records

            return read_records(records, receive_count)
        case {"source": "aws.s3", "detail": _}:
            from handler.events.eventbridge import read_event

            return (read_event(payload, receive_count),)
        case {"bucket": _, "key": _}:
            from handler.events.job import read_job

            return (read_job(payload, receive_count),)
    return (_unknown(payload),)


def _unknown(payload: object) -> EventError:
    seen = shown(payload)
    if isinstance(payload, Mapping):
        seen = f"the keys {', '.join(map(shown, sorted(payload)[:_MAX_KEYS_SHOWN]))}"
    return EventError(f"Expected a text with object events but received {seen}")
