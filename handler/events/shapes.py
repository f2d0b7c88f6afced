"""Finds out which source an event comes from, by its shape: the one ordered place.

The module of a source is imported when its first event arrives.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from handler.errors import EventError
from handler.events.checks import field_at, shown
from handler.events.envelope import Envelope
from handler.settings import JobAttributes

__all__ = ["is_http", "open_envelope"]

_MAX_WRAPPINGS: Final = 3
_MAX_KEYS_SHOWN: Final = 10


def is_http(event: object) -> bool:
    """Tell whether ``event`` is a request through a Function URL, API Gateway or load balancer."""
    match event:
        case {"requestContext": {"http": _}} | {"requestContext": _, "httpMethod": _, "path": _}:
            return True
    return False


def open_envelope(event: object, attributes: JobAttributes) -> Envelope:
    """Return the items of ``event`` and how its source wants to be answered.

    A failure record of Lambda's is answered as the event in it.

    Args:
        event: The invocation's event.
        attributes: What a job's fields are called in a DynamoDB table.

    Raises:
        EventError: It is of no shape known here.
    """
    for _ in range(_MAX_WRAPPINGS):
        match event:
            case {"requestPayload": wrapped}:
                event = wrapped
            case _:
                break
    match event:
        case {"Records": [*records]} if (opened := _of_records(records, attributes)) is not None:
            return opened(event)
        case {"Records": []} | {"Event": "s3:TestEvent"}:
            from handler.events import notification

            return notification.open_envelope(event)
        case {"source": "aws.s3", "detail-type": _, "detail": _}:
            from handler.events import eventbridge

            return eventbridge.open_envelope(event)
        case {"invocationSchemaVersion": _, "tasks": [*_]}:
            from handler.events import batch_operations

            return batch_operations.open_envelope(event)
        case {"bucket": _, "key": _}:
            from handler.events import job

            return job.open_envelope(event)
        case [_, *_]:
            from handler.events import pipes

            return pipes.open_envelope(event, attributes)
    raise EventError(f"Expected an event of a known source but received {_seen(event)}")


def _of_records(
    records: list[Any], attributes: JobAttributes
) -> Callable[[object], Envelope] | None:
    """Return what opens an event of ``records``; None if no source is known that makes such.

    Any of them may be malformed, the first as well as another: all are asked.
    """
    sources = {
        source
        for record in records
        for source in (field_at(record, "eventSource"), field_at(record, "EventSource"))
        if isinstance(source, str)
    }
    if "aws:sqs" in sources:
        from handler.events.sqs import open_envelope as of_sqs

        return of_sqs
    if "aws:sns" in sources:
        from handler.events.sns import open_envelope as of_sns

        return of_sns
    if "aws:kinesis" in sources:
        from handler.events.kinesis import open_envelope as of_kinesis

        return of_kinesis
    if "aws:dynamodb" in sources:
        from handler.events.dynamodb import open_envelope as of_dynamodb

        return lambda event: of_dynamodb(event, attributes)
    if any(field_at(record, "s3") is not None for record in records):
        from handler.events.notification import open_envelope as of_s3

        return of_s3
    return None


def _seen(event: object) -> str:
    """Name what was received: enough to know it by, nothing of its contents."""
    if not isinstance(event, Mapping):
        return shown(event) if not isinstance(event, str) else "a text"
    seen = f"the keys {_keys(event)}"
    match event:
        case {"Records": [Mapping() as record, *_]}:
            source = record.get("eventSource", record.get("EventSource"))
            return f"{seen} with records of {shown(source)} and the keys {_keys(record)}"
        case {"source": source, "detail-type": detail_type}:
            return f"{seen} with source {shown(source)} and detail-type {shown(detail_type)}"
    return seen


def _keys(event: Mapping[str, Any]) -> str:
    return ", ".join(map(shown, sorted(event)[:_MAX_KEYS_SHOWN])) or "of nothing"
