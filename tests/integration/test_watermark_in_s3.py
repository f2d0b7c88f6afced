"""A watermark's picture as an object of S3: beside its configuration, or at a place of its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest
import pyvips

from handler.s3.configuration import read_stored_mark
from imaging.errors import ConfigError
from tests.photos import jpeg
from tests.unit.test_watermark import logo

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers import FaultProxy

_TOML: Final = """
[[renditions]]
name = "marked"
width = 200
format = "png"
watermark = {{ image = "{image}", width = 0.5 }}

[[renditions]]
name = "bare"
width = 200
format = "png"
"""


def _red(store: FaultProxy, name: str) -> float:
    """Return how red the corner of a rendition is in which the mark lies."""
    body = store.client().get_object(Bucket="renditions", Key=f"a.jpg/{name}.png")["Body"].read()
    corner = pyvips.Image.new_from_buffer(body, "").numpy()[120:140, 130:180].astype(float)
    return float(np.mean(corner[..., 0] - corner[..., 2]))


@pytest.mark.parametrize("place", ["beside", "own", "text"])
def test_it_is_read_once_at_init_and_is_on_what_is_stored(
    store: FaultProxy,
    start: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    """Through the wall; another picture of the same name is seen at the next cold start."""
    s3 = store.client()
    store.create_buckets("settings")
    s3.put_object(Bucket="photos", Key="a.jpg", Body=jpeg(400, 300))
    s3.put_object(Bucket="settings", Key="app/marks/logo.png", Body=logo(240, 96))
    image = "marks/logo.png" if place == "beside" else "s3://settings/app/marks/logo.png"
    text = _TOML.format(image=image)
    environ = {"RENDITIONS_TOML": text}
    if place != "text":
        s3.put_object(Bucket="settings", Key="app/renditions.toml", Body=text.encode())
        environ = {"RENDITIONS_CONFIG": "s3://settings/app/renditions.toml"}
    else:
        monkeypatch.delenv("RENDITIONS_CONFIG", raising=False)
    handle = start(**environ)
    job = {"bucket": "photos", "key": "a.jpg"}
    handle(job, None)
    read = [one.key for one in store.matching(operation="GetObject") if one.bucket == "settings"]
    assert read.count("app/marks/logo.png") == 1
    assert _red(store, "marked") > _red(store, "bare") + 60
    bare = s3.head_object(Bucket="renditions", Key="a.jpg/bare.png")["ETag"]

    s3.put_object(Bucket="settings", Key="app/marks/logo.png", Body=logo(100, 40))
    start(**environ)(job, None)
    made = json.loads(s3.get_object(Bucket="renditions", Key="a.jpg/photo.json")["Body"].read())
    assert set(made["kept"]) == {"a.jpg/bare.png", "a.jpg/marked.png"}
    puts = [one.key for one in store.matching(operation="PutObject") if one.bucket == "renditions"]
    assert puts.count("a.jpg/marked.png") == 2
    assert s3.head_object(Bucket="renditions", Key="a.jpg/bare.png")["ETag"] == bare


def test_one_that_cannot_be_read_is_an_error_at_init(
    store: FaultProxy, start: Callable[..., Any]
) -> None:
    """It names the configuration, the line, the rendition and the place."""
    store.create_buckets("settings")
    text = _TOML.format(image="gone.png")
    store.client().put_object(Bucket="settings", Key="app/renditions.toml", Body=text.encode())
    with pytest.raises(ConfigError) as error:
        start(RENDITIONS_CONFIG="s3://settings/app/renditions.toml")
    assert str(error.value).startswith(
        's3://settings/app/renditions.toml:6: rendition "marked": watermark.image: expected a '
        "readable PNG at s3://settings/app/gone.png"
    )
    with pytest.raises(ConfigError, match="expected s3://bucket/key"):
        read_stored_mark("logo.png")
