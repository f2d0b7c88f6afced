"""The mark of a second delivery: when it is written, what it says, and who takes it away."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, Final

import pytest

from handler.errors import Disposition
from handler.objects import Change, ObjectEvent
from handler.photo import poison
from handler.version import SourceVersion, key_digest
from imaging.config import parse_config
from imaging.deadline import Deadline
from tests.house import BOTH, KEY, MANIFEST, House, of
from tests.photos import jpeg
from tests.servers import ACCESS_DENIED, SLOW_DOWN, Fault

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
    assert [mark.split()[1:] for mark in marks] == [["1", str(1_000_000 + over_s)]]


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
