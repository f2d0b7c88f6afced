"""What the function's log says of each record, on real photos over HTTP."""

import importlib
import json
import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.emf import lines_of, metrics_of
from tests.photos import jpeg, text, tiff
from tests.servers import REGION, MotoServer


@pytest.fixture
def server() -> Iterator[MotoServer]:
    """An S3 with both buckets."""
    with MotoServer() as moto:
        moto.create_buckets("photos", "renditions")
        yield moto


@pytest.fixture
def app(server: MotoServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The function, imported afresh as in a new execution environment of 512 MB."""
    environment = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL_S3": server.endpoint_url,
        "DESTINATION_BUCKET": "renditions",
        "AWS_LAMBDA_FUNCTION_NAME": "renditions",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        # What it says itself must not depend on the level of what libraries say.
        "LOG_LEVEL": "CRITICAL",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "RENDITIONS_CONFIG", "SOURCE_BUCKET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delitem(sys.modules, "handler.app", raising=False)
    module = importlib.import_module("handler.app")
    yield module
    module._client.close()
    sys.modules.pop("handler.app", None)


def _event(*keys: str) -> dict[str, Any]:
    return {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventName": "ObjectCreated:Put",
                "eventTime": "2026-01-01T00:00:00.000Z",
                "s3": {"bucket": {"name": "photos"}, "object": {"key": key}},
            }
            for key in keys
        ]
    }


def _lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    written = lines_of(capsys.readouterr().out)
    for line in written:
        assert list(metrics_of(line))
    return [json.loads(line) for line in written]


def test_a_line_for_each_record(
    server: MotoServer, app: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each record leaves one valid line, in order, whatever became of it and at any log level."""
    client = server.client()
    client.put_object(Bucket="photos", Key="a.jpg", Body=jpeg(2400, 1600))
    client.put_object(Bucket="photos", Key="b.tiff", Body=tiff(900, 600))
    client.put_object(Bucket="photos", Key="notes.jpg", Body=text())
    context = SimpleNamespace(aws_request_id="r-1")

    app.lambda_handler(_event("a.jpg", "notes.jpg", "missing.jpg", "b.tiff"), context)

    lines = _lines(capsys)
    assert [(line["key"], line["Disposition"], line["Code"]) for line in lines] == [
        ("a.jpg", "written", "none"),
        ("notes.jpg", "rejected", "not-a-photo"),
        ("missing.jpg", "superseded", "superseded"),
        ("b.tiff", "written", "none"),
    ]
    assert [line["ColdStarts"] for line in lines] == [1, 0, 0, 0]
    assert {line["requestId"] for line in lines} == {"r-1"}
    assert lines[0]["plan"].startswith("base 2048x1365: xlarge 2048x1365 jpeg, ")
    assert (lines[0]["loader"], lines[0]["width"]) == ("jpegload_source", 2400)
    assert lines[0]["RenditionBytes"] == sum(made["bytes"] for made in lines[0]["renditions"])
    assert len(lines[0]["renditions"]) == 5


def test_the_stages_of_a_record_add_up(
    server: MotoServer, app: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wait, decode, encode and upload each took time, and together no more than the record."""
    client = server.client()
    client.put_object(Bucket="photos", Key="a.jpg", Body=jpeg(2400, 1600))
    client.put_object(Bucket="photos", Key="b.tiff", Body=tiff(900, 600))

    app.lambda_handler(_event("a.jpg", "b.tiff"), None)

    for line in _lines(capsys):
        spent = [line[f"{stage}_ms"] for stage in ("wait", "decode", "encode", "upload")]
        assert all(milliseconds > 0 for milliseconds in spent)
        # Each is rounded to a tenth.
        assert sum(spent) <= line["Latency"] + 0.3


def test_what_was_known_of_a_photo_that_was_refused(
    server: MotoServer,
    app: ModuleType,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A photo that breaks off while it is decoded leaves its header and its plan in the line."""
    whole = jpeg(2400, 1600)
    server.client().put_object(Bucket="photos", Key="cut.jpg", Body=whole[: len(whole) // 2])

    app.lambda_handler(_event("cut.jpg"), None)

    (line,) = _lines(capsys)
    assert (line["Disposition"], line["Code"], line["level"]) == ("rejected", "corrupt", "WARNING")
    assert (line["width"], line["height"], line["SourceBytes"]) == (2400, 1600, len(whole) // 2)
    assert line["plan"]
    assert line["detail"]
    assert line["decode_ms"] > 0
