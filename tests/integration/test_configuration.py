"""The configuration as an object of S3: read at each cold start, and seen in what is stale."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from handler import cli
from handler.errors import SettingsError
from handler.s3.configuration import MAX_BYTES, read_stored_config
from handler.settings import read_settings
from imaging.errors import ConfigError
from tests.photos import jpeg

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.servers import FaultProxy

_PLACE: Final = "s3://settings/renditions.toml"
_TWO: Final = """
[[renditions]]
name = "large"
width = 64

[[renditions]]
name = "small"
width = 16
"""


def _put(store: FaultProxy, text: str | bytes) -> str:
    store.create_buckets("settings")
    body = text if isinstance(text, bytes) else text.encode()
    answer = store.client().put_object(Bucket="settings", Key="renditions.toml", Body=body)
    return str(answer.get("VersionId") or answer["ETag"].strip('"'))


def _read(store: FaultProxy, monkeypatch: pytest.MonkeyPatch, place: str = _PLACE) -> None:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": store.endpoint_url,
    }.items():
        monkeypatch.setenv(name, value)
    environ = {"DESTINATION_BUCKET": "renditions", "RENDITIONS_CONFIG": place}
    read_settings(environ, read_stored_config)


def _job() -> dict[str, str]:
    return {"bucket": "photos", "key": "a.jpg"}


def test_a_changed_object_takes_effect_at_the_next_cold_start(
    store: FaultProxy, start: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """One GetObject at init; a warm environment keeps what it has; log and manifest say which."""
    s3 = store.client()
    s3.put_object(Bucket="photos", Key="a.jpg", Body=jpeg(640, 480))
    versions = [_put(store, _TWO)]
    told = []

    def log() -> list[tuple[str, str]]:
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return [(line["config"], line["Disposition"]) for line in lines]

    handle = start(RENDITIONS_CONFIG=_PLACE)
    assert [one.bucket for one in store.matching(operation="GetObject")] == ["settings"]
    handle(_job(), None)
    told += log()
    versions.append(_put(store, _TWO.replace("16", "32")))
    read = len(store.matching(operation="GetObject"))
    handle(_job(), None)
    assert not [
        one for one in store.matching(operation="GetObject")[read:] if one.bucket == "settings"
    ]
    told += log()
    start(RENDITIONS_CONFIG=_PLACE)(_job(), None)
    told += log()
    assert told == [
        (versions[0], "written"),
        (versions[0], "unchanged"),
        (versions[1], "written"),
    ]
    manifest = json.loads(s3.get_object(Bucket="renditions", Key="a.jpg/photo.json")["Body"].read())
    assert manifest["config"] == versions[1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (_TWO.replace("16", "0"), rf"^{_PLACE}:8: rendition \"small\": width: expected .* 0$"),
        (b"\xff", "RENDITIONS_CONFIG: expected a readable configuration at s3://"),
        ("#" * (MAX_BYTES + 1), f"RENDITIONS_CONFIG: expected at most {MAX_BYTES} bytes at"),
    ],
)
def test_a_wrong_object_is_an_init_error(
    store: FaultProxy, monkeypatch: pytest.MonkeyPatch, text: str | bytes, message: str
) -> None:
    """The message says what to change, and where."""
    _put(store, text)
    with pytest.raises(ConfigError, match=message):
        _read(store, monkeypatch)


@pytest.mark.parametrize("place", ["s3://", "s3://settings", "s3://settings/", "s3:///key"])
def test_a_wrong_place_is_an_init_error(
    store: FaultProxy, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Nothing is asked for."""
    with pytest.raises(SettingsError, match="RENDITIONS_CONFIG: expected s3://bucket/key"):
        _read(store, monkeypatch, place)
    assert not store.matching(operation="GetObject")


def test_an_object_that_cannot_be_read_is_an_init_error(
    store: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3's own words say why."""
    store.create_buckets("settings")
    with pytest.raises(SettingsError, match=r"RENDITIONS_CONFIG: .*NoSuchKey"):
        _read(store, monkeypatch)


def test_a_rendition_goes_where_its_pattern_no_longer_matches(
    store: FaultProxy, start: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """A photo has what its key asks for; one that nothing is for any more loses what it had."""
    s3 = store.client()
    for key in ("a/1.jpg", "b/1.jpg", "c/1.jpg"):
        s3.put_object(Bucket="photos", Key=key, Body=jpeg(64, 48))
    before = '[[renditions]]\nname = "small"\nwidth = 16\nkeys = ["a/**", "b/**"]\n'
    tiny = '[[renditions]]\nname = "tiny"\nwidth = 8\nkeys = "b/**"\n'

    def dispositions(toml: str) -> list[str]:
        handle = start(RENDITIONS_TOML=toml, RENDITIONS_CONFIG="")
        capsys.readouterr()
        for key in ("a/1.jpg", "b/1.jpg", "c/1.jpg"):
            handle({"bucket": "photos", "key": key}, None)
        lines = capsys.readouterr().out.splitlines()
        return [json.loads(line)["Disposition"] for line in lines]

    def stored() -> set[str]:
        listed = s3.list_objects_v2(Bucket="renditions")["Contents"]
        return {item["Key"] for item in listed}

    assert dispositions(before) == ["written", "written", "ignored"]
    manifests = {"a/1.jpg/photo.json", "b/1.jpg/photo.json"}
    assert stored() == manifests | {"a/1.jpg/small.jpg", "b/1.jpg/small.jpg"}
    assert not [one for one in store.requests if one.key == "c/1.jpg"][1:]
    after = before.replace('"a/**", ', "") + tiny
    assert dispositions(after) == ["removed", "written", "ignored"]
    assert stored() == manifests | {"b/1.jpg/small.jpg", "b/1.jpg/tiny.jpg"}
    assert dispositions(after) == ["unchanged", "unchanged", "ignored"]


def test_a_check_estimates_from_what_it_can_render(
    store: FaultProxy,
    start: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It says how many photos cannot be rendered, and estimates nothing where none can."""
    s3 = store.client()
    _put(store, _TWO)
    changed = tmp_path / "changed.toml"
    changed.write_text(_TWO.replace("16", "17"))
    start(RENDITIONS_CONFIG=_PLACE)
    monkeypatch.setenv("RENDITIONS_CONFIG", _PLACE)
    s3.put_object(Bucket="photos", Key="a.jpg", Body=b"no photo")
    assert cli.main(["check", str(changed), "--bucket", "photos"]) == 0
    said = capsys.readouterr().out
    assert "Of 1 drawn evenly, 1 cannot be rendered." in said
    assert "To renew" not in said

    s3.put_object(Bucket="photos", Key="b.jpg", Body=jpeg(128, 96))
    assert cli.main(["check", str(changed), "--bucket", "photos"]) == 0
    said = capsys.readouterr().out
    assert "Of 2 drawn evenly, 1 cannot be rendered." in said
    assert "To renew 1.0 renditions of each, by a sample of 1: " in said


def test_a_backfill_renews_only_what_changed(
    store: FaultProxy,
    start: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The check counts the stale photos; of each only the changed rendition is stored again."""
    s3 = store.client()
    keys = ["a/1.jpg", "a/2.jpg", "b/1.jpg"]
    for key in keys:
        s3.put_object(Bucket="photos", Key=key, Body=jpeg(128, 96))
    _put(store, _TWO)
    handle = start(RENDITIONS_CONFIG=_PLACE)
    for key in keys:
        handle({"bucket": "photos", "key": key}, None)
    changed = tmp_path / "changed.toml"
    changed.write_text(
        f'{_TWO}exclude = "a/*"\n{_TWO[_TWO.index("[[", 5) :]}keys = "a/*"\nquality = 50\n'
    )
    capsys.readouterr()
    monkeypatch.setenv("RENDITIONS_CONFIG", _PLACE)
    assert cli.main(["check", str(changed), "--bucket", "photos"]) == 0
    said = capsys.readouterr().out
    assert f"Against {_PLACE}:\n" in said
    assert "Stale in photos: 2 photos of" in said
    assert "To renew 1.0 renditions of each" in said
    assert " at 1769 MB of x86_64, were Lambda as fast" in said

    _put(store, changed.read_text())
    monkeypatch.chdir(tmp_path)
    before = len(store.requests)
    backfill = ["backfill", "photos", "--only-stale", "--yes", "--processes", "1", "--sample", "1"]
    assert cli.main(backfill) == 0, capsys.readouterr()
    written = [one.key for one in store.requests[before:] if one.operation == "PutObject"]
    assert sorted(set(written)) == [
        f"a/{number}.jpg/{name}" for number in "12" for name in ("photo.json", "small.jpg")
    ]
    body = s3.get_object(Bucket="renditions", Key="a/1.jpg/photo.json")["Body"].read()
    assert set(json.loads(body)["kept"]) == {"a/1.jpg/large.jpg", "a/1.jpg/small.jpg"}
    capsys.readouterr()
    assert cli.main([*backfill, "--restart"]) == 0
    assert "0 stale photos" in capsys.readouterr().out


def test_what_is_gone_is_made_again_with_what_changed(
    store: FaultProxy, start: Callable[..., Any]
) -> None:
    """A rendition that somebody deleted, or overwrote, is not taken for granted."""
    s3 = store.client()
    s3.put_object(Bucket="photos", Key="a.jpg", Body=jpeg(128, 96))
    three = _TWO + '[[renditions]]\nname = "tiny"\nwidth = 8\n'
    start(RENDITIONS_TOML=three, RENDITIONS_CONFIG="")(_job(), None)
    s3.delete_object(Bucket="renditions", Key="a.jpg/large.jpg")
    s3.put_object(Bucket="renditions", Key="a.jpg/tiny.jpg", Body=b"another's")
    before = len(store.requests)
    start(RENDITIONS_TOML=three.replace("16", "17"), RENDITIONS_CONFIG="")(_job(), None)
    written = {one.key for one in store.requests[before:] if one.operation == "PutObject"}
    assert written >= {"a.jpg/large.jpg", "a.jpg/small.jpg", "a.jpg/tiny.jpg"}
    before = len(store.requests)
    start(RENDITIONS_TOML=_TWO.replace("16", "17"), RENDITIONS_CONFIG="")(_job(), None)
    # A rendition less: nothing is made, and the photo's bytes are not decoded.
    assert {one.key for one in store.requests[before:] if one.operation == "PutObject"} == {
        "a.jpg/photo.json"
    }
    listed = s3.list_objects_v2(Bucket="renditions")["Contents"]
    assert {item["Key"] for item in listed} == {
        "a.jpg/large.jpg",
        "a.jpg/small.jpg",
        "a.jpg/photo.json",
    }
