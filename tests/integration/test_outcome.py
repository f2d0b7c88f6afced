"""The quarantine and completion events, against S3, SNS, SQS and EventBridge over HTTP."""

import json
import sys
from collections.abc import Callable
from typing import Any, Final

import botocore.session
import pytest

from handler.errors import InvocationError
from tests.photos import jpeg, text
from tests.servers import ACCESS_DENIED, REGION, Answer, CallBefore, Fault, FaultProxy

Start = Callable[..., Any]

_KEY: Final = "2026/summer holiday/zürich + see.jpg"
_NAMES: Final = ("xlarge", "large", "medium", "small", "square")


def _job(key: str) -> dict[str, Any]:
    return {"bucket": "photos", "key": key}


def _put(store: FaultProxy, key: str, body: bytes) -> None:
    store.client().put_object(Bucket="photos", Key=key, Body=body)


def _client(store: FaultProxy, service: str) -> Any:  # noqa: ANN401 - botocore makes its clients' classes at run time
    return botocore.session.get_session().create_client(
        service,
        region_name=REGION,
        endpoint_url=store.endpoint_url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


class _Queue:
    """A queue that receives what the completion target is told."""

    def __init__(self, store: FaultProxy) -> None:
        self._sqs = _client(store, "sqs")
        self.url = self._sqs.create_queue(QueueName="done")["QueueUrl"]
        self.arn = self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])[
            "Attributes"
        ]["QueueArn"]

    def received(self) -> list[dict[str, Any]]:
        answer = self._sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10)
        for message in answer.get("Messages", []):
            self._sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in answer.get("Messages", [])]

    def close(self) -> None:
        self._sqs.close()


def _topic(store: FaultProxy, queue: _Queue) -> str:
    client = _client(store, "sns")
    arn: str = client.create_topic(Name="done")["TopicArn"]
    client.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue.arn)
    client.close()
    return arn


def _bus(store: FaultProxy, queue: _Queue) -> str:
    client = _client(store, "events")
    arn: str = client.create_event_bus(Name="done")["EventBusArn"]
    pattern = json.dumps({"source": ["renditions"]})
    client.put_rule(Name="all", EventBusName="done", EventPattern=pattern)
    client.put_targets(Rule="all", EventBusName="done", Targets=[{"Id": "queue", "Arn": queue.arn}])
    client.close()
    return arn


def _told(message: dict[str, Any]) -> dict[str, Any]:
    """Return the detail of a completion, through SNS or EventBridge."""
    detail: dict[str, Any]
    if "Message" in message:
        detail = json.loads(message["Message"])
        assert message["MessageAttributes"]["disposition"]["Value"] == detail["disposition"]
    else:
        detail = message["detail"]
        assert message["source"] == "renditions"
        assert message["detail-type"] == f"Photo {detail['disposition']}"
    return detail


def _stored(store: FaultProxy) -> set[str]:
    listed = store.client().list_objects_v2(Bucket="renditions").get("Contents", [])
    return {item["Key"] for item in listed}


def test_a_rejected_photo_is_kept_with_its_reason(store: FaultProxy, start: Start) -> None:
    """Key, version, code and reason, in JSON; a good photo leaves nothing there."""
    _put(store, "good.jpg", jpeg(400, 300))
    _put(store, _KEY, text())
    handler = start(REJECTED_PREFIX="rejected/")
    handler(_job("good.jpg"), None)
    handler(_job(_KEY), None)
    key = f"rejected/{_KEY}.json"
    assert [one for one in _stored(store) if one.startswith("rejected/")] == [key]
    answer = store.client().get_object(Bucket="renditions", Key=key)
    assert answer["ContentType"] == "application/json"
    kept = json.loads(answer["Body"].read())
    assert kept.pop("rejected_at")
    assert kept.pop("etag")
    assert kept.pop("reason").startswith("Expected a photo")
    assert kept == {"bucket": "photos", "key": _KEY, "version_id": None, "code": "not-a-photo"}


@pytest.mark.parametrize(
    "action", [ACCESS_DENIED, Answer(status=400, code="InvalidRequest", message="No")]
)
def test_a_rejection_that_cannot_be_kept_comes_again(
    store: FaultProxy, start: Start, action: Answer
) -> None:
    """Nothing is lost: the event is tried again, and the second time it is kept."""
    _put(store, "notes.jpg", text())
    handler = start(REJECTED_PREFIX="rejected/")
    store.add(Fault(action=action, operation="PutObject", key="rejected/notes.jpg.json"))
    with pytest.raises(InvocationError, match=r"quarantine-failed: .* was rejected"):
        handler(_job("notes.jpg"), None)
    assert handler(_job("notes.jpg"), None)["records"][0]["code"] == "not-a-photo"
    assert _stored(store) == {"rejected/notes.jpg.json", "notes.jpg/photo.json"}
    kept = store.client().get_object(Bucket="renditions", Key="rejected/notes.jpg.json")["Body"]
    rejection = json.loads(kept.read())
    assert rejection["etag"]
    assert rejection["reason"].startswith("Expected a photo")


def test_a_quarantine_never_triggers_the_function(store: FaultProxy, start: Start) -> None:
    """In the source's own bucket, under the trigger's prefix, nothing is written."""
    store.client().put_object(Bucket="renditions", Key="in/notes.jpg", Body=text())
    handler = start(REJECTED_PREFIX="in/rejected/", SOURCE_PREFIX="in/")
    with pytest.raises(InvocationError, match="would trigger this function again"):
        handler({"bucket": "renditions", "key": "in/notes.jpg"}, None)
    assert _stored(store) == {"in/notes.jpg"}


@pytest.mark.parametrize("target", [_topic, _bus])
def test_a_photo_that_is_done_is_announced_after_the_commit(
    store: FaultProxy, start: Start, target: Callable[[FaultProxy, _Queue], str]
) -> None:
    """When the event leaves, every rendition that it names can be read."""
    queue = _Queue(store)
    arn = target(store, queue)
    _put(store, _KEY, jpeg(800, 600))
    stored_then: list[set[str]] = []
    store.add(
        Fault(
            action=CallBefore(function=lambda _: stored_then.append(_stored(store))),
            when=lambda call: call.method == "POST" and not call.bucket,
        )
    )
    start(COMPLETION_TARGET=arn)(_job(_KEY), None)
    keys = {f"{_KEY}/{name}.jpg" for name in _NAMES}
    assert [keys <= stored for stored in stored_then] == [True]
    (message,) = queue.received()
    detail = _told(message)
    assert {one["key"] for one in detail["renditions"]} == keys
    assert (detail["bucket"], detail["key"], detail["disposition"]) == ("photos", _KEY, "written")
    assert (detail["destination_bucket"], detail["width"]) == ("renditions", 800)
    queue.close()


def test_only_what_is_over_is_announced(store: FaultProxy, start: Start) -> None:
    """A rejection is; an attempt that failed or a photo that is gone is not."""
    queue = _Queue(store)
    _put(store, "notes.jpg", text())
    _put(store, "denied.jpg", jpeg(400, 300))
    handler = start(COMPLETION_TARGET=_topic(store, queue))
    store.add(Fault(action=ACCESS_DENIED, operation="GetObject", key="denied.jpg"))
    handler(_job("notes.jpg"), None)
    handler(_job("missing.jpg"), None)
    with pytest.raises(InvocationError, match="source-access-denied"):
        handler(_job("denied.jpg"), None)
    told = [_told(message) for message in queue.received()]
    assert [(one["key"], one["code"]) for one in told] == [("notes.jpg", "not-a-photo")]
    queue.close()


@pytest.mark.parametrize("target", [_topic, _bus])
def test_a_completion_that_fails_comes_again(
    store: FaultProxy, start: Start, target: Callable[[FaultProxy, _Queue], str]
) -> None:
    """Everyone is told at least once: the message stays in its queue until they were."""
    queue = _Queue(store)
    handler = start(COMPLETION_TARGET=target(store, queue))
    _put(store, "a.jpg", jpeg(400, 300))
    store.add(
        Fault(
            action=ACCESS_DENIED,
            when=lambda call: call.method == "POST" and not call.bucket,
        )
    )
    event = {
        "Records": [{"messageId": "1", "body": json.dumps(_job("a.jpg")), "eventSource": "aws:sqs"}]
    }
    with pytest.raises(InvocationError, match="completion-failed"):
        handler(event, None)
    assert queue.received() == []
    assert handler(event, None) == {"batchItemFailures": []}
    assert [_told(message)["key"] for message in queue.received()] == ["a.jpg"]
    queue.close()


def test_without_a_target_no_other_client_is_made(store: FaultProxy, start: Start) -> None:
    """Neither the quarantine nor the completion is imported unless it is wanted."""
    for name in ("handler.told.quarantine", "handler.told.completion"):
        sys.modules.pop(name, None)
    _put(store, "a.jpg", jpeg(400, 300))
    start()(_job("a.jpg"), None)
    assert not {"handler.told.quarantine", "handler.told.completion"} & set(sys.modules)
