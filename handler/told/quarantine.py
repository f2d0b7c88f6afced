"""The quarantine: a small object for each rejected photo, with the reason."""

import hashlib
import json
from datetime import UTC, datetime

from handler.errors import QuarantineError, StorageError, StoreRefusedError
from handler.keys import KeyTemplate
from handler.objects import MAX_KEY_BYTES
from handler.report import JobReport
from handler.s3.requests import Requests
from handler.settings import Settings

__all__ = ["quarantine", "quarantine_key"]


def quarantine_key(prefix: str, key: str, template: KeyTemplate) -> str:
    """Return where the rejection of the photo at ``key`` is kept.

    It ends in a digest instead where S3 would find it too long, as the key of a photo whose own
    key is, and where it could be another photo's manifest.
    """
    made = f"{prefix}{key}.json"
    if len(made.encode()) <= MAX_KEY_BYTES and not template.is_manifest(made):
        return made
    return f"{prefix}{hashlib.sha256(key.encode()).hexdigest()}.json"


def quarantine(report: JobReport, prefix: str, settings: Settings, requests: Requests) -> None:
    """Keep the latest rejection of the photo of ``report``. *Cost*: one PutObject.

    Raises:
        QuarantineError: S3 did not take it, or it would trigger this function again.
    """
    bucket, key = (
        settings.destination_bucket,
        quarantine_key(prefix, report.key, settings.key_template),
    )
    if report.bucket == bucket and key.startswith(settings.source_prefix):
        raise QuarantineError(
            f"Expected REJECTED_PREFIX outside SOURCE_PREFIX {settings.source_prefix!r} but "
            f"s3://{bucket}/{key} would trigger this function again"
        )
    body = {
        "bucket": report.bucket,
        "key": report.key,
        "version_id": report.version_id,
        "etag": report.etag,
        "code": report.code,
        "reason": report.message,
        "rejected_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    try:
        requests.of_destination(
            "put_object",
            Bucket=bucket,
            Key=key,
            Body=json.dumps(body, indent=2, ensure_ascii=False).encode(),
            ContentType="application/json",
            CacheControl="no-store",
        )
    except (StorageError, StoreRefusedError) as error:
        raise QuarantineError(f"Expected to store s3://{bucket}/{key}: {error}") from error
