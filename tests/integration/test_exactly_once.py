"""Events come twice, late and out of order: the destination ends as if they had not."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from handler.errors import Disposition
from handler.objects import Change, ObjectEvent
from imaging.config import parse_config
from tests.house import BOTH, CONFIG, KEY, MANIFEST, House, of, open_house
from tests.photos import jpeg, png, text
from tests.servers import (
    INTERNAL_ERROR,
    CallAfter,
    CallBefore,
    Fault,
    LoseAnswer,
    S3Call,
    open_uploads,
)

_OLD: Final = jpeg(96, 64)
_NEW: Final = jpeg(64, 96)


@pytest.fixture(params=["plain", "versioned"])
def house(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[House]:
    """The two kinds of buckets that photos are kept in."""
    with open_house(tmp_path, monkeypatch, versioned=request.param == "versioned") as opened:
        yield opened


def test_a_replay_costs_one_head(house: House) -> None:
    """The same event again finds the record, and asks for nothing else."""
    event = house.put(_OLD)
    assert house.handle(event).disposition is Disposition.WRITTEN
    assert house.requests_of(event) == ["HeadObject renditions"]
    assert house.handle(event).disposition is Disposition.UNCHANGED


def test_a_job_for_the_present_version_decodes_nothing(house: House) -> None:
    """A job names no version: S3 is asked whether it is another one."""
    event = house.put(_OLD)
    house.handle(event)
    job = ObjectEvent(bucket="photos", key=KEY)
    assert house.requests_of(job) == ["HeadObject renditions", "HeadObject photos"]
    assert house.handle(job).disposition is Disposition.UNCHANGED


def test_another_spec_is_stale(house: House) -> None:
    """A changed set is made anew, over the keys that the record names, without a second try."""
    event = house.put(_OLD)
    house.handle(event)
    changed = parse_config(CONFIG.replace("16", "17"), file="changed")
    settings = replace(house.settings, config=changed)
    assert house.requests_of(event, settings) == [
        "HeadObject renditions",
        "GetObject renditions",
        "GetObject photos",
        *["PutObject renditions"] * 3,
    ]
    assert house.handle(event, settings).disposition is Disposition.UNCHANGED


def test_a_rendition_that_is_no_longer_asked_for_goes(house: House) -> None:
    """Once the set without it is made."""
    event = house.put(_OLD)
    house.handle(event)
    config = parse_config(CONFIG.split("\n\n")[0], file="changed")
    house.handle(event, replace(house.settings, config=config))
    assert house.stored() == of(event, "large.jpg")


def test_a_replaced_photo_leaves_nothing_of_the_old_one(house: House) -> None:
    """Where the new one is of another format, the key of the old one goes too."""
    house.handle(house.put(_OLD))
    newer = house.put(png(96, 64))
    house.handle(newer)
    assert house.stored() == of(newer, "large.png", "small.jpg")
    assert set(house.manifest()["kept"]) == {f"{KEY}/large.png", f"{KEY}/small.jpg"}


def test_a_late_event_changes_nothing(house: House) -> None:
    """The older of two events comes last: one HEAD, and a look at keys of other formats."""
    older = house.put(_OLD)
    newer = house.put(_NEW)
    house.handle(newer)
    assert house.handle(older).disposition is Disposition.SUPERSEDED
    assert house.stored() == of(newer, *BOTH)


def test_the_same_bytes_put_again_are_another_version(house: House) -> None:
    """A deletion between the two puts, which comes last, does not take the second one away."""
    house.handle(house.put(_OLD))
    deleted = house.delete()
    again = house.put(_OLD)
    house.handle(again)
    assert house.handle(deleted).disposition in {Disposition.SUPERSEDED, Disposition.UNCHANGED}
    assert house.stored() == of(again, *BOTH)


def test_a_deleted_photo_takes_its_renditions_with_it(house: House) -> None:
    """The record stays, to say so; the event once more changes nothing."""
    house.handle(house.put(_OLD))
    event = house.delete()
    assert house.handle(event).disposition is Disposition.REMOVED
    assert house.stored() == {}
    assert house.manifest()["deleted"] is True
    assert house.handle(event).disposition is Disposition.REMOVED
    assert house.stored() == {}


def test_a_late_create_does_not_bring_a_deleted_photo_back(house: House) -> None:
    """Not even where its version can still be read."""
    created = house.put(_OLD)
    deleted = house.delete()
    house.handle(deleted)
    assert house.handle(created).disposition is Disposition.SUPERSEDED
    assert house.stored() == {}


def test_a_photo_may_come_back(house: House) -> None:
    """What is created after the deletion is made."""
    house.handle(house.put(_OLD))
    house.handle(house.delete())
    again = house.put(_NEW)
    assert house.handle(again).disposition is Disposition.WRITTEN
    assert house.stored() == of(again, *BOTH)


def test_a_deleted_version_is_not_the_photo(house: House) -> None:
    """A version that is deleted for good leaves the photo as it is, or as it was before."""
    older = house.put(_OLD)
    newer = house.put(_NEW)
    house.handle(older)
    house.handle(newer)
    if newer.version_id is None:
        pytest.skip("a bucket without versions has none to delete")
    house.s3.delete_object(Bucket="photos", Key=KEY, VersionId=newer.version_id)
    event = replace(newer, change=Change.DELETED, etag=None, sequencer=house.sequencer())
    assert house.handle(event).disposition is Disposition.WRITTEN
    assert house.stored() == of(older, *BOTH)
    house.s3.delete_object(Bucket="photos", Key=KEY, VersionId=str(older.version_id))
    event = replace(older, change=Change.DELETED, etag=None, sequencer=house.sequencer())
    assert house.handle(event).disposition is Disposition.REMOVED
    assert house.stored() == {}


def test_what_is_no_photo_takes_the_old_renditions_away(house: House) -> None:
    """The version before it is no longer the photo; the rejection is remembered, for one HEAD."""
    house.handle(house.put(_OLD))
    event = house.put(text())
    assert house.handle(event).code == "not-a-photo"
    assert house.stored() == {}
    assert house.requests_of(event) == ["HeadObject renditions"]
    report = house.handle(event)
    assert (report.disposition, report.code) == (Disposition.REJECTED, "not-a-photo")


def test_the_newer_of_two_at_once_wins(house: House) -> None:
    """The photo is replaced between two uploads of the older one: no rendition is torn."""
    older = house.put(_OLD)
    events, reports = [], []

    def replaced(_: S3Call) -> None:
        events.append(house.put(_NEW))
        reports.append(house.handle(events[-1]))

    house.proxy.add(
        Fault(operation="PutObject", key=f"{KEY}/small.jpg", action=CallBefore(function=replaced))
    )
    assert house.handle(older).disposition is Disposition.SUPERSEDED
    assert [report.disposition for report in reports] == [Disposition.WRITTEN]
    assert house.stored() == of(events[0], *BOTH)
    assert house.handle(events[0]).disposition is Disposition.UNCHANGED


def test_a_photo_deleted_while_it_is_made_leaves_nothing(house: House) -> None:
    """The deletion is handled while the last rendition is on its way; the record tells of it."""
    event = house.put(_OLD)
    reports = []

    def delete(_: S3Call) -> None:
        reports.append(house.handle(house.delete()))

    house.proxy.add(
        Fault(operation="PutObject", key=MANIFEST, action=CallBefore(function=delete)),
    )
    assert house.handle(event).disposition is Disposition.SUPERSEDED
    assert [report.disposition for report in reports] == [Disposition.REMOVED]
    assert house.stored() == {}


def test_a_rendition_that_a_deletion_took_is_made_again(house: House) -> None:
    """An older deletion runs while a newer photo is made: the set is not recorded with a gap."""
    house.handle(house.put(_OLD))
    deleted = house.delete()
    newer = house.put(_NEW)
    if newer.version_id is not None:
        pytest.skip("with versions the deletion finds the newer photo and makes it")

    def take(_: S3Call) -> None:
        house.handle(deleted)
        house.s3.delete_object(Bucket="renditions", Key=f"{KEY}/small.jpg")

    house.proxy.add(Fault(operation="PutObject", key=MANIFEST, action=CallBefore(function=take)))
    assert house.handle(newer).disposition is Disposition.RETRY
    assert house.handle(newer).disposition is Disposition.WRITTEN
    assert house.stored() == of(newer, *BOTH)


@pytest.mark.parametrize("key", ["small.jpg", "photo.json"])
def test_a_write_whose_answer_is_lost_counts(house: House, key: str) -> None:
    """S3 stored it and said 500: the next try finds its own object, and that is enough."""
    event = house.put(_OLD)
    fault = Fault(
        operation="PutObject", key=f"{KEY}/{key}", action=LoseAnswer(instead=INTERNAL_ERROR)
    )
    house.proxy.add(fault)
    assert house.handle(event).disposition is Disposition.WRITTEN
    assert house.proxy.unused == ()
    assert house.stored() == of(event, *BOTH)
    assert house.handle(event).disposition is Disposition.UNCHANGED


@pytest.mark.parametrize("nth", range(1, 6))
def test_an_attempt_that_ends_anywhere_is_made_up_for(house: House, nth: int) -> None:
    """Whatever the first attempt had asked S3 for when it ended, the second one finishes."""
    event = house.put(png(96, 64))
    requests = []

    def kill(call: S3Call) -> None:
        requests.append(call)
        if len(requests) == nth:
            # As if the process had ended here: no rendition is removed, nothing is aborted.
            raise ConnectionAbortedError

    house.proxy.add(Fault(action=CallAfter(function=kill), times=None))
    house.handle(event)
    house.proxy.clear()
    assert house.handle(event).disposition in {Disposition.WRITTEN, Disposition.UNCHANGED}
    assert house.stored() == of(event, "large.png", "small.jpg")


def test_a_store_without_conditions_is_asked_for_none(house: House) -> None:
    """CONDITIONAL_WRITES=false: no condition is sent, and events one after another keep order."""
    settings = replace(house.settings, conditional_writes=False)
    older = house.put(_OLD)
    newer = house.put(_NEW)
    house.handle(newer, settings)
    assert house.handle(older, settings).disposition is Disposition.SUPERSEDED
    assert house.handle(newer, settings).disposition is Disposition.UNCHANGED
    house.handle(house.delete(), settings)
    assert house.stored() == {}
    writes = [call for call in house.proxy.requests if call.bucket == "renditions"]
    assert {(call.if_match, call.if_none_match) for call in writes} == {(None, None)}
    assert open_uploads(house.s3, "renditions") == []
