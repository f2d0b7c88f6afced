"""The function's role: what the code asks of AWS is allowed, and nothing that it never asks.

tests/integration/test_permissions.py has S3's part of it enforced, by bucket and prefix.
"""

from __future__ import annotations

from typing import Final

from handler.aws.operations import OPERATIONS
from tests.called import called_operations
from tests.stack import Stack

# Which permission an operation wants. GetObject also wants ListBucket, for S3 says 403 of what is
# not there to who may not list; and multipart uploads are PutObject's but for giving them up.
# Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
_NEEDS: Final = {
    "AbortMultipartUpload": {"s3:AbortMultipartUpload"},
    "CompleteMultipartUpload": {"s3:PutObject"},
    "CreateMultipartUpload": {"s3:PutObject"},
    "DeleteObject": {"s3:DeleteObject"},
    "GetObject": {"s3:GetObject", "s3:ListBucket"},
    "GetObjectTagging": {"s3:GetObjectTagging"},
    "GetParameter": {"ssm:GetParameter"},
    "GetSecretValue": {"secretsmanager:GetSecretValue"},
    "HeadObject": {"s3:GetObject", "s3:ListBucket"},
    "PutEvents": {"events:PutEvents"},
    # The second where it names tags.
    "PutObject": {"s3:PutObject", "s3:PutObjectTagging"},
    "Publish": {"sns:Publish"},
    "Sign": {"kms:Sign"},
    "UploadPart": {"s3:PutObject"},
}

# What Lambda does as the function's role, without the code's doing.
_LAMBDAS_OWN: Final = {
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "sqs:SendMessage",
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
}

# What S3 does with a key as whoever asks it to read or write.
_S3S_OWN: Final = {"kms:Decrypt", "kms:GenerateDataKey"}


def _stack() -> Stack:
    """Return the stack with everything on that wants a permission."""
    return Stack(
        SourceBucket="photos",
        DestinationBucket="renditions",
        SourcePrefix="in/",
        DestinationPrefix="out/",
        RejectedPrefix="refused/",
        CompletionBusArn="arn:aws:events:us-east-1:000000000000:event-bus/done",
        CompletionTopicArn="arn:aws:sns:us-east-1:000000000000:done",
        SourceKmsKeyArn="arn:aws:kms:us-east-1:000000000000:key/s",
        DestinationKmsKeyArn="arn:aws:kms:us-east-1:000000000000:key/d",
        UrlSigningKeysArn="arn:aws:ssm:us-east-1:000000000000:parameter/keys",
        UrlSigningKmsKeyArn="arn:aws:kms:us-east-1:000000000000:key/k",
        CredentialsKeyArn="arn:aws:kms:us-east-1:000000000000:key/c",
        CredentialsCertificates="s3://settings/chain.pem",
        Tagging="true",
        Tracing="Active",
        Trigger="sqs",
    )


def _statements() -> dict[str, tuple[set[str], set[str]]]:
    """Return the actions and resources of each statement of the role, by its Sid."""
    (policy,) = _stack().resources["Role"]["Properties"]["Policies"]

    def as_set(value: str | list[str]) -> set[str]:
        return {value} if isinstance(value, str) else set(value)

    return {
        one["Sid"]: (as_set(one["Action"]), as_set(one["Resource"]))
        for one in policy["PolicyDocument"]["Statement"]
    }


def test_every_call_is_allowed() -> None:
    """For each operation that the code names, the role has what it wants."""
    allowed = {action for actions, _ in _statements().values() for action in actions}

    called = called_operations()

    assert {"GetObject", "PutObject", "UploadPart"} <= called
    unknown = called - _NEEDS.keys()
    assert not unknown, f"say in this test, and in deploy/template.yaml, what {unknown} want"
    wanted = {action for operation in called for action in _NEEDS[operation]}
    assert wanted <= allowed


def test_every_statement_is_wanted() -> None:
    """Each action is one that a listed operation wants, or that AWS takes as the role."""
    wanted = {
        action
        for operations in OPERATIONS.values()
        for operation in operations
        for action in _NEEDS.get(operation, ())
    }

    for sid, (actions, _) in _statements().items():
        assert actions <= wanted | _LAMBDAS_OWN | _S3S_OWN, sid


def test_nothing_is_allowed_elsewhere() -> None:
    """Photos are read below their prefix, renditions kept below theirs; nothing is a wildcard."""
    statements = _statements()
    resources = {sid: resources for sid, (_, resources) in statements.items()}

    assert resources["ReadPhotos"] == {"arn:aws:s3:::photos/in/*"}
    assert resources["KeepRenditions"] == {"arn:aws:s3:::renditions/out/*"}
    assert resources["KeepRefusals"] == {"arn:aws:s3:::renditions/refused/*"}
    assert resources["TellGoneFromDenied"] == {"arn:aws:s3:::photos", "arn:aws:s3:::renditions"}
    assert [sid for sid, named in resources.items() if "*" in named] == ["Trace"]
    writing = {"s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"}
    for sid, (actions, named) in statements.items():
        assert not (writing & actions and any("photos" in one for one in named)), sid
        assert not any("*" in action for action in actions), sid
