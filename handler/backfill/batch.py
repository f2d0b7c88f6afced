"""Photos named in a manifest, which an S3 Batch Operations job hands to the function.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-invoke-lambda.html
"""

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from handler.backfill.listing import Photo
from handler.backfill.state import State

__all__ = ["BatchPlace", "JobEnd", "create_job", "follow_job"]

_ENDED: Final = frozenset({"Complete", "Failed", "Cancelled"})
_PREFIX: Final = "backfill"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPlace:
    """Where a job runs, and as whom.

    Attributes:
        account: The account's ID.
        function: ARN of the function's alias.
        role: ARN of the role that S3 assumes: it may invoke the function, read the manifest and
            write the report.
        bucket: For manifest and report; both go below ``backfill/``.
    """

    account: str
    function: str
    role: str
    bucket: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEnd:
    """How a job ended: its status, how many tasks succeeded and failed, and S3's reasons."""

    status: str
    counts: Counter[str]
    reasons: tuple[str, ...]


def create_job(
    photos: Iterable[Photo],
    *,
    s3: Any,  # noqa: ANN401 - botocore's
    control: Any,  # noqa: ANN401 - botocore's
    place: BatchPlace,
    bucket: str,
    name: str,
) -> tuple[str, int]:
    """Write the manifest of ``photos`` and start the job; return its ID, and how many it names.

    *Cost*: the manifest on disk, some 100 bytes for a photo, and in S3.
    """
    count = 0
    with tempfile.TemporaryFile("w+b") as manifest:
        for photo in photos:
            manifest.write(f"{bucket},{quote(photo.key)}\n".encode())
            count += 1
        if count == 0:
            return "", 0
        manifest.seek(0)
        key = f"{_PREFIX}/{name}/manifest.csv"
        s3.upload_fileobj(manifest, place.bucket, key)
    # "aws", and in China or for the government another one: as where the function is.
    partition = place.function.split(":")[1]
    etag = s3.head_object(Bucket=place.bucket, Key=key)["ETag"]
    answer = control.create_job(
        AccountId=place.account,
        ConfirmationRequired=False,
        # The same name is the same job, should this be asked twice.
        ClientRequestToken=name,
        Description=f"renditions backfill of {bucket}",
        Operation={
            "LambdaInvoke": {"FunctionArn": place.function, "InvocationSchemaVersion": "2.0"}
        },
        Manifest={
            "Spec": {"Format": "S3BatchOperations_CSV_20180820", "Fields": ["Bucket", "Key"]},
            "Location": {"ObjectArn": f"arn:{partition}:s3:::{place.bucket}/{key}", "ETag": etag},
        },
        Report={
            "Bucket": f"arn:{partition}:s3:::{place.bucket}",
            "Prefix": f"{_PREFIX}/{name}",
            "Format": "Report_CSV_20180820",
            "Enabled": True,
            "ReportScope": "FailedTasksOnly",
        },
        Priority=10,
        RoleArn=place.role,
    )
    return str(answer["JobId"]), count


def follow_job(
    job_id: str,
    *,
    control: Any,  # noqa: ANN401 - botocore's
    account: str,
    state: State,
    show: Callable[[], None],
    wished: Callable[[], bool],
    every_s: float = 5.0,
) -> JobEnd | None:
    """Follow the job to its end; None if ``wished`` came true first. The job then continues."""
    while not wished():
        job = control.describe_job(AccountId=account, JobId=job_id)["Job"]
        summary = job.get("ProgressSummary", {})
        state.counts = Counter(
            succeeded=summary.get("NumberOfTasksSucceeded", 0),
            failed=summary.get("NumberOfTasksFailed", 0),
        )
        show()
        if job["Status"] in _ENDED:
            return JobEnd(
                status=job["Status"],
                counts=state.counts,
                reasons=tuple(
                    f"{one.get('FailureCode')}: {one.get('FailureReason')}"
                    for one in job.get("FailureReasons", [])
                ),
            )
        time.sleep(every_s)
    return None
