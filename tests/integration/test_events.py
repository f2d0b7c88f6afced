"""Every event source, as Lambda hands it over, against an S3 over HTTP."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from handler.errors import InvocationError
from tests.photos import jpeg, text
from tests.servers import ACCESS_DENIED, Fault, FaultProxy

Start = Callable[..., Any]

_EVENTS: Final = Path(__file__).parent.parent / "events"
_KEY: Final = "2026/summer holiday/zürich + see.jpg"
_WINTER: Final = "2026/winter.jpg"
_NAMES: Final = ("xlarge", "large", "medium", "small", "square")
_VERSIONS: Final = ("096fKKXTRTtl3on89fVO.nfljtsv6qko", "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e")
_SIZE: Final = "8653307"
_ETAGS: Final = ("d41d8cd98f00b204e9800998ecf8427e", "b1946ac92492d2347c6235b4d2611184")


def _put(store: FaultProxy, key: str, body: bytes) -> tuple[str, str]:
    answer = store.client().put_object(Bucket="photos", Key=key, Body=body)
    return answer["VersionId"], answer["ETag"].strip('"')


def _load(name: str, version: str, etag: str) -> dict[str, Any]:
    """Return an event of ``tests/events``, as it is for the photo that was put."""
    event = (_EVENTS / name).read_text()
    if name == "kinesis.json":
        for record in json.loads(event)["Records"]:
            data = record["kinesis"]["data"]
            job = base64.b64decode(data).decode().replace(_VERSIONS[0], version)
            event = event.replace(data, base64.b64encode(job.encode()).decode())
    for old in _VERSIONS:
        event = event.replace(old, version)
    for old in _ETAGS:
        event = event.replace(old, etag)
    event = event.replace(_SIZE, str(len(jpeg(800, 600))))
    loaded: dict[str, Any] = json.loads(event.replace('"s3VersionId": "1"', '"s3VersionId": null'))
    return loaded


def _stored(store: FaultProxy) -> set[str]:
    listed = store.client().list_objects_v2(Bucket="renditions").get("Contents", [])
    return {item["Key"] for item in listed}


def _expected(*keys: str) -> set[str]:
    renditions = {f"{key}/{name}.jpg" for key in keys for name in _NAMES}
    return renditions | {f"{key}/photo.json" for key in keys}


@pytest.mark.parametrize(
    "name",
    [
        "s3-created.json",
        "s3-created-versioned.json",
        "sns.json",
        "eventbridge-created.json",
        "job.json",
    ],
)
def test_an_asynchronous_event_makes_the_renditions(
    store: FaultProxy, start: Start, name: str
) -> None:
    """A key with a space, a plus and an umlaut is found, and its version too."""
    version, etag = _put(store, _KEY, jpeg(800, 600))
    answer = start()(_load(name, version, etag), None)
    assert [(one["key"], one["disposition"]) for one in answer["records"]] == [(_KEY, "written")]
    assert _stored(store) == _expected(_KEY)


@pytest.mark.parametrize("name", ["sqs-s3.json", "sqs-sns.json", "sqs-eventbridge.json"])
def test_a_queue_s_message_is_deleted_once_it_is_done(
    store: FaultProxy, start: Start, name: str
) -> None:
    """An answer without failures tells Lambda to delete the batch."""
    version, etag = _put(store, _KEY, jpeg(800, 600))
    assert start()(_load(name, version, etag), None) == {"batchItemFailures": []}
    assert _stored(store) == _expected(_KEY)


@pytest.mark.parametrize("name", ["sqs-fifo.json", "kinesis.json", "dynamodb.json"])
def test_an_ordered_source_stops_where_the_store_fails(
    store: FaultProxy, start: Start, name: str
) -> None:
    """The first job is denied: all come again and the one behind it was not begun; then both."""
    version, etag = _put(store, _KEY, jpeg(800, 600))
    _put(store, _WINTER, jpeg(640, 480))
    handler, event = start(), _load(name, version, etag)
    before = len(store.requests)
    store.add(Fault(action=ACCESS_DENIED, operation="GetObject", key=_KEY))
    with pytest.raises(InvocationError, match="source-access-denied"):
        handler(event, None)
    assert _WINTER not in {call.key for call in store.requests[before:]}
    assert handler(event, None) == {"batchItemFailures": []}
    assert _stored(store) == _expected(_KEY, _WINTER)


@pytest.mark.parametrize(
    ("put", "code", "says"),
    [
        (jpeg(800, 600), "Succeeded", "written: 5 renditions"),
        (text(), "PermanentFailure", "rejected: not-a-photo"),
        (None, "Succeeded", "superseded: superseded"),
    ],
)
@pytest.mark.parametrize("schema", ["1.0", "2.0"])
def test_batch_operations_is_told_what_became_of_the_photo(
    store: FaultProxy,
    start: Start,
    schema: str,
    put: bytes | None,
    code: str,
    says: str,
) -> None:
    """A photo that will never succeed is not tried again; one that is gone needs nothing."""
    if put is not None:
        _put(store, _KEY, put)
    (result,) = start()(_load(f"batch-operations-{schema}.json", "", ""), None)["results"]
    assert result["resultCode"] == code
    assert result["resultString"].startswith(says)


def test_one_bad_message_never_loses_the_others(store: FaultProxy, start: Start) -> None:
    """The photo is made; only the unreadable message and the denied photo come again."""
    version, etag = _put(store, _KEY, jpeg(800, 600))
    _put(store, "denied.jpg", jpeg(640, 480))
    messages = [
        _load("sqs-s3.json", version, etag)["Records"][0] | {"messageId": "good"},
        _load("sqs-test-event.json", version, etag)["Records"][0] | {"messageId": "test"},
        _load("sqs-s3.json", version, etag)["Records"][0] | {"messageId": "bad", "body": "{"},
        _load("sqs-s3.json", version, etag)["Records"][0]
        | {"messageId": "denied", "body": '{"bucket": "photos", "key": "denied.jpg"}'},
    ]
    store.add(Fault(action=ACCESS_DENIED, operation="GetObject", key="denied.jpg"))
    answer = start()({"Records": messages}, None)
    assert [one["itemIdentifier"] for one in answer["batchItemFailures"]] == ["bad", "denied"]
    assert _stored(store) == _expected(_KEY)


def test_an_asynchronous_event_that_fails_is_raised(store: FaultProxy, start: Start) -> None:
    """Lambda hears an exception, tries twice more and hands the event on; the message says why."""
    version, etag = _put(store, _KEY, jpeg(800, 600))
    store.add(Fault(action=ACCESS_DENIED, operation="GetObject", key=_KEY))
    with pytest.raises(InvocationError, match=r"zürich \+ see\.jpg: source-access-denied: "):
        start()(_load("sns.json", version, etag), None)


@pytest.mark.parametrize("name", ["s3-test-event.json", "eventbridge-tags.json"])
def test_what_creates_no_photo_reads_none(store: FaultProxy, start: Start, name: str) -> None:
    """A test event and a change of tags succeed without a GetObject."""
    version, etag = _put(store, _KEY, jpeg(800, 600))
    handler = start()
    before = len(store.requests)
    assert isinstance(handler(_load(name, version, etag), None), dict)
    assert "GetObject" not in {call.operation for call in store.requests[before:]}
    assert _stored(store) == set()
