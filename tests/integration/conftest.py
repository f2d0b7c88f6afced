"""The function as Lambda starts it, with the settings that a test wants, beside an S3 over HTTP."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.house import House, open_house
from tests.servers import REGION, FaultProxy, MotoServer


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """Buckets without versions."""
    with open_house(tmp_path, monkeypatch) as opened:
        yield opened


@pytest.fixture
def versioned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """Photos with versions."""
    with open_house(tmp_path, monkeypatch, versioned=True) as opened:
        yield opened


@pytest.fixture
def store() -> Iterator[FaultProxy]:
    """An S3 with the buckets ``photos``, versioned, and ``renditions``; it counts requests."""
    with MotoServer() as moto, FaultProxy(moto.endpoint_url) as counting:
        moto.create_buckets("photos", "renditions")
        counting.client().put_bucket_versioning(
            Bucket="photos", VersioningConfiguration={"Status": "Enabled"}
        )
        yield counting


@pytest.fixture
def start(store: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Import the function afresh, with these settings; returns its handler."""
    started = []

    def begin(**settings: str) -> Any:  # noqa: ANN401 - each source has its own answer
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "RENDITIONS_CONFIG", "SOURCE_BUCKET"):
            monkeypatch.delenv(name, raising=False)
        environment = {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": store.endpoint_url,
            "DESTINATION_BUCKET": "renditions",
        }
        for name, value in (environment | settings).items():
            monkeypatch.setenv(name, value)
        monkeypatch.delitem(sys.modules, "handler.app", raising=False)
        app = importlib.import_module("handler.app")
        started.append(app)
        return app.lambda_handler

    yield begin
    for app in started:
        app._client.close()
    # What is imported when it is first needed holds clients of this test's S3.
    for name in ("handler.app", "handler.told.completion"):
        sys.modules.pop(name, None)
