"""deploy/template.yaml itself, deployed to an emulator: what it makes works together.

The emulator knows no CodeDeploy, so the gradual deployment is left out. Its CloudFront signs
nothing, so that the function's URL refuses what it passes on. Its transform of SAM templates does
not see the parameters, so they are applied here before it, by the same library that AWS and it
use.
"""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import pyvips
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from scripts import deploy, smoke
from scripts.status import waiting
from tests import photos
from tests.container.emulator import REGION
from tests.container.stack import WAYS, parameters_of, retry_after
from tests.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import boto3

POISON_S = 120


@pytest.mark.parametrize("way", WAYS)
def test_a_photo_becomes_renditions(
    deployed: Callable[[str], dict[str, str]], way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """`make smoke` passes: a photo that is put arrives, whichever way its event takes."""
    made = deployed(way)

    status = smoke.main([way, "--timeout", "60"])

    output = capsys.readouterr()
    assert status == 0, output.err
    assert "5 renditions" in output.out
    assert made["DestinationBucket"] == f"{way}-renditions"


@pytest.mark.parametrize("way", ["queue", "rule"])
def test_every_resource_is_there(
    aws: boto3.Session, deployed: Callable[[str], dict[str, str]], emulated: str, way: str
) -> None:
    """What the template names under these parameters was made, and nothing else."""
    deployed(way)

    made = aws.client("cloudformation").describe_stack_resources(StackName=way)["StackResources"]

    assert {one["LogicalResourceId"]: one["ResourceType"] for one in made} == {
        name: resource["Type"]
        for name, resource in Stack(**parameters_of(way, emulated)).resources.items()
    }
    assert {one["ResourceStatus"] for one in made} == {"CREATE_COMPLETE"}


def test_nothing_comes_of_an_object_outside_the_prefix(
    aws: boto3.Session, deployed: Callable[[str], dict[str, str]]
) -> None:
    """An object beside the prefix is no event: after one within it is done, it still has none."""
    made = deployed("queue")
    s3 = aws.client("s3")
    s3.put_object(Bucket=made["SourceBucket"], Key="elsewhere/a.jpg", Body=b"anything")

    assert smoke.main(["queue", "--timeout", "60"]) == 0

    listed = s3.list_objects_v2(Bucket=made["DestinationBucket"]).get("Contents", [])
    # Of the one within it the note stays that it is gone.
    assert not [item["Key"] for item in listed if "elsewhere" in item["Key"]]
    assert waiting(aws.client("sqs"), made["FailureQueueUrl"]) == 0


def test_smoke_notices_a_function_that_writes_nothing(
    aws: boto3.Session,
    deployed: Callable[[str], dict[str, str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Without its notification the bucket's photo has no renditions, and `make smoke` says so."""
    made = deployed("notification")

    with _no_events(aws, made):
        status = smoke.main(["notification", "--timeout", "3"])

    assert status == 1
    assert "within 3 s" in capsys.readouterr().err


def test_a_rendition_on_demand(
    aws: boto3.Session, deployed: Callable[[str], dict[str, str]]
) -> None:
    """Through the Function URL, to who signs: made where it is missing, then known by its ETag."""
    made = deployed("notification")
    s3 = aws.client("s3")
    with _no_events(aws, made):
        s3.put_object(
            Bucket=made["SourceBucket"], Key="in/asked/for.jpg", Body=photos.jpeg(640, 480)
        )

    unsigned = _ask(aws, made, "/small/in/asked/for.jpg", sign=False)
    answer = _ask(aws, made, "/small/in/asked/for.jpg")
    again = _ask(aws, made, "/small/in/asked/for.jpg", if_none_match=answer.headers["ETag"])
    unknown = _ask(aws, made, "/enormous/in/asked/for.jpg")

    assert unsigned.status_code == 403
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/jpeg")
    assert pyvips.Image.new_from_buffer(answer.content, "").width == 320
    stored = s3.get_object(Bucket=made["DestinationBucket"], Key="out/in/asked/for.jpg/small.jpg")
    assert answer.content == stored["Body"].read()
    assert (again.status_code, again.content) == (304, b"")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown-rendition")


def test_a_poison_message_ends_in_the_failure_queue(
    aws: boto3.Session, deployed: Callable[[str], dict[str, str]]
) -> None:
    """What fails each time is tried five times, and then kept in the failure queue, whole."""
    made = deployed("queue")
    sqs = aws.client("sqs")
    retry_after(aws, made, 1)
    sqs.send_message(QueueUrl=made["QueueUrl"], MessageBody="no event of any kind")

    assert _failed(aws, made) == "no event of any kind"
    assert waiting(aws.client("sqs"), made["QueueUrl"]) == 0


def test_a_photo_that_cannot_be_stored_ends_in_the_failure_queue(
    aws: boto3.Session, deployed: Callable[[str], dict[str, str]]
) -> None:
    """Its event is tried five times and kept: once the cause is fixed, it can be sent again."""
    made = deployed("rule-and-queue")
    s3 = aws.client("s3")
    for item in s3.list_objects_v2(Bucket=made["DestinationBucket"]).get("Contents", []):
        s3.delete_object(Bucket=made["DestinationBucket"], Key=item["Key"])
    s3.delete_bucket(Bucket=made["DestinationBucket"])
    retry_after(aws, made, 1)
    s3.put_object(Bucket=made["SourceBucket"], Key="in/poison.jpg", Body=photos.jpeg(320, 240))

    event = json.loads(_failed(aws, made))

    assert event["detail"]["object"]["key"] == "in/poison.jpg"
    assert waiting(aws.client("sqs"), made["QueueUrl"]) == 0


def test_destroying_leaves_the_buckets(
    aws: boto3.Session,
    deployed: Callable[[str], dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`make destroy` deletes the stack and neither photos nor renditions."""
    made = deployed("rule")
    s3 = aws.client("s3")
    s3.put_object(Bucket=made["DestinationBucket"], Key="out/kept", Body=b"kept")

    monkeypatch.setenv("CONFIRM", "1")
    assert deploy.main(["--destroy", "rule"]) == 0

    assert made["DestinationBucket"] in capsys.readouterr().out
    assert deploy.find_stack(aws.client("cloudformation"), "rule") is None
    assert s3.get_object(Bucket=made["DestinationBucket"], Key="out/kept")["Body"].read() == b"kept"


@contextmanager
def _no_events(aws: boto3.Session, made: dict[str, str]) -> Iterator[None]:
    """Within: the source bucket tells the function nothing."""
    s3, bucket = aws.client("s3"), made["SourceBucket"]
    found = s3.get_bucket_notification_configuration(Bucket=bucket)
    lambdas = found["LambdaFunctionConfigurations"]
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    try:
        yield
    finally:
        s3.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={"LambdaFunctionConfigurations": lambdas}
        )


def _ask(
    aws: boto3.Session,
    made: dict[str, str],
    path: str,
    *,
    sign: bool = True,
    if_none_match: str = "",
) -> requests.Response:
    """Send a GET to the stack's Function URL, which the emulator has below its own address."""
    host = urlsplit(made["FunctionUrl"]).netloc
    endpoint: str = aws.client("s3").meta.endpoint_url
    request = AWSRequest("GET", f"https://{host}{path}", headers={"if-none-match": if_none_match})
    credentials = aws.get_credentials()
    assert credentials is not None
    if sign:
        SigV4Auth(credentials, "lambda", REGION).add_auth(request)
    return requests.get(
        f"{endpoint}{path}", headers={**dict(request.headers.items()), "Host": host}, timeout=60
    )


def _failed(aws: boto3.Session, made: dict[str, str]) -> str:
    """Wait for the one message in the failure queue, and return what it says."""
    deadline = time.monotonic() + POISON_S
    while not waiting(aws.client("sqs"), made["FailureQueueUrl"]):
        assert time.monotonic() < deadline, "no message is in the failure queue"
        time.sleep(1)
    (message,) = aws.client("sqs").receive_message(QueueUrl=made["FailureQueueUrl"])["Messages"]
    return str(message["Body"])
