"""What the X-Ray daemon hears of a record."""

import importlib
import itertools
import json
import re
import socket
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any, Final

import pytest

from tests.photos import jpeg
from tests.servers import REGION, MotoServer

_TRACE: Final = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled="


@pytest.fixture
def daemon() -> Iterator[socket.socket]:
    """A socket where the X-Ray daemon would be."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(2)
        yield listening


@pytest.fixture
def app(daemon: socket.socket, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The function, imported afresh, with a photo in its bucket."""
    with MotoServer() as server:
        server.create_buckets("photos", "renditions")
        server.client().put_object(Bucket="photos", Key="a.jpg", Body=jpeg(1200, 800))
        host, port = daemon.getsockname()
        environment = {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL_S3": server.endpoint_url,
            "DESTINATION_BUCKET": "renditions",
            "AWS_XRAY_DAEMON_ADDRESS": f"{host}:{port}",
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        for name in ("handler.app", "handler.told.tracing"):
            monkeypatch.delitem(sys.modules, name, raising=False)
        module = importlib.import_module("handler.app")
        yield module
        module._client.close()
        sys.modules.pop("handler.app", None)


def _event() -> dict[str, Any]:
    return {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventName": "ObjectCreated:Put",
                "s3": {"bucket": {"name": "photos"}, "object": {"key": "a.jpg"}},
            }
        ]
    }


def test_a_sampled_record_is_a_subsegment_with_its_stages(
    app: ModuleType, daemon: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fetch, decode, encode and store follow one another within the photo's subsegment."""
    monkeypatch.setenv("_X_AMZN_TRACE_ID", f"{_TRACE}1")

    app.lambda_handler(_event(), None)

    header, _, body = daemon.recv(65_535).partition(b"\n")
    assert json.loads(header) == {"format": "json", "version": 1}
    photo = json.loads(body)
    assert photo["trace_id"] == "1-5759e988-bd862e3fe1be46a994272793"
    assert photo["parent_id"] == "53995c3f42cd8ad8"
    assert photo["annotations"]["disposition"] == "written"
    stages = photo["subsegments"]
    assert [stage["name"] for stage in stages] == ["fetch", "decode", "encode", "store"]
    identifiers = {photo["id"], *(stage["id"] for stage in stages)}
    assert len(identifiers) == 5
    assert all(re.fullmatch("[0-9a-f]{16}", one) for one in identifiers)
    for before, after in itertools.pairwise(stages):
        assert before["start_time"] <= before["end_time"]
        assert after["start_time"] == pytest.approx(before["end_time"])


@pytest.mark.parametrize("trace", [f"{_TRACE}0", ""])
def test_without_sampling_there_is_neither_a_datagram_nor_the_module(
    app: ModuleType, daemon: socket.socket, monkeypatch: pytest.MonkeyPatch, trace: str
) -> None:
    """An invocation that is not sampled costs nothing: the module is not even imported."""
    monkeypatch.setenv("_X_AMZN_TRACE_ID", trace)

    app.lambda_handler(_event(), None)

    assert "handler.told.tracing" not in sys.modules
    daemon.settimeout(0.1)
    with pytest.raises(TimeoutError):
        daemon.recv(65_535)


def test_a_daemon_that_is_not_there_loses_no_photo(
    app: ModuleType, daemon: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody listens the photo is written all the same."""
    daemon.close()
    monkeypatch.setenv("_X_AMZN_TRACE_ID", f"{_TRACE}1")
    monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", "no.such.host.invalid:2000")

    (record,) = app.lambda_handler(_event(), None)["records"]

    assert record["disposition"] == "written"
