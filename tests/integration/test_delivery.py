"""Events as another implementation of S3, SNS, SQS and EventBridge writes them, not as we do."""

import json
from collections.abc import Callable
from typing import Any, Final

import botocore.session
import pytest

from tests.photos import jpeg
from tests.servers import REGION, FaultProxy

Start = Callable[..., Any]

_KEY: Final = "2026/summer holiday/zürich + see.jpg"
_CREATED: Final = "s3:ObjectCreated:*"


class _Chain:
    """A queue behind the bucket ``photos``, and what connects the two."""

    def __init__(self, store: FaultProxy) -> None:
        self._store = store
        self._clients: dict[str, Any] = {
            service: botocore.session.get_session().create_client(
                service,
                region_name=REGION,
                endpoint_url=store.endpoint_url,
                aws_access_key_id="test",
                aws_secret_access_key="test",
            )
            for service in ("sqs", "sns", "events")
        }
        sqs = self._clients["sqs"]
        self._url = sqs.create_queue(QueueName="photos")["QueueUrl"]
        attributes = sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["All"])
        self._arn = attributes["Attributes"]["QueueArn"]

    def to_queue(self) -> None:
        self._notify(
            QueueConfigurations=[{"QueueArn": self._arn, "Events": ["s3:ObjectCreated:*"]}]
        )

    def through_topic(self, *, raw: bool = False) -> None:
        sns = self._clients["sns"]
        topic = sns.create_topic(Name="photos")["TopicArn"]
        sns.subscribe(
            TopicArn=topic,
            Protocol="sqs",
            Endpoint=self._arn,
            Attributes={"RawMessageDelivery": str(raw).lower()},
        )
        self._notify(TopicConfigurations=[{"TopicArn": topic, "Events": [_CREATED]}])

    def through_raw_topic(self) -> None:
        self.through_topic(raw=True)

    def through_eventbridge(self) -> None:
        events = self._clients["events"]
        events.put_rule(Name="photos", EventPattern=json.dumps({"source": ["aws.s3"]}))
        events.put_targets(Rule="photos", Targets=[{"Id": "queue", "Arn": self._arn}])
        self._notify(EventBridgeConfiguration={})

    def _notify(self, **configuration: Any) -> None:  # noqa: ANN401 - one for each kind
        client: Any = self._store.client()
        client.put_bucket_notification_configuration(
            Bucket="photos", NotificationConfiguration=configuration
        )

    def event(self) -> dict[str, Any]:
        """Return what Lambda makes of the messages: their bodies are handed over as they are."""
        answer = self._clients["sqs"].receive_message(
            QueueUrl=self._url, MaxNumberOfMessages=10, AttributeNames=["All"]
        )
        return {
            "Records": [
                {
                    "messageId": message["MessageId"],
                    "body": message["Body"],
                    "attributes": message["Attributes"],
                    "eventSource": "aws:sqs",
                }
                for message in answer.get("Messages", [])
            ]
        }

    def close(self) -> None:
        for client in self._clients.values():
            client.close()


@pytest.mark.parametrize(
    "connect",
    [
        _Chain.to_queue,
        _Chain.through_topic,
        _Chain.through_raw_topic,
        _Chain.through_eventbridge,
    ],
)
def test_a_put_object_reaches_the_function(
    store: FaultProxy, start: Start, connect: Callable[[_Chain], None]
) -> None:
    """S3's test event and the photo's own succeed, and the key comes through every encoding."""
    chain = _Chain(store)
    connect(chain)
    store.client().put_object(Bucket="photos", Key=_KEY, Body=jpeg(400, 300))
    event = chain.event()
    chain.close()
    assert event["Records"]
    assert start()(event, None) == {"batchItemFailures": []}
    listed = store.client().list_objects_v2(Bucket="renditions", Prefix=f"{_KEY}/")
    assert f"{_KEY}/large.jpg" in {item["Key"] for item in listed["Contents"]}
