"""What the destination holds is right, whoever asks, in whatever order: jobs, HTTP, other buckets.

Each test is a way in which it was wrong once. tests/simulation draws the rest at random, and
tests/model tries every order of a few.
"""

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from threading import Event
from typing import Any, Final
from urllib.parse import quote

import pytest

from handler.backfill.listing import Photo
from handler.backfill.stale import only_stale
from handler.errors import Disposition
from handler.http.respond import respond
from handler.keys import KeyTemplate
from handler.objects import Change, ObjectEvent
from handler.photo.destinations import made_digest
from handler.report import JobReport
from handler.s3.requests import Requests
from imaging.config import parse_config
from imaging.limits import Limits, Memory
from imaging.specs import RenditionSpec
from tests.house import BOTH, CONFIG, KEY, MANIFEST, House, of
from tests.photos import jpeg, png, text
from tests.servers import ACCESS_DENIED, SLOW_DOWN, Answer, Fault

_OLD: Final = jpeg(96, 64)
_NEW: Final = jpeg(64, 96)
_JOB: Final = ObjectEvent(bucket="photos", key=KEY)


def _take_for_another(house: House) -> ObjectEvent:
    """Give the place to a photo of the same key in another bucket; return its event."""
    house.s3.create_bucket(Bucket="other")
    house.s3.put_object(Bucket="other", Key=KEY, Body=_NEW)
    theirs = ObjectEvent(bucket="other", key=KEY, sequencer=house.sequencer())
    assert house.handle(theirs).disposition is Disposition.WRITTEN
    return theirs


def _free_and_make(house: House, theirs: ObjectEvent, ours: ObjectEvent) -> None:
    """Delete the other bucket's photo, and make ours."""
    house.s3.delete_object(Bucket="other", Key=KEY)
    house.handle(replace(theirs, change=Change.DELETED, sequencer=house.sequencer()))
    assert house.handle(ours).disposition is Disposition.WRITTEN


# 1. HTTP beside an event


def test_an_http_request_that_loses_to_the_event_takes_nothing_away(house: House) -> None:
    """The whole set is recorded while one of it is asked for: all of it stays."""
    event = house.put(_OLD)
    # The first one names what will be stored.
    house.before("PutObject", MANIFEST, lambda: house.handle(event), nth=2)
    assert house.ask_for("small").disposition is Disposition.WRITTEN
    assert house.stored() == of(event, *BOTH)
    assert house.named() == set(BOTH)
    assert house.handle(event).disposition is Disposition.UNCHANGED


def test_two_http_requests_at_once_are_both_named(house: House) -> None:
    """The second merges into what the first has written."""
    event = house.put(_OLD)
    house.before("PutObject", MANIFEST, lambda: house.ask_for("large"), nth=2)
    assert house.ask_for("small").disposition is Disposition.WRITTEN
    assert house.stored() == of(event, *BOTH)
    assert house.named() == set(BOTH)


def test_eight_http_requests_and_the_event_at_once(house: House) -> None:
    """Whoever comes first, second or last: the set is whole, and the manifest names it."""
    names = [f"r{number}" for number in range(8)]
    config = "".join(f'[[renditions]]\nname = "{name}"\nwidth = 16\n' for name in names)
    house.settings = replace(house.settings, config=parse_config(config, file="eight"))
    event = house.put(_OLD)
    with ThreadPoolExecutor(9) as crowd:
        asked = [crowd.submit(house.ask_for, name) for name in names]
        handled = crowd.submit(house.handle, event)
        ended = [one.result().disposition for one in asked]
    assert set(ended) == {Disposition.WRITTEN}
    assert handled.result().disposition is Disposition.WRITTEN
    every = [f"{name}.jpg" for name in names]
    assert house.stored() == of(event, *every)
    assert house.named() == set(every)


def _ask_and_end(house: House, name: str) -> None:
    """Ask for a rendition; the attempt stores it, and ends before its manifest is written."""
    refused = Answer(status=403, code="AccessDenied", message="no")
    # The first one names what will be stored.
    house.proxy.add(
        Fault(operation="PutObject", bucket="renditions", key=MANIFEST, nth=2, action=refused)
    )
    assert house.ask_for(name).disposition is Disposition.RETRY
    house.proxy.clear()


@pytest.mark.parametrize("before", ["nothing", "a tombstone", "an older photo"])
def test_what_an_ended_request_stored_goes_with_its_version(house: House, before: str) -> None:
    """The manifest says what was about to be stored, and of which version."""
    if before != "nothing":
        house.handle(house.put(_NEW))
    if before == "a tombstone":
        house.handle(house.delete())
    house.put(png(96, 64))
    _ask_and_end(house, "large")
    assert "large.png" in house.stored()
    event = house.put(_OLD)
    assert house.handle(event).disposition is Disposition.WRITTEN
    assert house.stored() == of(event, *BOTH)
    assert house.named() == set(BOTH)
    assert "announced" not in house.manifest()


def test_what_an_ended_request_stored_over_an_older_one_goes(house: House) -> None:
    """Its key is known with the ETag of the rendition before, and announced all the same."""
    house.handle(house.put(png(64, 96)))
    house.put(png(96, 64))
    _ask_and_end(house, "large")
    event = house.put(_OLD)
    assert house.handle(event).disposition is Disposition.WRITTEN
    assert house.stored() == of(event, *BOTH)


# 2. Jobs that name no version


def test_a_job_takes_the_renditions_of_what_is_no_photo_any_more(house: House) -> None:
    """The manifest's list is read before anything replaces it."""
    house.handle(house.put(_OLD))
    house.put(text())
    assert house.handle(_JOB).code == "not-a-photo"
    assert house.stored() == {}


def test_a_job_takes_the_key_of_another_format(house: House) -> None:
    """`format = "source"`: a PNG that became a JPEG leaves no PNG."""
    house.handle(house.put(png(96, 64)))
    event = house.put(_OLD)
    assert house.handle(_JOB).disposition is Disposition.WRITTEN
    assert house.stored() == of(event, *BOTH)
    assert house.named() == set(BOTH)


def _small_of(house: House, event: ObjectEvent) -> Callable[[], object]:
    """Make the photo of ``event``; return what stores its small rendition once more.

    An attempt does that which asked for the photo before it was changed, and ends then.
    """
    house.handle(event)
    key = f"{KEY}/small.jpg"
    answer = house.s3.get_object(Bucket="renditions", Key=key)
    body, metadata = answer["Body"].read(), answer["Metadata"]
    return lambda: house.s3.put_object(Bucket="renditions", Key=key, Body=body, Metadata=metadata)


def test_what_an_ended_attempt_stored_behind_a_deletion_goes(house: House) -> None:
    """Its event comes again before the deletion, which had looked there, writes its manifest."""
    event = house.put(_OLD)
    store = _small_of(house, event)
    house.handle(house.put(_NEW))

    def end_and_come_again() -> None:
        store()
        assert house.handle(event).disposition is Disposition.SUPERSEDED

    deletion = house.delete()
    house.before("PutObject", MANIFEST, end_and_come_again)
    assert house.handle(deletion).disposition is Disposition.REMOVED
    assert house.stored() == {}


@pytest.mark.parametrize("body", [None, text()])
def test_what_an_ended_job_stored_of_what_is_no_photo_any_more_goes(
    house: House, body: bytes | None
) -> None:
    """It comes again, and the manifest says already that there is nothing."""
    store = _small_of(house, house.put(_OLD))
    house.handle(house.delete() if body is None else house.put(body))
    store()
    disposition = Disposition.SUPERSEDED if body is None else Disposition.REJECTED
    assert house.handle(_JOB).disposition is disposition
    assert house.stored() == {}


# 3. Versions


@pytest.mark.parametrize("touch", ["job", "http"])
def test_a_version_deleted_for_good_after_others_touched_its_manifest(
    versioned: House, touch: str
) -> None:
    """Neither a job nor a request makes the manifest forget which event it covers."""
    house = versioned
    older = house.put(_OLD)
    house.handle(older)
    # Last-Modified has whole seconds, and once decided which of the two is newer.
    time.sleep(1.1)
    newer = house.put(_NEW)
    house.handle(newer)
    settings = replace(
        house.settings, config=parse_config(CONFIG.replace("16", "17"), file="changed")
    )
    if touch == "job":
        house.handle(_JOB, settings)
    else:
        house.ask_for("small", settings=settings)
    deleted = house.delete_for_good(newer)
    assert house.handle(deleted, settings).disposition is Disposition.WRITTEN
    assert house.stored() == of(older, *BOTH)


@pytest.mark.parametrize("is_first", [True, False], ids=["at once", "after an attempt"])
def test_a_version_that_comes_back_is_made_where_another_took_its_renditions(
    versioned: House, *, is_first: bool
) -> None:
    """The attempt at the newer one removed them, and ended before it wrote its manifest.

    So may the first attempt at the deletion, when it has written that manifest, and not yet looked.
    """
    house = versioned
    older = house.put(_OLD)
    house.handle(older)
    newer = house.put(text())
    refused = Answer(status=403, code="AccessDenied", message="no")
    house.proxy.add(Fault(operation="PutObject", bucket="renditions", key=MANIFEST, action=refused))
    assert house.handle(newer).disposition is Disposition.RETRY
    house.proxy.clear()
    deleted = house.delete_for_good(newer)
    if not is_first:
        house.proxy.add(Fault(operation="HeadObject", bucket="renditions", action=refused))
        assert house.handle(deleted).disposition is Disposition.RETRY
    assert house.handle(deleted).disposition is Disposition.WRITTEN
    assert house.stored() == of(older, *BOTH)
    again = replace(deleted, sequencer=house.sequencer())
    assert house.handle(again).disposition is Disposition.UNCHANGED


def test_a_version_that_comes_back_and_goes_leaves_nothing_of_an_ended_attempt(
    versioned: House,
) -> None:
    """A deletion that comes again tells nothing of the version that it made before."""
    house = versioned
    house.handle(house.put(png(96, 64)))
    newer = house.put(_NEW)
    house.handle(newer)
    gone = house.delete_for_good(newer)
    refused = Answer(status=403, code="AccessDenied", message="no")
    house.proxy.add(Fault(operation="DeleteObject", key=f"{KEY}/large.jpg", action=refused))
    assert house.handle(gone).disposition is Disposition.RETRY
    assert "large.png" in house.stored()
    event = house.put(_OLD)
    assert house.handle(gone).disposition is Disposition.WRITTEN
    assert house.handle(event).disposition is Disposition.UNCHANGED
    assert house.stored() == of(event, *BOTH)


def test_a_version_deleted_for_good_while_it_is_made_has_no_place(versioned: House) -> None:
    """The manifest is of the version that is left, and changes all the same."""
    house = versioned
    small = '[[renditions]]\nname = "small"\nwidth = 16\n'
    house.settings = replace(house.settings, config=parse_config(small, file="small"))
    older = house.put(_OLD)
    house.handle(older)
    newer = house.put(_NEW)

    def delete() -> None:
        house.handle(house.delete_for_good(newer))

    house.before("PutObject", f"{KEY}/small.jpg", delete)
    house.handle(newer)
    assert house.stored() == of(older, "small.jpg")


def test_a_version_deleted_for_good_goes_without_its_manifest(versioned: House) -> None:
    """What is left is older: only the event says which version's renditions are outdated."""
    house = versioned
    older = house.put(png(96, 64))
    house.handle(older)
    time.sleep(1.1)
    newer = house.put(_NEW)
    # A job's have no sequencer, and their photo is the later one.
    house.handle(_JOB)
    house.s3.put_object(Bucket="renditions", Key=MANIFEST, Body=b"")
    deleted = house.delete_for_good(newer)
    assert house.handle(deleted).disposition is Disposition.WRITTEN
    assert house.stored() == of(older, "large.png", "small.jpg")


def test_the_second_photo_of_the_version_null_is_another(versioned: House) -> None:
    """Versioning is suspended: every object has the same version ID, which is no identity."""
    house = versioned
    house.s3.put_bucket_versioning(Bucket="photos", VersioningConfiguration={"Status": "Suspended"})
    house.handle(replace(house.put(_OLD), version_id="null"))
    newer = replace(house.put(_NEW), version_id="null")
    assert house.handle(newer).disposition is Disposition.WRITTEN
    assert house.stored() == of(newer, *BOTH)
    assert house.handle(replace(_JOB, version_id="null")).disposition is Disposition.UNCHANGED


def test_a_photo_deleted_while_http_makes_it_leaves_nothing(house: House) -> None:
    """S3 is asked for the photo before the tombstone would be replaced."""
    house.put(_OLD)
    house.before("PutObject", f"{KEY}/small.jpg", lambda: house.handle(house.delete()))
    assert house.ask_for("small").disposition is Disposition.SUPERSEDED
    assert house.stored() == {}
    assert house.manifest()["deleted"] is True


def test_an_older_version_is_made_by_no_job(versioned: House) -> None:
    """What the destination holds is the photo as it is now, whichever version a job names."""
    house = versioned
    older, newer = house.put(_OLD), house.put(_NEW)
    house.handle(newer)
    job = replace(_JOB, version_id=older.version_id)
    assert house.handle(job).disposition is Disposition.SUPERSEDED
    assert house.stored() == of(newer, *BOTH)


# 4. Two buckets, one destination


def test_a_photo_of_another_bucket_overwrites_and_removes_nothing(house: House) -> None:
    """The same key in two buckets: the first one has the place, until it is deleted."""
    ours = house.put(_OLD)
    house.handle(ours)
    house.s3.create_bucket(Bucket="other")
    put = house.s3.put_object(Bucket="other", Key=KEY, Body=_NEW)
    theirs = replace(ours, bucket="other", etag=put["ETag"].strip('"'), sequencer="FFFF", size=None)
    gone = replace(theirs, change=Change.DELETED, etag=None)
    for event in (theirs, replace(theirs, etag=None, sequencer=None), gone):
        report = house.handle(event)
        assert (report.disposition, report.code) == (Disposition.REJECTED, "other-source")
        assert house.stored() == of(ours, *BOTH)
    house.handle(house.delete())
    assert house.handle(theirs).disposition is Disposition.WRITTEN
    assert house.stored() == of(theirs, *BOTH)


@pytest.mark.parametrize("is_there", [True, False])
def test_a_request_for_a_place_that_is_another_s_asks_for_no_photo(
    house: House, *, is_there: bool
) -> None:
    """As docs/http.md says: its rendition could not be stored, whether or not there is a photo."""
    house.s3.create_bucket(Bucket="other")
    etag = house.s3.put_object(Bucket="other", Key=KEY, Body=text())["ETag"].strip('"')
    house.handle(ObjectEvent(bucket="other", key=KEY, etag=etag, sequencer="FFFF"))
    if is_there:
        house.put(_OLD)
    asked: list[str] = []
    for operation in ("GetObject", "HeadObject"):
        house.before(operation, KEY, partial(asked.append, operation), bucket="photos")
    report = house.ask_for("small")
    assert (report.disposition, report.code) == (Disposition.REJECTED, "other-source")
    assert asked == []


@pytest.mark.parametrize("who", ["event", "job", "http"])
def test_a_place_that_was_taken_in_between_is_left_alone(house: House, who: str) -> None:
    """The attempt that lost its write finds another bucket's manifest, and leaves it."""
    house.s3.create_bucket(Bucket="other")
    etag = house.s3.put_object(Bucket="other", Key=KEY, Body=text())["ETag"].strip('"')
    house.handle(ObjectEvent(bucket="other", key=KEY, etag=etag, sequencer="FFFF"))
    theirs = house.s3.get_object(Bucket="renditions", Key=MANIFEST)
    body, metadata = theirs["Body"].read(), theirs["Metadata"]
    house.s3.delete_object(Bucket="renditions", Key=MANIFEST)

    def take() -> None:
        house.s3.put_object(Bucket="renditions", Key=MANIFEST, Body=body, Metadata=metadata)

    event = house.put(_OLD)
    house.before("PutObject", MANIFEST, take)
    match who:
        case "event":
            report = house.handle(event)
        case "job":
            report = house.handle(_JOB)
        case _:
            report = house.ask_for("small")
    assert (report.disposition, report.code) == (Disposition.REJECTED, "other-source")
    assert house.stored() == {}
    assert house.manifest() | {"mark": ""} == json.loads(body) | {"mark": ""}


@pytest.mark.parametrize("who", ["event", "job"])
def test_a_place_that_is_free_by_now_is_not_robbed(house: House, who: str) -> None:
    """Who finds it another's removes its own bucket's renditions; by then they are the photo's."""
    theirs = _take_for_another(house)
    event = house.put(_OLD)

    house.before("HeadObject", f"{KEY}/large.jpg", lambda: _free_and_make(house, theirs, event))
    report = house.handle(event if who == "event" else _JOB)
    assert report.disposition is Disposition.WRITTEN
    assert house.stored() == of(event, *BOTH)
    assert house.named() == set(BOTH)


def test_a_request_removes_nothing_in_the_place_of_another(house: House) -> None:
    """It may end in between, and not come again; by then that may be the present photo's."""
    house.s3.create_bucket(Bucket="other")
    house.s3.put_object(Bucket="other", Key=KEY, Body=_NEW)
    event = house.put(_OLD)
    house.handle(event)
    left = house.s3.head_object(Bucket="renditions", Key=f"{KEY}/large.jpg")["Metadata"]
    house.handle(house.delete())
    theirs = ObjectEvent(bucket="other", key=KEY, sequencer=house.sequencer())
    assert house.handle(theirs).disposition is Disposition.WRITTEN
    house.s3.put_object(Bucket="renditions", Key=f"{KEY}/large.gif", Body=b"", Metadata=left)
    event = house.put(_OLD)
    before = len(house.proxy.requests)
    report = house.ask_for("small")
    assert (report.disposition, report.code) == (Disposition.REJECTED, "other-source")
    assert [call.operation for call in house.proxy.requests[before:]] == ["GetObject"]
    report = house.handle(event)
    assert (report.disposition, report.code) == (Disposition.REJECTED, "other-source")
    assert "large.gif" not in house.stored()


@pytest.mark.parametrize("ends", ["before it stores", "before it removes", "before it writes"])
def test_who_comes_again_to_what_it_took_from_the_version_below_gives_it_back(
    versioned: House, ends: str
) -> None:
    """The deletion for good was over before it took anything; its first attempt ended then."""
    house = versioned
    older = house.put(_OLD)
    house.handle(older)
    newer = house.put(text() if ends == "before it writes" else png(96, 64))

    def delete() -> None:
        assert house.handle(house.delete_for_good(newer)).disposition is Disposition.UNCHANGED

    operation, key = {
        "before it stores": ("PutObject", f"{KEY}/large.png"),
        "before it removes": ("DeleteObject", f"{KEY}/large.jpg"),
        "before it writes": ("PutObject", MANIFEST),
    }[ends]
    first = "HeadObject" if ends == "before it writes" else "PutObject"
    house.before(first, f"{KEY}/small.jpg", delete)
    # The deletion writes it, too.
    nth = 2 if ends == "before it writes" else 1
    house.proxy.add(Fault(operation=operation, key=key, nth=nth, action=ACCESS_DENIED))
    assert house.handle(newer).disposition is Disposition.RETRY
    house.proxy.clear()
    house.handle(newer)
    assert house.stored() == of(older, *BOTH)
    assert house.named() == set(BOTH)


def test_a_request_that_takes_away_what_comes_back_makes_all_of_it(versioned: House) -> None:
    """It replaces the older version's renditions when that one is the photo again."""
    house = versioned
    older = house.put(_OLD)
    house.handle(older)
    newer = house.put(_NEW)

    def delete() -> None:
        assert house.handle(house.delete_for_good(newer)).disposition is Disposition.WRITTEN

    house.before("HeadObject", f"{KEY}/large.jpg", delete)
    assert house.ask_for("small").disposition is Disposition.WRITTEN
    assert house.stored() == of(older, *BOTH)
    assert house.named() == set(BOTH)


@pytest.mark.parametrize("before", ["nothing", "a tombstone", "theirs", "unreadable"])
def test_who_announces_takes_the_place(house: House, before: str) -> None:
    """What a request of one bucket has stored is not another bucket's to remove."""
    house.s3.create_bucket(Bucket="other")
    theirs = ObjectEvent(bucket="other", key=KEY, sequencer="FFFF")
    if before == "a tombstone":
        house.handle(house.put(_NEW))
        house.handle(house.delete())
    elif before == "theirs":
        house.handle(replace(theirs, sequencer="FFFE", change=Change.DELETED))
    elif before == "unreadable":
        house.s3.put_object(Bucket="renditions", Key=MANIFEST, Body=b"[]")
    event = house.put(_OLD)
    _ask_and_end(house, "small")
    stored = house.stored()
    assert set(stored) == {"small.jpg"}
    house.s3.put_object(Bucket="other", Key=KEY, Body=text())
    report = house.handle(theirs)
    assert (report.disposition, report.code) == (Disposition.REJECTED, "other-source")
    assert house.stored() == stored
    assert house.handle(event).disposition is Disposition.WRITTEN
    assert house.stored() == of(event, *BOTH)


def _leave_without_manifest(house: House) -> dict[str, str]:
    """Make the renditions of the other bucket's photo, and delete their manifest; return them."""
    _take_for_another(house)
    house.s3.delete_object(Bucket="renditions", Key=MANIFEST)
    return house.stored()


@pytest.mark.parametrize("who", ["event", "job", "event that comes again", "http"])
@pytest.mark.parametrize("gone", ["", "large.jpg"])
def test_renditions_of_another_bucket_without_a_manifest_have_the_place(
    house: House, who: str, gone: str
) -> None:
    """Each answer is `other-source`, for good; nothing is overwritten, removed or left behind."""
    theirs = _leave_without_manifest(house)
    theirs.pop(gone, None)
    house.s3.delete_object(Bucket="renditions", Key=f"{KEY}/{gone}")
    settings = replace(house.settings, source_buckets=("photos",))
    event = house.put(_OLD)
    for _ in range(2):
        match who:
            case "event":
                report = house.handle(event, settings)
            case "job":
                report = house.handle(_JOB, settings)
            case "http":
                report = house.ask_for("large", "small", settings=settings)
            case _:
                report = house.handle(replace(event, receive_count=2), settings)
        assert (report.disposition, report.code) == (Disposition.REJECTED, "other-source")
        assert house.stored() == theirs
        # None that would take the place of whose renditions these are.
        assert house.s3.list_objects_v2(Bucket="renditions")["KeyCount"] == len(theirs)
    house.s3.delete_object(Bucket="other", Key=KEY)
    deletion = ObjectEvent(
        bucket="other", key=KEY, change=Change.DELETED, sequencer=house.sequencer()
    )
    assert house.handle(deletion).disposition is Disposition.REMOVED
    assert house.handle(event, settings).disposition is Disposition.WRITTEN
    assert house.stored() == of(event, *BOTH)


@pytest.mark.parametrize("times", [1, 2])
def test_a_set_that_was_made_meanwhile_is_neither_marked_nor_poison(
    house: House, times: int
) -> None:
    """The next delivery finds the mark of the one before, which was slow and is done by now."""
    event = house.put(_OLD)

    def read() -> tuple[bytes, dict[str, str]]:
        answer = house.s3.get_object(Bucket="renditions", Key=MANIFEST)
        return answer["Body"].read(), answer["Metadata"]

    def write(body: bytes, metadata: dict[str, str]) -> None:
        house.s3.put_object(Bucket="renditions", Key=MANIFEST, Body=body, Metadata=metadata)

    marked: list[tuple[bytes, dict[str, str]]] = []
    house.before("PutObject", f"{KEY}/small.jpg", lambda: marked.append(read()))
    second = house.handle(replace(event, receive_count=2))
    assert second.disposition is Disposition.WRITTEN
    made = read()
    write(*marked[0])
    house.mark(times)
    house.before("PutObject", MANIFEST, lambda: write(*made))
    later = house.handle(replace(event, receive_count=times + 2))
    assert (later.disposition, later.code) == (Disposition.RETRY, "store-contended")
    assert read() == made
    assert house.stored() == of(event, *BOTH)
    assert house.handle(replace(event, receive_count=5)).disposition is Disposition.UNCHANGED


def test_a_slow_attempt_at_a_photo_that_is_poison_by_now_is_done(house: House) -> None:
    """A later delivery finds two marks, and says so, just before it is done after all."""
    event = house.put(_OLD)
    later: list[JobReport] = []

    def come_again() -> None:
        house.mark(2)
        later.append(house.handle(replace(event, receive_count=4)))

    # The first one is the mark.
    house.before("PutObject", MANIFEST, come_again, nth=2)
    assert house.handle(replace(event, receive_count=2)).disposition is Disposition.WRITTEN
    assert later[0].code == "poison"
    assert house.stored() == of(event, *BOTH)
    assert house.named() == set(BOTH)
    assert house.handle(replace(event, receive_count=5)).disposition is Disposition.UNCHANGED


def test_what_is_left_of_a_photo_that_others_gave_up_goes_with_it(versioned: House) -> None:
    """A deletion may have looked before it was stored, and not have written yet that it is gone."""
    event = versioned.put(_OLD)

    def give_up() -> None:
        versioned.mark(2)
        assert versioned.handle(replace(event, receive_count=4)).code == "poison"

    versioned.before("PutObject", f"{KEY}/small.jpg", give_up)
    ends = Fault(operation="PutObject", key=MANIFEST, nth=3, action=ACCESS_DENIED)
    versioned.proxy.add(ends)
    assert versioned.handle(replace(event, receive_count=2)).disposition is Disposition.RETRY
    assert versioned.stored() == of(event, *BOTH)
    assert versioned.handle(replace(event, receive_count=5)).code == "poison"
    assert versioned.stored() == of(event, *BOTH)
    versioned.s3.delete_object(Bucket="photos", Key=KEY)
    assert versioned.handle(replace(event, receive_count=5)).code == "poison"
    assert versioned.stored() == {}


@pytest.mark.parametrize("who", ["job", "http"])
def test_a_mark_whose_time_is_over_stops_nobody(house: House, who: str) -> None:
    """No delivery comes any more that would take it away; a second one that is over says poison."""
    event = house.put(_OLD)

    def ask() -> JobReport:
        return house.handle(_JOB) if who == "job" else house.ask_for("small")

    asked: list[JobReport] = []

    def leave_marks() -> None:
        asked.append(ask())
        house.mark(1, over_s=int(time.time()) + 60)
        asked.append(ask())
        house.mark(1)
        asked.append(ask())

    house.before("PutObject", f"{KEY}/small.jpg", leave_marks)
    house.handle(replace(event, receive_count=2))
    beside, before, after = asked
    assert [beside.code, before.code] == ["store-contended", "store-contended"]
    assert after.disposition is Disposition.WRITTEN
    assert "suspect" not in house.s3.head_object(Bucket="renditions", Key=MANIFEST)["Metadata"]


def test_two_marks_whose_time_is_over_are_poison_for_everybody(house: House) -> None:
    """They came again for ever, where no queue delivered the photo a third time."""
    event = house.put(_OLD)
    asked: list[JobReport] = []

    def leave_marks() -> None:
        house.mark(2, over_s=int(time.time()) + 60)
        asked.append(house.handle(_JOB))
        house.mark(2)
        asked.append(house.handle(_JOB))

    house.before("PutObject", f"{KEY}/small.jpg", leave_marks)
    assert house.handle(replace(event, receive_count=2)).disposition is Disposition.WRITTEN
    assert [one.code for one in asked] == ["store-contended", "poison"]


@pytest.mark.parametrize(
    ("operation", "key", "nth"),
    [("PutObject", f"{KEY}/small.jpg", 1), ("PutObject", MANIFEST, 2)],
    ids=["a rendition", "the manifest"],
)
def test_a_photo_that_fails_in_any_other_way_is_no_suspect(
    house: House, operation: str, key: str, nth: int
) -> None:
    """Each time its process lives: the mark goes, also where S3 is too busy for what comes then."""
    event = house.put(_OLD)
    for count in (2, 3, 4, 5):
        # The four attempts at it, and the first one at taking the mark away.
        house.proxy.add(Fault(operation=operation, key=key, nth=nth, action=SLOW_DOWN, times=5))
        assert house.handle(replace(event, receive_count=count)).disposition is Disposition.RETRY
        metadata = house.s3.head_object(Bucket="renditions", Key=MANIFEST)["Metadata"]
        assert "suspect" not in metadata
        house.proxy.clear()
    assert house.handle(replace(event, receive_count=6)).disposition is Disposition.WRITTEN


def test_copied_tags_are_those_of_the_version_that_is_made(versioned: House) -> None:
    """It was replaced before they were asked for, and is the photo again after that."""
    toml = '[[renditions]]\nname = "small"\nwidth = 16\ncopy_tags = true\n'
    settings = replace(versioned.settings, config=parse_config(toml, file="tags"))

    first, second = versioned.put(_OLD, Tagging="of=first"), []

    def put_another() -> None:
        second.append(versioned.put(_NEW, Tagging="of=second"))

    versioned.before("GetObjectTagging", KEY, put_another, bucket="photos")
    assert versioned.handle(first, settings).disposition is Disposition.SUPERSEDED
    deletion = versioned.delete_for_good(second[0])
    assert versioned.handle(deletion, settings).disposition is Disposition.WRITTEN
    found = versioned.s3.get_object_tagging(Bucket="renditions", Key=f"{KEY}/small.jpg")
    assert found["TagSet"] == [{"Key": "of", "Value": "first"}]


@pytest.mark.parametrize("who", ["job", "http", "another event"])
def test_renditions_without_a_manifest_have_the_place_beside_anothers_announcement(
    house: House, who: str
) -> None:
    """A job that announces what it makes takes no place from whose renditions these are."""
    theirs = _leave_without_manifest(house)
    settings = replace(house.settings, source_buckets=("photos",))
    other = replace(house.settings, source_buckets=("other",))

    def ask() -> None:
        event = ObjectEvent(bucket="other", key=KEY)
        match who:
            case "job":
                report = house.handle(event, other)
            case "http":
                report = house.handle(event, other, specs=other.config.renditions)
            case _:
                report = house.handle(replace(event, sequencer=house.sequencer()), other)
        assert report.disposition is Disposition.WRITTEN

    house.put(_OLD)
    house.before("PutObject", f"{KEY}/large.jpg", ask)
    report = house.handle(_JOB, settings)
    assert (report.disposition, report.code) == (Disposition.REJECTED, "other-source")
    assert house.stored() == theirs
    assert house.named() == set(BOTH)


def test_an_announcement_beside_whoever_finds_its_renditions_takes_no_place(house: House) -> None:
    """Who has read that there is no manifest finds all as it would have stored it, and keeps it."""
    theirs = _leave_without_manifest(house)
    settings = replace(house.settings, source_buckets=("photos",))
    other = replace(house.settings, source_buckets=("other",))
    # As such an event is, it announces nothing.
    (etag,) = set(theirs.values())
    event = ObjectEvent(bucket="other", key=KEY, etag=etag, sequencer=house.sequencer())
    is_announced, is_over = Event(), Event()
    under_way: list[Future[JobReport]] = []

    def announce() -> None:
        house.before("PutObject", f"{KEY}/large.jpg", wait)
        under_way.append(crowd.submit(house.handle, _JOB, settings))
        assert is_announced.wait(60)

    def wait() -> None:
        is_announced.set()
        assert is_over.wait(60)

    house.put(_OLD)
    with ThreadPoolExecutor(1) as crowd:
        house.before("PutObject", MANIFEST, announce)
        assert house.handle(event, other).disposition is Disposition.WRITTEN
        is_over.set()
        assert under_way[0].result().code == "other-source"
    assert house.stored() == theirs
    assert house.named() == set(BOTH)


@pytest.mark.parametrize("who", ["event of what is no photo", "job", "http"])
def test_a_lost_list_leaves_the_place_to_whose_renditions_are_there(house: House, who: str) -> None:
    """Nothing that takes a place is written for another bucket's photo."""
    theirs = _take_for_another(house)
    stored = house.stored()
    house.s3.put_object(Bucket="renditions", Key=MANIFEST, Body=b"[]")
    match who:
        case "job":
            house.put(_OLD)
            report = house.handle(_JOB)
        case "http":
            house.put(_OLD)
            report = house.ask_for("large")
        case _:
            report = house.handle(house.put(text()))
    assert (report.disposition, report.code) == (Disposition.REJECTED, "other-source")
    assert house.stored() == stored
    assert house.handle(replace(theirs, sequencer=None)).disposition is Disposition.WRITTEN
    assert house.stored() == stored


@pytest.mark.parametrize("lost", [True, False])
def test_a_deletion_beside_anothers_renditions_makes_an_older_attempt_fail(
    house: House, *, lost: bool
) -> None:
    """It leaves a tombstone, which takes no place from whose renditions are there."""
    theirs = _leave_without_manifest(house)
    if lost:
        house.s3.put_object(Bucket="renditions", Key=MANIFEST, Body=b"[]")
    house.put(_OLD)
    assert house.handle(house.delete()).disposition is Disposition.REMOVED
    assert house.stored() == theirs
    job = ObjectEvent(bucket="other", key=KEY)
    assert house.handle(job).disposition is Disposition.WRITTEN
    assert house.stored() == theirs


def test_two_buckets_that_find_each_others_renditions_do_not_both_give_up(house: House) -> None:
    """Neither has a manifest yet: who removed its own last finds the place free."""
    house.s3.create_bucket(Bucket="other")
    put = house.s3.put_object(Bucket="other", Key=KEY, Body=_NEW)
    theirs = ObjectEvent(
        bucket="other", key=KEY, etag=put["ETag"].strip('"'), sequencer=house.sequencer()
    )
    event = house.put(_OLD)
    house.before(
        "PutObject",
        f"{KEY}/small.jpg",
        lambda: house.s3.put_object(
            Bucket="renditions",
            Key=f"{KEY}/small.jpg",
            Body=b"theirs",
            Metadata={"source-bucket": "other", "source-etag": theirs.etag or ""},
        ),
    )
    # The other one finds ours, and removes its own.
    house.before(
        "DeleteObject",
        f"{KEY}/large.jpg",
        lambda: house.s3.delete_object(Bucket="renditions", Key=f"{KEY}/small.jpg"),
    )
    assert house.handle(event).disposition is Disposition.WRITTEN
    assert house.stored() == of(event, *BOTH)


def test_a_rendition_of_another_bucket_in_a_place_that_has_a_manifest_is_replaced(
    house: House,
) -> None:
    """An attempt that ended from outside left it; whoever stored it did not know of the place."""
    house.handle(house.put(_OLD))
    house.s3.put_object(
        Bucket="renditions",
        Key=f"{KEY}/small.jpg",
        Body=b"theirs",
        Metadata={"source-bucket": "other", "source-etag": "e"},
    )
    newer = house.put(_NEW)
    assert house.handle(newer).disposition is Disposition.WRITTEN
    assert house.stored() == of(newer, *BOTH)


# 5. Whatever stands under photo.json


@pytest.mark.parametrize("body", [b"", b"no JSON", b"[]", b"null", b'{"kept": {"a": 1}}'])
@pytest.mark.parametrize("metadata", [{}, {"state": "made", "set": "x"}])
def test_an_unreadable_manifest_stops_nothing(
    house: House, caplog: pytest.LogCaptureFixture, body: bytes, metadata: dict[str, str]
) -> None:
    """It is an empty one: said in a warning, written over; what it should have named is found."""

    def spoil() -> None:
        house.s3.put_object(Bucket="renditions", Key=MANIFEST, Body=body, Metadata=metadata)

    event = house.put(png(96, 64))
    spoil()
    assert house.handle(event).disposition is Disposition.WRITTEN
    assert "empty manifest" in caplog.text
    spoil()
    assert house.ask_for("small").disposition is Disposition.WRITTEN
    spoil()
    assert house.handle(_JOB).disposition is Disposition.WRITTEN
    assert house.stored() == of(event, "large.png", "small.jpg")
    spoil()
    newer = house.put(_NEW)
    assert house.handle(newer).disposition is Disposition.WRITTEN
    assert house.stored() == of(newer, *BOTH)
    spoil()
    assert house.handle(house.delete()).disposition is Disposition.REMOVED
    assert house.stored() == {}
    assert house.manifest()["deleted"] is True


@pytest.mark.parametrize("change", list(Change))
def test_what_is_no_source_is_refused_without_a_request(house: House, change: Change) -> None:
    """Neither another bucket nor another prefix is read, whatever kind of event names it."""
    settings = replace(house.settings, source_buckets=("photos",), source_prefix="in/")
    before = len(house.proxy.requests)
    for bucket, key in (("other", "in/a.jpg"), ("renditions", "in/a.jpg"), ("photos", "a.jpg")):
        report = house.handle(ObjectEvent(bucket=bucket, key=key, change=change), settings)
        assert (report.disposition, report.code) == (Disposition.REJECTED, "outside-source")
    assert len(house.proxy.requests) == before


def test_photos_of_two_buckets_have_places_of_their_own(house: House) -> None:
    """With `{bucket}` in the template neither is in the other's way."""
    template = KeyTemplate("{bucket}/{key}/{name}.{ext}")
    settings = replace(house.settings, key_template=template, source_buckets=("photos", "other"))
    house.s3.create_bucket(Bucket="other")
    ours = house.put(_OLD)
    house.s3.put_object(Bucket="other", Key=KEY, Body=_NEW)
    house.handle(ours, settings)
    assert house.handle(replace(_JOB, bucket="other"), settings).code is None
    house.handle(house.delete(), settings)
    listed = house.s3.list_objects_v2(Bucket="renditions")["Contents"]
    assert {item["Key"] for item in listed} == {
        f"photos/{KEY}/photo.json",
        *(f"other/{KEY}/{name}" for name in ("photo.json", *BOTH)),
    }


# 8. What HTTP remembers


def test_http_remembers_what_it_rejected(house: House) -> None:
    """The second request looks at the manifest and at the photo's version, and at nothing else."""
    event = house.put(text())
    assert house.ask_for("small").code == "not-a-photo"
    before = len(house.proxy.requests)
    assert house.ask_for("large").code == "not-a-photo"
    made = [f"{call.operation} {call.bucket}" for call in house.proxy.requests[before:]]
    assert made == ["GetObject renditions", "GetObject photos"]
    assert house.handle(event).code == "not-a-photo"
    assert house.requests_of(event) == ["HeadObject renditions"]


def test_a_job_does_not_decode_what_was_rejected_meanwhile(house: House) -> None:
    """The event of the photo is done between the job's look at the manifest and the photo."""
    house.handle(house.put(_OLD))
    event = house.put(_NEW[: len(_NEW) // 2])
    first: list[JobReport] = []
    house.before("GetObject", KEY, lambda: first.append(house.handle(event)), bucket="photos")
    second = house.handle(_JOB)
    assert (second.disposition, second.code) == (Disposition.REJECTED, first[0].code)
    assert first[0].loader is not None
    assert second.loader is None, "nothing is decoded"
    assert house.stored() == {}


def test_a_rejection_of_one_rendition_leaves_the_others(house: House) -> None:
    """What is too much for one spec does not take away what is stored of the same photo."""
    event = house.put(_OLD)
    house.handle(event)
    config = house.settings.config
    limits = replace(config.limits, max_pixels=1)
    strict = replace(house.settings, config=replace(config, limits=limits))
    first = house.ask_for("small", settings=strict)
    assert first.disposition is Disposition.REJECTED
    assert house.stored() == of(event, *BOTH)
    before = len(house.proxy.requests)
    again = house.ask_for("small", settings=strict)
    assert (again.disposition, again.code) == (Disposition.REJECTED, first.code)
    assert again.message == first.message
    made = [f"{call.operation} {call.bucket}" for call in house.proxy.requests[before:]]
    assert made == ["GetObject renditions", "GetObject photos"]
    assert again.loader is None, "nothing is decoded"
    # It was asked for by itself: the set, other settings and other renditions know nothing of it.
    assert house.handle(event).disposition is Disposition.UNCHANGED
    assert house.ask_for("small").disposition is Disposition.WRITTEN
    assert house.ask_for("large").disposition is Disposition.WRITTEN
    assert house.named() == set(BOTH)


# 10. Another key template


@pytest.mark.parametrize("who", ["event", "job", "deletion", "http, then event", "job again"])
def test_what_another_template_has_left_is_removed(house: House, who: str) -> None:
    """Once it is named in FORMER_KEY_TEMPLATES: by the next event, a backfill or a deletion."""
    event = house.put(_OLD)
    house.handle(event)
    new = replace(house.settings, key_template=KeyTemplate("new/{key}/{name}.{ext}"))
    settings = replace(new, former_key_templates=(house.settings.key_template,))
    match who:
        case "event":
            house.handle(house.put(_NEW), settings)
        case "job":
            house.handle(_JOB, settings)
        case "deletion":
            house.handle(house.delete(), settings)
        case "http, then event":
            house.ask_for("small", settings=settings)
            house.handle(event, settings)
        case "job again":
            # Somebody forgot to name the former one, and does so later.
            house.handle(_JOB, new)
            assert house.handle(_JOB, settings).disposition is Disposition.UNCHANGED
    listed = {item["Key"] for item in house.s3.list_objects_v2(Bucket="renditions")["Contents"]}
    made = ("photo.json",) if who == "deletion" else ("photo.json", *BOTH)
    assert listed == {f"new/{KEY}/{name}" for name in made}


def _listed(house: House) -> set[str]:
    """Return every key in the destination."""
    return {
        item["Key"] for item in house.s3.list_objects_v2(Bucket="renditions").get("Contents", [])
    }


@pytest.mark.parametrize(
    ("former", "new"),
    [
        ("{key}/{name}.{ext}", "{prefix}{stem}.{source_ext}/{name}.{ext}"),
        ("photos/{key}/{name}.{ext}", "{bucket}/{key}/{name}.{ext}"),
    ],
)
@pytest.mark.parametrize("who", ["event", "job", "event again", "http, then job"])
def test_what_the_new_template_has_in_the_same_place_stays(
    house: House, former: str, new: str, who: str
) -> None:
    """Two templates may make the same keys of a photo: what is there is no leftover."""
    before = replace(house.settings, key_template=KeyTemplate(former))
    settings = replace(
        house.settings,
        key_template=KeyTemplate(new),
        former_key_templates=(before.key_template,),
    )
    event = house.put(_OLD)
    house.handle(event, before)
    keys = _listed(house)
    match who:
        case "event":
            house.handle(house.put(_NEW), settings)
        case "job":
            house.handle(_JOB, settings)
        case "event again":
            house.handle(event, settings)
        case _:
            house.ask_for("small", settings=settings)
            house.handle(_JOB, settings)
    assert house.handle(_JOB, settings).disposition is Disposition.UNCHANGED
    assert _listed(house) == keys
    house.handle(house.delete(), settings)
    assert _listed(house) == {key for key in keys if key.endswith("/photo.json")}


def test_a_rendition_whose_key_both_templates_make_stays(house: House) -> None:
    """Of the photo `small` alone: its manifest has another place, and one rendition has not."""
    etag = house.s3.put_object(Bucket="photos", Key="small", Body=_OLD)["ETag"].strip('"')
    event = ObjectEvent(bucket="photos", key="small", etag=etag, sequencer="0001")
    house.handle(event)
    settings = replace(
        house.settings,
        key_template=KeyTemplate("{name}/{key}.{ext}"),
        former_key_templates=(house.settings.key_template,),
    )
    assert house.handle(event, settings).disposition is Disposition.WRITTEN
    job = ObjectEvent(bucket="photos", key="small")
    assert house.handle(job, settings).disposition is Disposition.UNCHANGED
    assert _listed(house) == {"large/small.jpg", "small/small.jpg", "photo/small.json"}


@pytest.mark.parametrize("who", ["event", "event again", "job", "deletion"])
def test_what_another_template_has_left_of_a_photo_that_nothing_is_for(
    house: House, who: str
) -> None:
    """Patterns and template changed at once: no set is made, and the former one goes."""
    event = house.put(_OLD)
    house.handle(event)
    elsewhere = CONFIG.replace("width", 'keys = "elsewhere/**"\nwidth')
    settings = replace(
        house.settings,
        config=parse_config(elsewhere, file="elsewhere"),
        key_template=KeyTemplate("new/{key}/{name}.{ext}"),
        former_key_templates=(house.settings.key_template,),
    )
    match who:
        case "event":
            event = house.put(_NEW)
        case "job":
            event = _JOB
        case "deletion":
            event = house.delete()
        case _:
            pass
    assert house.handle(event, settings).disposition is Disposition.REMOVED
    assert _listed(house) <= {f"new/{KEY}/photo.json"}


@pytest.mark.parametrize("who", ["event", "job", "deletion"])
def test_what_another_template_has_left_under_a_folder_s_key(house: House, who: str) -> None:
    """A photo whose key ends in a slash, and whose place a folder takes, or nothing."""
    settings = replace(
        house.settings,
        key_template=KeyTemplate("new/{key}/{name}.{ext}"),
        former_key_templates=(house.settings.key_template,),
    )
    event = ObjectEvent(bucket="photos", key="2026/")
    house.s3.put_object(Bucket="photos", Key="2026/", Body=_OLD)
    house.handle(event)
    house.s3.delete_object(Bucket="photos", Key="2026/")
    if who == "deletion":
        event = replace(event, change=Change.DELETED, sequencer="0002")
    else:
        house.s3.put_object(Bucket="photos", Key="2026/", Body=b"")
        event = event if who == "job" else replace(event, sequencer="0002", size=0)
    assert house.handle(event, settings).disposition is Disposition.IGNORED
    assert _listed(house) == set()


@pytest.mark.parametrize("who", ["event", "job", "deletion"])
def test_a_key_that_the_new_template_makes_too_long_has_no_set(house: House, who: str) -> None:
    """It is rejected, and what it had under the former template goes all the same."""
    key = "k" * 540
    event = house.put(_OLD, key)
    house.handle(event)
    settings = replace(
        house.settings,
        key_template=KeyTemplate("a" * 490 + "/{key}/{name}.{ext}"),
        former_key_templates=(house.settings.key_template,),
    )
    job = ObjectEvent(bucket="photos", key=key)
    asked = {"event": event, "job": job, "deletion": replace(event, change=Change.DELETED)}[who]
    assert house.handle(asked, settings).code == "key-too-long"
    assert house.s3.list_objects_v2(Bucket="renditions").get("Contents", []) == []


@pytest.mark.parametrize("who", ["event", "deletion"])
def test_a_rendition_s_key_may_be_too_long_where_the_manifest_s_is_not(
    house: House, who: str
) -> None:
    """It was never stored: nobody looks for it, and the manifest says what there is to say."""
    prefix = "a" * 490
    key = "k" * (1024 - len(f"{prefix}//photo.json"))
    settings = replace(
        house.settings,
        key_template=KeyTemplate(f"{prefix}/{{key}}/{{name}}.{{ext}}"),
        config=parse_config(CONFIG.replace("large", "larger-than"), file="long"),
    )
    event = house.put(_OLD, key)
    if who == "deletion":
        assert house.handle(house.delete(key), settings).disposition is Disposition.REMOVED
    else:
        assert house.handle(event, settings).code == "key-too-long"
        assert house.requests_of(event, settings) == ["HeadObject renditions"]


@pytest.mark.parametrize("who", ["event", "job", "deletion"])
def test_an_unreadable_manifest_under_a_former_template_goes_with_its_set(
    house: House, who: str
) -> None:
    """What says that it is the photo's is removed; what says nothing is somebody else's."""
    event = house.put(_OLD)
    house.handle(event)
    metadata = house.s3.head_object(Bucket="renditions", Key=MANIFEST)["Metadata"]
    house.s3.put_object(Bucket="renditions", Key=MANIFEST, Body=b"null", Metadata=metadata)
    settings = replace(
        house.settings,
        key_template=KeyTemplate("new/{key}/{name}.{ext}"),
        former_key_templates=(house.settings.key_template,),
    )
    house.handle({"event": event, "job": _JOB}.get(who) or house.delete(), settings)
    listed = {item["Key"] for item in house.s3.list_objects_v2(Bucket="renditions")["Contents"]}
    made = ("photo.json",) if who == "deletion" else ("photo.json", *BOTH)
    assert listed == {f"new/{KEY}/{name}" for name in made}


# What a lifecycle rule puts into an archive


def _archive(house: House, key: str) -> None:
    house.s3.copy_object(
        Bucket="renditions",
        Key=key,
        CopySource={"Bucket": "renditions", "Key": key},
        StorageClass="GLACIER",
        MetadataDirective="COPY",
    )


@pytest.mark.parametrize("who", ["replay", "replaced", "http", "deletion"])
def test_an_archived_manifest_stops_nothing(house: House, who: str) -> None:
    """Its metadata can be read, its list cannot: what it may have named is looked for."""
    event = house.put(png(96, 64))
    house.handle(event)
    _archive(house, MANIFEST)
    match who:
        case "replay":
            assert house.handle(event).disposition is Disposition.UNCHANGED
        case "replaced":
            event = house.put(_NEW)
            assert house.handle(event).disposition is Disposition.WRITTEN
            assert house.stored() == of(event, *BOTH)
            assert house.named() == set(BOTH)
        case "http":
            assert house.ask_for("small").disposition is Disposition.WRITTEN
            assert house.handle(event).disposition is Disposition.WRITTEN
            assert house.named() == {"large.png", "small.jpg"}
        case _:
            assert house.handle(house.delete()).disposition is Disposition.REMOVED
            assert house.stored() == {}


@pytest.mark.parametrize("says", ["no JSON", "archived"])
def test_a_rejection_needs_no_list(house: House, says: str) -> None:
    """Where the body is gone, the manifest says all the same that the photo was rejected."""
    photo = jpeg(96, 64)
    event = house.put(photo[: len(photo) // 2])
    first = house.handle(event)
    assert first.code == "truncated"
    if says == "archived":
        _archive(house, MANIFEST)
    else:
        metadata = house.s3.head_object(Bucket="renditions", Key=MANIFEST)["Metadata"]
        house.s3.put_object(Bucket="renditions", Key=MANIFEST, Body=b"", Metadata=metadata)
    again = house.ask_for("small")
    assert (again.disposition, again.code) == (Disposition.REJECTED, first.code)
    assert again.message == first.message
    assert again.loader is None, "nothing is decoded"
    assert house.handle(event).code == first.code


@pytest.mark.parametrize("says", ["no JSON", "archived"])
def test_a_job_that_replaces_a_lost_list_finds_the_older_version_s(house: House, says: str) -> None:
    """A job has no sequencer, and takes over that of the version before: that says nothing."""
    house.handle(house.put(png(96, 64)))
    if says == "archived":
        _archive(house, MANIFEST)
    else:
        metadata = house.s3.head_object(Bucket="renditions", Key=MANIFEST)["Metadata"]
        house.s3.put_object(Bucket="renditions", Key=MANIFEST, Body=b"", Metadata=metadata)
    event = house.put(_NEW)
    assert house.handle(_JOB).disposition is Disposition.WRITTEN
    assert house.stored() == of(event, *BOTH)


def test_a_rendition_that_is_for_the_photo_no_more_goes_with_a_lost_list(house: House) -> None:
    """It is of the photo's version, and its name is still asked for, of other photos."""
    event = house.put(_OLD)
    house.handle(event)
    house.s3.put_object(Bucket="renditions", Key=MANIFEST, Body=b"")
    patterns = 'name = "small"\nexclude = ["*photo.jpg"]'
    config = parse_config(CONFIG.replace('name = "small"', patterns), file="patterns")
    report = house.handle(_JOB, replace(house.settings, config=config))
    assert report.disposition is Disposition.WRITTEN
    assert house.stored() == of(event, "large.jpg")


def test_the_set_of_a_manifest_that_somebody_deleted_is_found_by_a_part_of_it(
    house: House,
) -> None:
    """What no manifest names stands where a rendition is to be stored: the rest is looked for."""
    house.handle(house.put(png(96, 64)))
    house.s3.delete_object(Bucket="renditions", Key=MANIFEST)
    event = house.put(_NEW)
    assert house.handle(event).disposition is Disposition.WRITTEN
    assert house.stored() == of(event, *BOTH)


@pytest.mark.parametrize("who", ["job", "event", "http"])
def test_what_an_ended_attempt_stored_over_what_told_of_more_tells_of_it(
    house: House, who: str
) -> None:
    """Somebody deleted the manifest; the attempt ended before it looked for the rest."""
    house.handle(house.put(png(96, 64)))
    older = house.s3.get_object(Bucket="renditions", Key=f"{KEY}/large.png")
    event = house.put(_NEW)
    house.handle(event)
    house.s3.delete_object(Bucket="renditions", Key=MANIFEST)
    house.s3.put_object(
        Bucket="renditions",
        Key=f"{KEY}/large.png",
        Body=older["Body"].read(),
        Metadata=older["Metadata"],
    )
    match who:
        case "http":
            house.ask_for("small")
        case _:
            house.handle(event if who == "event" else _JOB)
    assert house.stored() == of(event, *BOTH)


def test_a_request_over_a_lost_list_leaves_it_lost(house: House) -> None:
    """It names what it made alone; the rest is found by whoever replaces the photo."""
    house.handle(house.put(png(96, 64)))
    _archive(house, MANIFEST)
    assert house.ask_for("small").disposition is Disposition.WRITTEN
    event = house.put(_NEW)
    assert house.handle(event).disposition is Disposition.WRITTEN
    assert house.stored() == of(event, *BOTH)


def _ask_over_http(house: House, method: str = "GET") -> dict[str, Any]:
    """Ask for the photo's rendition `small`."""
    request = {
        "version": "2.0",
        "requestContext": {"http": {"method": method}, "domainName": "x.lambda-url.y.on.aws"},
        "rawPath": f"/small/{quote(KEY)}",
    }

    def make(event: ObjectEvent, specs: Sequence[RenditionSpec]) -> JobReport:
        return house.handle(event, specs=specs)

    return respond(request, house.settings, Requests(house.proxy.client()), make, lambda _: None)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("knows", [True, False])
def test_an_archived_rendition_is_made_again(house: House, method: str, *, knows: bool) -> None:
    """Whoever asks for it over HTTP gets another one, whether or not the manifest names it."""
    house.settings = replace(house.settings, source_buckets=("photos",))
    house.handle(house.put(_OLD))
    _archive(house, f"{KEY}/small.jpg")
    if not knows:
        house.s3.delete_object(Bucket="renditions", Key=MANIFEST)
    answer = _ask_over_http(house, method)
    assert answer["statusCode"] == 200
    assert "StorageClass" not in house.s3.head_object(Bucket="renditions", Key=f"{KEY}/small.jpg")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_rendition_of_another_bucket_s_photo_is_not_served(house: House, method: str) -> None:
    """The place is theirs from a time when any bucket was taken: HTTP shows no other's picture."""
    house.s3.create_bucket(Bucket="other")
    house.s3.put_object(Bucket="other", Key=KEY, Body=_NEW)
    house.handle(replace(_JOB, bucket="other"))
    house.settings = replace(house.settings, source_buckets=("photos",))
    house.put(_OLD)
    assert _ask_over_http(house, method)["statusCode"] == 422


# 14. Another memory


def test_another_memory_makes_only_what_was_refused_for_memory_stale(house: House) -> None:
    """A backfill that runs with another memory than the function's does not send the rest again."""
    house.settings = replace(house.settings, memory=Memory(bytes=1 << 30))
    elsewhere = replace(house.settings, memory=None)
    event = house.put(text())
    house.handle(event)
    requests = Requests(house.proxy.client())
    assert event.etag is not None
    photo = Photo(key=KEY, etag=event.etag, size=event.size or 0, modified=0)
    assert list(only_stale([photo], bucket="photos", settings=elsewhere, requests=requests)) == []
    for code, is_stale in (("needs-more-memory", True), ("over-limit", False)):
        one, other = (made_digest(one, KEY, code) for one in (house.settings, elsewhere))
        assert (one != other) is is_stale


# A manifest and renditions are of one key


def test_a_manifest_of_another_photo_is_never_obeyed(house: House) -> None:
    """Copied within the destination, it takes nothing away and keeps no photo from being made."""
    event = house.put(_OLD)
    house.handle(event)
    etag = house.s3.put_object(Bucket="photos", Key="b.jpg", Body=_NEW)["ETag"].strip('"')
    house.s3.copy_object(
        Bucket="renditions",
        Key="b.jpg/photo.json",
        CopySource={"Bucket": "renditions", "Key": MANIFEST},
    )
    # Its sequencer is before that of the photo whose manifest was copied.
    other = ObjectEvent(bucket="photos", key="b.jpg", etag=etag, sequencer="0000")
    assert house.handle(other).disposition is Disposition.WRITTEN
    made = of(other, *(f"b.jpg/{name}" for name in (*BOTH, "photo.json")))
    assert house.stored() == of(event, *BOTH) | made


def test_a_place_that_was_another_photos_under_a_former_template(house: House) -> None:
    """Both photos are made in their new places, none is taken away, and it comes to rest."""
    former, inner = house.settings.key_template, f"thumbs/{KEY}"
    event = house.put(_OLD)
    etag = house.s3.put_object(Bucket="photos", Key=inner, Body=_NEW)["ETag"].strip('"')
    other = ObjectEvent(bucket="photos", key=inner, etag=etag, sequencer="FFFF")
    house.handle(event)
    house.handle(other)
    settings = replace(
        house.settings,
        key_template=KeyTemplate("thumbs/{key}/{name}.{ext}"),
        former_key_templates=(former,),
    )
    jobs = (_JOB, ObjectEvent(bucket="photos", key=inner))
    for job in jobs:
        assert house.handle(job, settings).disposition is Disposition.WRITTEN
    names = (*BOTH, "photo.json")
    expected = of(event, *(f"thumbs/{KEY}/{name}" for name in names))
    assert house.stored() == expected | of(other, *(f"thumbs/{inner}/{name}" for name in names))
    for job in jobs:
        assert house.handle(job, settings).disposition is Disposition.UNCHANGED
    assert house.stored() == expected | of(other, *(f"thumbs/{inner}/{name}" for name in names))


def test_a_place_that_is_the_photos_when_its_list_is_read_is_not_robbed(house: House) -> None:
    """A look finds it another's, and the list, which is read after that, is the photo's own."""
    theirs = _take_for_another(house)
    event = house.put(_OLD)

    house.before("GetObject", MANIFEST, lambda: _free_and_make(house, theirs, event))
    assert house.handle(_JOB).disposition is Disposition.UNCHANGED
    assert house.stored() == of(event, *BOTH)
    assert house.named() == set(BOTH)


def test_an_announcement_that_another_added_to_meanwhile_is_taken_back_too(house: House) -> None:
    """Its request ends right after that: nobody else would find out whose renditions are there."""
    theirs = _leave_without_manifest(house)
    house.put(_OLD)

    def announce_and_end() -> None:
        refused = Fault(operation="PutObject", key=f"{KEY}/large.jpg", action=ACCESS_DENIED)
        house.proxy.add(refused)
        assert house.ask_for("large").disposition is Disposition.RETRY

    house.before("DeleteObject", MANIFEST, announce_and_end)
    report = house.ask_for("small")
    assert (report.disposition, report.code) == (Disposition.REJECTED, "other-source")
    assert house.stored() == theirs
    # No manifest that only announces is left.
    assert house.s3.list_objects_v2(Bucket="renditions")["KeyCount"] == len(theirs)


@pytest.mark.parametrize("gone", ["", MANIFEST], ids=["a manifest", "renditions"])
def test_who_has_no_place_any_more_leaves_nothing_under_the_former_template(
    house: House, gone: str
) -> None:
    """Each bucket's photo had a place of its own; under the new template the other's has it."""
    former = KeyTemplate("{bucket}/{key}/{name}.{ext}")
    settings = replace(house.settings, former_key_templates=(former,))
    event = house.put(_OLD)
    house.handle(event, replace(house.settings, key_template=former))
    house.s3.create_bucket(Bucket="other")
    house.s3.put_object(Bucket="other", Key=KEY, Body=_NEW)
    house.handle(ObjectEvent(bucket="other", key=KEY, sequencer=house.sequencer()), settings)
    if gone:
        house.s3.delete_object(Bucket="renditions", Key=gone)
    report = house.handle(replace(event, sequencer=house.sequencer()), settings)
    assert report.code == "other-source"
    listed = {item["Key"] for item in house.s3.list_objects_v2(Bucket="renditions")["Contents"]}
    assert not {key for key in listed if key.startswith("photos/")}


def test_a_deletion_that_comes_again_writes_nothing_again(versioned: House) -> None:
    """The manifest says already that the version below is the photo."""
    house = versioned
    older = house.put(_OLD)
    house.handle(older)
    deletion = house.delete_for_good(house.put(_NEW))
    assert "PutObject renditions" in house.requests_of(deletion)
    looks = ["HeadObject renditions"] * len(BOTH)
    assert house.requests_of(deletion) == [
        "GetObject renditions",
        "HeadObject photos",
        "HeadObject renditions",
        "GetObject renditions",
        *looks,
    ]


def test_a_request_that_meets_what_an_ended_job_left_makes_the_set(versioned: House) -> None:
    """The job asked before the deletion for good, stored all of it after that, and ended."""
    house = versioned
    older = house.put(_OLD)
    house.handle(older)
    newer = house.put(_NEW)
    house.handle(newer)
    answers = {name: house.s3.get_object(Bucket="renditions", Key=f"{KEY}/{name}") for name in BOTH}
    stored = {name: (answer["Body"].read(), answer["Metadata"]) for name, answer in answers.items()}
    assert house.handle(house.delete_for_good(newer)).disposition is Disposition.WRITTEN
    for name, (body, metadata) in stored.items():
        house.s3.put_object(Bucket="renditions", Key=f"{KEY}/{name}", Body=body, Metadata=metadata)
    assert house.ask_for("small").disposition is Disposition.WRITTEN
    assert house.named() == set(BOTH)
    assert house.stored() == of(older, *BOTH)


def test_a_job_for_bytes_that_are_rejected_by_now(versioned: House) -> None:
    """A leftover of the same bytes, put before, is no reason to try the photo again."""
    house = versioned
    v1 = house.put(_OLD)
    house.handle(v1)
    answer = house.s3.get_object(Bucket="renditions", Key=f"{KEY}/small.jpg")
    body, metadata = answer["Body"].read(), answer["Metadata"]
    v2 = house.put(_OLD)
    assert v1.etag == v2.etag
    assert v1.version_id != v2.version_id
    small = replace(house.settings.config, limits=Limits(max_pixels=100))
    strict = replace(house.settings, config=small)
    assert house.handle(v2, strict).code == "over-limit"
    assert house.stored() == {}
    house.s3.put_object(Bucket="renditions", Key=f"{KEY}/small.jpg", Body=body, Metadata=metadata)
    report = house.handle(_JOB, strict)
    assert (report.disposition, report.code) == (Disposition.REJECTED, "over-limit")
