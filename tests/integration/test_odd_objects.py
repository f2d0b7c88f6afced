"""Objects that are called or kept oddly: whatever S3 takes as a key, folders, archives."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

import handler.s3.requests
from handler.errors import Disposition
from handler.keys import KeyTemplate
from handler.objects import Change, ObjectEvent
from imaging.config import parse_config
from tests.house import CONFIG, KEY, House, open_house
from tests.photos import jpeg, text
from tests.servers import Answer, CallBefore, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from handler.settings import Settings

_ENCRYPTED: Final = Answer(status=400, code="InvalidRequest", message="The object was stored")
_ARCHIVED: Final = Answer(
    status=403, code="InvalidObjectState", message="The operation is not valid"
)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """A house without pauses."""
    monkeypatch.setattr(handler.s3.requests, "_FIRST_PAUSE_S", 0.0)
    with open_house(tmp_path, monkeypatch) as opened:
        yield opened


def _put(house: House, key: str, body: bytes) -> ObjectEvent:
    answer = house.s3.put_object(Bucket="photos", Key=key, Body=body)
    return ObjectEvent(
        bucket="photos",
        key=key,
        etag=answer["ETag"].strip('"'),
        sequencer=house.sequencer(),
        size=len(body),
    )


def _keys(house: House) -> set[str]:
    listed = house.s3.list_objects_v2(Bucket="renditions").get("Contents", [])
    return {item["Key"] for item in listed}


def _metadata_bytes(house: House, key: str) -> int:
    metadata = house.s3.head_object(Bucket="renditions", Key=key)["Metadata"]
    assert all(value.isascii() and value.isprintable() for value in metadata.values())
    return sum(len(name) + len(value) for name, value in metadata.items())


@pytest.mark.parametrize(
    "key",
    [
        "ж" * 500,
        "写真" * 165,
        "صورة" * 120,
        "😀" * 250,
        "tab\tand  spaces ",
    ],
    # The server of these tests has no key with a line break; tests/unit/test_user_metadata.py has.
    ids=["cyrillic", "japanese", "arabic", "astral", "spaces"],
)
def test_any_key_that_s3_takes_is_done(house: House, key: str) -> None:
    """Metadata stay within S3's 2,048 bytes, and the whole key is in the manifest."""
    event = _put(house, key, jpeg(96, 64))
    assert house.handle(event).disposition is Disposition.WRITTEN
    assert house.handle(event).disposition is Disposition.UNCHANGED
    for name in ("large.jpg", "photo.json"):
        assert _metadata_bytes(house, f"{key}/{name}") <= 2048
    body = house.s3.get_object(Bucket="renditions", Key=f"{key}/photo.json")["Body"].read()
    assert json.loads(body)["key"] == key


@pytest.mark.parametrize(
    "key",
    [
        *("..", "a/../b.jpg", "./a.jpg", "a//b.jpg", "/a.jpg", "a/"),
        *("a%2Fb%25.jpg", "a+b?c#d.jpg", " a.jpg ", "\u00e9.jpg", "e\u0301.jpg", "k" * 1_007),
    ],
)
def test_a_key_is_sent_as_it_is(house: House, key: str) -> None:
    """Nothing between here and S3 resolves, joins, decodes or normalises it."""
    event = _put(house, key, jpeg(96, 64))
    before = len(house.proxy.requests)
    assert house.handle(event).disposition is Disposition.WRITTEN
    names = ("large.jpg", "small.jpg", "photo.json")
    sent = {call.key for call in house.proxy.requests[before:]}
    assert sent == {key, *(f"{key}/{name}" for name in names)}


@pytest.mark.parametrize("key", ["ж" * 500, "写真" * 165])
def test_a_rejection_s_reason_fits_as_well(house: House, key: str) -> None:
    """It is remembered, and comes back with its words."""
    event = _put(house, key, text())
    first = house.handle(event)
    assert (first.disposition, first.code) == (Disposition.REJECTED, "not-a-photo")
    again = house.handle(event)
    assert (again.disposition, again.code) == (Disposition.REJECTED, "not-a-photo")
    assert again.message
    assert str(first.message).startswith(again.message)


@pytest.mark.parametrize("says_size", [True, False])
def test_a_folder_of_a_console_s_is_ignored(house: House, *, says_size: bool) -> None:
    """Neither a manifest nor anything else is written of it, nor of its end."""
    event = _put(house, "2026/", b"")
    event = event if says_size else replace(event, size=None)
    report = house.handle(event)
    assert (report.disposition, report.code) == (Disposition.IGNORED, "folder")
    house.s3.delete_object(Bucket="photos", Key="2026/")
    gone = ObjectEvent(
        bucket="photos", key="2026/", change=Change.DELETED, sequencer=house.sequencer()
    )
    assert house.handle(gone).disposition is Disposition.IGNORED
    assert house.s3.list_objects_v2(Bucket="renditions").get("Contents", []) == []


def test_no_bytes_are_a_folder_under_a_folder_s_key_alone(house: House) -> None:
    """An empty upload is rejected, and a photo whose key ends in a slash is a photo."""
    assert house.handle(_put(house, "a.jpg", b"")).code == "empty"
    assert house.handle(_put(house, "b/", jpeg(96, 64))).disposition is Disposition.WRITTEN


def test_a_folder_that_takes_a_photo_s_place_takes_its_renditions(house: House) -> None:
    """No bytes under a key that ends in a slash: the photo of before is gone."""
    house.handle(_put(house, "b/", jpeg(96, 64)))
    report = house.handle(_put(house, "b/", b""))
    assert (report.disposition, report.code) == (Disposition.IGNORED, "folder")
    assert _keys(house) == {"b//photo.json"}
    assert house.handle(_put(house, "b/", jpeg(96, 64))).disposition is Disposition.WRITTEN
    house.s3.put_object(Bucket="photos", Key="b/", Body=b"")
    assert house.handle(ObjectEvent(bucket="photos", key="b/")).code == "folder"
    assert _keys(house) == {"b//photo.json"}


@pytest.mark.parametrize("who", ["deletion", "folder", "folder, by a job"])
def test_a_key_with_a_slash_has_former_templates_too(house: House, who: str) -> None:
    """There is no manifest in its new place, but a set in its old one."""
    house.handle(_put(house, "b/", jpeg(96, 64)))
    settings = replace(
        house.settings,
        key_template=KeyTemplate("new/{key}/{name}.{ext}"),
        former_key_templates=(house.settings.key_template,),
    )
    assert _come(house, who, settings) is Disposition.IGNORED
    assert _keys(house) == set()


@pytest.mark.parametrize("who", ["deletion", "folder", "folder, by a job"])
def test_a_folder_leaves_nothing_of_an_attempt_that_ended(house: House, who: str) -> None:
    """Somebody deleted the manifest that it began with, and none is written."""
    refused = Answer(status=403, code="AccessDenied", message="no")
    house.proxy.add(Fault(operation="PutObject", key="b//photo.json", nth=2, action=refused))
    assert house.handle(_put(house, "b/", jpeg(96, 64))).disposition is Disposition.RETRY
    house.s3.delete_object(Bucket="renditions", Key="b//photo.json")
    assert _keys(house)
    assert _come(house, who) is Disposition.IGNORED
    assert _keys(house) == set()


@pytest.mark.parametrize(
    ("who", "by", "body"),
    [
        ("deletion", "event", jpeg(96, 64)),
        ("folder", "job", jpeg(96, 64)),
        ("folder, by a job", "http", jpeg(96, 64)),
        ("deletion", "event", text()),
    ],
    ids=["deletion", "folder, job", "folder by a job, http", "text"],
)
def test_a_folder_stops_an_attempt_under_way(house: House, who: str, by: str, body: bytes) -> None:
    """Whichever request it comes before: no rendition stays, and no manifest names one."""
    for nth in range(1, 30):
        for key in _keys(house):
            house.s3.delete_object(Bucket="renditions", Key=key)
        photo = _put(house, "b/", body)
        came: list[Disposition] = []
        action = CallBefore(function=lambda _, came=came: came.append(_come(house, who)))  # type: ignore[misc]  # mypy cannot infer a default
        house.proxy.add(Fault(nth=nth, action=action))
        specs = house.settings.config.renditions if by == "http" else None
        asked = photo if by == "event" else ObjectEvent(bucket="photos", key="b/")
        house.handle(asked, specs=specs)
        house.proxy.clear()
        if not came:
            assert nth > 4
            return
        assert came[0] in {Disposition.IGNORED, Disposition.REMOVED}
        assert _keys(house) <= {"b//photo.json"}, nth
        if _keys(house):
            head = house.s3.head_object(Bucket="renditions", Key="b//photo.json")
            assert head["Metadata"]["state"] == "deleted", nth
    pytest.fail("the attempt has no end")


def _come(house: House, who: str, settings: Settings | None = None) -> Disposition:
    """Let a folder, or nothing, take the place of the photo `b/`, and handle its event."""
    if who == "deletion":
        return house.handle(house.delete("b/"), settings).disposition
    event = _put(house, "b/", b"")
    job = ObjectEvent(bucket="photos", key="b/")
    return house.handle(event if who == "folder" else job, settings).disposition


def test_a_photo_that_goes_while_its_place_is_taken_leaves_nothing(house: House) -> None:
    """Its attempt takes back what it wrote, or else does so when its event comes again."""
    refused = Answer(status=403, code="AccessDenied", message="no")
    for fault in (None, Fault(operation="DeleteObject", key="b//photo.json", action=refused)):
        photo = _put(house, "b/", jpeg(96, 64))
        gone = CallBefore(function=lambda _: house.delete("b/"))
        house.proxy.add(Fault(operation="PutObject", key="b//photo.json", action=gone))
        if fault is not None:
            house.proxy.add(fault)
            assert house.handle(photo).disposition is Disposition.RETRY
            assert _keys(house) == {"b//photo.json"}
        assert house.handle(photo).disposition is Disposition.SUPERSEDED
        assert _keys(house) == set()


def test_a_version_below_comes_back_under_a_key_with_a_slash(house: House) -> None:
    """A deletion asks S3 what is left, whatever the key and whether or not there is a manifest."""
    event = _put(house, "b/", jpeg(96, 64))
    gone = replace(event, change=Change.DELETED, etag=None, sequencer=house.sequencer())
    assert house.handle(gone).disposition is Disposition.WRITTEN


def _refuse(house: House, action: Answer, *, hides_head: bool) -> None:
    """Let S3 refuse the photo `a.jpg`, and a HEAD of it where it does not even say what it is."""
    house.proxy.add(Fault(operation="GetObject", key="a.jpg", action=action, times=None))
    if hides_head:
        answer = Answer(status=400, code="", message="")
        house.proxy.add(Fault(operation="HeadObject", key="a.jpg", action=answer, times=None))


@pytest.mark.parametrize("code", ["archived", "source-refused"])
def test_a_photo_that_s3_refuses_takes_the_renditions_of_the_one_before(
    house: House, code: str
) -> None:
    """They show another photo; HTTP has none of them to serve."""
    older = _put(house, "a.jpg", jpeg(96, 64))
    house.handle(older)
    newer = _put(house, "a.jpg", jpeg(64, 96))
    action = _ARCHIVED if code == "archived" else _ENCRYPTED
    _refuse(house, action, hides_head=code == "source-refused")
    for _ in range(2):
        report = house.handle(newer)
        assert (report.disposition, report.code) == (Disposition.REJECTED, code)
        assert _keys(house) == {"a.jpg/photo.json"}
    assert house.handle(older).disposition is Disposition.SUPERSEDED
    house.proxy.clear()
    restored = replace(newer, name="ObjectRestore:Completed", sequencer=None)
    assert house.handle(restored).disposition is Disposition.WRITTEN
    assert house.handle(newer).disposition is Disposition.UNCHANGED


def test_a_refused_photo_takes_a_set_that_no_order_of_versions_tells_from_its_own(
    house: House,
) -> None:
    """A job made the set, so it has no sequencer; the refused photo has no Last-Modified."""
    _put(house, "a.jpg", jpeg(96, 64))
    house.handle(ObjectEvent(bucket="photos", key="a.jpg"))
    house.s3.put_object(Bucket="renditions", Key="a.jpg/photo.json", Body=b"")
    newer = _put(house, "a.jpg", jpeg(64, 96))
    _refuse(house, _ENCRYPTED, hides_head=True)
    assert house.handle(newer).code == "source-refused"
    assert _keys(house) == {"a.jpg/photo.json"}


def test_a_job_for_what_s3_refuses_takes_what_is_under_a_former_template(house: House) -> None:
    """Nothing was ever made of it; the manifest there only remembers the refusal."""
    event = _put(house, "a.jpg", jpeg(96, 64))
    _refuse(house, _ENCRYPTED, hides_head=True)
    assert house.handle(event).code == "source-refused"
    assert _keys(house) == {"a.jpg/photo.json"}
    settings = replace(
        house.settings,
        key_template=KeyTemplate("new/{key}/{name}.{ext}"),
        former_key_templates=(house.settings.key_template,),
    )
    assert (
        house.handle(ObjectEvent(bucket="photos", key="a.jpg"), settings).code == "source-refused"
    )
    assert _keys(house) == set()


def test_a_deletion_that_leaves_what_s3_refuses_is_a_deletion(house: House) -> None:
    """The version below is encrypted with its uploader's key: nothing of it can be made."""
    event = _put(house, "a.jpg", jpeg(96, 64))
    house.handle(event)
    _refuse(house, _ENCRYPTED, hides_head=True)
    deleted = replace(event, change=Change.DELETED, etag=None, sequencer=house.sequencer())
    assert house.handle(deleted).disposition is Disposition.REMOVED
    assert _keys(house) == {"a.jpg/photo.json"}


@pytest.mark.parametrize("who", ["job", "http"])
def test_a_job_or_a_request_finds_the_archive_too(house: House, who: str) -> None:
    """They name no version; a HEAD of the archived photo does."""
    house.handle(_put(house, "a.jpg", jpeg(96, 64)))
    _put(house, "a.jpg", jpeg(64, 96))
    _refuse(house, _ARCHIVED, hides_head=False)
    job = ObjectEvent(bucket="photos", key="a.jpg")
    specs = house.settings.config.renditions if who == "http" else None
    assert house.handle(job, specs=specs).code == "archived"
    assert _keys(house) == {"a.jpg/photo.json"}


@pytest.mark.parametrize("who", ["event", "job", "job for another set", "http"])
def test_a_photo_that_moves_into_an_archive_keeps_its_renditions(house: House, who: str) -> None:
    """A lifecycle rule moves the very version that they are of: nothing is written or removed."""
    event = _put(house, "a.jpg", jpeg(96, 64))
    house.handle(event)
    before = _keys(house)
    _refuse(house, _ARCHIVED, hides_head=False)
    job = ObjectEvent(bucket="photos", key="a.jpg")
    changed = parse_config(CONFIG.replace("16", "17"), file="changed")
    match who:
        case "event":
            assert house.handle(event).disposition is Disposition.UNCHANGED
        case "job":
            assert house.handle(job).disposition is Disposition.UNCHANGED
        case "job for another set":
            settings = replace(house.settings, config=changed)
            assert house.handle(job, settings).code == "archived"
        case _:
            specs = house.settings.config.renditions
            assert house.handle(job, specs=specs).code == "archived"
    assert _keys(house) == before


@pytest.mark.parametrize("before", ["nothing", "an older photo"])
def test_what_was_stored_before_a_photo_moved_into_an_archive_stays(
    house: House, before: str
) -> None:
    """Whoever stored it may be about to name it; it goes with the photo."""
    if before == "an older photo":
        house.handle(_put(house, "a.jpg", jpeg(96, 64)))
    event = _put(house, "a.jpg", jpeg(64, 96))
    job = ObjectEvent(bucket="photos", key="a.jpg")
    refused = Answer(status=403, code="AccessDenied", message="no")
    # The first one names what will be stored.
    place = "a.jpg/photo.json"
    house.proxy.add(Fault(operation="PutObject", key=place, nth=2, action=refused, times=None))
    (spec,) = (one for one in house.settings.config.renditions if one.name == "small")
    assert house.handle(job, specs=[spec]).disposition is Disposition.RETRY
    house.proxy.clear()
    _refuse(house, _ARCHIVED, hides_head=False)
    assert house.handle(event).code == "archived"
    assert _keys(house) == {"a.jpg/small.jpg", place}
    assert house.handle(job).code == "archived"
    house.proxy.clear()
    deleted = replace(event, change=Change.DELETED, etag=None, sequencer=house.sequencer())
    house.s3.delete_object(Bucket="photos", Key="a.jpg")
    assert house.handle(deleted).disposition is Disposition.REMOVED
    assert _keys(house) == {place}


def test_what_an_archived_photo_was_left_with_goes_with_its_name(house: House) -> None:
    """Its first attempt ended, and the configuration asks for something else when it is back."""
    event = _put(house, "a.jpg", jpeg(96, 64))
    refused = Answer(status=403, code="AccessDenied", message="no")
    house.proxy.add(Fault(operation="PutObject", key="a.jpg/photo.json", action=refused))
    assert house.handle(event).disposition is Disposition.RETRY
    house.proxy.clear()
    assert _keys(house) == {"a.jpg/large.jpg", "a.jpg/small.jpg"}
    _refuse(house, _ARCHIVED, hides_head=False)
    assert house.handle(event).code == "archived"
    house.proxy.clear()
    config = parse_config('[[renditions]]\nname = "tiny"\nwidth = 8\n', file="changed")
    report = house.handle(replace(event, sequencer=None), replace(house.settings, config=config))
    assert report.disposition is Disposition.WRITTEN
    assert _keys(house) == {"a.jpg/tiny.jpg", "a.jpg/photo.json"}


@pytest.mark.parametrize("code", ["archived", "source-refused"])
@pytest.mark.parametrize("first", [jpeg(96, 64), b""])
def test_what_was_the_photo_before_one_was_put_into_an_archive_again_is_written_nowhere(
    house: House, code: str, first: bytes
) -> None:
    """The manifest is of the same bytes, and an attempt at what came in between has read it."""
    house.handle(_put(house, "a.jpg", first))
    made = _keys(house)
    between = _put(house, "a.jpg", jpeg(64, 96))

    def put_again() -> None:
        # S3 tells the time in seconds, by which a job sees that it is another upload.
        time.sleep(1.1)
        again = _put(house, "a.jpg", first)
        action = _ARCHIVED if code == "archived" else _ENCRYPTED
        _refuse(house, action, hides_head=code == "source-refused")
        assert house.handle(again).code == code

    house.before("PutObject", "a.jpg/photo.json", put_again)
    assert house.handle(between).disposition is not Disposition.WRITTEN
    house.proxy.clear()
    job = ObjectEvent(bucket="photos", key="a.jpg")
    house.handle(job)
    assert _keys(house) == made
    for key in made - {"a.jpg/photo.json"}:
        found = house.s3.head_object(Bucket="renditions", Key=key)["Metadata"]
        assert found["source-etag"] == hashlib.md5(first, usedforsecurity=False).hexdigest()


def test_a_photo_comes_back_from_its_archive(house: House) -> None:
    """It is rejected while it is there, and made when its restore has ended."""
    event = _put(house, "a.jpg", jpeg(96, 64))
    house.proxy.add(Fault(operation="GetObject", key="a.jpg", action=_ARCHIVED, times=None))
    assert house.handle(event).code == "archived"
    house.proxy.clear()
    # As handler/events/notification.py reads ObjectRestore:Completed: without a sequencer.
    restored = replace(event, name="ObjectRestore:Completed", sequencer=None)
    assert house.handle(restored).disposition is Disposition.WRITTEN
    assert house.handle(restored).disposition is Disposition.UNCHANGED


@pytest.mark.parametrize("change", [Change.CREATED, Change.DELETED])
def test_renditions_are_made_of_no_rendition(house: House, change: Change) -> None:
    """Where any bucket is taken, what names the destination is rejected without a request."""
    event = ObjectEvent(bucket="renditions", key=f"{KEY}/large.jpg", change=change)
    assert house.requests_of(event) == []
    report = house.handle(event)
    assert (report.disposition, report.code) == (Disposition.REJECTED, "would-loop")


@pytest.mark.parametrize("who", ["deletion", "folder", "folder, by a job"])
def test_a_folder_leaves_what_is_of_another_bucket(house: House, who: str) -> None:
    """Its attempt is under way, and has only taken the place yet."""
    house.s3.create_bucket(Bucket="other")
    answer = house.s3.put_object(Bucket="other", Key="b/", Body=jpeg(96, 64))
    photo = ObjectEvent(
        bucket="other", key="b/", etag=answer["ETag"].strip('"'), sequencer=house.sequencer()
    )
    event = _put(house, "b/", b"")
    if who == "deletion":
        house.s3.delete_object(Bucket="photos", Key="b/")
        event = replace(event, change=Change.DELETED, etag=None, size=None)
    if who == "folder, by a job":
        event = ObjectEvent(bucket="photos", key="b/")
    came: list[Disposition] = []

    def come(_: object) -> None:
        came.append(house.handle(event).disposition)

    house.proxy.add(
        Fault(operation="PutObject", key="b//photo.json", nth=2, action=CallBefore(function=come))
    )
    assert house.handle(photo).disposition is Disposition.WRITTEN
    assert came == [Disposition.REJECTED]
    assert _keys(house) == {"b//large.jpg", "b//small.jpg", "b//photo.json"}
