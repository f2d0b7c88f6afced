"""Each event source's envelope: what is in it, and the answer that it expects."""

import base64
import json
import re
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.errors import Disposition, EventError, InvocationError
from handler.events.envelope import Envelope
from handler.events.shapes import is_http, open_envelope
from handler.items import process_items
from handler.objects import Change, ObjectEvent
from handler.report import JobReport, RenditionReport
from handler.settings import JobAttributes

_EVENTS: Final = Path(__file__).parent.parent / "events"
_KEY: Final = "2026/summer holiday/zürich + see.jpg"
_VERSION: Final = "096fKKXTRTtl3on89fVO.nfljtsv6qko"
_JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=10,
)


def _load(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((_EVENTS / name).read_text())
    return event


def _open(event: object) -> Envelope:
    return open_envelope(event, JobAttributes())


def _events(envelope: Envelope) -> list[ObjectEvent | EventError]:
    return [event for item in envelope.items for event in item.events]


def _work(event: object, dispositions: Mapping[str, Disposition] = {}) -> tuple[list[str], Any]:
    """Return the keys as they were begun, and the answer; a key that is not named is written.

    Only keys of one group or of one stream have an order: the others are begun in parallel.
    """
    worked: list[str] = []

    def process(record: ObjectEvent) -> JobReport:
        worked.append(record.key)
        disposition = dispositions.get(record.key, Disposition.WRITTEN)
        made = RenditionReport(
            name="a", format="jpeg", key="k", width=1, height=1, size=1_234, elapsed_ms=1
        )
        return JobReport(
            bucket=record.bucket,
            key=record.key,
            disposition=disposition,
            code=None if disposition is Disposition.WRITTEN else "the-code",
            message=None if disposition is Disposition.WRITTEN else "the reason",
            renditions=(made,),
        )

    envelope = _open(event)
    return worked, envelope.answer(process_items(envelope, process, lambda _: None))


def _answer(event: object, dispositions: Mapping[str, Disposition] = {}) -> tuple[set[str], Any]:
    """Return the keys worked on, each once and in no order, and the answer, as ``_work`` does."""
    worked, answer = _work(event, dispositions)
    assert len(worked) == len(set(worked))
    return set(worked), answer


def _record(key: str, name: str = "ObjectCreated:Put", **fields: object) -> dict[str, Any]:
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": name,
        "s3": {"bucket": {"name": "photos"}, "object": {"key": key, **fields}},
    }


def _message(message_id: str, body: object, group: str | None = None) -> dict[str, Any]:
    attributes = {"ApproximateReceiveCount": "1"}
    if group is not None:
        attributes |= {"MessageGroupId": group, "SequenceNumber": "18849496460467696128"}
    return {
        "messageId": message_id,
        "body": body if isinstance(body, str) else json.dumps(body),
        "attributes": attributes,
        "eventSource": "aws:sqs",
    }


def _kinesis(sequence_number: str, data: object) -> dict[str, Any]:
    text = data if isinstance(data, str) else base64.b64encode(json.dumps(data).encode()).decode()
    return {
        "eventSource": "aws:kinesis",
        "kinesis": {"sequenceNumber": sequence_number, "data": text},
    }


def _failures(*identifiers: str) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": one} for one in identifiers]}


_NOTIFIED: Final = ObjectEvent(
    bucket="photos",
    key=_KEY,
    change=Change.CREATED,
    name="ObjectCreated:Put",
    etag="d41d8cd98f00b204e9800998ecf8427e",
    sequencer="0055AED6DCD90281E5",
    time=datetime(2026, 7, 14, 9, 26, 53, 589000, tzinfo=UTC),
    size=8_653_307,
)
_DELETED: Final = ObjectEvent(
    bucket="photos",
    key=_KEY,
    change=Change.DELETED,
    name="ObjectRemoved:DeleteMarkerCreated",
    version_id="UIORUnfndfiufdisojhr398493jfdkjF",
    etag="d41d8cd98f00b204e9800998ecf8427e",
    sequencer="0055AED6DCD90281E5",
    time=_NOTIFIED.time,
)
_BRIDGED: Final = ObjectEvent(
    bucket="photos",
    key=_KEY,
    change=Change.CREATED,
    name="Object Created: PutObject",
    version_id="IYV3p45BT0ac8hjHg1houSdS1a.Mro8e",
    etag="b1946ac92492d2347c6235b4d2611184",
    sequencer="617f08299329d189",
    time=datetime(2026, 7, 14, 9, 26, 53, tzinfo=UTC),
    size=8_653_307,
)
_JOB: Final = ObjectEvent(bucket="photos", key=_KEY, version_id=_VERSION)
_WINTER: Final = ObjectEvent(bucket="photos", key="2026/winter.jpg")


_EXPECTED: Final[dict[str, list[ObjectEvent]]] = {
    "s3-created.json": [_NOTIFIED],
    "s3-created-versioned.json": [replace(_NOTIFIED, version_id=_VERSION)],
    "s3-deleted.json": [_DELETED],
    "s3-expired.json": [
        replace(_DELETED, name="LifecycleExpiration:Delete", version_id=None, etag=None)
    ],
    "s3-restored.json": [
        replace(_NOTIFIED, name="ObjectRestore:Completed", sequencer=None),
    ],
    "s3-test-event.json": [],
    "sns.json": [_NOTIFIED],
    "sqs-s3.json": [replace(_NOTIFIED, receive_count=3)],
    "sqs-sns.json": [_NOTIFIED],
    "sqs-sns-raw.json": [_NOTIFIED],
    "sqs-test-event.json": [],
    "sqs-failure-record.json": [_NOTIFIED],
    "sqs-fifo.json": [_JOB, _WINTER],
    "sqs-eventbridge.json": [replace(_BRIDGED, name="Object Created: CompleteMultipartUpload")],
    "eventbridge-created.json": [_BRIDGED],
    "eventbridge-deleted.json": [
        replace(
            _BRIDGED,
            change=Change.DELETED,
            name="Object Deleted: DeleteObject",
            etag=None,
            size=None,
        )
    ],
    "eventbridge-tags.json": [
        replace(_BRIDGED, change=Change.OTHER, name="Object Tags Added", etag=None, size=None)
    ],
    "eventbridge-restored.json": [
        replace(_BRIDGED, name="Object Restore Completed", sequencer=None)
    ],
    "batch-operations-1.0.json": [replace(_JOB, name="S3 Batch Operations", version_id="1")],
    "batch-operations-2.0.json": [replace(_JOB, name="S3 Batch Operations", version_id=None)],
    "kinesis.json": [_JOB, _WINTER],
    "dynamodb.json": [_JOB, _WINTER],
    "pipes-sqs.json": [replace(_NOTIFIED, receive_count=3)],
    "pipes-kinesis.json": [_JOB, _WINTER],
    "pipes-dynamodb.json": [_JOB, _WINTER],
    "failure-record.json": [_NOTIFIED],
    "job.json": [_JOB],
}


@pytest.mark.parametrize("name", _EXPECTED)
def test_every_field_of_an_event_arrives(name: str) -> None:
    """Each source's own spelling of key, version, ETag, sequencer, time and size is read."""
    assert _events(_open(_load(name))) == _EXPECTED[name]


def test_every_event_file_is_read_and_names_its_page() -> None:
    """No file lies about unread, and each has its row in the table of pages."""
    files = {path.name for path in _EVENTS.glob("*.json")}
    assert {name for name in files if not is_http(_load(name))} == set(_EXPECTED)
    rows = re.findall(
        r"^\| `([a-z0-9.-]+\.json)` \|", (_EVENTS / "README.md").read_text(), re.MULTILINE
    )
    assert sorted(rows) == sorted(files)


@given(st.text(min_size=1, max_size=30))
def test_a_notification_s_key_is_decoded_once(key: str) -> None:
    """Whatever the key, it comes out as S3 stores it: a percent sign stays one."""
    (event,) = _events(_open({"Records": [_record(quote_plus(key, safe="/"))]}))
    assert isinstance(event, ObjectEvent)
    assert event.key == key


@given(st.text(min_size=1, max_size=30))
def test_an_eventbridge_key_is_not_decoded(key: str) -> None:
    """It comes raw: a plus is a plus, and ``%20`` are three characters."""
    event = _load("eventbridge-created.json")
    event["detail"]["object"]["key"] = key
    (read,) = _events(_open(event))
    assert isinstance(read, ObjectEvent)
    assert read.key == key


@pytest.mark.parametrize("name", ["s3:ObjectCreated:Put", "ObjectCreated:Copy"])
def test_minio_s_prefix_and_every_way_to_create_an_object_are_known(name: str) -> None:
    """S3 writes the event's name without ``s3:``, MinIO with it."""
    (event,) = _events(_open({"Records": [_record("a", name)]}))
    assert isinstance(event, ObjectEvent)
    assert event.change is Change.CREATED
    assert event.name == name.removeprefix("s3:")


@pytest.mark.parametrize(
    ("event", "seen"),
    [
        ({}, "the keys of nothing"),
        ({"Records": [{"eventSource": "aws:ses", "ses": {}}]}, "'aws:ses'.*'eventSource', 'ses'"),
        ({"source": "aws.ec2", "detail-type": "EC2 Spot", "detail": {}}, "'aws.ec2'.*'EC2 Spot'"),
        ({"invocationSchemaVersion": "3.0", "tasks": []}, "'3.0'"),
        ([], "list"),
    ],
)
def test_an_unknown_shape_is_refused_by_name(event: object, seen: str) -> None:
    """The error says what was seen, and nothing is worked on."""
    with pytest.raises(EventError, match=seen):
        _open(event)


def _places(value: object) -> list[tuple[str | int, ...]]:
    """Return the path of each value inside ``value``."""
    children: Any = ()
    if isinstance(value, dict):
        children = value.items()
    elif isinstance(value, list):
        children = enumerate(value)
    return [(key, *rest) for key, child in children for rest in [(), *_places(child)]]


@given(st.data())
def test_no_value_breaks_an_envelope(data: st.DataObject) -> None:
    """Whatever stands in one place of an event, it is opened, or refused by the one error."""
    event: Any = _load(data.draw(st.sampled_from(sorted(_EXPECTED))))
    *path, last = data.draw(st.sampled_from(_places(event)))
    target = event
    for key in path:
        target = target[key]
    target[last] = data.draw(_JSON)
    try:
        opened = _events(_open(event))
    except EventError as error:
        opened = [error]
    assert all(isinstance(one, ObjectEvent | EventError) for one in opened)


@given(_JSON)
def test_no_message_breaks_its_batch(body: object) -> None:
    """Whatever a body holds, the messages next to it are worked on."""
    records = [_message("1", {"Records": [body, _record("a")]}), _message("2", body)]
    records.append(_message("3", {"Records": [_record("b")]}))
    worked, _ = _answer({"Records": records})
    assert worked >= {"a", "b"}


def test_an_unreadable_record_fails_the_invocation_after_the_others_were_done() -> None:
    """Raising is how S3 is told; the good records were worked on before."""
    event = {"Records": [_record("a"), {"eventVersion": "3.0", "s3": {}}, _record("%ff")]}
    with pytest.raises(InvocationError, match=r"2 of 3 .*'3\.0'.*UTF-8 for the object's key"):
        _answer(event)


@pytest.mark.parametrize("name", ["s3-created.json", "sns.json", "eventbridge-created.json"])
def test_an_asynchronous_event_is_raised_for_its_retry(name: str) -> None:
    """The result of an asynchronous invocation is ignored; only an exception is heard."""
    worked, answer = _answer(_load(name))
    assert worked == {_KEY}
    assert answer["records"][0]["disposition"] == "written"
    with pytest.raises(InvocationError, match="the-code: the reason"):
        _answer(_load(name), {_KEY: Disposition.RETRY})


def test_sqs_is_told_which_messages_must_come_again() -> None:
    """A failed message and an undecodable one come again; the good ones are deleted."""
    event = {
        "Records": [
            _message("1", {"Records": [_record("a")]}),
            _message("2", "not JSON"),
            _message("3", {"Records": [_record("b"), _record("c")]}),
            _message("4", {"Event": "s3:TestEvent", "Service": "Amazon S3"}),
            _message("5", {"Records": [_record("d")]}),
        ]
    }
    worked, answer = _answer(event, {"b": Disposition.RETRY, "d": Disposition.REJECTED})
    assert worked == {"a", "b", "c", "d"}
    assert answer == _failures("2", "3")


def test_a_fifo_group_stops_at_its_first_failure() -> None:
    """What follows in the group is not begun and comes again; other groups go on."""
    event = {
        "Records": [
            _message(str(at), {"Records": [_record(key)]}, group)
            for at, (key, group) in enumerate([("a", "g"), ("b", "g"), ("c", "h"), ("d", "g")])
        ]
    }
    worked, answer = _answer(event, {"a": Disposition.RETRY})
    assert worked == {"a", "c"}
    assert answer == _failures("0", "1", "3")


@given(
    st.lists(
        st.tuples(st.sampled_from([None, "g", "h"]), st.sampled_from(["good", "bad", "unreadable"]))
    )
)
def test_every_message_is_done_or_comes_again(messages: list[tuple[str | None, str]]) -> None:
    """None is lost; none of a group is begun or deleted before those in front of it are."""
    records = [
        _message(str(at), "{" if kind == "unreadable" else {"bucket": "b", "key": str(at)}, group)
        for at, (group, kind) in enumerate(messages)
    ]
    # Without messages Lambda would not call.
    records.append(_message("last", {"bucket": "b", "key": "last"}))
    bad = {str(at): Disposition.RETRY for at, (_, kind) in enumerate(messages) if kind == "bad"}
    worked, answer = _work({"Records": records}, bad)
    again = {one["itemIdentifier"] for one in answer["batchItemFailures"]}
    deleted = {str(at) for at in range(len(messages))} - again
    for at, (group, kind) in enumerate(messages):
        in_front = [str(one) for one in range(at) if group and messages[one][0] == group]
        assert (str(at) in deleted) == (kind == "good" and deleted.issuperset(in_front))
        assert (str(at) in worked) == (kind != "unreadable" and deleted.issuperset(in_front))
    assert worked.count("last") == 1
    for group in ("g", "h"):
        of_group = [int(one) for one in worked if one != "last" and messages[int(one)][0] == group]
        assert of_group == sorted(set(of_group))


def test_a_fair_queue_s_groups_have_no_order() -> None:
    """A standard queue's messages may have a group too; only FIFO's have a sequence number."""
    messages = [_message(str(at), {"Records": [_record(str(at))]}, "tenant") for at in range(3)]
    for message in messages:
        del message["attributes"]["SequenceNumber"]
    worked, answer = _answer({"Records": messages}, {"0": Disposition.RETRY})
    assert worked == {"0", "1", "2"}
    assert answer == _failures("0")


@pytest.mark.parametrize(
    "event",
    [
        {"Records": [_message("", {"Records": [_record("a")]}), _message("1", {"Records": []})]},
        {"Records": [_kinesis("1", "?"), _kinesis("", {"bucket": "photos", "key": "a"})]},
    ],
)
def test_an_empty_identifier_is_never_sent(event: object) -> None:
    """It would fail the whole batch without a word; an error says so instead."""
    with pytest.raises(InvocationError, match="has none"):
        _answer(event, {"a": Disposition.RETRY})


@pytest.mark.parametrize(
    ("failing", "worked", "answer"),
    [
        ({}, ["a", "b", "c"], _failures()),
        ({"b"}, ["a", "b"], _failures("3")),
        ({"a", "b"}, ["a"], _failures("2")),
    ],
)
def test_a_stream_stops_at_its_first_failure(
    failing: Collection[str], worked: list[str], answer: object
) -> None:
    """Lambda goes on from the lowest failed sequence number; an unreadable record blocks none."""
    jobs = [{"bucket": "photos", "key": key} for key in "abc"]
    event = {
        "Records": [
            _kinesis("1", "neither base64 nor JSON"),
            _kinesis("2", jobs[0]),
            _kinesis("3", jobs[1]),
            _kinesis("4", jobs[2]),
        ]
    }
    assert _work(event, dict.fromkeys(failing, Disposition.RETRY)) == (worked, answer)


def test_a_table_names_its_own_attributes() -> None:
    """The fields of a job are read from whichever attributes the settings name."""
    event = _load("dynamodb.json")
    image = event["Records"][0]["dynamodb"]["NewImage"]
    image |= {"store": image.pop("bucket"), "path": image.pop("key"), "rev": {"S": "7"}}
    attributes = JobAttributes(bucket="store", key="path", version_id="rev")
    item = open_envelope(event, attributes).items[0]
    assert item.events == (ObjectEvent(bucket="photos", key=_KEY, version_id="7"),)


def test_a_stream_without_new_images_says_what_to_mend() -> None:
    """The view type is in the message; the record is rejected and the shard goes on."""
    event = _load("dynamodb.json")
    change = event["Records"][0]["dynamodb"]
    del change["NewImage"]
    change["StreamViewType"] = "KEYS_ONLY"
    (error,) = _open(event).items[0].events
    assert re.search("NEW_IMAGE .*KEYS_ONLY", str(error))
    assert _answer(event) == ({"2026/winter.jpg"}, _failures())


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize(
    ("disposition", "code", "text"),
    [
        (Disposition.WRITTEN, "Succeeded", "written: 1 renditions, 1,234 bytes"),
        (Disposition.SUPERSEDED, "Succeeded", "superseded: the-code: the reason"),
        (Disposition.REJECTED, "PermanentFailure", "rejected: the-code: the reason"),
        (Disposition.RETRY, "TemporaryFailure", "retry: the-code: the reason"),
    ],
)
def test_batch_operations_gets_a_result_for_each_task(
    version: str, disposition: Disposition, code: str, text: str
) -> None:
    """The answer repeats schema and IDs, and its text is what the completion report shows."""
    event = _load(f"batch-operations-{version}.json")
    _, answer = _answer(event, {_KEY: disposition})
    assert answer == {
        "invocationSchemaVersion": version,
        "treatMissingKeysAs": "TemporaryFailure",
        "invocationId": event["invocationId"],
        "results": [{"taskId": "dGFza2lkZ29lc2hlcmUK", "resultCode": code, "resultString": text}],
    }


def test_a_task_that_cannot_be_read_fails_for_good() -> None:
    """The job's report says why; the other task succeeds."""
    event = _load("batch-operations-1.0.json")
    event["tasks"].append({"taskId": "two", "s3Key": "%ff", "s3BucketArn": "arn:aws:s3:::photos"})
    _, answer = _answer(event)
    assert [one["resultCode"] for one in answer["results"]] == ["Succeeded", "PermanentFailure"]
    assert "unknown-event" in answer["results"][1]["resultString"]


def test_sources_are_imported_when_their_first_event_arrives() -> None:
    """A cold start pays for the source that woke it, and for no other."""
    code = (
        "import json, sys\n"
        "from handler.events.shapes import open_envelope\n"
        "from handler.settings import JobAttributes\n"
        "open_envelope(json.load(sys.stdin), JobAttributes())\n"
        "print(*sorted(n.split('.')[2] for n in sys.modules if n.startswith('handler.events.')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=(_EVENTS / "s3-created.json").read_text(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["checks", "envelope", "notification", "shapes"]


def _left_by_the_queue(code: str, bad: Collection[str], keys: Sequence[str]) -> list[str]:
    """Return which keys a queue still holds after five deliveries, where `bad` ends with `code`.

    At the first one two records are under way at a time, so any of `keys` may be what it left.
    """
    left = list(keys)
    for count in range(2, 6):

        def process(record: ObjectEvent) -> JobReport:
            is_bad = record.key in bad
            return JobReport(
                bucket=record.bucket,
                key=record.key,
                disposition=Disposition.RETRY if is_bad else Disposition.WRITTEN,
                code=code if is_bad else None,
            )

        messages = [_message(key, {"bucket": "photos", "key": key}) for key in left]
        for message in messages:
            message["attributes"]["ApproximateReceiveCount"] = str(count)
        envelope = _open({"Records": messages})
        try:
            answer = envelope.answer(process_items(envelope, process, lambda _: None))
        except InvocationError:
            # Every message failed.
            continue
        left = [one["itemIdentifier"] for one in answer["batchItemFailures"]]
    return left


@pytest.mark.parametrize("code", ["out-of-time", "destination-access-denied"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_those_that_stop_a_batch_do_not_always_come_first(code: str, count: int) -> None:
    """They may take the whole time, each time; the others are done by the fifth delivery."""
    for length in range(count, 11):
        keys = [f"{number}.jpg" for number in range(length)]
        for bad in combinations(keys, count):
            assert _left_by_the_queue(code, bad, keys) == list(bad)


def test_two_photos_that_the_destination_refuses_stop_a_batch() -> None:
    """A policy may be about the key or the tags of one, twice; of two, the rest would fail too."""
    worked: list[str] = []

    def process(record: ObjectEvent) -> JobReport:
        worked.append(record.key)
        is_bad = record.key in {"b.jpg", "d.jpg"}
        return JobReport(
            bucket=record.bucket,
            key=record.key,
            disposition=Disposition.RETRY if is_bad else Disposition.WRITTEN,
            code="destination-kms-denied" if is_bad else None,
        )

    messages = [
        _message(name, {"bucket": "photos", "key": f"{name[0]}.jpg"})
        for name in ("a", "b", "b again", "c", "d", "e")
    ]
    # It came before, so one is worked on after the other, the second one first.
    messages[0]["attributes"]["ApproximateReceiveCount"] = "2"
    process_items(_open({"Records": messages}), process, lambda _: None)
    assert worked == ["b.jpg", "b.jpg", "c.jpg", "d.jpg"]
