"""The mark of a second delivery: when it is written, what it says, and who takes it away."""

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, Final

import pytest

import handler.s3.requests
from handler.errors import Disposition
from handler.objects import Change, ObjectEvent
from handler.photo import poison
from handler.version import SourceVersion, key_digest
from imaging.config import parse_config
from imaging.deadline import Deadline
from tests.house import BOTH, KEY, MANIFEST, House, of
from tests.photos import jpeg
from tests.servers import (
    ACCESS_DENIED,
    INTERNAL_ERROR,
    SLOW_DOWN,
    Answer,
    CallAfter,
    CallBefore,
    Drop,
    Fault,
    LoseAnswer,
    S3Call,
)

_OLD: Final = jpeg(96, 64)
_NEW: Final = jpeg(64, 96)
_JOB: Final = ObjectEvent(bucket="photos", key=KEY)
_SMALL: Final = '[[renditions]]\nname = "small"\nwidth = 16\n'


def test_what_is_no_longer_asked_for_of_a_photo_that_is_poison_goes_with_it(house: House) -> None:
    """It is named as before: an attempt under the former configuration may be done after all."""
    event = house.put(_OLD)
    house.handle(event)
    tiny = parse_config('[[renditions]]\nname = "tiny"\nwidth = 8\n', file="tiny")
    settings = replace(house.settings, config=tiny)
    version = SourceVersion(bucket="photos", key_digest=key_digest(KEY), etag=event.etag)
    answer: Any = house.s3.get_object(Bucket="renditions", Key=MANIFEST)
    house.s3.put_object(
        Bucket="renditions",
        Key=MANIFEST,
        Body=answer["Body"].read(),
        Metadata=answer["Metadata"] | {"suspect": f"{version.name} 2 0"},
    )
    assert house.handle(_JOB, settings).code == "poison"
    assert house.stored() == of(event, *BOTH)
    assert house.handle(house.delete(), settings).disposition is Disposition.REMOVED
    assert house.stored() == {}


@pytest.mark.parametrize(("left_s", "over_s"), [(100, 160), (10_000, 960)])
def test_a_mark_says_when_lambda_ends_its_attempt(
    house: House, monkeypatch: pytest.MonkeyPatch, left_s: int, over_s: int
) -> None:
    """A minute after its deadline, and 16 after it was written at most."""
    monkeypatch.setattr(poison, "time", SimpleNamespace(time=lambda: 1_000_000.0))
    monkeypatch.setattr(Deadline, "remaining_s", left_s)
    event = house.put(_OLD)
    marks: list[str] = []

    def look() -> None:
        head: Any = house.s3.head_object(Bucket="renditions", Key=MANIFEST)
        marks.append(head["Metadata"]["suspect"])

    house.before("PutObject", f"{KEY}/small.jpg", look)
    house.handle(replace(event, receive_count=2))
    assert [mark.split()[1:3] for mark in marks] == [["1", str(1_000_000 + over_s)]]


@pytest.mark.parametrize(
    ("over_s", "is_over"), [(-1, True), (0, False), (1020, False), (1021, True), (10**10, True)]
)
@pytest.mark.parametrize("who", ["event", "again", "job", "http"])
def test_a_mark_stops_others_no_longer_than_an_attempt_can_take(
    house: House, monkeypatch: pytest.MonkeyPatch, over_s: int, who: str, *, is_over: bool
) -> None:
    """A later time than any attempt writes stopped everybody for ever."""
    monkeypatch.setattr(poison, "time", SimpleNamespace(time=lambda: 1_000_000.0))
    event = house.put(_OLD)
    name = SourceVersion(bucket="photos", key_digest=key_digest(KEY), etag=event.etag).name
    house.s3.put_object(
        Bucket="renditions",
        Key=MANIFEST,
        Body=b'{"kept":{}}',
        Metadata={
            "state": "made",
            "source-bucket": "photos",
            "suspect": f"{name} 1 {1_000_000 + over_s}",
        },
    )
    if who == "http":
        report = house.ask_for("small")
    else:
        asked = {"event": event, "again": replace(event, receive_count=5), "job": _JOB}
        report = house.handle(asked[who])
    assert report.code == (None if is_over else "store-contended")


@pytest.mark.parametrize("is_alone", [True, False])
def test_an_attempt_beside_others_adds_nothing_to_a_mark(house: House, *, is_alone: bool) -> None:
    """If its process ended now, any of them might have done it; the mark before stays."""
    event = house.put(_OLD)
    marks: list[str] = []

    def look() -> None:
        head: Any = house.s3.head_object(Bucket="renditions", Key=MANIFEST)
        marks.append(head["Metadata"]["suspect"].split()[1])

    def end() -> None:
        look()
        # Nothing of what it says comes through any more.
        house.mark(1)
        house.proxy.add(Fault(operation="PutObject", key=MANIFEST, action=SLOW_DOWN, times=None))

    house.before("PutObject", f"{KEY}/small.jpg", end)
    house.handle(replace(event, receive_count=2))
    house.proxy.clear()
    house.before("PutObject", f"{KEY}/small.jpg", look)
    assert house.handle(replace(event, is_alone=is_alone)).disposition is Disposition.WRITTEN
    assert marks == ["1", "2" if is_alone else "1"]


def test_a_mark_goes_also_from_a_manifest_that_a_deletion_wrote_again(versioned: House) -> None:
    """It keeps the mark of an attempt that has failed by then, and takes it away now."""
    house = versioned
    older = house.put(_OLD)
    house.handle(older)
    house.settings = replace(house.settings, config=parse_config(_SMALL, file="other"))
    newer = house.put(_NEW)
    house.s3.delete_object(Bucket="photos", Key=KEY, VersionId=newer.version_id or "")
    deletion = replace(newer, change=Change.DELETED, etag=None)
    said: list[str | None] = []
    # The first one is the mark.
    house.before("PutObject", MANIFEST, lambda: said.append(house.handle(deletion).code), nth=2)
    house.proxy.add(Fault(operation="PutObject", key=f"{KEY}/small.jpg", action=ACCESS_DENIED))
    again = replace(older, sequencer=house.sequencer(), receive_count=2)
    assert house.handle(again).disposition is Disposition.RETRY
    assert said == ["store-contended"]
    head: Any = house.s3.head_object(Bucket="renditions", Key=MANIFEST)
    assert "suspect" not in head["Metadata"]


def test_a_mark_goes_when_the_time_is_over(house: House) -> None:
    """Nor does one answer of a busy S3 leave it: the photo has not ended its process."""
    event = house.put(_OLD)
    deadline = Deadline(60)

    # It is the mark that is written then.
    house.before("PutObject", MANIFEST, deadline.expire)
    house.proxy.add(Fault(operation="PutObject", key=MANIFEST, nth=2, action=SLOW_DOWN))
    report = house.handle(replace(event, receive_count=2), deadline=deadline)
    assert report.disposition is Disposition.RETRY
    head: Any = house.s3.head_object(Bucket="renditions", Key=MANIFEST)
    assert "suspect" not in head["Metadata"]


def _mark(house: House) -> str | None:
    head: Any = house.s3.head_object(Bucket="renditions", Key=MANIFEST)
    mark: str | None = head["Metadata"].get("suspect")
    return mark


@pytest.mark.parametrize("told", [SLOW_DOWN, INTERNAL_ERROR, None])
@pytest.mark.parametrize(
    ("ending", "times"),
    [(SLOW_DOWN, 3), (INTERNAL_ERROR, 3), (Drop(), 3), (ACCESS_DENIED, 1), (None, 0)],
)
def test_a_mark_goes_whose_own_write_was_not_answered(
    house: House,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    told: Answer | None,
    ending: Answer | Drop | None,
    times: int,
) -> None:
    """S3 has it, and every further attempt at writing it fails: no trace of a good photo stays."""
    monkeypatch.setattr(handler.s3.requests, "_FIRST_PAUSE_S", 0.0)
    event = house.put(_OLD)
    stored: list[str | None] = []
    for receive_count in (2, 3):
        deadline = Deadline(60)

        def stored_it(_: S3Call, deadline: Deadline = deadline) -> None:
            stored.append(_mark(house))
            if ending is None:
                # There is no further one.
                deadline.expire()

        house.proxy.add(
            Fault(operation="PutObject", key=MANIFEST, action=CallAfter(function=stored_it)),
            Fault(operation="PutObject", key=MANIFEST, action=LoseAnswer(instead=told)),
        )
        if ending is not None:
            house.proxy.add(
                Fault(operation="PutObject", key=MANIFEST, nth=2, times=times, action=ending)
            )
        report = house.handle(replace(event, receive_count=receive_count), deadline=deadline)
        assert report.disposition is Disposition.RETRY
        assert _mark(house) is None
        house.proxy.clear()
    assert None not in stored
    assert len(stored) == 2
    assert "decode is under way" not in caplog.text
    assert house.handle(replace(event, receive_count=4)).disposition is Disposition.WRITTEN


def test_a_mark_of_which_nothing_is_known_is_warned_of(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """S3 has it, and answers nothing else."""
    lost = Fault(operation="PutObject", key=MANIFEST, action=LoseAnswer(instead=SLOW_DOWN))
    refused = Fault(operation="PutObject", key=MANIFEST, nth=2, times=None, action=SLOW_DOWN)
    unread = Fault(operation="GetObject", key=MANIFEST, nth=2, times=None, action=SLOW_DOWN)
    event = house.put(_OLD)
    house.handle(event, replace(house.settings, config=parse_config(_SMALL, file="other")))
    house.proxy.add(lost, refused, unread)
    assert house.handle(replace(event, receive_count=2)).disposition is Disposition.RETRY
    assert _mark(house) is not None
    assert "may still say that a decode is under way" in caplog.text


def _write(house: House, mark: str | None = None) -> None:
    """Write the manifest as another does, with `mark` or the one that it has."""
    answer: Any = house.s3.get_object(Bucket="renditions", Key=MANIFEST)
    body = json.loads(answer["Body"].read())
    house.s3.put_object(
        Bucket="renditions",
        Key=MANIFEST,
        Body=json.dumps(body | {"mark": body["mark"] + "0"}).encode(),
        Metadata=answer["Metadata"] | ({} if mark is None else {"suspect": mark}),
    )


@pytest.mark.parametrize("refused", [False, True])
def test_an_attempt_leaves_the_mark_of_another(
    house: House, monkeypatch: pytest.MonkeyPatch, *, refused: bool
) -> None:
    """Both began in one second, and have as much time; S3 has the other one's mark alone."""
    monkeypatch.setattr(poison, "time", SimpleNamespace(time=lambda: 1_000_000.0))
    monkeypatch.setattr(handler.s3.requests, "_FIRST_PAUSE_S", 0.0)
    event = replace(house.put(_OLD), receive_count=2)
    marks: list[str] = []
    for _ in range(2):
        house.before("PutObject", f"{KEY}/small.jpg", lambda: marks.append(_mark(house) or ""))
        denied = Fault(operation="PutObject", key=f"{KEY}/small.jpg", action=ACCESS_DENIED)
        house.proxy.add(denied)
        house.handle(event)
    first, second = marks
    assert first.split()[:3] == second.split()[:3]
    assert first != second

    house.before("PutObject", MANIFEST, lambda: _write(house, first))
    if refused:
        # Nobody learns whether S3 would have taken it.
        house.proxy.add(Fault(operation="PutObject", key=MANIFEST, times=4, action=SLOW_DOWN))
    assert house.handle(event).code == ("store-failed" if refused else "store-contended")
    assert _mark(house) == first


def test_a_mark_goes_when_the_time_is_over_beside_others(house: House) -> None:
    """S3 refuses nothing; others write the manifest while the mark is being taken away."""
    event, deadline = house.put(_OLD), Deadline(60)
    house.before("PutObject", f"{KEY}/small.jpg", deadline.expire)
    meanwhile = CallBefore(function=lambda _: _write(house))
    house.proxy.add(Fault(operation="PutObject", key=MANIFEST, nth=2, times=5, action=meanwhile))
    report = house.handle(replace(event, receive_count=2), deadline=deadline)
    assert report.code == "out-of-time"
    assert house.proxy.count(operation="PutObject", key=MANIFEST) == 7
    assert _mark(house) is None


def test_a_mark_says_nothing_of_another_version(house: House) -> None:
    """The photo is replaced while a second delivery works on it."""
    event = house.put(_OLD)
    newer: list[ObjectEvent] = []

    def put_another() -> None:
        newer.append(house.put(_NEW))
        assert house.handle(newer[0]).disposition is Disposition.WRITTEN

    house.before("PutObject", f"{KEY}/small.jpg", put_another)
    again = replace(event, receive_count=2)
    assert house.handle(again).disposition is Disposition.SUPERSEDED
    assert house.stored() == of(newer[0], *BOTH)
