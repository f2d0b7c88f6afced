"""The function says where a photo comes from: in its log, and in the photo's manifest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.photos import jpeg
from tests.photos.credentials import AI, manifest_store, signed
from tests.rendering import header_of
from tests.unit.test_rights import packet, with_xmp

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.servers import FaultProxy

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
