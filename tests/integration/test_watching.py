"""What the function's log says of each record, on real photos over HTTP."""

import importlib
import json
import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from handler.errors import InvocationError
from handler.told.metrics import NAMESPACE
from tests.emf import lines_of, metrics_of
from tests.photos import jpeg, text, tiff
from tests.servers import ACCESS_DENIED, REGION, Fault, FaultProxy, MotoServer
from tests.stack import Stack


@pytest.fixture
def server() -> Iterator[FaultProxy]:
    """An S3 with both buckets, behind a proxy that can refuse."""
    with MotoServer() as moto, FaultProxy(moto.endpoint_url) as proxy:
        moto.create_buckets("photos", "renditions")
        yield proxy


@pytest.fixture
def app(server: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The function, imported afresh as in a new execution environment."""
    environment = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL_S3": server.endpoint_url,
        "DESTINATION_BUCKET": "renditions",
        "AWS_LAMBDA_FUNCTION_NAME": "renditions",
        # Room for all that the tests before it have left in this process.
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "4096",
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
    server: FaultProxy, app: ModuleType, capsys: pytest.CaptureFixture[str]
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
    assert lines[0]["plan"].startswith("base 2048x1365, ")
    assert "large 1280x853 jpeg" in lines[0]["plan"]
    assert (lines[0]["loader"], lines[0]["width"]) == ("jpegload_source", 2400)
    assert lines[0]["RenditionBytes"] == sum(made["bytes"] for made in lines[0]["renditions"])
    assert len(lines[0]["renditions"]) == 5


def test_the_stages_of_a_record_add_up(
    server: FaultProxy, app: ModuleType, capsys: pytest.CaptureFixture[str]
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
    server: FaultProxy,
    app: ModuleType,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A photo that ends while it is decoded leaves its header and its plan in the line."""
    whole = jpeg(2400, 1600)
    server.client().put_object(Bucket="photos", Key="cut.jpg", Body=whole[: len(whole) // 2])

    app.lambda_handler(_event("cut.jpg"), None)

    (line,) = _lines(capsys)
    assert (line["Disposition"], line["Code"]) == ("rejected", "truncated")
    assert line["level"] == "WARNING"
    assert (line["width"], line["height"], line["SourceBytes"]) == (2400, 1600, len(whole) // 2)
    assert line["plan"]
    assert line["detail"]
    assert line["decode_ms"] > 0


Series = tuple[str, frozenset[tuple[str, str]]]
"""A metric's name and its dimensions."""

_FUNCTION = "renditions"


def _expanded(rows: list[list[Any]]) -> Iterator[list[Any]]:
    """Yield the rows of a dashboard's widget, with `...` replaced by what the row above has."""
    above: list[Any] = []
    for row in rows:
        values = [value for value in row if not isinstance(value, dict)]
        if values and values[0] == "...":
            values = above[: len(above) - len(values) + 1] + values[1:]
        above = values
        yield values


def _dashboard_series(stack: Stack) -> set[Series]:
    """Return what the dashboard shows of our own metrics, single series only."""
    (dashboard,) = stack.of_type("AWS::CloudWatch::Dashboard").values()
    body = json.loads(dashboard["DashboardBody"].replace("<Function>", _FUNCTION))
    rows = [row for widget in body["widgets"] for row in _expanded(widget["properties"]["metrics"])]
    return {
        (row[1], frozenset(zip(row[2::2], row[3::2], strict=True)))
        for row in rows
        if row and row[0] == NAMESPACE
    }


def _alarm_series(stack: Stack) -> set[Series]:
    return {
        (
            alarm["MetricName"],
            frozenset(
                (one["Name"], one["Value"].replace("<Function>", _FUNCTION))
                for one in alarm["Dimensions"]
            ),
        )
        for alarm in stack.of_type("AWS::CloudWatch::Alarm").values()
        if alarm["Namespace"] == NAMESPACE
    }


def test_dashboard_and_alarms_name_metrics_that_are_there(
    server: FaultProxy, app: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every series of ours that the template names is found in lines of the real function."""
    client = server.client()
    client.put_object(Bucket="photos", Key="a.jpg", Body=jpeg(600, 400))
    client.put_object(Bucket="photos", Key="notes.jpg", Body=text())
    client.put_object(Bucket="photos", Key="denied.jpg", Body=jpeg(600, 400))
    server.add(Fault(action=ACCESS_DENIED, operation="GetObject", key="denied.jpg"))
    app.lambda_handler(_event("a.jpg", "notes.jpg", "missing.jpg"), None)
    tagged = _event("a.jpg")
    tagged["Records"][0]["eventName"] = "ObjectTagging:Put"
    app.lambda_handler(tagged, None)
    with pytest.raises(InvocationError, match="source-access-denied"):
        app.lambda_handler(_event("denied.jpg"), None)

    emitted = {
        (metric.name, metric.dimensions)
        for line in lines_of(capsys.readouterr().out)
        for metric in metrics_of(line)
        if metric.namespace == NAMESPACE
    }

    stack = Stack(SourceBucket="photos", DestinationBucket="renditions")
    dashboard, alarms = _dashboard_series(stack), _alarm_series(stack)
    assert len(dashboard) >= 10
    assert len(alarms) == 5
    assert (dashboard | alarms) - emitted == set()
    searched = {"FunctionName", "Disposition", "Code"}
    assert any({name for name, _ in dimensions} == searched for _, dimensions in emitted)
