"""The function in its image, called by sources other than S3 itself."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import boto3
import pyvips

from tests import photos
from tests.container.emulator import CREDENTIALS, REGION, MotoContainer

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_s3 import S3Client

    from tests.container.emulator import FunctionContainer

ENDPOINT = f"http://{MotoContainer.ALIAS}:{MotoContainer.PORT}"


def client_of(service: str, server: MotoContainer) -> Any:  # noqa: ANN401 - one of three
    """Returns a client of another service that the S3 server speaks."""
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=server.endpoint_url,
        region_name=REGION,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    )


def test_a_request_makes_the_rendition_that_it_names(
    start_function: Callable[..., FunctionContainer], s3: S3Client, buckets: tuple[str, str]
) -> None:
    """A Function URL's GET is answered with the picture, as Lambda wants it."""
    source, _ = buckets
    s3.put_object(Bucket=source, Key="a photo.jpg", Body=photos.jpeg(1200, 900))
    event = {
        "version": "2.0",
        "rawPath": "/small/a%20photo.jpg",
        "headers": {"accept": "*/*"},
        "requestContext": {
            "domainName": "x.lambda-url.eu-central-1.on.aws",
            "http": {"method": "GET"},
        },
    }

    invocation = start_function(SOURCE_BUCKET=source).invoke(event)

    assert invocation.error_type is None, invocation
    assert invocation.body["statusCode"] == 200
    image = pyvips.Image.new_from_buffer(base64.b64decode(invocation.body["body"]), "")
    assert (image.width, image.height) == (320, 240)


def test_a_queue_s_photo_is_announced_to_topic_and_bus(
    start_function: Callable[..., FunctionContainer],
    s3: S3Client,
    s3_server: MotoContainer,
    buckets: tuple[str, str],
) -> None:
    """The image holds what it needs of SNS and EventBridge: both take the completion."""
    source, destination = buckets
    sqs, sns, events = (client_of(service, s3_server) for service in ("sqs", "sns", "events"))
    queue = sqs.create_queue(QueueName=f"done-{source}")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    arn = attributes["Attributes"]["QueueArn"]
    topic = sns.create_topic(Name=source)["TopicArn"]
    sns.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"}
    )
    bus = events.create_event_bus(Name=source)["EventBusArn"]
    pattern = json.dumps({"source": ["renditions"]})
    events.put_rule(Name=source, EventBusName=source, EventPattern=pattern)
    events.put_targets(
        Rule=source,
        EventBusName=source,
        Targets=[{"Id": "queue", "Arn": arn, "InputPath": "$.detail"}],
    )
    s3.put_object(Bucket=source, Key="1.jpg", Body=photos.jpeg(1200, 900))
    s3.put_object(Bucket=source, Key="2.jpg", Body=b"Dear diary, this is not a photo.\n" * 40)
    bodies = [json.dumps({"bucket": source, "key": key}) for key in ("1.jpg", "2.jpg")]
    event = {
        "Records": [
            {"messageId": str(at), "body": body, "eventSource": "aws:sqs"}
            for at, body in enumerate([*bodies, "no job"])
        ]
    }

    for target in (topic, bus):
        function = start_function(
            COMPLETION_TARGET=target, REJECTED_PREFIX="rejected/", AWS_ENDPOINT_URL=ENDPOINT
        )
        invocation = function.invoke(event)
        assert invocation.body == {"batchItemFailures": [{"itemIdentifier": "2"}]}, invocation
        received = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
        for message in received:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        told = [json.loads(message["Body"]) for message in received]
        details = [one.get("detail", one) for one in told]
        assert sorted(one["key"] for one in details) == ["1.jpg", "2.jpg"]
    s3.head_object(Bucket=destination, Key="rejected/2.jpg.json")
