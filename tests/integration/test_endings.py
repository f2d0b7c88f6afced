"""Processes that end: by SIGKILL, by SIGTERM, by a photo; and photos that share a batch."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote_plus

import pytest
from botocore.exceptions import ClientError

from handler.backfill.listing import Photo, list_photos
from handler.backfill.processes import make_locally
from handler.errors import Disposition
from handler.events.envelope import Envelope, Item
from handler.items import process_items
from handler.objects import Change, ObjectEvent
from imaging.rendition import Rendition
from imaging.worker import client
from tests.house import BOTH, KEY, MANIFEST, House, of, open_house
from tests.photos import jpeg, png
from tests.servers import ACCESS_DENIED, CallBefore, Fault, S3Call, open_uploads

_ROOT: Final = Path(__file__).parents[2]
_MAIN: Final = """
import json, sys
from handler.app import lambda_handler
print(json.dumps(lambda_handler(json.load(sys.stdin), None)))
"""
_PHOTO: Final = jpeg(96, 64)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """A house whose processes have a /tmp of their own."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setenv("DESTINATION_BUCKET", "renditions")
    monkeypatch.setenv("RENDITIONS_CONFIG", str(tmp_path / "renditions.toml"))
    with open_house(tmp_path, monkeypatch) as opened:
        yield opened


def _notification(*events: ObjectEvent) -> dict[str, Any]:
    records = []
    for event in events:
        s3_object = {"key": quote_plus(event.key), "eTag": event.etag, "sequencer": event.sequencer}
        where = {"bucket": {"name": event.bucket}, "object": s3_object}
        name = "ObjectCreated:Put" if event.change is Change.CREATED else "ObjectRemoved:Delete"
        records.append({"eventVersion": "2.1", "eventName": name, "s3": where})
    return {"Records": records}


def _messages(bodies: Sequence[dict[str, Any]], receive_count: int) -> dict[str, Any]:
    attributes = {"ApproximateReceiveCount": str(receive_count)}
    message = {"eventSource": "aws:sqs", "attributes": attributes}
    return {
        "Records": [
            message | {"messageId": str(at), "body": json.dumps(body)}
            for at, body in enumerate(bodies)
        ]
    }


def _message(event: ObjectEvent, receive_count: int) -> dict[str, Any]:
    return _messages([_notification(event)], receive_count)


class Function:
    """A process of the function, which handles one event."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[str] | None = None

    def handle(self, event: object) -> tuple[int, str]:
        """Return its exit status, negative for a signal, and what it printed."""
        self.process = subprocess.Popen(
            [sys.executable, "-c", _MAIN],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        output, _ = self.process.communicate(json.dumps(event), timeout=120)
        return self.process.returncode, output

    def signal(self, number: int) -> None:
        """Send it a signal."""
        assert self.process is not None
        os.kill(self.process.pid, number)


@pytest.mark.parametrize("nth", [1, 2, 3, 4, 5])
def test_killed_at_any_request_and_delivered_again(house: House, nth: int) -> None:
    """SIGKILL before a new photo's nth request: the next delivery leaves what one would have."""
    event = house.put(_PHOTO)
    function = Function()
    kill = CallBefore(function=lambda _: function.signal(signal.SIGKILL))
    house.proxy.add(Fault(nth=nth, action=kill))
    assert function.handle(_message(event, 1))[0] == -signal.SIGKILL
    assert function.handle(_message(event, 2))[0] == 0
    assert house.stored() == of(event, *BOTH)
    assert set(house.manifest()["kept"]) == {f"{KEY}/{key}" for key in BOTH}
    assert house.handle(event).disposition is Disposition.UNCHANGED


@pytest.mark.parametrize("nth", range(1, 8))
def test_killed_while_a_photo_is_removed_and_delivered_again(house: House, nth: int) -> None:
    """SIGKILL before a deletion's nth request: the next delivery removes what is left, for good."""
    created = house.put(_PHOTO)
    house.handle(created)
    event = house.delete()
    house.proxy.clear()
    function = Function()
    kill = CallBefore(function=lambda _: function.signal(signal.SIGKILL))
    house.proxy.add(Fault(nth=nth, action=kill))
    assert function.handle(_message(event, 1))[0] == -signal.SIGKILL
    assert house.proxy.unused == ()
    assert function.handle(_message(event, 2))[0] == 0
    assert house.stored() == {}
    assert house.handle(created).disposition is Disposition.SUPERSEDED
    assert house.stored() == {}


def test_a_removal_that_fails_half_way_is_taken_up_again(house: House) -> None:
    """The deletion stands in the record already; the next delivery removes what is left."""
    house.handle(house.put(_PHOTO))
    event = house.delete()
    house.proxy.add(Fault(operation="DeleteObject", nth=2, action=ACCESS_DENIED, times=None))
    assert house.handle(event).disposition is Disposition.RETRY
    assert len(house.stored()) == 1
    house.proxy.clear()
    assert house.handle(event).disposition is Disposition.REMOVED
    assert house.stored() == {}


@pytest.mark.parametrize("same_tmp", [True, False], ids=["same-environment", "new-environments"])
def test_a_photo_that_ends_the_process_twice_is_refused(
    house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, same_tmp: bool
) -> None:
    """Nothing is decoded any more; it is rejected for good, and the next replay only looks.

    A delivery tells in its own environment; in another one the marks do, once their time is over.
    What those that ended had stored is whole, and goes with the photo.
    """
    event = house.put(_PHOTO)
    function = Function()

    def end(_: object) -> None:
        while not house.stored():
            time.sleep(0.01)
        function.signal(signal.SIGKILL)

    kill = CallBefore(function=end)
    # Within the time in which the photo is traced: its first rendition is stored.
    house.proxy.add(
        Fault(
            operation="PutObject",
            when=lambda call: call.key.endswith("large.jpg"),
            action=kill,
            times=None,
        )
    )
    last = 3 if same_tmp else 4
    for count in range(1, last):
        if not same_tmp:
            new = tmp_path / f"tmp-{count}"
            new.mkdir()
            monkeypatch.setenv("TMPDIR", str(new))
        assert function.handle(_message(event, count))[0] == -signal.SIGKILL
        assert house.stored() == of(event, "small.jpg")
        if count > 1:
            house.mark(count - 1)
    before = len(house.proxy.requests)
    status, output = function.handle(_message(event, last))
    assert status == 0
    assert '"poison"' in output
    stored = [call for call in house.proxy.requests[before:] if call.method == "PUT"]
    assert [call.key for call in stored] == [MANIFEST]
    house.proxy.clear()
    report = house.handle(event)
    assert (report.disposition, report.code) == (Disposition.REJECTED, "poison")
    assert {call.operation for call in house.proxy.requests} == {"HeadObject"}
    assert house.stored() == of(event, "small.jpg")
    assert house.handle(house.put(b"no photo")).disposition is Disposition.REJECTED
    assert house.stored() == {}


def _deliveries(source: str, bad: ObjectEvent, good: ObjectEvent) -> list[object]:
    """Return what the function is given, one after the other, of two photos that come together."""
    both = [_notification(bad), _notification(good)]
    if source == "s3":
        return [_notification(bad, good)] * 4
    if source == "pipes":
        return [both] * 4
    jobs = [{"bucket": event.bucket, "key": event.key} for event in (bad, good)]
    # A backfill's jobs come beside the events, each message with a count of its own.
    later = [_messages(both[1:], 2), _messages(both[:1], 2), _messages(both[:1], 3)]
    return [_messages(both, 1), _messages(jobs, 1), *later]


@pytest.mark.parametrize("source", ["s3", "pipes", "sqs"])
def test_a_photo_beside_one_that_ends_the_process_is_made(house: House, source: str) -> None:
    """Whichever was decoded beside the other may have done it; alone, each shows what it is."""
    bad, good = house.put(_PHOTO, key="bad.jpg"), house.put(jpeg(64, 96), key="good.jpg")
    function, begun, ended = Function(), threading.Event(), threading.Event()

    def kill(_: object) -> None:
        assert begun.wait(20)
        function.signal(signal.SIGKILL)
        ended.set()

    def go_up(_: object) -> None:
        begun.set()
        assert ended.wait(20)

    bads, goods = (f"{event.key}/small.jpg" for event in (bad, good))
    house.proxy.add(
        Fault(operation="PutObject", key=bads, action=CallBefore(function=kill), times=None),
        Fault(operation="PutObject", key=goods, action=CallBefore(function=go_up)),
    )
    outcomes = []
    for event in _deliveries(source, bad, good):
        status, _ = function.handle(event)
        outcomes.append((status, _said(house, bad), _said(house, good)))
    killed = -signal.SIGKILL
    first, last = (killed, "", ""), (0, "poison", "made")
    # The good one comes first once the bad one has ended a process alone.
    expected = [first, first, (killed, "", "made"), last]
    if source == "sqs":
        expected = [first, first, (0, "", "made"), (killed, "", "made"), last]
    assert outcomes == expected


def _said(house: House, event: ObjectEvent) -> str:
    """Return what the photo's manifest says: its code, that the set is whole, or nothing yet."""
    try:
        head: Any = house.s3.head_object(Bucket="renditions", Key=f"{event.key}/photo.json")
    except ClientError:
        return ""
    metadata = head["Metadata"]
    return metadata.get("rejected") or ("made" if metadata["set"] else "")


def test_a_photo_that_ends_the_process_for_who_asks_over_http_is_refused(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request has no receive count: the trace in /tmp tells, and the manifest from then on."""
    monkeypatch.setenv("SOURCE_BUCKET", "photos")
    house.put(_PHOTO)
    function = Function()
    request = {
        "version": "2.0",
        "rawPath": f"/small/{KEY}",
        "requestContext": {"http": {"method": "GET"}},
    }
    kill = CallBefore(function=lambda _: function.signal(signal.SIGKILL))
    stored = f"{KEY}/small.jpg"
    house.proxy.add(Fault(operation="PutObject", key=stored, action=kill, times=None))
    for _ in range(2):
        assert function.handle(request)[0] == -signal.SIGKILL
    for _ in range(2):
        before = len(house.proxy.requests)
        status, output = function.handle(request)
        assert status == 0
        assert "'statusCode': 422" in output or '"statusCode": 422' in output
        assert "poison" in output
        put = [call.key for call in house.proxy.requests[before:] if call.method == "PUT"]
        assert stored not in put
    # The second answer was known from the manifest.
    assert put == []


def test_a_photo_beside_one_that_ends_processes_of_a_backfill_is_made(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pool ends the others with the one, so only who had it alone is counted, run after run."""
    monkeypatch.setattr(tempfile, "tempdir", None)
    events = house.put(_PHOTO, key="bad.jpg"), house.put(jpeg(64, 96), key="good.jpg")
    photos = [Photo(key=event.key, etag=event.etag or "", size=1, modified=0) for event in events]
    begun, ended = threading.Event(), threading.Event()

    def kill(_: object) -> None:
        assert begun.wait(20)
        for process in multiprocessing.active_children():
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)
        ended.set()

    def go_up(_: object) -> None:
        begun.set()
        assert ended.wait(20)

    bad, good = (f"{event.key}/small.jpg" for event in events)
    house.proxy.add(
        Fault(operation="PutObject", key=bad, action=CallBefore(function=kill), times=None),
        Fault(operation="PutObject", key=good, action=CallBefore(function=go_up)),
    )
    said = []
    for _ in range(3):
        made = make_locally(photos, bucket="photos", settings=house.settings, processes=2)
        outcomes = {outcome.key: outcome for outcome in made}
        said.append((outcomes["bad.jpg"].code, outcomes["good.jpg"].disposition))
    died = "process-died"
    assert said == [(died, "written"), (died, "unchanged"), ("poison", "unchanged")]
    # Nobody has to be worked on alone in the next run.
    assert list(Path(tempfile.gettempdir()).glob("renditions-*")) == []


def _to_each_process(number: signal.Signals) -> CallBefore:
    """Send a signal to each of this process's."""

    def send(_: object) -> None:
        for process in multiprocessing.active_children():
            assert process.pid is not None
            os.kill(process.pid, number)

    return CallBefore(function=send)


def _backfill(house: House, number: signal.Signals, handler: signal.Handlers) -> str:
    """Return what came of the photo; `handler` is what this process does about the signal.

    Whoever runs the tests may ignore it, as nohup does.
    """
    photos = list_photos(house.s3, "photos", "")
    before = signal.signal(number, handler)
    try:
        made = make_locally(photos, bucket="photos", settings=house.settings, processes=1)
        (outcome,) = made
    finally:
        signal.signal(number, before)
    return outcome.code or outcome.disposition


def test_a_backfill_under_nohup_goes_on(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """What its parent ignores its processes ignore, too."""
    monkeypatch.setattr(tempfile, "tempdir", None)
    house.put(_PHOTO)
    action = _to_each_process(signal.SIGHUP)
    house.proxy.add(Fault(operation="PutObject", key=f"{KEY}/small.jpg", action=action))
    assert _backfill(house, signal.SIGHUP, signal.SIG_IGN) == "written"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_backfill_that_is_ended_from_outside_blames_no_photo(
    house: House, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """Whoever ends the group, or closes the terminal, ends each process at whatever it has."""
    monkeypatch.setattr(tempfile, "tempdir", None)
    event = house.put(_PHOTO)
    action, stored = _to_each_process(number), f"{KEY}/small.jpg"
    house.proxy.add(Fault(operation="PutObject", key=stored, action=action, times=None))
    said = [_backfill(house, number, signal.SIG_DFL) for _ in range(3)]
    assert said == ["process-died"] * 3
    house.proxy.clear()
    assert _backfill(house, number, signal.SIG_DFL) == "written"
    assert house.stored() == of(event, *BOTH)


def test_a_photo_that_merely_failed_is_no_suspect(house: House) -> None:
    """A second delivery costs a mark; an answer takes it away, and the third makes the photo."""
    event = replace(house.put(_PHOTO), receive_count=2)
    house.proxy.add(Fault(operation="PutObject", key=f"{KEY}/small.jpg", action=ACCESS_DENIED))
    assert house.handle(event).disposition is Disposition.RETRY
    third = replace(event, receive_count=3)
    assert house.handle(third).disposition is Disposition.WRITTEN
    assert house.stored() == of(event, *BOTH)


def test_who_comes_beside_a_second_delivery_says_nothing_of_the_photo(house: House) -> None:
    """The mark that it finds may be that of an attempt under way: it comes again."""
    event = replace(house.put(_PHOTO), receive_count=2)
    beside: list[Disposition] = []

    def ask(_: object) -> None:
        beside.append(house.ask_for("small").disposition)
        beside.append(house.handle(replace(event, receive_count=1)).disposition)

    asking = CallBefore(function=ask)
    house.proxy.add(Fault(operation="PutObject", key=f"{KEY}/small.jpg", action=asking))
    assert house.handle(event).disposition is Disposition.WRITTEN
    assert beside == [Disposition.RETRY, Disposition.RETRY]
    assert house.stored() == of(event, *BOTH)


def test_sigterm_stops_the_work_and_leaves_no_upload_open(house: House, tmp_path: Path) -> None:
    """While a rendition goes up in parts: they are aborted, and the event wants another attempt."""
    (tmp_path / "renditions.toml").write_text('[[renditions]]\nname = "all"\nformat = "png"\n')
    event = house.put(jpeg(3600, 2400, quality=98))
    function = Function()
    house.proxy.add(
        Fault(
            operation="CreateMultipartUpload",
            action=CallBefore(function=lambda _: function.signal(signal.SIGTERM)),
        )
    )
    status, output = function.handle(_notification(event))
    assert house.proxy.unused == ()
    assert status == 1
    assert "out-of-time" in output
    assert house.stored() == {}
    assert open_uploads(house.s3, "renditions") == []


def _envelope(*events: ObjectEvent) -> Envelope:
    return Envelope(
        items=tuple(Item(id=event.key, events=(event,)) for event in events),
        unreadable=Disposition.REJECTED,
        answer=lambda reports: reports,
    )


def test_photos_of_a_batch_overlap(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the first is uploaded the second is read; their pixels are never there together."""
    keys = ("1.png", "2.png", "3.png")
    for key in keys:
        house.s3.put_object(Bucket="photos", Key=key, Body=png(96, 64))
    second_read, at_once, most = threading.Event(), [0], [0]
    seen = []

    def wait_for_the_second(_: S3Call) -> None:
        seen.append(second_read.wait(20))

    house.proxy.add(
        Fault(
            operation="GetObject",
            key="2.png",
            action=CallBefore(function=lambda _: second_read.set()),
        ),
        Fault(
            operation="PutObject",
            key="1.png/photo.json",
            action=CallBefore(function=wait_for_the_second),
        ),
    )

    render = client._PhotoElsewhere.render

    def counted(*arguments: Any, **options: Any) -> Iterator[Rendition]:  # noqa: ANN401 - render's
        at_once[0] += 1
        most[0] = max(most[0], at_once[0])
        try:
            yield from render(*arguments, **options)
        finally:
            at_once[0] -= 1

    monkeypatch.setattr(client._PhotoElsewhere, "render", counted)
    told: list[str] = []
    reports = process_items(
        _envelope(*(ObjectEvent(bucket="photos", key=key) for key in keys)),
        house.handle,
        lambda report: told.append(report.key),
    )
    assert [one.records[0].disposition for one in reports] == ["written"] * 3
    assert tuple(told) == keys
    assert seen == [True]
    assert most == [1]


def test_a_destination_that_refuses_is_left_alone(house: House) -> None:
    """What was not begun when it had refused two photos comes again, and asks it nothing."""
    events = [ObjectEvent(bucket="photos", key=f"{number}.jpg") for number in range(8)]
    house.proxy.add(Fault(bucket="renditions", action=ACCESS_DENIED, times=None))
    reports = process_items(_envelope(*events), house.handle, lambda _: None)
    codes = [one.records[0].code for one in reports]
    assert set(codes) == {"destination-access-denied", "not-begun"}
    # A third may have begun beside the second.
    assert 2 <= codes.count("destination-access-denied") <= 3
    assert len(house.proxy.requests) <= 3
