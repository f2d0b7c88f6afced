"""Tasks of S3 Batch Operations, invocation schemas 1.0 and 2.0.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-invoke-lambda.html
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote_plus

from handler.errors import Disposition, EventError
from handler.events.envelope import Envelope, Item, ItemReport
from handler.events.objects import ObjectEvent, fields_of, optional_text, required_text
from handler.report import JobReport

__all__ = ["open_envelope"]

_VERSIONS: Final = ("1.0", "2.0")
_MAX_RESULT_CHARACTERS: Final = 1024
"""A line of the completion report; no page names a limit, and a reason needs no more."""


def open_envelope(event: Mapping[str, Any]) -> Envelope:
    """Return the tasks, one item each.

    Raises:
        EventError: It is of another invocation schema.
    """
    version = event["invocationSchemaVersion"]
    if version not in _VERSIONS:
        raise EventError(
            f"Expected invocationSchemaVersion {' or '.join(_VERSIONS)} but received {version!r}"
        )

    def answer(reports: Sequence[ItemReport]) -> dict[str, Any]:
        return {
            "invocationSchemaVersion": version,
            # What became of a task that is not answered is not known, so it is tried again.
            "treatMissingKeysAs": "TemporaryFailure",
            "invocationId": event.get("invocationId"),
            "results": [
                {"taskId": report.item.id, "resultCode": code, "resultString": text}
                for report in reports
                for code, text in [_result(report.records[0])]
            ],
        }

    return Envelope(
        items=tuple(
            Item(id=str(fields_of(task).get("taskId", "")), events=(_event(task),))
            for task in event["tasks"]
        ),
        # The job's report keeps it; another attempt would read the same.
        unreadable=Disposition.REJECTED,
        answer=answer,
    )


def _event(described: object) -> ObjectEvent | EventError:
    task = fields_of(described)
    try:
        # Schema 1.0 names the bucket by its ARN, 2.0 by its name.
        bucket = task["s3Bucket"] if "s3Bucket" in task else task["s3BucketArn"]
        return ObjectEvent(
            bucket=required_text(bucket).rsplit(":::", 1)[-1],
            # Manifests are URL-encoded, a space as "+" or "%20".
            key=unquote_plus(required_text(task["s3Key"]), errors="strict"),
            name="S3 Batch Operations",
            version_id=optional_text(task.get("s3VersionId")),
        )
    except (KeyError, TypeError, ValueError) as error:
        return EventError(f"Expected a task with s3Key and s3BucketArn or s3Bucket: {error!r}")


def _result(record: JobReport) -> tuple[str, str]:
    """Return the result code, and a text for a person who reads the job's completion report."""
    match record.disposition:
        case Disposition.RETRY:
            code = "TemporaryFailure"
        case Disposition.REJECTED:
            code = "PermanentFailure"
        case _:
            code = "Succeeded"
    if record.code is None:
        size = sum(rendition.size for rendition in record.renditions)
        text = f"{record.disposition}: {len(record.renditions)} renditions, {size:,} bytes"
    else:
        text = f"{record.disposition}: {record.code}: {record.message}"
    return code, text[:_MAX_RESULT_CHARACTERS]
