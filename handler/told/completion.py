"""Completion events: to an EventBridge bus or an SNS topic, once a photo is done and committed."""

import functools
import json
from dataclasses import asdict
from typing import Any, Final

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from handler.aws.clients import create_client
from handler.errors import CompletionError, Disposition
from handler.release import PRODUCT
from handler.report import JobReport
from handler.settings import CompletionTarget

__all__ = ["announce"]

_UNDONE: Final = frozenset({Disposition.IGNORED, Disposition.SUPERSEDED, Disposition.RETRY})
_SOURCE: Final = "renditions"


@functools.cache
def _client(service: str) -> Any:  # noqa: ANN401 - botocore makes its clients' classes at run time
    """Return a client, made when the first photo of the execution environment is done."""
    config = Config(
        connect_timeout=3,
        read_timeout=10,
        retries={"mode": "standard", "max_attempts": 4},
        user_agent_extra=PRODUCT,
    )
    return create_client(service, config)


def announce(report: JobReport, target: CompletionTarget, destination_bucket: str) -> None:
    """Report to ``target`` that a photo is done, unless another event will do so.

    *Cost*: one PutEvents or Publish.

    Raises:
        CompletionError: It was not taken.
    """
    if report.disposition in _UNDONE:
        return
    detail = {
        "bucket": report.bucket,
        "key": report.key,
        "version_id": report.version_id,
        "etag": report.etag,
        "disposition": report.disposition,
        "code": report.code,
        "message": report.message,
        "width": report.width,
        "height": report.height,
        "size": report.size,
        "elapsed_ms": report.elapsed_ms,
        "destination_bucket": destination_bucket,
        "renditions": [asdict(rendition) for rendition in report.renditions],
    }
    text = json.dumps(detail, ensure_ascii=False)
    try:
        match target.service:
            case "events":
                _put_event(target.arn, report, text)
            case "sns":
                _publish(target.arn, report, text)
    except (ClientError, BotoCoreError) as error:
        raise CompletionError(f"Expected {target.arn} to take an event: {error}") from error


def _put_event(arn: str, report: JobReport, detail: str) -> None:
    answer = _client("events").put_events(
        Entries=[
            {
                "EventBusName": arn,
                "Source": _SOURCE,
                "DetailType": f"Photo {report.disposition}",
                "Detail": detail,
            }
        ]
    )
    # A bus that refuses an entry says so in a successful answer.
    if answer["FailedEntryCount"]:
        (entry,) = answer["Entries"]
        raise CompletionError(
            f"Expected {arn} to take an event but received "
            f"{entry.get('ErrorCode')}: {entry.get('ErrorMessage')}"
        )


def _publish(arn: str, report: JobReport, message: str) -> None:
    _client("sns").publish(
        TopicArn=arn,
        Message=message,
        # What a subscription can filter by.
        MessageAttributes={
            "disposition": {"DataType": "String", "StringValue": report.disposition.value},
            "code": {"DataType": "String", "StringValue": report.code or "none"},
        },
    )
