"""Each row of docs/failures.md: what breaks between S3 and the function, and what is left of it."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
import pyvips

import handler.s3.requests
import handler.s3.sink
from handler.errors import Disposition
from handler.objects import ObjectEvent
from handler.s3.requests import Requests
from handler.s3.sink import S3Sink
from imaging.deadline import Deadline
from imaging.errors import OutOfTimeError
from imaging.formats import OutputFormat
from tests.house import BOTH, KEY, MANIFEST, House, of, open_house
from tests.photos import jpeg, tiff
from tests.photos.heif import grid_heic
from tests.servers import (
    ACCESS_DENIED,
    INTERNAL_ERROR,
    SLOW_DOWN,
    Answer,
    CallAfter,
    CallBefore,
    Cut,
    Drop,
    Ending,
    Fault,
    Flip,
    IgnoreRange,
    LoseAnswer,
    S3Call,
    Slow,
    Stall,
    TruncateUpload,
    WrongLength,
    open_uploads,
)
from tests.servers.faults import Action

# Some reads long, so that it can break between two of them.
_PHOTO: Final = jpeg(1200, 800, quality=98)
_PNG: Final = (OutputFormat.PNG,)
_KMS: Final = Answer(
    status=403,
    code="AccessDenied",
    message="User: arn:aws:sts::1:assumed-role/r is not authorized to perform: kms:Decrypt",
)
_NO_BUCKET: Final = Answer(status=404, code="NoSuchBucket", message="There is none")


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """A house without pauses; nothing here depends on them."""
    monkeypatch.setattr(handler.s3.requests, "_FIRST_PAUSE_S", 0.0)
    with open_house(tmp_path, monkeypatch) as opened:
        yield opened


def _is_whole(house: House, event: ObjectEvent) -> None:
    """Hold what stands in the destination to what the event's photo is."""
    assert house.stored() == of(event, *BOTH)
    for key in BOTH:
        data = house.s3.get_object(Bucket="renditions", Key=f"{KEY}/{key}")["Body"].read()
        pyvips.Image.new_from_buffer(data, "", fail_on="warning").avg()
    assert set(house.manifest()["kept"]) == {f"{KEY}/{key}" for key in BOTH}
    assert open_uploads(house.s3, "renditions") == []


def _ends_as(house: House, event: ObjectEvent, disposition: str) -> None:
    """Check how the event ends; that nothing is stored before it comes again; and that it does."""
    report = house.handle(event)
    assert report.disposition == disposition
    assert house.proxy.unused == ()
    if disposition == "retry":
        assert report.code == "source-failed"
        assert house.proxy.count(method="PUT", bucket="renditions") == 0
        house.proxy.clear()
        assert house.handle(event).disposition is Disposition.WRITTEN
    _is_whole(house, event)


def _reading(*, action: Action, nth: int = 1, times: int | None = 1) -> Fault:
    return Fault(operation="GetObject", key=KEY, action=action, nth=nth, times=times)


@pytest.mark.parametrize("ending", list(Ending))
@pytest.mark.parametrize("at", [0, 0.01, 0.5, 0.99])
def test_a_body_that_is_cut_is_resumed(house: House, at: float, ending: Ending) -> None:
    """Cut anywhere, in either way: the rest comes by a range of the same version."""
    event = house.put(_PHOTO)
    house.proxy.add(_reading(action=Cut(at=at, ending=ending)))
    assert house.handle(event).disposition is Disposition.WRITTEN
    assert house.proxy.unused == ()
    resumed = house.proxy.matching(operation="GetObject", key=KEY)[1]
    assert resumed.if_match == f'"{event.etag}"'
    _is_whole(house, event)


@pytest.mark.parametrize(
    ("faults", "disposition"),
    [
        pytest.param([_reading(action=Stall(at=0.5, seconds=7))], "written", id="stalled-body"),
        pytest.param([_reading(action=SLOW_DOWN, times=3)], "written", id="throttled-3"),
        pytest.param([_reading(action=SLOW_DOWN, times=None)], "retry", id="throttled-on"),
        pytest.param([_reading(action=Drop(), times=2)], "written", id="dropped-twice"),
        pytest.param([_reading(action=WrongLength(by=-9))], "retry", id="length-too-small"),
        pytest.param([_reading(action=WrongLength(by=9))], "retry", id="length-too-large"),
        pytest.param([_reading(action=Flip(at=0.3))], "retry", id="flipped"),
        pytest.param([_reading(action=Flip(at=-1))], "retry", id="flipped-at-the-end"),
        pytest.param(
            [_reading(action=Cut(at=0.5)), _reading(action=Flip(at=0.2))],
            "retry",
            id="flipped-before-a-resume",
        ),
        pytest.param(
            [_reading(action=Cut(at=0.5)), _reading(action=Flip(at=0.5), nth=2)],
            "retry",
            id="flipped-after-a-resume",
        ),
        pytest.param(
            [_reading(action=Cut(at=0.5)), _reading(action=IgnoreRange(), nth=2)],
            "retry",
            id="range-ignored",
        ),
        pytest.param([_reading(action=Cut(at=0), times=None)], "retry", id="never-a-byte"),
    ],
)
def test_a_photo_that_comes_badly(house: House, faults: list[Fault], disposition: str) -> None:
    """It is made within the invocation, or nothing is stored and the event comes again."""
    event = house.put(_PHOTO)
    house.proxy.add(*faults)
    _ends_as(house, event, disposition)


@pytest.mark.parametrize(
    ("faults", "disposition"),
    [
        pytest.param([_reading(action=Cut(at=0.1))], "written", id="cut-early"),
        pytest.param([_reading(action=Cut(at=0.6))], "written", id="cut-among-tiles"),
        pytest.param([_reading(action=Flip(at=0.7))], "retry", id="flipped-tile"),
        pytest.param([_reading(action=Flip(at=-1))], "retry", id="flipped-at-the-end"),
        pytest.param(
            [_reading(action=Cut(at=0.5)), _reading(action=Flip(at=0.3), nth=2)],
            "retry",
            id="flipped-after-a-resume",
        ),
    ],
)
def test_a_heic_that_comes_badly(house: House, faults: list[Fault], disposition: str) -> None:
    """Tiles are decoded while it comes: nothing of a download that does not hold is stored."""
    event = house.put(grid_heic(6, 6, 1500, 1500, tile=256))
    house.proxy.add(*faults)
    _ends_as(house, event, disposition)


@pytest.mark.parametrize("size", [0, 9 << 20], ids=["small", "large"])
@pytest.mark.parametrize("has_checksum", [True, False])
def test_a_flip_in_the_first_kilobyte_is_no_refusal(
    house: House, monkeypatch: pytest.MonkeyPatch, size: int, *, has_checksum: bool
) -> None:
    """Of a photo that is taken for none, the first bytes are asked for again: they are others."""
    if not has_checksum:
        monkeypatch.setattr(house.s3.meta.config, "request_checksum_calculation", "when_required")
    event = house.put(_PHOTO.ljust(size, b"\0"))
    house.proxy.add(_reading(action=Flip(at=0)))
    report = house.handle(event)
    asked = house.proxy.count(operation="GetObject", key=KEY)
    assert (report.code, asked) == ("source-failed", 1 if has_checksum and not size else 2)
    house.proxy.clear()
    assert house.handle(event).disposition is Disposition.WRITTEN
    _is_whole(house, event)


@pytest.mark.parametrize("size", [0, 1, 1024, 5000, 9 << 20])
def test_what_is_no_photo_costs_one_request_more(house: House, size: int) -> None:
    """Whatever its size; what is empty costs none."""
    event = house.put(b"x" * size)
    assert house.handle(event).disposition is Disposition.REJECTED
    assert house.proxy.count(operation="GetObject", key=KEY) == (2 if size else 1)


def test_a_body_at_10_kilobytes_a_second_is_waited_for(house: House) -> None:
    """Slow is not broken: one request."""
    event = house.put(jpeg(96, 64))
    house.proxy.add(_reading(action=Slow(bytes_per_s=10_000)))
    assert house.handle(event).disposition is Disposition.WRITTEN
    assert house.proxy.count(operation="GetObject", key=KEY) == 1
    _is_whole(house, event)


@pytest.mark.parametrize("algorithm", ["CRC64NVME", "CRC32C"])
def test_checksums_that_botocore_does_not_reckon(house: House, algorithm: str) -> None:
    """S3's own default, and one more: a flipped byte is noticed, and whole bytes are not."""
    import base64

    import anycrc

    name, length = {"CRC64NVME": ("CRC64-NVME", 8), "CRC32C": ("CRC32-ISCSI", 4)}[algorithm]
    digest = base64.b64encode(anycrc.Model(name).calc(_PHOTO).to_bytes(length, "big")).decode()
    event = house.put(_PHOTO)

    def announce(params: dict[str, object], **_: object) -> None:
        """Stand in for S3's header: moto keeps no checksum of this kind."""
        headers = params["headers"]
        for header in [one for one in headers if one.startswith("x-amz-checksum")]:  # type: ignore[attr-defined]
            del headers[header]  # type: ignore[attr-defined]
        headers[f"x-amz-checksum-{algorithm.lower()}"] = digest  # type: ignore[index]

    house._client.meta.events.register("before-parse.s3.GetObject", _announcer(announce))
    house.proxy.add(_reading(action=Flip(at=-1)))
    assert house.handle(event).code == "source-failed"
    assert house.proxy.count(method="PUT", bucket="renditions") == 0
    assert house.handle(event).disposition is Disposition.WRITTEN


def _announcer(announce: Callable[..., None]) -> Callable[..., None]:
    def before_parse(response_dict: dict[str, object], **rest: object) -> None:
        announce(response_dict, **rest)

    return before_parse


def test_a_photo_replaced_between_two_ranges_is_another_one(house: House) -> None:
    """A TIFF too large to be read at once: the second range is refused, and nothing is mixed."""
    body = tiff(2400, 1600)
    assert len(body) > 8 << 20
    event = house.put(body)
    newer = []
    house.proxy.add(
        _reading(nth=3, action=CallBefore(function=lambda _: newer.append(house.put(_PHOTO))))
    )
    assert house.handle(event).disposition is Disposition.SUPERSEDED
    assert house.stored() == {}
    assert house.handle(newer[0]).disposition is Disposition.WRITTEN
    _is_whole(house, newer[0])


def test_a_photo_deleted_between_event_and_read(house: House) -> None:
    """The record is looked up, the photo is gone: superseded."""
    event = house.put(_PHOTO)
    house.s3.delete_object(Bucket="photos", Key=KEY)
    assert house.requests_of(event)[:2] == ["HeadObject renditions", "GetObject photos"]
    assert house.handle(event).disposition is Disposition.SUPERSEDED
    assert house.stored() == {}


@pytest.mark.parametrize(
    ("action", "operation", "bucket", "code"),
    [
        (ACCESS_DENIED, "GetObject", "photos", "source-access-denied"),
        (_KMS, "GetObject", "photos", "source-kms-denied"),
        (_NO_BUCKET, "GetObject", "photos", "source-bucket-missing"),
        (ACCESS_DENIED, "HeadObject", "renditions", "destination-access-denied"),
        (ACCESS_DENIED, "PutObject", "renditions", "destination-access-denied"),
        (_KMS, "PutObject", "renditions", "destination-kms-denied"),
        (_NO_BUCKET, "PutObject", "renditions", "destination-bucket-missing"),
    ],
)
def test_what_does_not_mend_itself_is_asked_once(
    house: House, action: Answer, operation: str, bucket: str, code: str
) -> None:
    """A code of its own, and no second try of any request."""
    event = house.put(_PHOTO)
    house.proxy.add(Fault(operation=operation, bucket=bucket, action=action, times=None))
    report = house.handle(event)
    assert (report.disposition, report.code) == (Disposition.RETRY, code)
    asked = [(call.operation, call.key) for call in house.proxy.requests]
    assert len(asked) == len(set(asked))
    house.proxy.clear()
    assert house.handle(event).disposition is Disposition.WRITTEN
    _is_whole(house, event)


@pytest.mark.parametrize("key", [*BOTH, "photo.json"])
@pytest.mark.parametrize(
    "action",
    [
        TruncateUpload(at=0.5),
        LoseAnswer(),
        LoseAnswer(instead=INTERNAL_ERROR),
        SLOW_DOWN,
        INTERNAL_ERROR,
        Drop(),
    ],
    ids=["truncated", "answer-lost", "answer-is-500", "throttled", "500", "dropped"],
)
def test_an_upload_that_fails_once(house: House, action: Drop, key: str) -> None:
    """It is sent again, or found to be there; each object is whole."""
    event = house.put(_PHOTO)
    house.proxy.add(Fault(operation="PutObject", key=f"{KEY}/{key}", action=action))
    assert house.handle(event).disposition is Disposition.WRITTEN
    assert house.proxy.unused == ()
    _is_whole(house, event)
    assert house.handle(event).disposition is Disposition.UNCHANGED


@pytest.mark.parametrize(
    ("operation", "disposition"),
    [
        ("CreateMultipartUpload", "retry"),
        ("UploadPart", "retry"),
        ("CompleteMultipartUpload", "retry"),
    ],
)
def test_no_upload_in_parts_stays_open(
    house: House, monkeypatch: pytest.MonkeyPatch, operation: str, disposition: str
) -> None:
    """Whichever of its requests fails for good, the upload is aborted."""
    monkeypatch.setattr(handler.s3.sink, "_PART_BYTES", 256)
    event = house.put(_PHOTO)
    house.proxy.add(Fault(operation=operation, action=INTERNAL_ERROR, times=None))
    assert house.handle(event).disposition == disposition
    assert house.stored() == {}
    assert open_uploads(house.s3, "renditions") == []


def _open_keys(house: House) -> list[str]:
    uploads = house.s3.list_multipart_uploads(Bucket="renditions").get("Uploads", [])
    return [upload["Key"] for upload in uploads]


@pytest.mark.parametrize("is_late", [False, True])
def test_an_abort_that_is_throttled_is_tried_again(
    house: House, monkeypatch: pytest.MonkeyPatch, *, is_late: bool
) -> None:
    """Also when the deadline has passed, and without a retry left for anything else."""
    monkeypatch.setattr(handler.s3.sink, "_PART_BYTES", 256)
    monkeypatch.setattr(handler.s3.requests, "_RETRIES", 0)
    event, deadline = house.put(_PHOTO), Deadline(600)
    house.proxy.add(
        Fault(operation="CompleteMultipartUpload", action=ACCESS_DENIED, times=None),
        Fault(operation="AbortMultipartUpload", action=SLOW_DOWN, times=2),
    )
    if is_late:
        late = CallBefore(function=lambda _: deadline.expire())
        house.proxy.add(Fault(operation="CompleteMultipartUpload", action=late))
    report = house.handle(event, deadline=deadline)
    assert report.code == "destination-access-denied"
    assert house.proxy.count(operation="AbortMultipartUpload") == 4
    assert _open_keys(house) == []


def test_an_abort_that_fails_does_not_keep_the_next_from_being_tried(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error that led to it is the one that is reported; the bucket's rule ends that upload."""
    monkeypatch.setattr(handler.s3.sink, "_PART_BYTES", 256)
    event = house.put(_PHOTO)
    first = f"{KEY}/small.jpg"
    house.proxy.add(
        Fault(operation="CompleteMultipartUpload", action=ACCESS_DENIED, times=None),
        Fault(operation="AbortMultipartUpload", key=first, action=SLOW_DOWN, times=None),
    )
    assert house.handle(event).code == "destination-access-denied"
    assert _open_keys(house) == [first]


def test_no_upload_begins_after_the_deadline(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that waited for its turn until then is not sent."""
    monkeypatch.setattr(handler.s3.sink, "_PART_BYTES", 256)
    event, deadline = house.put(_PHOTO), Deadline(600)
    late = CallBefore(function=lambda _: deadline.expire())
    house.proxy.add(Fault(operation="CreateMultipartUpload", action=late))
    assert house.handle(event, deadline=deadline).code == "out-of-time"
    assert house.proxy.count(operation="UploadPart") == 0
    assert _open_keys(house) == []


def test_nothing_is_asked_again_after_the_deadline(house: House) -> None:
    """A request that was throttled when the time was up is the last one."""
    event, deadline = house.put(_PHOTO), Deadline(600)
    late = CallBefore(function=lambda _: deadline.expire())
    house.proxy.add(_reading(action=late), _reading(action=SLOW_DOWN, times=None))
    assert house.handle(event, deadline=deadline).code == "out-of-time"
    assert house.proxy.count(operation="GetObject") == 1


def test_no_rendition_is_sent_after_the_deadline(house: House) -> None:
    """One that is whole, and waited for another's upload until then, is not."""
    deadline, free = Deadline(600), threading.Event()
    with ThreadPoolExecutor(max_workers=1) as executor:
        executor.submit(free.wait)
        sink = S3Sink(
            Requests(house.proxy.client(), deadline),
            executor,
            bucket="renditions",
            key="late.jpg",
            headers={},
            condition={},
            check_replaceable=lambda _: None,
        )
        sink.write(memoryview(_PHOTO))
        sink.commit()
        deadline.expire()
        free.set()
        with pytest.raises(OutOfTimeError):
            sink.wait()
    assert house.proxy.count(key="late.jpg") == 0


_SSE_C: Final = Answer(
    status=400,
    code="InvalidRequest",
    message="The object was stored using a form of Server Side Encryption.",
)


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        (_reading(action=_SSE_C, times=None), "source-refused", "400 InvalidRequest"),
        (
            _reading(action=Answer(status=418, code="Teapot", message="No coffee"), times=None),
            "source-refused",
            "418 Teapot",
        ),
        (
            Fault(
                operation="PutObject",
                key=f"{KEY}/small.jpg",
                action=Answer(status=400, code="MetadataTooLarge", message="Too large"),
                times=None,
            ),
            "store-refused",
            "400 MetadataTooLarge",
        ),
    ],
)
def test_what_s3_will_never_do_is_rejected(
    house: House, fault: Fault, code: str, said: str
) -> None:
    """It is asked once, S3's own code is in the message, and nothing is left behind."""
    event = house.put(_PHOTO)
    house.proxy.add(fault)
    report = house.handle(event)
    assert (report.disposition, report.code) == (Disposition.REJECTED, code)
    assert said in str(report.message)
    assert house.proxy.count(operation=fault.operation, key=fault.key) == 1
    assert house.stored() == {}
    assert _open_keys(house) == []


def test_a_deletion_that_cannot_read_the_manifest_comes_again(house: House) -> None:
    """It would be the last one to tell of what is there: a refused read is no answer to it."""
    event = house.put(_PHOTO)
    house.handle(event)
    house.proxy.add(Fault(operation="GetObject", bucket="renditions", action=_SSE_C, times=None))
    deletion = house.delete()
    report = house.handle(deletion)
    assert (report.disposition, report.code) == (Disposition.RETRY, "store-failed")
    house.proxy.clear()
    assert house.handle(deletion).disposition is Disposition.REMOVED
    assert house.stored() == {}


@pytest.mark.parametrize("operation", ["GetObject", "PutObject"])
def test_a_failure_of_s3_s_own_that_nobody_knows_is_tried_again(
    house: House, operation: str
) -> None:
    """Any 5xx is a hiccup, whatever its code."""
    event = house.put(_PHOTO)
    action = Answer(status=599, code="TurnedOffByACat", message="Meow")
    house.proxy.add(Fault(operation=operation, action=action, times=2))
    assert house.handle(event).disposition is Disposition.WRITTEN


def test_a_400_without_a_word_is_not_the_photo_s(house: House) -> None:
    """A HEAD has no body: it may be the credentials that expired, so the event comes again."""
    event = house.put(_PHOTO)
    action = Answer(status=400, code="ExpiredToken", message="It expired")
    house.proxy.add(Fault(operation="HeadObject", action=action, times=None))
    report = house.handle(event)
    assert (report.disposition, report.code) == (Disposition.RETRY, "store-failed")


def test_a_completion_whose_answer_is_lost_counts(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The upload is gone when it is completed again, and the object is there."""
    monkeypatch.setattr(handler.s3.sink, "_PART_BYTES", 5 << 20)
    big = jpeg(3000, 2000, quality=98)
    config = replace(
        house.settings.config,
        renditions=(replace(house.settings.config.renditions[0], width=3000, formats=_PNG),),
    )
    settings = replace(house.settings, config=config)
    event = house.put(big)
    house.proxy.add(Fault(operation="CompleteMultipartUpload", action=LoseAnswer()))
    assert house.handle(event, settings).disposition is Disposition.WRITTEN
    assert house.proxy.unused == ()
    assert house.stored() == of(event, "large.png")
    assert open_uploads(house.s3, "renditions") == []


def test_retries_have_a_budget(house: House) -> None:
    """A store that is down is asked four times, and then left alone."""
    event = house.put(_PHOTO)
    house.proxy.add(Fault(action=SLOW_DOWN, times=None))
    assert house.handle(event).disposition is Disposition.RETRY
    assert len(house.proxy.requests) == 4


def test_what_runs_out_of_time_comes_again(house: House) -> None:
    """The deadline passes while the first rendition is stored: that one stands, no record is."""
    event = house.put(_PHOTO)
    deadline = Deadline(600)

    def expire(_: S3Call) -> None:
        deadline.expire()

    house.proxy.add(Fault(operation="GetObject", key=KEY, action=CallAfter(function=expire)))
    report = house.handle(event, deadline=deadline)
    assert (report.disposition, report.code) == (Disposition.RETRY, "out-of-time")
    assert house.proxy.count(method="PUT", bucket="renditions", key=MANIFEST) == 0
    assert house.handle(event).disposition is Disposition.WRITTEN
    _is_whole(house, event)
