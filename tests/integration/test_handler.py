"""The function as Lambda calls it, against an S3 over HTTP."""

import importlib
import logging
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote_plus

import pytest
import pyvips

from handler.s3.requests import Requests
from handler.s3.sink import S3Sink
from tests.photos import jpeg, png, psnr, text, webp
from tests.servers import REGION, CallBefore, Fault, FaultProxy, MotoServer, open_uploads

Handler = Callable[[Mapping[str, Any], object], dict[str, Any]]

_SOURCE: Final = "photos"
_DESTINATION: Final = "renditions"
_NAMES: Final = ("xlarge", "large", "medium", "small", "square")


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    """An S3 with both buckets, behind a proxy that counts requests."""
    with MotoServer() as moto, FaultProxy(moto.endpoint_url) as counting:
        moto.create_buckets(_SOURCE, _DESTINATION)
        yield counting


@pytest.fixture
def config() -> str:
    """What ``renditions.toml`` says; empty for the file of the project."""
    return ""


@pytest.fixture
def lambda_handler(
    proxy: FaultProxy, config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Handler]:
    """The function, imported afresh: it reads its settings at import."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "RENDITIONS_CONFIG", "SOURCE_BUCKET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", proxy.endpoint_url)
    monkeypatch.setenv("DESTINATION_BUCKET", _DESTINATION)
    if config:
        (tmp_path / "renditions.toml").write_text(config, encoding="utf-8")
        monkeypatch.setenv("RENDITIONS_CONFIG", str(tmp_path / "renditions.toml"))
    monkeypatch.delitem(sys.modules, "handler.app", raising=False)
    app = importlib.import_module("handler.app")
    handler: Handler = app.lambda_handler
    yield handler
    app._client.close()
    sys.modules.pop("handler.app", None)


def _event(*keys: str) -> dict[str, Any]:
    return {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventName": "ObjectCreated:Put",
                "s3": {"bucket": {"name": _SOURCE}, "object": {"key": quote_plus(key)}},
            }
            for key in keys
        ]
    }


def _stored(proxy: FaultProxy) -> dict[str, bytes]:
    client = proxy.client()
    return {
        item["Key"]: client.get_object(Bucket=_DESTINATION, Key=item["Key"])["Body"].read()
        for item in client.list_objects_v2(Bucket=_DESTINATION).get("Contents", [])
    }


def test_bad_records_never_lose_the_good_ones(proxy: FaultProxy, lambda_handler: Handler) -> None:
    """Of five records, three photos are rendered; the text and the missing one are reported."""
    objects = {
        "one photo.jpg": jpeg(2400, 1600),
        "ordner/zwei ü.png": png(400, 300),
        "notes.jpg": text(),
        "three.webp": webp(500, 700),
    }
    for key, body in objects.items():
        proxy.client().put_object(Bucket=_SOURCE, Key=key, Body=body)
    keys = ("one photo.jpg", "notes.jpg", "ordner/zwei ü.png", "missing.jpg", "three.webp")

    records = lambda_handler(_event(*keys), None)["records"]

    assert [(record["key"], record["disposition"], record["code"]) for record in records] == [
        ("one photo.jpg", "written", None),
        ("notes.jpg", "rejected", "not-a-photo"),
        ("ordner/zwei ü.png", "written", None),
        ("missing.jpg", "superseded", "superseded"),
        ("three.webp", "written", None),
    ]
    stored = _stored(proxy)
    photos = ("one photo.jpg", "ordner/zwei ü.png", "three.webp")
    assert set(stored) == {f"{key}/{name}.jpg" for key in photos for name in _NAMES} | {
        f"{key}/photo.json" for key in (*photos, "notes.jpg")
    }
    for record in records:
        for rendition in record["renditions"]:
            data = stored[rendition["key"]]
            image = pyvips.Image.new_from_buffer(data, "")
            assert (image.width, image.height) == (rendition["width"], rendition["height"])
            assert len(data) == rendition["size"]
    first = pyvips.Image.new_from_buffer(stored["one photo.jpg/xlarge.jpg"], "")
    assert (first.width, first.height) == (2048, 1365)


def test_a_jpeg_costs_a_look_one_get_and_a_put_for_each_object(
    proxy: FaultProxy, lambda_handler: Handler
) -> None:
    """One HeadObject for the record, one GetObject without a range, its renditions, the record."""
    proxy.client().put_object(Bucket=_SOURCE, Key="a.jpg", Body=jpeg(3000, 2000))
    before = len(proxy.requests)

    lambda_handler(_event("a.jpg"), None)

    made = proxy.requests[before:]
    assert [(call.key, call.range) for call in made if call.operation == "GetObject"] == [
        ("a.jpg", None)
    ]
    assert [call.operation for call in made] == [
        "HeadObject",
        "GetObject",
        *["PutObject"] * (len(_NAMES) + 1),
    ]
    assert made[-1].key == "a.jpg/photo.json"


def test_a_set_goes_up_at_once(proxy: FaultProxy, lambda_handler: Handler) -> None:
    """No rendition waits for another to be answered: S3 has all of them before it answers one."""
    proxy.client().put_object(Bucket=_SOURCE, Key="a.jpg", Body=jpeg(2400, 1600))
    everyone = threading.Barrier(len(_NAMES))
    proxy.add(
        Fault(
            operation="PutObject",
            when=lambda call: call.key.endswith(".jpg"),
            action=CallBefore(function=lambda _: everyone.wait(60)),
            times=len(_NAMES),
        )
    )
    before = proxy.count(operation="PutObject")
    (record,) = lambda_handler(_event("a.jpg"), None)["records"]
    assert (record["disposition"], len(record["renditions"])) == ("written", len(_NAMES))
    # One that waits in vain is given up, and sent again.
    assert proxy.count(operation="PutObject") == before + len(_NAMES) + 1


@pytest.mark.parametrize("size", [(8 << 20) + 1, 30 << 20])
def test_an_aborted_multipart_upload_is_not_left_open(proxy: FaultProxy, size: int) -> None:
    """Above 8 MiB a sink has an upload open; aborting it leaves neither that nor an object."""
    client = proxy.client()
    with ThreadPoolExecutor(max_workers=2) as executor:
        sink = S3Sink(
            Requests(client),
            executor,
            bucket=_DESTINATION,
            key="large.png",
            headers={},
            condition={},
            check_replaceable=lambda _: None,
        )
        sink.write(memoryview(bytes(size)))
        assert [key for key, _ in open_uploads(client, _DESTINATION)] == ["large.png"]
        sink.abort()
    assert open_uploads(client, _DESTINATION) == []
    assert _stored(proxy) == {}
    operations = [call.operation for call in proxy.requests]
    assert operations.count("CreateMultipartUpload") == 1
    assert operations.count("AbortMultipartUpload") == 1


_FOCAL: Final = """
[[renditions]]
name = "a"
width = 200
height = 200
fit = "cover"
position = "focal-point"
format = ["avif", "png"]
"""


@pytest.mark.parametrize("config", [_FOCAL])
def test_the_objects_user_metadata_names_the_focal_point(
    proxy: FaultProxy, lambda_handler: Handler
) -> None:
    """The square lies around it, in each format; what names no point gives the centre."""
    for key, focal in (("a.jpg", "1,0"), ("b.jpg", "left")):
        proxy.client().put_object(
            Bucket=_SOURCE, Key=key, Body=jpeg(600, 200), Metadata={"focal-point": focal}
        )
    records = lambda_handler(_event("a.jpg", "b.jpg"), None)["records"]
    assert [record["disposition"] for record in records] == ["written", "written"]
    assert [[warning["code"] for warning in record["warnings"]] for record in records] == [
        [],
        ["bad-focal-point"],
    ]
    assert [made["key"] for made in records[0]["renditions"]] == ["a.jpg/a.png", "a.jpg/a.avif"]
    stored = _stored(proxy)
    whole = pyvips.Image.new_from_buffer(jpeg(600, 200), "")
    for key, left in (("a.jpg", 400), ("b.jpg", 200)):
        for output in ("png", "avif"):
            shown = pyvips.Image.new_from_buffer(stored[f"{key}/a.{output}"], "")
            assert psnr(shown, whole.crop(left, 0, 200, 200)) >= 27


def test_no_log_has_a_credential_in_it(
    store: FaultProxy, start: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """At DEBUG neither the session's token nor a signature is logged, nor the secret itself."""
    store.client().put_object(Bucket="photos", Key="a.jpg", Body=jpeg(400, 300))
    # Puts back what the function does to the root's level.
    caplog.set_level("DEBUG")
    for library in ("botocore", "urllib3"):
        logging.getLogger(library).setLevel(logging.NOTSET)
    handler = start(
        LOG_LEVEL="DEBUG", AWS_SESSION_TOKEN="the-token", AWS_SECRET_ACCESS_KEY="the-secret"
    )
    handler({"bucket": "photos", "key": "a.jpg"}, None)
    assert "botocore" in caplog.text
    for secret in ("the-token", "the-secret", "AWS4-HMAC-SHA256"):
        assert secret not in caplog.text
