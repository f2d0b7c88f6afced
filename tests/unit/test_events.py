"""Each event source's envelope: what is in it, and the answer that it expects."""

import json
from typing import Any

import pytest

from handler.batch import process_items
from handler.errors import Disposition, EventError, InvocationError
from handler.events.objects import Change, ObjectEvent
from handler.events.shapes import open_envelope
from handler.report import JobReport


def _record(key: str, name: str = "ObjectCreated:Put", **fields: object) -> dict[str, Any]:
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": name,
        "s3": {"bucket": {"name": "photos"}, "object": {"key": key, **fields}},
    }


def _message(
    message_id: str, body: object, group: str | None = None, count: int = 1
) -> dict[str, Any]:
    attributes = {"ApproximateReceiveCount": str(count)}
    if group is not None:
        attributes |= {"MessageGroupId": group, "SequenceNumber": "18849496460467696128"}
    return {
        "messageId": message_id,
        "body": body if isinstance(body, str) else json.dumps(body),
        "attributes": attributes,
        "eventSource": "aws:sqs",
    }


def _answer(event: dict[str, Any], failing: set[str] = frozenset()) -> tuple[list[str], Any]:  # type: ignore[assignment]
    """Return the keys worked on, and the answer when those in ``failing`` want a retry."""
    worked: list[str] = []

    def process(record: ObjectEvent) -> JobReport:
        worked.append(record.key)
        return JobReport(
            bucket=record.bucket,
            key=record.key,
            disposition=Disposition.RETRY if record.key in failing else Disposition.WRITTEN,
        )

    envelope = open_envelope(event)
    return worked, envelope.answer(process_items(envelope, process, lambda _: None))


def test_a_notification_s_key_is_decoded_once() -> None:
    """``+`` is a space, ``%2B`` a plus, and what decodes to a percent sign stays so."""
    (item,) = open_envelope({"Records": [_record("a+b%2Bc%2520.jpg", versionId="v")]}).items
    (event,) = item.events
    assert isinstance(event, ObjectEvent)
    assert (event.key, event.version_id, event.change) == ("a b+c%20.jpg", "v", Change.CREATED)


def test_an_unreadable_record_fails_the_invocation_after_the_others_were_done() -> None:
    """Raising is how S3 is told; the good records were worked on before."""
    event = {"Records": [_record("a"), {"eventVersion": "3.0", "s3": {}}, _record("b")]}
    with pytest.raises(InvocationError, match=r"1 of 3 .*'3\.0'"):
        _answer(event)


@pytest.mark.parametrize(
    ("event", "seen"),
    [
        ({}, r"the keys \[\]"),
        ({"Records": [{"eventSource": "aws:ses", "ses": {}}]}, "'aws:ses'"),
        ({"source": "aws.ec2", "detail-type": "EC2 Spot", "detail": {}}, "'aws.ec2'.*'EC2 Spot'"),
        ([1], "list"),
    ],
)
def test_an_unknown_shape_is_refused_by_name(event: object, seen: str) -> None:
    """The error says what was seen, and nothing is worked on."""
    with pytest.raises(EventError, match=seen):
        open_envelope(event)


def test_sqs_is_told_which_messages_must_come_again() -> None:
    """A failed message and an undecodable one come again; the good ones are deleted."""
    event = {
        "Records": [
            _message("1", {"Records": [_record("a")]}),
            _message("2", "not JSON"),
            _message("3", {"Records": [_record("b"), _record("c")]}),
            _message("4", {"Event": "s3:TestEvent", "Service": "Amazon S3"}),
            _message("5", {"Type": "Notification", "Message": json.dumps({"Records": []})}),
        ]
    }
    worked, answer = _answer(event, {"b"})
    assert worked == ["a", "b", "c"]
    assert answer == {"batchItemFailures": [{"itemIdentifier": "2"}, {"itemIdentifier": "3"}]}


def test_a_fifo_group_stops_at_its_first_failure() -> None:
    """What follows in the group is not begun and comes again; other groups go on."""
    event = {
        "Records": [
            _message(str(at), {"Records": [_record(key)]}, group)
            for at, (key, group) in enumerate([("a", "g"), ("b", "g"), ("c", "h"), ("d", "g")])
        ]
    }
    worked, answer = _answer(event, {"a"})
    assert worked == ["a", "c"]
    assert [one["itemIdentifier"] for one in answer["batchItemFailures"]] == ["0", "1", "3"]


def test_an_empty_identifier_is_never_sent() -> None:
    """It would fail the whole batch silently; an error says so instead."""
    with pytest.raises(InvocationError, match="messageId"):
        _answer({"Records": [_message("", {"Records": [_record("a")]})]}, {"a"})


def test_the_receive_count_of_a_message_reaches_its_events() -> None:
    """A photo that came a third time can be told."""
    (item,) = open_envelope(
        {"Records": [_message("1", {"Records": [_record("a")]}, count=3)]}
    ).items
    (event,) = item.events
    assert isinstance(event, ObjectEvent)
    assert event.receive_count == 3
