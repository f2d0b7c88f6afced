"""`renditions history`: what became of one photo, told from what S3 has of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from handler import cli
from tests.photos import jpeg, text
from tests.servers import ACCESS_DENIED, Fault, FaultProxy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_KEY = 'in/a "b".jpg'
_CONFIG = """
[[renditions]]
name = "small"
width = 16

[[renditions]]
name = "large"
width = 32
"""


@pytest.fixture
def handle(start: Callable[..., Any], tmp_path: Path) -> Callable[[], dict[str, Any]]:
    """The function, given a job for the one photo."""
    config = tmp_path / "renditions.toml"
    config.write_text(_CONFIG)
    handler = start(
        RENDITIONS_CONFIG=str(config),
        SOURCE_BUCKET="photos",
        DESTINATION_KEY_TEMPLATE="out/{key}/{name}.{ext}",
    )

    def job() -> dict[str, Any]:
        answer: dict[str, Any] = handler({"bucket": "photos", "key": _KEY}, None)
        return answer

    return job


def _told(capsys: pytest.CaptureFixture[str], photo: str = f"s3://photos/{_KEY}") -> str:
    assert cli.main(["history", photo]) == 0
    return capsys.readouterr().out


def _put(store: FaultProxy, body: bytes, key: str = _KEY) -> str:
    version: str = store.client().put_object(Bucket="photos", Key=key, Body=body)["VersionId"]
    return version


def test_versions_manifest_and_renditions(
    store: FaultProxy, handle: Callable[[], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """Each version of the key alone, newest first; the manifest's state; the renditions' keys."""
    first = _put(store, jpeg(64, 48))
    _put(store, b"another", f"{_KEY}.bak")
    handle()
    second = _put(store, jpeg(48, 64))
    handle()

    told = _told(capsys)

    assert re.findall(r"version (\S+): [\d,]+ bytes", told) == [second, first]
    assert f"manifest   s3://renditions/out/{_KEY}/photo.json" in told
    assert f"made, of version {second}" in told
    for name in ("small", "large"):
        assert re.search(rf"out/{_KEY}/{name}\.jpg: [\d,]+ bytes", told)
    assert 'filter key = "in/a \\"b\\".jpg"' in told


@pytest.mark.parametrize("command", ["history", "backfill"])
def test_a_command_reads_no_key_that_signs_urls(
    handle: Callable[[], Any],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    command: str,
) -> None:
    """Who runs it need not be allowed to read the secret: nobody asks for it."""
    monkeypatch.chdir(tmp_path)
    handle()
    arn = "arn:aws:ssm:us-east-1:123456789012:parameter/renditions/keys"
    monkeypatch.setenv("URL_SIGNING_KEYS_ARN", arn)
    monkeypatch.setenv("URL_SIGNING_KEYS", "no key")
    of = {"history": [f"s3://photos/{_KEY}"], "backfill": ["photos", "--via", "local", "--yes"]}
    status = cli.main([command, *of[command]])
    said = capsys.readouterr()
    assert "URL_SIGNING" not in said.out + said.err
    assert status == 0, said.err


def test_what_is_wrong_is_told(
    store: FaultProxy, handle: Callable[[], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """Renditions that are gone, or are other bytes than those made, are named as such."""
    _put(store, jpeg(64, 48))
    handle()
    s3 = store.client()
    s3.delete_object(Bucket="renditions", Key=f"out/{_KEY}/small.jpg")
    s3.put_object(Bucket="renditions", Key=f"out/{_KEY}/large.jpg", Body=b"somebody's")

    told = _told(capsys)

    assert f"out/{_KEY}/small.jpg: missing" in told
    assert re.search(rf"out/{_KEY}/large\.jpg: 10 bytes, .*, not the bytes that were made", told)


def test_a_rejection_and_a_deletion(
    store: FaultProxy, handle: Callable[[], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """The code and the reason stand there; then that it is gone, with S3's delete marker."""
    _put(store, text())
    handle()
    rejected = _told(capsys)
    store.client().delete_object(Bucket="photos", Key=_KEY)

    deleted = _told(capsys)

    assert "rejected as not-a-photo" in rejected
    assert re.search(r"version \S+: deleted, latest", deleted)


@pytest.mark.usefixtures("handle")
def test_a_photo_of_which_no_event_was_done(
    store: FaultProxy, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has no manifest: its event never came, or failed before anything was written."""
    _put(store, jpeg(64, 48))
    assert "there is none" in _told(capsys)


@pytest.mark.usefixtures("handle")
@pytest.mark.parametrize("photo", ["photos/a.jpg", "s3://photos"])
def test_what_names_no_photo(
    store: FaultProxy, photo: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message says what was expected, and what was received."""
    before = store.requests

    assert cli.main(["history", photo]) == 2

    assert f"expected s3://BUCKET/KEY but received {photo!r}" in capsys.readouterr().err
    assert store.requests == before


def test_what_s3_refuses(
    store: FaultProxy, handle: Callable[[], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """S3's own words are shown, and the status says that this is not all."""
    _put(store, jpeg(64, 48))
    handle()
    store.add(Fault(operation="HeadObject", action=ACCESS_DENIED))

    assert cli.main(["history", f"s3://photos/{_KEY}"]) == 1
    assert "history of s3://photos/" in capsys.readouterr().err
