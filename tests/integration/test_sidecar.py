"""The function's record of a photo tells an app what it is, when ``[sidecar]`` asks for it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest

from tests.photos import exif, jpeg, truncated, with_exif
from tests.servers import FaultProxy

_SCHEMA: Final = json.loads(
    (Path(__file__).parent.parent.parent / "docs" / "sidecar.schema.json").read_text("utf-8")
)
_RENDITIONS: Final = (
    '[[renditions]]\nname = "a"\nwidth = 64\n[[renditions]]\nname = "b"\nwidth = 32\n'
)
_KEY: Final = "zürich/see.jpg"

Start = Callable[..., Any]


def _event(store: FaultProxy, body: bytes) -> dict[str, Any]:
    store.client().put_object(Bucket="photos", Key=_KEY, Body=body)
    return {"bucket": "photos", "key": _KEY}


def _read(store: FaultProxy) -> Any:  # noqa: ANN401 - JSON
    body = store.client().get_object(Bucket="renditions", Key=f"{_KEY}/photo.json")["Body"]
    return json.loads(body.read())


def _config(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(text, "utf-8")
    return str(path)


def test_the_sidecar_is_written_last_and_lists_what_is_there(
    store: FaultProxy, start: Start, tmp_path: Path
) -> None:
    """It matches the schema, names the version, and each key that it lists has so many bytes."""
    handler = start(RENDITIONS_CONFIG=_config(tmp_path, "[sidecar]\n" + _RENDITIONS))
    photo = with_exif(jpeg(96, 64), exif(camera={0x9003: "2026:05:04 03:02:01"}))
    handler(_event(store, photo), None)
    said = _read(store)
    jsonschema.validate(said, _SCHEMA, cls=jsonschema.Draft202012Validator)
    client = store.client()
    head = client.head_object(Bucket="photos", Key=_KEY)
    assert said["source"]["bucket"] == "photos"
    assert said["source"]["key"] == _KEY
    assert said["source"]["etag"] == head["ETag"].strip('"')
    assert said["photo"]["captured_at"] == "2026-05-04T03:02:01"
    assert {each["name"] for each in said["renditions"]} == {"a", "b"}
    for each in said["renditions"]:
        stored = client.head_object(Bucket="renditions", Key=each["key"])
        assert stored["ContentLength"] == each["bytes"]
        assert stored["ContentType"] == each["content_type"]
    puts = [request.key for request in store.matching(operation="PutObject", bucket="renditions")]
    assert puts[-1] == f"{_KEY}/photo.json"
    assert len(puts) == 3


def test_without_the_table_the_record_tells_nothing_of_the_photo(
    store: FaultProxy, start: Start, tmp_path: Path
) -> None:
    """What is a record only has no time, no camera and no looks; asked for, it is made again."""
    start(RENDITIONS_CONFIG=_config(tmp_path, _RENDITIONS))(_event(store, jpeg(96, 64)), None)
    assert "photo" not in _read(store)
    handler = start(RENDITIONS_CONFIG=_config(tmp_path, "[sidecar]\n" + _RENDITIONS))
    handler({"bucket": "photos", "key": _KEY}, None)
    assert _read(store)["photo"]["width"] == 96


@pytest.mark.parametrize(("part", "is_there"), [(0.9, True), (0.2, False)])
def test_a_photo_that_breaks_off_is_read_twice_from_s3(
    store: FaultProxy, start: Start, tmp_path: Path, part: float, *, is_there: bool
) -> None:
    """With ``truncated = "render"`` its sidecar carries the warning; too little is rejected."""
    text = 'truncated = "render"\n[sidecar]\n' + _RENDITIONS
    handler = start(RENDITIONS_CONFIG=_config(tmp_path, text))
    handler(_event(store, truncated(jpeg(640, 480), part)), None)
    said = _read(store)
    if is_there:
        assert [warning["code"] for warning in said["warnings"]] == ["truncated"]
    else:
        assert "renditions" not in said
