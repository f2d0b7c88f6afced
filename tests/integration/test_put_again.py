"""The same bytes, put again with another focal point or other tags: what is there is of the last.

Their ETag is the same, and in a bucket without versions nothing but Last-Modified tells them apart.
"""

import time
from dataclasses import replace
from typing import Any, Final

import pytest
import pyvips

from handler.backfill.listing import Photo, list_photos
from handler.backfill.stale import only_stale
from handler.errors import Disposition
from handler.objects import ObjectEvent
from handler.s3.requests import Requests
from imaging.config import parse_config
from tests.house import BOTH, KEY, House
from tests.servers import CallAfter, Fault

_JOB: Final = ObjectEvent(bucket="photos", key=KEY)
_SPEC: Final = """
[[renditions]]
name = "{}"
width = 16
height = 16
fit = "cover"
position = "focal-point"
copy_tags = true
"""
_CONFIG: Final = _SPEC.format("small") + _SPEC.format("large")
_STATUSES: Final[dict[str, list[Any]]] = {
    "plain": [],
    "suspended": ["Enabled", "Suspended"],
    "versioned": ["Enabled"],
}
_LEFT: Final = {"focal-point": "0.0,0.5"}
_RIGHT: Final = {"focal-point": "1.0,0.5"}
# S3 tells the time in seconds.
_A_WHILE_S: Final = 1.2


def _halves() -> bytes:
    """Return a photo whose left half is red and whose right half is blue."""
    red = pyvips.Image.black(48, 32).linear([0.0], [250, 0, 0])
    blue = pyvips.Image.black(48, 32).linear([0.0], [0, 0, 250])
    joined = red.join(blue, "horizontal").cast("uchar").copy(interpretation="srgb")
    data: bytes = joined.jpegsave_buffer(Q=95)
    return data


def _colours(house: House) -> set[str]:
    """Return which half each rendition shows."""
    found = set()
    for name in BOTH:
        body = house.s3.get_object(Bucket="renditions", Key=f"{KEY}/{name}")["Body"].read()
        image = pyvips.Image.new_from_buffer(body, "")
        found.add("red" if image[0].avg() > image[2].avg() else "blue")
    return found


def _tags(house: House) -> set[str]:
    """Return the value of each rendition's tag."""
    return {
        tag["Value"]
        for name in BOTH
        for tag in house.s3.get_object_tagging(Bucket="renditions", Key=f"{KEY}/{name}")["TagSet"]
    }


class _Changing:
    """A photo whose left half counts, until it is put again for its right half."""

    def __init__(self, house: House) -> None:
        house.settings = replace(house.settings, config=parse_config(_CONFIG, file="again"))
        self._house = house
        self.first = house.put(_halves(), Metadata=_LEFT, Tagging="of=first")
        self.second: list[ObjectEvent] = []

    def put_again(self) -> None:
        """Put it, and handle its event."""
        time.sleep(_A_WHILE_S)
        self.second.append(self._house.put(_halves(), Metadata=_RIGHT, Tagging="of=second"))
        assert self._house.handle(self.second[0]).disposition is Disposition.WRITTEN

    def check(self) -> None:
        """Let every event come again, twice: what is there is of the second one, and named."""
        for count in (1, 2):
            for event in (self.first, *self.second):
                self._house.handle(replace(event, receive_count=count))
        self._house.handle(_JOB)
        assert _colours(self._house) == {"blue"}
        assert _tags(self._house) == {"second"}
        assert self._house.manifest()["kept"] == {
            key: self._house.s3.head_object(Bucket="renditions", Key=key)["ETag"].strip('"')
            for key in self._house.manifest()["kept"]
        }


@pytest.mark.parametrize("bucket", _STATUSES)
@pytest.mark.parametrize("when", ["the photo is read", "a rendition is stored", "all is looked at"])
@pytest.mark.parametrize("who", ["event", "job", "http"])
def test_while_an_attempt_is_under_way(house: House, bucket: str, when: str, who: str) -> None:
    """Its renditions go, or are made again; the second event was done before."""
    for status in _STATUSES[bucket]:
        house.s3.put_bucket_versioning(Bucket="photos", VersioningConfiguration={"Status": status})
    photo = _Changing(house)
    operation, key, source = {
        "the photo is read": ("GetObject", KEY, "photos"),
        "a rendition is stored": ("PutObject", f"{KEY}/small.jpg", "renditions"),
        "all is looked at": ("PutObject", f"{KEY}/large.jpg", "renditions"),
    }[when]
    action = CallAfter(function=lambda _: photo.put_again())
    house.proxy.add(Fault(operation=operation, bucket=source, key=key, action=action))
    if who == "event":
        house.handle(photo.first)
    elif who == "job":
        house.handle(_JOB)
    else:
        house.ask_for("small")
        if not photo.second:
            photo.put_again()
    photo.check()


@pytest.mark.parametrize("has_id", [False, True])
def test_a_version_that_is_deleted_for_good_above_the_same_bytes(
    house: House, *, has_id: bool
) -> None:
    """The one below may be of before the bucket had versions: it is the photo, and not the same."""
    enabled: Any = {"Status": "Enabled"}
    if has_id:
        house.s3.put_bucket_versioning(Bucket="photos", VersioningConfiguration=enabled)
    photo = _Changing(house)
    house.handle(photo.first)
    house.s3.put_bucket_versioning(Bucket="photos", VersioningConfiguration=enabled)
    photo.put_again()
    (second,) = photo.second
    gone = house.delete_for_good(second)
    assert house.handle(gone).disposition is Disposition.WRITTEN
    for count in (1, 2):
        for event in (photo.first, second, gone):
            house.handle(replace(event, receive_count=count))
    assert (_colours(house), _tags(house)) == ({"red"}, {"first"})


def test_a_request_beside_the_set_of_an_older_upload_takes_none_of_it_over(house: House) -> None:
    """The manifest would say that all of it is of the newer one, and a job believes that."""
    photo = _Changing(house)
    house.handle(_JOB)
    time.sleep(_A_WHILE_S)
    house.put(_halves(), Metadata=_RIGHT, Tagging="of=second")
    assert _colours(house) == {"red"}
    assert house.ask_for("small").disposition is Disposition.WRITTEN
    assert house.named() == {"small.jpg"}
    assert house.handle(_JOB).disposition is Disposition.WRITTEN
    assert (_colours(house), _tags(house)) == ({"blue"}, {"second"})
    assert photo.second == []


def test_only_stale_sees_the_same_bytes_put_again(house: House) -> None:
    """Their event was lost; the list says when they were put."""
    photo = _Changing(house)
    house.handle(photo.first)
    requests = Requests(house.s3)

    def stale() -> list[Photo]:
        photos = list_photos(house.s3, "photos", "")
        return list(only_stale(photos, bucket="photos", settings=house.settings, requests=requests))

    assert stale() == []
    time.sleep(_A_WHILE_S)
    house.put(_halves(), Metadata=_RIGHT)
    assert [one.key for one in stale()] == [KEY]
    # Who works on a photo that is gone meanwhile says so.
    listed = list(list_photos(house.s3, "photos", ""))
    house.s3.delete_object(Bucket="photos", Key=KEY)
    found = only_stale(listed, bucket="photos", settings=house.settings, requests=requests)
    assert list(found) == listed


def test_a_job_sees_that_the_version_is_another(versioned: House) -> None:
    """Its ETag is that of the one that is done."""
    photo = _Changing(versioned)
    versioned.handle(photo.first)
    versioned.put(_halves(), Metadata=_RIGHT, Tagging="of=second")
    assert versioned.handle(_JOB).disposition is Disposition.WRITTEN
    assert _colours(versioned) == {"blue"}


def test_a_job_sees_that_the_object_is_another(house: House) -> None:
    """In a bucket without versions Last-Modified says so."""
    photo = _Changing(house)
    house.handle(photo.first)
    time.sleep(_A_WHILE_S)
    house.put(_halves(), Metadata=_RIGHT, Tagging="of=second")
    assert house.handle(_JOB).disposition is Disposition.WRITTEN
    assert _colours(house) == {"blue"}
    assert house.handle(_JOB).disposition is Disposition.UNCHANGED
