"""What is stored with a rendition, and who pays for asking for its photo."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

import handler.s3.sink
from handler import cli
from tests.photos import jpeg

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mypy_boto3_s3.type_defs import TagTypeDef

    from tests.servers import FaultProxy

LONG_KEY: Final = "ф" * 300
_TOML: Final = """
[[renditions]]
name = "small"
width = 16
storage_class = "STANDARD_IA"
content_disposition = 'attachment; filename="small.jpg"'
tags = { team = "photos & more", kind = "rendition" }
copy_tags = true

[[renditions]]
name = "whole"
format = "png"
storage_class = "GLACIER_IR"
tags = { team = "photos" }
"""


def test_a_rendition_has_what_its_configuration_says(
    store: FaultProxy, start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Storage class, disposition and tags, in one request or in parts; its own tags come first."""
    monkeypatch.setattr(handler.s3.sink, "_PART_BYTES", 5 << 20)
    s3 = store.client()
    # A tag more than there is room for, beside the two of its own.
    tags = "&".join([*(f"tag{number}=a+b" for number in range(9)), "team=other"])
    photo = jpeg(2400, 1800)
    s3.put_object(Bucket="photos", Key="a.jpg", Body=photo, Tagging=tags)
    toml = _TOML.replace(" & ", " + ")
    handle = start(RENDITIONS_TOML=toml, RENDITIONS_CONFIG="", SOURCE_BUCKET="photos")
    assert handle({"bucket": "photos", "key": "a.jpg"}, None)["records"][0]["code"] is None
    assert store.matching(operation="CreateMultipartUpload")

    def told(key: str) -> tuple[str | None, str | None, dict[str, str]]:
        head = s3.head_object(Bucket="renditions", Key=key)
        tagged = s3.get_object_tagging(Bucket="renditions", Key=key)
        found = {one["Key"]: one["Value"] for one in tagged["TagSet"]}
        return head.get("StorageClass"), head.get("ContentDisposition"), found

    copied = {f"tag{number}": "a b" for number in range(8)}
    assert told("a.jpg/small.jpg") == (
        "STANDARD_IA",
        'attachment; filename="small.jpg"',
        copied | {"team": "photos + more", "kind": "rendition"},
    )
    assert told("a.jpg/whole.png") == ("GLACIER_IR", None, {"team": "photos"})
    assert told("a.jpg/photo.json") == (None, None, {})
    http = {"method": "GET", "path": "/small/a.jpg"}
    answer = handle(
        {"version": "2.0", "rawPath": "/small/a.jpg", "requestContext": {"http": http}}, None
    )
    assert answer["headers"]["Content-Disposition"] == 'attachment; filename="small.jpg"'


def test_tags_too_long_for_s3_s_headers_are_left_out(
    store: FaultProxy, start: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """Ten of the longest tags are 34 KB of header, of which S3 takes 8: those that fit stay."""
    s3 = store.client()
    # Two that fit among eight that do not, with one of the longest keys.
    tags = {f"{number}{'鳥' * 127}": "写真" * 128 for number in range(8)}
    tags |= {"ä": "ö" * 20, "9": "z"}
    s3.put_object(Bucket="photos", Key=LONG_KEY, Body=jpeg(64, 48))
    tag_set: list[TagTypeDef] = [{"Key": key, "Value": value} for key, value in tags.items()]
    s3.put_object_tagging(Bucket="photos", Key=LONG_KEY, Tagging={"TagSet": tag_set})
    toml = _TOML.replace("photos & more", "d" * 256).replace('"attachment', f'"{"a" * 480};')
    toml = toml.replace("width = 16", "width = 16\nformat = 'jpeg'")
    handle = start(RENDITIONS_TOML=toml, RENDITIONS_CONFIG="", SOURCE_BUCKET="photos")
    before = len(store.requests)
    (record,) = handle({"bucket": "photos", "key": LONG_KEY}, None)["records"]
    (warning,) = record["warnings"]
    assert (record["code"], warning["code"]) == (None, "tags-left-out")
    assert warning["message"].partition("without: ")[2] == ", ".join([*tags][1:8])
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert line["warnings"] == ["tags-left-out"]

    found = s3.get_object_tagging(Bucket="renditions", Key=f"{LONG_KEY}/small.jpg")["TagSet"]
    kept = {one["Key"]: one["Value"] for one in found}
    assert kept == {"team": "d" * 256, "kind": "rendition"} | dict(
        [*tags.items()][:1] + [*tags.items()][8:]
    )
    for made in store.requests[before:]:
        sent = sum(len(name) + len(value) + 4 for name, value in made.headers.items())
        # As many more are left for the session's token and a longer signature.
        assert sent <= 8192 - 1500


def test_nothing_is_asked_where_nothing_is_configured(
    store: FaultProxy, start: Callable[..., Any]
) -> None:
    """No request for tags, and no header besides those of before."""
    store.client().put_object(Bucket="photos", Key="a.jpg", Body=jpeg(64, 48), Tagging="a=b")
    before = len(store.requests)
    start()({"bucket": "photos", "key": "a.jpg"}, None)
    made = store.requests[before:]
    assert {one.operation for one in made} == {"HeadObject", "GetObject", "PutObject"}
    named = {name for one in made for name in one.headers}
    assert not named & {
        "x-amz-request-payer",
        "x-amz-storage-class",
        "x-amz-tagging",
        "content-disposition",
    }


@pytest.mark.parametrize("way", ["event", "http", "backfill"])
def test_who_asks_for_a_photo_pays_where_that_is_wanted(
    store: FaultProxy,
    start: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    way: str,
) -> None:
    """Every request of the photos' bucket says so, and none of the renditions'."""
    store.client().put_object(Bucket="photos", Key="a.jpg", Body=jpeg(64, 48))
    monkeypatch.chdir(tmp_path)
    toml = '[[renditions]]\nname = "a"\nwidth = 16\ncopy_tags = true\n'
    settings = {"RENDITIONS_TOML": toml, "RENDITIONS_CONFIG": "", "SOURCE_BUCKET": "photos"}
    handle = start(SOURCE_REQUESTER_PAYS="true", **settings)
    before = len(store.requests)
    match way:
        case "event":
            handle({"bucket": "photos", "key": "a.jpg"}, None)
        case "http":
            http = {"method": "GET", "path": "/a/a.jpg"}
            handle(
                {"version": "2.0", "rawPath": "/a/a.jpg", "requestContext": {"http": http}}, None
            )
        case "backfill":
            assert cli.main(["backfill", "photos", "--yes", "--processes", "1"]) == 0
    payers = {
        (one.bucket, one.headers.get("x-amz-request-payer")) for one in store.requests[before:]
    }
    assert payers == {("photos", "requester"), ("renditions", None)}
