"""Which source an event comes from, told by its shape: the one ordered place.

The modules of the sources are imported when their first event arrives; S3's own, the first photo
needs.
"""

from collections.abc import Mapping

from handler.errors import EventError
from handler.events.envelope import Envelope
from handler.settings import JobAttributes

__all__ = ["is_http", "open_envelope"]


def is_http(event: object) -> bool:
    """Say whether ``event`` is a request through a Function URL or API Gateway, not a balancer."""
    match event:
        case {"requestContext": {"elb": _}}:
            return False
        case {"requestContext": {"http": _}} | {"requestContext": _, "httpMethod": _, "path": _}:
            return True
    return False


def open_envelope(  # noqa: PLR0911 - one for each source
    event: object, attributes: JobAttributes
) -> Envelope:
    """Return the items of ``event`` and how its source wants to be answered.

    Args:
        event: What Lambda handed over.
        attributes: What a job's fields are called in a DynamoDB table.

    Raises:
        EventError: It is of no shape known here.
    """
    if not isinstance(event, Mapping):
        raise EventError(f"Expected an event of a known source but received {_seen(event)}")
    match event:
        case {"Records": [{"eventSource": "aws:sqs"}, *_]}:
            from handler.events import sqs

            return sqs.open_envelope(event)
        case {"Records": [{"EventSource": "aws:sns"}, *_]}:
            from handler.events import sns

            return sns.open_envelope(event)
        case {"Records": [{"eventSource": "aws:kinesis"}, *_]}:
            from handler.events import kinesis

            return kinesis.open_envelope(event)
        case {"Records": [{"eventSource": "aws:dynamodb"}, *_]}:
            from handler.events import dynamodb

            return dynamodb.open_envelope(event, attributes)
        case {"Records": [{"s3": _}, *_] | []} | {"Event": "s3:TestEvent"}:
            from handler.events import s3

            return s3.open_envelope(event)
        case {"source": "aws.s3", "detail-type": _, "detail": _}:
            from handler.events import eventbridge

            return eventbridge.open_envelope(event)
        case {"invocationSchemaVersion": _, "tasks": [*_]}:
            from handler.events import batch_operations

            return batch_operations.open_envelope(event)
        case {"bucket": _, "key": _}:
            from handler.events import job

            return job.open_envelope(event)
        case _:
            raise EventError(f"Expected an event of a known source but received {_seen(event)}")


def _seen(event: object) -> str:
    """Name what was received: enough to know it by, nothing of its contents."""
    if not isinstance(event, Mapping):
        return f"{type(event).__name__}"
    seen = f"the keys {sorted(map(str, event))}"
    match event:
        case {"Records": [Mapping() as record, *_]}:
            source = record.get("eventSource", record.get("EventSource"))
            return f"{seen} with records of {source!r} and the keys {sorted(map(str, record))}"
        case {"source": source, "detail-type": detail_type}:
            return f"{seen} with source {source!r} and detail-type {detail_type!r}"
    return seen
