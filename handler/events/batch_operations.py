"""Tasks of S3 Batch Operations, invocation schemas 1.0 and 2.0.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-invoke-lambda.html
"""

from collections.abc import Sequence
from typing import Any, Final

from handler.errors import Disposition, EventError
from handler.events.checks import (
    field_at,
    fields_of,
    identifier,
    object_event,
    sequence_of,
    shown,
    url_decoded,
)
from handler.events.envelope import Envelope, Item, ItemReport
from handler.objects import ObjectEvent
from handler.report import JobReport

__all__ = ["open_envelope"]

_VERSIONS: Final = ("1.0", "2.0")
_MAX_RESULT_CHARACTERS: Final = 1024
"""A line of the completion report; no page names a limit, and a reason needs no more."""


def open_envelope(event: object) -> Envelope:
    """Return the tasks, one item each.

    Raises:
        EventError: It is of another invocation schema.
    """
    version = field_at(event, "invocationSchemaVersion")
    if version not in _VERSIONS:
        raise EventError(
            f"Expected invocationSchemaVersion {' or '.join(_VERSIONS)} "
            f"but received {shown(version)}"
        )

    def answer(reports: Sequence[ItemReport]) -> dict[str, Any]:
        return {
            "invocationSchemaVersion": version,
            # What became of a task that is not answered is not known, so it is tried again.
            "treatMissingKeysAs": "TemporaryFailure",
            "invocationId": identifier(field_at(event, "invocationId")),
            "results": [
                {"taskId": report.item.id, "resultCode": code, "resultString": text}
                for report in reports
                # S3 takes no answer to a task without an ID.
                if report.item.id
                for code, text in [_result(report.records[0])]
            ],
        }

    return Envelope(
        items=tuple(
            Item(id=identifier(field_at(task, "taskId")), events=(_event(task),))
            for task in sequence_of(field_at(event, "tasks"))
        ),
        # The job's report keeps it; another attempt would read the same.
        unreadable=Disposition.REJECTED,
        answer=answer,
    )


def _event(described: object) -> ObjectEvent | EventError:
    task = fields_of(described)
    # Schema 1.0 names the bucket by its ARN, 2.0 by its name.
    bucket = task["s3Bucket"] if "s3Bucket" in task else task.get("s3BucketArn")
    try:
        return object_event(
            bucket=bucket.rsplit(":::", 1)[-1] if isinstance(bucket, str) else bucket,
            # Manifests are URL-encoded, a space as "+" or "%20".
            key=url_decoded(task.get("s3Key")),
            name="S3 Batch Operations",
            version_id=task.get("s3VersionId"),
        )
    except EventError as error:
        return error


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
