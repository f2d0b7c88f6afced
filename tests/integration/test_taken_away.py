"""What an attempt takes away of the photo that is there, it gives back, or the next one does.

Each test is an order of requests in which a rendition was missing in the end, or of another photo.
"""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from threading import Event
from typing import TYPE_CHECKING, Any, Final

import pytest

from handler.errors import Disposition
from handler.objects import ObjectEvent
from imaging.config import parse_config
from imaging.limits import Limits
from tests.house import BOTH, CONFIG, KEY, MANIFEST, House, of
from tests.photos import jpeg, text
from tests.servers import ACCESS_DENIED, Fault

if TYPE_CHECKING:
    from handler.report import JobReport

_OLD: Final = jpeg(96, 64)
_NEW: Final = jpeg(64, 96)
_JOB: Final = ObjectEvent(bucket="photos", key=KEY)
_SMALL: Final = '[[renditions]]\nname = "small"\nwidth = 16\n'


def _configure(house: House, toml: str) -> None:
    house.settings = replace(house.settings, config=parse_config(toml, file="taken"))


def test_from_the_bytes_of_before(house: House) -> None:
    """They are put again while a newer photo is made, whose attempt ends after that.

    The rendition that their event has made anew has the ETag of the one before.
    """
    _configure(house, _SMALL)
    house.handle(house.put(_OLD))
    newer = house.put(_NEW)
    last: list[ObjectEvent] = []

    def put_back() -> None:
        last.append(house.put(_OLD))
        assert house.handle(last[0]).disposition is Disposition.WRITTEN
        house.proxy.add(Fault(operation="PutObject", key=MANIFEST, action=ACCESS_DENIED))

    house.before("PutObject", f"{KEY}/small.jpg", put_back)
    assert house.handle(newer).disposition is Disposition.RETRY
    assert house.stored() == of(newer, "small.jpg")
    house.handle(newer)
    assert house.stored() == of(last[0], "small.jpg")
    assert house.handle(last[0]).disposition is Disposition.UNCHANGED


def test_from_a_photo_that_looks_the_same(house: House) -> None:
    """Other bytes, and the same picture: its rendition has the ETag that a slow attempt expects."""
    _configure(house, _SMALL)
    house.handle(house.put(_OLD))
    newer = house.put(_NEW)
    last: list[ObjectEvent] = []

    def put_last() -> None:
        last.append(house.put(_OLD + b"\0"))
        assert house.handle(last[0]).disposition is Disposition.WRITTEN

    house.before("PutObject", f"{KEY}/small.jpg", put_last)
    house.handle(newer)
    assert house.stored() == of(last[0], "small.jpg")
    assert house.handle(last[0]).disposition is Disposition.UNCHANGED


@pytest.mark.parametrize("before", ["a rendition", "a manifest", "a late attempt, too"])
def test_from_a_photo_that_looks_the_same_and_is_not_named_yet(house: House, before: str) -> None:
    """A late attempt looks at the older one's rendition, and removes the newer one's.

    No condition tells them apart, and there is no manifest of the newer one that it could read.
    """
    _configure(house, _SMALL)
    older = house.put(_OLD)
    newer: list[ObjectEvent] = []
    is_stored, is_removed = Event(), Event()

    def store_the_newer() -> None:
        if before == "a late attempt, too":
            assert house.handle(older).disposition is Disposition.SUPERSEDED
            assert house.stored() == {}
        house.before("PutObject", MANIFEST, wait_for_the_removal)
        under_way.append(crowd.submit(house.handle, newer[0]))
        assert is_stored.wait(60)

    def wait_for_the_removal() -> None:
        is_stored.set()
        assert is_removed.wait(60)

    def write_the_older_and_replace_it() -> None:
        house.handle(older)
        newer.append(house.put(_OLD + b"\0"))

    under_way: list[Future[JobReport]] = []
    with ThreadPoolExecutor(1) as crowd:
        if before == "a manifest":
            house.before("PutObject", MANIFEST, write_the_older_and_replace_it)
        else:
            house.proxy.add(Fault(operation="PutObject", key=MANIFEST, action=ACCESS_DENIED))
            house.handle(older)
            house.proxy.clear()
            newer.append(house.put(_OLD + b"\0"))
        house.before("DeleteObject", f"{KEY}/small.jpg", store_the_newer)
        assert house.handle(older).disposition is Disposition.SUPERSEDED
        assert house.stored() == {}
        is_removed.set()
        assert under_way[0].result().code == "store-contended"
    assert house.handle(newer[0]).disposition is Disposition.WRITTEN
    assert house.stored() == of(newer[0], "small.jpg")
    assert house.named() == {"small.jpg"}


@pytest.mark.parametrize("who", ["http", "job"])
def test_from_a_version_whose_list_came_while_it_announced(versioned: House, who: str) -> None:
    """It is replaced by that list, and is the photo again when all is stored."""
    house = versioned
    older = house.put(_OLD)
    house.handle(older)
    answer = house.s3.get_object(Bucket="renditions", Key=MANIFEST)
    body, metadata = answer["Body"].read(), answer["Metadata"]
    # Its slow writer has not written it yet.
    house.s3.delete_object(Bucket="renditions", Key=MANIFEST)
    newer = house.put(_NEW)

    def write() -> None:
        house.s3.put_object(Bucket="renditions", Key=MANIFEST, Body=body, Metadata=metadata)

    house.before("PutObject", MANIFEST, write)
    house.before(
        "PutObject", f"{KEY}/small.jpg", lambda: house.handle(house.delete_for_good(newer))
    )
    if who == "http":
        house.ask_for("small")
    else:
        house.handle(_JOB)
    assert house.stored() == of(older, *BOTH)
    assert house.named() == set(BOTH)


def test_by_a_job_that_comes_again_from_the_version_below(versioned: House) -> None:
    """It asked for no version, and its attempt ended behind the deletion of the one that it saw."""
    house = versioned
    _configure(house, _SMALL)
    older = house.put(_OLD)
    house.handle(older)
    newer = house.put(_NEW)

    def delete() -> None:
        assert house.handle(house.delete_for_good(newer)).disposition is Disposition.UNCHANGED
        assert house.handle(newer).disposition is Disposition.SUPERSEDED
        house.proxy.add(Fault(operation="PutObject", key=MANIFEST, action=ACCESS_DENIED))

    house.before("PutObject", f"{KEY}/small.jpg", delete)
    assert house.handle(_JOB).disposition is Disposition.RETRY
    assert house.stored() == of(newer, "small.jpg")
    house.proxy.clear()
    assert house.handle(replace(_JOB, receive_count=2)).disposition is Disposition.WRITTEN
    assert house.stored() == of(older, "small.jpg")


def test_from_what_comes_back_beside_a_known_rejection(house: House) -> None:
    """A job takes what an ended attempt left of a photo that is put again just then."""
    first = house.put(_OLD)
    house.handle(first)
    left = {key: house.s3.get_object(Bucket="renditions", Key=f"{KEY}/{key}") for key in BOTH}
    bodies = {key: (answer["Body"].read(), answer["Metadata"]) for key, answer in left.items()}
    assert house.handle(house.put(text())).disposition is Disposition.REJECTED
    assert house.stored() == {}
    for key, (body, metadata) in bodies.items():
        house.s3.put_object(Bucket="renditions", Key=f"{KEY}/{key}", Body=body, Metadata=metadata)

    def put_back() -> None:
        assert house.handle(house.put(_OLD)).disposition is Disposition.WRITTEN

    house.before("DeleteObject", f"{KEY}/small.jpg", put_back)
    house.handle(_JOB)
    assert house.stored() == of(first, *BOTH)
    assert house.named() == set(BOTH)


def test_three_messages_about_a_photo_that_merely_fails(house: House) -> None:
    """An event that comes twice, and a job: each has a count of its own, and no process ends."""
    event = house.put(_OLD)
    said: list[str | None] = []

    def come(*counts: int) -> None:
        if counts:
            house.before("PutObject", f"{KEY}/small.jpg", lambda: come(*counts[1:]))
            said.append(house.handle(replace(event, receive_count=counts[0])).code)

    come(4, 3, 2)
    assert "poison" not in said
    house.proxy.clear()
    house.handle(replace(event, receive_count=5))
    assert house.stored() == of(event, *BOTH)


def test_a_request_that_is_done_when_the_photo_is_poison(house: House) -> None:
    """What it made stays, and goes with the photo; that the photo is poison stands."""
    event = house.put(_OLD)

    def give_up() -> None:
        answer = house.s3.get_object(Bucket="renditions", Key=MANIFEST)
        body = answer["Body"].read()
        announced = house.manifest()["announced"]
        metadata = answer["Metadata"] | {"suspect": f"{announced[0][1]} 2 0"}
        house.s3.put_object(Bucket="renditions", Key=MANIFEST, Body=body, Metadata=metadata)
        assert house.handle(replace(event, receive_count=4)).code == "poison"
        # Whatever an attempt may still store goes with the photo.
        names = {key.removeprefix(f"{KEY}/") for key, _ in house.manifest()["announced"]}
        assert names >= {*BOTH, "large.png"}

    house.before("PutObject", f"{KEY}/small.jpg", give_up)
    assert house.ask_for("small").disposition is Disposition.WRITTEN
    assert house.handle(replace(event, receive_count=5)).code == "poison"
    assert house.stored() == of(event, "small.jpg")
    assert house.handle(house.put(text())).disposition is Disposition.REJECTED
    assert house.stored() == {}


def test_a_request_after_a_rejection_of_other_settings_writes_over_it(house: House) -> None:
    """It is not rejected any more: what is made is named, and the next event makes the rest."""
    event = house.put(_OLD)
    strict = replace(house.settings.config, limits=Limits(max_pixels=100))
    refused = house.handle(event, replace(house.settings, config=strict))
    assert refused.code == "over-limit"
    assert house.ask_for("small").disposition is Disposition.WRITTEN
    assert house.named() == {"small.jpg"}
    assert house.handle(event).disposition is Disposition.WRITTEN
    assert house.stored() == of(event, *BOTH)


_CROPPED: Final = (
    '[[renditions]]\nname = "small"\nwidth = 16\nheight = 16\nfit = "cover"\n'
    'position = "focal-point"\n'
)
_TAGGED: Final = '[[renditions]]\nname = "small"\nwidth = 16\ncopy_tags = true\n'


@pytest.mark.parametrize("toml", [_CROPPED, _TAGGED], ids=["focal point", "tags"])
def test_the_same_bytes_with_something_else_said_of_them(house: House, toml: str) -> None:
    """What an attempt has stored that ended is of the same ETag, and of an older modification."""
    _configure(house, toml)

    def put(which: int) -> ObjectEvent:
        return house.put(
            jpeg(600, 200), Metadata={"focal-point": f"{which},0"}, Tagging=f"of={which}"
        )

    def small() -> tuple[bytes, Any]:
        where = f"{KEY}/small.jpg"
        body = house.s3.get_object(Bucket="renditions", Key=where)["Body"].read()
        tags = house.s3.get_object_tagging(Bucket="renditions", Key=where)["TagSet"]
        return body, tags

    put(0)
    house.proxy.add(Fault(operation="PutObject", key=MANIFEST, action=ACCESS_DENIED))
    assert house.handle(_JOB).disposition is Disposition.RETRY
    first = small()
    # S3 says in whole seconds when an object was modified.
    time.sleep(1.1)
    assert house.handle(put(1)).disposition is Disposition.WRITTEN
    got = small()
    assert got != first
    # What it has to be: made where nothing was.
    for key in (MANIFEST, f"{KEY}/small.jpg"):
        house.s3.delete_object(Bucket="renditions", Key=key)
    house.handle(_JOB)
    assert got == small()


def test_by_an_attempt_that_ended_from_a_deletion_that_is_about_to_write(versioned: House) -> None:
    """It was at the version that comes back; its event comes again before the manifest says so."""
    house = versioned
    house.settings = replace(house.settings, config=parse_config(_SMALL, file="taken"))
    older = house.put(_OLD)
    house.handle(older)
    newer = house.put(_NEW)
    assert house.handle(newer).disposition is Disposition.WRITTEN
    assert house.handle(replace(older, receive_count=2)).disposition is Disposition.SUPERSEDED
    deletion = house.delete_for_good(newer)
    assert house.handle(older).disposition is Disposition.SUPERSEDED

    def take_away_and_come_again() -> None:
        house.s3.delete_object(Bucket="renditions", Key=f"{KEY}/small.jpg")
        house.handle(replace(older, receive_count=2))

    # All of it is stored, and was looked at.
    house.before("PutObject", MANIFEST, take_away_and_come_again)
    house.handle(deletion)
    assert house.stored() == of(older, "small.jpg")
    assert house.handle(older).disposition is Disposition.UNCHANGED


def test_what_is_missing_of_an_older_photo_makes_no_newer_one(house: House) -> None:
    """Whose event is under way: nothing of that was taken away."""
    house.settings = replace(house.settings, config=parse_config(_SMALL, file="taken"))
    house.handle(house.put(_OLD))
    second = house.put(_NEW)
    house.proxy.add(Fault(operation="PutObject", key=MANIFEST, action=ACCESS_DENIED))
    assert house.handle(second).disposition is Disposition.RETRY
    house.proxy.clear()
    last = house.put(jpeg(80, 80))
    assert house.handle(replace(second, receive_count=2)).disposition is Disposition.SUPERSEDED
    assert house.stored() == {}
    assert house.handle(last).disposition is Disposition.WRITTEN
    assert house.stored() == of(last, "small.jpg")


@pytest.mark.parametrize("config", ["", "[sidecar]\n"])
@pytest.mark.parametrize("gone", [BOTH, ("small.jpg",)], ids=["all", "one"])
def test_a_request_that_finds_something_missing_makes_the_set(
    house: House, config: str, gone: tuple[str, ...]
) -> None:
    """As when somebody deleted it, and not the manifest that names it."""
    _configure(house, config + CONFIG)
    event = house.put(_OLD)
    house.handle(event)
    said = house.manifest()
    for name in gone:
        house.s3.delete_object(Bucket="renditions", Key=f"{KEY}/{name}")
    report = house.ask_for("small")
    assert report.disposition is Disposition.WRITTEN
    made = {"small"} if gone != BOTH else {"small", "large"}
    assert sorted(one.name for one in report.renditions) == sorted(made)
    assert house.stored() == of(event, *BOTH)
    assert house.named() == set(BOTH)
    assert house.manifest().keys() == said.keys()
    listed = [
        sorted(row["name"] for row in one.get("renditions", [])) for one in (said, house.manifest())
    ]
    assert listed[0] == listed[1]
    for seen in (event, _JOB):
        assert house.handle(seen).disposition is Disposition.UNCHANGED


@pytest.mark.parametrize("what", ["never made", "stale", "of an older photo"])
def test_a_request_that_finds_nothing_missing_looks_at_nothing_else(
    house: House, what: str
) -> None:
    """What it asks for is stored where nothing was, or over what is there."""
    _configure(house, CONFIG.replace('name = "small"', 'name = "tiny"'))
    house.handle(house.put(_OLD))
    _configure(house, CONFIG)
    if what != "never made":
        house.handle(_JOB)
        _configure(house, CONFIG.replace("width = 16", "width = 17"))
    if what == "of an older photo":
        # Of which something is missing, too.
        house.s3.delete_object(Bucket="renditions", Key=f"{KEY}/small.jpg")
        house.put(_NEW)
    before = len(house.proxy.requests)
    assert house.ask_for("small").disposition is Disposition.WRITTEN
    requests = [(one.operation, one.key) for one in house.proxy.requests[before:]]
    assert ("PutObject", f"{KEY}/large.jpg") not in requests
    # What is of an older photo goes.
    assert (("HeadObject", f"{KEY}/large.jpg") in requests) is (what == "of an older photo")


def test_a_sidecar_lists_what_a_request_has_made_anew(house: House) -> None:
    """As it is now; another rendition than those of the set it does not list."""
    _configure(house, "[sidecar]\n" + CONFIG)
    house.handle(house.put(_OLD))
    tiny = '[[renditions]]\nname = "tiny"\nwidth = 8\n'
    _configure(house, "[sidecar]\n" + CONFIG.replace("width = 16", "width = 17") + tiny)
    for name in ("small", "tiny"):
        assert house.ask_for(name).disposition is Disposition.WRITTEN
    listed = {row["name"]: row["width"] for row in house.manifest()["renditions"]}
    assert listed == {"large": 64, "small": 17}
    assert house.named() == {*BOTH, "tiny.jpg"}
