"""The door: whatever an envelope holds, one record's fault is that record's answer alone."""

from __future__ import annotations

import base64
import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.errors import Disposition, EventError, InvocationError
from handler.events.checks import object_event
from handler.events.shapes import open_envelope
from handler.items import process_items
from handler.objects import Change, ObjectEvent
from handler.report import JobReport
from handler.settings import Function, JobAttributes
from handler.told.metrics import PhotoLog
from tests.envelopes import try_mutants

_MUTANTS: Final = 1_500
"""``make envelopes`` tries 20,000."""


def test_a_mutated_envelope_gets_a_documented_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else is raised, no line of the log is lost, and the good record beside it is done."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    trial = try_mutants(1, range(_MUTANTS))
    assert trial.wrong == []
    # The mutations reach what is behind the door as well as what it keeps out.
    for outcome in ("superseded superseded", "retry unknown-event", "rejected unknown-event"):
        assert trial.outcomes[outcome] > 0, outcome


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"bucket": "photos/a"}, "a bucket's name for the bucket"),
        ({"bucket": 7}, "the bucket but received 7"),
        ({"key": "\ud800"}, r"the object's key but received '\\ud800'"),
        ({"key": "é" * 513}, "1 to 1024 bytes"),
        ({"key": ["a"]}, "the object's key but received a value of type list"),
        ({"version_id": "a\nb"}, "the version ID"),
        ({"etag": 'a"b'}, "the ETag"),
        ({"sequencer": "ZZZZ"}, "hexadecimal digits for the sequencer"),
        ({"sequencer": "F" * 3_000}, "hexadecimal digits for the sequencer"),
        ({"size": []}, "the object's size but received a value of type list"),
        ({"size": "12"}, "the object's size but received '12'"),
        ({"size": True}, "the object's size but received True"),
        ({"size": -1}, "the object's size but received -1"),
        ({"size": 10**5_000}, "the object's size but received an integer of 16610 bits"),
        ({"receive_count": "9" * 5_000}, "9 digits for the receive count"),
        ({"receive_count": "٣"}, "decimal digits for the receive count"),
        ({"name": ""}, "the event's name"),
    ],
)
def test_a_field_that_is_wrong_is_named(wrong: dict[str, object], said: str) -> None:
    """The message says which field, what was expected and what was received, in a few words."""
    fields: dict[str, Any] = {"bucket": "photos", "key": "a.jpg"} | wrong
    with pytest.raises(EventError, match=said) as caught:
        object_event(**fields)
    assert len(str(caught.value)) < 200


@given(
    st.text(min_size=1, max_size=300).filter(lambda key: len(key.encode()) <= 1024),
    st.integers(0, 1 << 53),
    st.from_regex(r"[0-9A-F]{1,64}", fullmatch=True),
)
def test_what_s3_may_say_passes(key: str, size: int, sequencer: str) -> None:
    """Any key of UTF-8, with control characters too, any size and any sequencer arrive."""
    read = object_event(bucket="photos", key=key, size=size, sequencer=sequencer)
    assert read == ObjectEvent(bucket="photos", key=key, size=size, sequencer=sequencer)


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "soon", 7, None]
)
def test_a_time_that_is_none_is_not_needed(text: object) -> None:
    """It is for people; a moment that no other time zone has is none either."""
    assert object_event(bucket="photos", key="a", time=text).time is None


def _batch(*bodies: object) -> dict[str, Any]:
    return {
        "Records": [
            {"messageId": str(at), "body": json.dumps(body), "eventSource": "aws:sqs"}
            for at, body in enumerate(bodies)
        ]
    }


def _answer(event: object, failing: tuple[str, ...] = ()) -> Any:  # noqa: ANN401 - the source's
    def process(record: ObjectEvent) -> JobReport:
        disposition = Disposition.RETRY if record.key in failing else Disposition.WRITTEN
        return JobReport(bucket=record.bucket, key=record.key, disposition=disposition)

    envelope = open_envelope(event, JobAttributes())
    return envelope.answer(process_items(envelope, process, lambda _: None))


def _failures(*identifiers: str) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": one} for one in identifiers]}


def _job(key: str) -> dict[str, str]:
    return {"bucket": "photos", "key": key}


@pytest.mark.parametrize("first", [None, 7, {}, {"eventSource": ["aws:sqs"]}, {"body": "{}"}])
def test_a_malformed_first_record_does_not_hide_the_source(first: object) -> None:
    """Any record of a batch tells where it comes from."""
    event = _batch(_job("a"), _job("b"))
    event["Records"].insert(0, first)
    worked: list[str] = []

    def process(record: ObjectEvent) -> JobReport:
        worked.append(record.key)
        return JobReport(bucket="photos", key=record.key, disposition=Disposition.WRITTEN)

    process_items(open_envelope(event, JobAttributes()), process, lambda _: None)
    # They are worked on side by side, in no order.
    assert sorted(worked) == ["a", "b"]


def test_a_batch_of_which_every_message_failed_raises() -> None:
    """An answer would be a success to Lambda, and no alarm would ever see it."""
    with pytest.raises(InvocationError, match="All 2 items want another attempt: a: "):
        _answer(_batch(_job("a"), _job("b")), failing=("a", "b"))
    assert _answer(_batch(_job("a"), _job("b")), failing=("b",)) == _failures("1")


def test_a_shard_of_which_the_first_record_failed_raises() -> None:
    """As with a batch: the same records come again, and an answer would look like a success."""
    event = {
        "Records": [
            {
                "eventSource": "aws:kinesis",
                "kinesis": {
                    "sequenceNumber": f"sequence {key}",
                    "data": base64.b64encode(json.dumps(_job(key)).encode()).decode(),
                },
            }
            for key in "ab"
        ]
    }
    with pytest.raises(InvocationError, match="The first of 2 records wants another attempt"):
        _answer(event, failing=("a",))
    assert _answer(event, failing=("b",)) == _failures("sequence b")


def test_a_message_of_many_failures_stays_short() -> None:
    """Lambda hands it to the failure destination, which takes so much and no more."""
    keys = tuple(f"{'k' * 900}{at}" for at in range(1_000))
    with pytest.raises(InvocationError, match="and 990 more") as caught:
        _answer(_batch(*map(_job, keys)), failing=keys)
    assert len(str(caught.value)) < 20_000


def test_a_pipe_s_answer_names_the_records_of_its_source() -> None:
    """A message by its ID; a stream's record by that of its event; what was transformed by none."""
    message = {"messageId": "m", "eventSource": "aws:sqs", "body": json.dumps(_job("a"))}
    change = {
        "eventID": "e",
        "eventSource": "aws:dynamodb",
        "eventName": "INSERT",
        "dynamodb": {"NewImage": {"bucket": {"S": "photos"}, "key": {"S": "b"}}},
    }
    transformed = [_job("c"), json.dumps(_job("d"))]
    assert _answer([message, change, *transformed], failing=("a",)) == _failures("m")
    assert _answer([message, change, *transformed], failing=("b",)) == _failures("e")
    with pytest.raises(InvocationError, match="has none"):
        _answer([message, change, *transformed], failing=("c",))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("ObjectRestore:Completed", Change.CREATED),
        ("ObjectRestore:Post", Change.OTHER),
        ("ObjectRestore:Delete", Change.OTHER),
    ],
)
def test_a_restored_photo_is_read_again(name: str, change: Change) -> None:
    """The end of a restore brings it, and has no place in the order of the object's changes."""
    record = {
        "eventName": name,
        "s3": {"bucket": {"name": "photos"}, "object": {"key": "a", "sequencer": "0F"}},
    }
    (item,) = open_envelope({"Records": [record]}, JobAttributes()).items
    (read,) = item.events
    assert isinstance(read, ObjectEvent)
    assert read.change is change
    assert (read.sequencer is None) is (change is Change.CREATED)


def test_a_line_of_the_log_is_always_written() -> None:
    """Half of a surrogate pair becomes JSON's escape; standard output may be closed."""
    lines: list[str] = []
    report = JobReport(bucket="photos", key="\ud800.jpg", disposition=Disposition.RETRY)
    PhotoLog(Function(), lines.append).photo(report, "request")
    assert json.loads(lines[0].encode())["key"] == "\ud800.jpg"

    def closed(_: str) -> None:
        raise ValueError("I/O operation on closed file")

    PhotoLog(Function(), closed).photo(report, "request")
