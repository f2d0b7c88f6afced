"""The function says where a photo comes from: in its log, and in the photo's manifest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.photos import jpeg, signing
from tests.photos.credentials import AI, manifest_store, signed
from tests.rendering import header_of
from tests.unit.test_rights import packet, with_xmp

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.servers import FaultProxy

_KEEP = "[credentials]\nkeep = true\nside = 64\n"
_RENDITION = '[[renditions]]\nname = "a"\nwidth = 64\n'


@pytest.mark.parametrize("sidecar", ["", "[sidecar]\n"])
def test_log_and_manifest_say_that_credentials_were_there(
    store: FaultProxy,
    start: Callable[..., Any],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    sidecar: str,
) -> None:
    """With a sidecar and without, through the wall; of a photo that says nothing, nothing."""
    s3 = store.client()
    xmp = packet("", 'photoshop:Credit="Keeper"')
    photo = signed("jpeg", manifest_store(AI), with_xmp(jpeg(120, 80), xmp))
    s3.put_object(Bucket="photos", Key="signed.jpg", Body=photo)
    s3.put_object(Bucket="photos", Key="plain.jpg", Body=jpeg(120, 80))
    config = tmp_path / "renditions.toml"
    config.write_text(sidecar + _RENDITION, encoding="utf-8")
    handle = start(RENDITIONS_CONFIG=str(config))
    for key in ("signed.jpg", "plain.jpg"):
        handle({"bucket": "photos", "key": key}, None)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    told = {line["key"]: line for line in lines}

    def read(key: str) -> bytes:
        body: bytes = s3.get_object(Bucket="renditions", Key=key)["Body"].read()
        return body

    expected = {
        "credentials": "present",
        "source_types": ["trainedAlgorithmicMedia"],
        "data_mining": None,
    }
    assert json.loads(read("signed.jpg/photo.json"))["provenance"] == expected
    line = told["signed.jpg"]
    assert line["credentials"] == "present"
    assert line["sourceTypes"] == ["trainedAlgorithmicMedia"]
    assert line["warnings"] == ["credentials-removed"]
    made = header_of(read("signed.jpg/a.jpg"))
    assert made.credentials is None
    assert made.rights is not None
    assert made.rights.credit == "Keeper"

    plain = json.loads(read("plain.jpg/photo.json")).get("provenance")
    assert plain == ({**expected, "credentials": "none", "source_types": []} if sidecar else None)
    assert not {"credentials", "sourceTypes", "warnings"} & told["plain.jpg"].keys()


@pytest.mark.parametrize("sidecar", ["", "[sidecar]\n"])
def test_credentials_are_carried_on_where_asked(
    store: FaultProxy,
    start: Callable[..., Any],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    sidecar: str,
) -> None:
    """From bucket to bucket: signed, trusted, and said; a photo that was changed is said to be."""
    s3 = store.client()
    photo = signing.by_camera(jpeg(120, 80))
    s3.put_object(Bucket="photos", Key="signed.jpg", Body=photo)
    s3.put_object(Bucket="photos", Key="changed.jpg", Body=photo[:-100] + b"\0" + photo[-99:])
    s3.put_object(Bucket="photos", Key="plain.jpg", Body=jpeg(120, 80))
    config, key = tmp_path / "renditions.toml", tmp_path / "key.pem"
    small = _RENDITION.replace('"a"', '"small"').replace("64", "32\nheight = 32")
    config.write_text(_KEEP + sidecar + _RENDITION + small, encoding="utf-8")
    key.write_text(signing.identity().pem, encoding="ascii")
    handle = start(
        RENDITIONS_CONFIG=str(config),
        CREDENTIALS_KEY=str(key),
        CREDENTIALS_CERTIFICATES=signing.identity().chain,
    )
    keys = ("signed.jpg", "changed.jpg", "plain.jpg")
    for name in keys:
        handle({"bucket": "photos", "key": name}, None)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    told = {line["key"]: line for line in lines}

    def read(name: str) -> bytes:
        body: bytes = s3.get_object(Bucket="renditions", Key=name)["Body"].read()
        return body

    for name, is_valid in zip(keys, (True, False, None), strict=True):
        about = json.loads(read(f"{name}/photo.json")).get("provenance", {})
        assert about.get("valid") is is_valid
        assert about.get("carried") == (None if is_valid is None else ["a"])
        assert told[name].get("credentialsValid") is is_valid
        assert header_of(read(f"{name}/small.jpg")).credentials is None
    assert "warnings" not in told["signed.jpg"]
    assert told["changed.jpg"]["warnings"] == ["credentials-invalid"]
    said = signing.read(read("signed.jpg/a.jpg"))
    assert said["validation_state"] == "Trusted"
    assert signing.GPS not in read("signed.jpg/a.jpg")
    assert header_of(read("plain.jpg/a.jpg")).credentials is None
