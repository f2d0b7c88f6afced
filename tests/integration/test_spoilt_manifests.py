"""Manifests that somebody has spoilt: whatever they say, the photo is done."""

import json
from collections.abc import Callable
from typing import Any, Final

import pytest

from handler.errors import Disposition
from handler.objects import ObjectEvent
from handler.photo.manifest import MAX_BODY_BYTES
from tests.house import BOTH, KEY, MANIFEST, House, of
from tests.photos import jpeg

_OLD: Final = jpeg(96, 64)
_NEW: Final = jpeg(64, 96)
_HALF: Final = "\ud800"
_SPOILT: Final[dict[str, Callable[[dict[str, Any]], dict[str, Any]]]] = {
    "a line break in an ETag": lambda said: {"kept": dict.fromkeys(said["kept"], "a\r\nb")},
    "a quote in an ETag": lambda said: {"kept": dict.fromkeys(said["kept"], 'a"')},
    "half a pair in an ETag": lambda said: {"kept": dict.fromkeys(said["kept"], _HALF)},
    "half a pair in a key": lambda said: {"kept": said["kept"] | {_HALF: "e"}},
    "half a pair in what else it says": lambda _: {"x": [{"y": _HALF}]},
    "half a pair in an announced version": lambda _: {"announced": [["k", _HALF]]},
    "half a pair in a refusal": lambda _: {"refused": [["n", "m", "c", _HALF]]},
    "no number": lambda _: {"x": float("nan")},
    "lists within lists": lambda _: {"x": json.loads("[" * 600 + "]" * 600)},
    "too many bytes": lambda _: {"x": "x" * MAX_BODY_BYTES},
}


def _spoil(house: House, *, body: dict[str, Any], metadata: dict[str, str]) -> None:
    answer: Any = house.s3.get_object(Bucket="renditions", Key=MANIFEST)
    house.s3.put_object(
        Bucket="renditions",
        Key=MANIFEST,
        Body=json.dumps(json.loads(answer["Body"].read()) | body).encode(),
        Metadata=answer["Metadata"] | metadata,
    )


def _check_is_done(house: House, caplog: pytest.LogCaptureFixture, *, is_new: bool) -> None:
    """Check that the photo's event makes everything, and that the next one finds it done."""
    photo = house.put(_NEW if is_new else _OLD)
    assert house.handle(photo).disposition is Disposition.WRITTEN
    assert "empty manifest" in caplog.text
    assert house.stored() == of(photo, *BOTH)
    assert house.named() == set(BOTH)
    assert house.handle(photo).disposition is Disposition.UNCHANGED


@pytest.mark.parametrize("what", _SPOILT)
@pytest.mark.parametrize("is_new", [False, True])
def test_what_a_manifest_says_does_not_stop_its_photo(
    house: House, caplog: pytest.LogCaptureFixture, what: str, *, is_new: bool
) -> None:
    """The event of the photo, put again, came again for ever; so did that of another one."""
    house.handle(house.put(_OLD))
    _spoil(house, body=_SPOILT[what](house.manifest()), metadata={})
    _check_is_done(house, caplog, is_new=is_new)


@pytest.mark.parametrize("what", _SPOILT)
def test_nor_an_http_request(house: House, caplog: pytest.LogCaptureFixture, what: str) -> None:
    """It was answered by 503 for ever. A job finds the rest."""
    house.handle(house.put(_OLD))
    _spoil(house, body=_SPOILT[what](house.manifest()), metadata={})
    house.s3.delete_object(Bucket="renditions", Key=f"{KEY}/small.jpg")
    assert house.ask_for("small").disposition is Disposition.WRITTEN
    assert "empty manifest" in caplog.text
    assert house.named() == {"small.jpg"}
    assert house.handle(ObjectEvent(bucket="photos", key=KEY)).disposition is Disposition.WRITTEN
    assert house.named() == set(BOTH)


@pytest.mark.parametrize(
    "spoilt",
    [
        {"source-etag": 'a"b'},
        {"source-version": "a b"},
        {"source-bucket": "a/b"},
        {"set": "x" * 1500},
        {"rejected": "x" * 1500},
    ],
    ids=lambda spoilt: next(iter(spoilt)),
)
def test_nor_do_its_metadata(
    house: House, caplog: pytest.LogCaptureFixture, spoilt: dict[str, str]
) -> None:
    """What would not fit, or is not what it should be, is not written again."""
    house.handle(house.put(_OLD))
    _spoil(house, body={}, metadata=spoilt)
    _check_is_done(house, caplog, is_new=False)
