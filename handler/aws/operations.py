"""What this function asks of AWS: the one list that the trimmed models are made from."""

from collections.abc import Mapping
from typing import Final

__all__ = ["OPERATIONS"]

OPERATIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "s3": (
        "AbortMultipartUpload",
        "CompleteMultipartUpload",
        "CreateMultipartUpload",
        # botocore itself calls this one for directory buckets, and HeadBucket where a bucket turns
        # out to be in another region.
        "CreateSession",
        "DeleteObject",
        "GetObject",
        "GetObjectTagging",
        "HeadBucket",
        "HeadObject",
        "PutObject",
        "UploadPart",
    ),
    "events": ("PutEvents",),
    "secretsmanager": ("GetSecretValue",),
    "kms": ("Sign",),
    "sns": ("Publish",),
    "ssm": ("GetParameter",),
}
"""The operations of each service, as AWS spells them.

One that is not listed fails with a message that names this list; ``tests/unit/test_aws_models.py``
holds it against the calls in the code, both ways. `renditions backfill` runs elsewhere, with all of
botocore.
"""
