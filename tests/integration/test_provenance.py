"""The function says where a photo comes from: in its log, and in the photo's manifest."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from handler.errors import InvocationError
from tests.photos import jpeg, signing
from tests.photos.credentials import AI, manifest_store, signed
from tests.rendering import header_of
from tests.unit.test_rights import packet, with_xmp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.servers import FaultProxy

_KEEP = "[credentials]\nkeep = true\nside = 64\n"
_RENDITION = '[[renditions]]\nname = "a"\nwidth = 64\n'


class Stack:
    """The function between its two buckets, with a configuration and a signer in files."""

    def __init__(
        self,
        store: FaultProxy,
        start: Callable[..., Any],
        capsys: pytest.CaptureFixture[str],
        folder: Path,
    ) -> None:
        self._s3 = store.client()
        self._start = start
        self._capsys = capsys
        self._config = folder / "renditions.toml"
        self._key = folder / "key.pem"
        self._key.write_text(signing.identity().pem, encoding="ascii")

    def put(self, photos: Mapping[str, bytes]) -> None:
        """Upload photos."""
        for key, photo in photos.items():
            self._s3.put_object(Bucket="photos", Key=key, Body=photo)

    def started(self, config: str) -> Callable[[str], None]:
        """Return what has the function, so configured, make the renditions of a photo."""
        self._config.write_text(config, encoding="utf-8")
        handle = self._start(
            RENDITIONS_CONFIG=str(self._config),
            CREDENTIALS_KEY=str(self._key),
            CREDENTIALS_CERTIFICATES=signing.identity().chain,
        )
        return lambda key: handle({"bucket": "photos", "key": key}, None)

    def told(self) -> dict[str, Any]:
        """Return the line of the log for each photo."""
        lines = [json.loads(line) for line in self._capsys.readouterr().out.splitlines()]
        return {line["key"]: line for line in lines}

    def stored(self) -> list[str]:
        """Return what was stored."""
        found = self._s3.list_objects_v2(Bucket="renditions").get("Contents", [])
        return [one["Key"] for one in found]

    def read(self, key: str) -> bytes:
        """Return what was stored under a key."""
        body: bytes = self._s3.get_object(Bucket="renditions", Key=key)["Body"].read()
        return body


@pytest.fixture
def stack(
    store: FaultProxy,
    start: Callable[..., Any],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Stack:
    """The function between its two buckets."""
    return Stack(store, start, capsys, tmp_path)


@pytest.mark.parametrize("sidecar", ["", "[sidecar]\n"])
def test_log_and_manifest_say_that_credentials_were_there(stack: Stack, sidecar: str) -> None:
    """With a sidecar and without, through the wall; of a photo that says nothing, nothing."""
    xmp = packet("", 'photoshop:Credit="Keeper"')
    photo = signed("jpeg", manifest_store(AI), with_xmp(jpeg(120, 80), xmp))
    stack.put({"signed.jpg": photo, "plain.jpg": jpeg(120, 80)})
    render = stack.started(sidecar + _RENDITION)
    for key in ("signed.jpg", "plain.jpg"):
        render(key)
    told = stack.told()

    expected = {
        "credentials": "present",
        "source_types": ["trainedAlgorithmicMedia"],
        "data_mining": None,
    }
    assert json.loads(stack.read("signed.jpg/photo.json"))["provenance"] == expected
    line = told["signed.jpg"]
    assert line["credentials"] == "present"
    assert line["sourceTypes"] == ["trainedAlgorithmicMedia"]
    assert line["warnings"] == ["credentials-removed"]
    made = header_of(stack.read("signed.jpg/a.jpg"))
    assert made.credentials is None
    assert made.rights is not None
    assert made.rights.credit == "Keeper"

    plain = json.loads(stack.read("plain.jpg/photo.json")).get("provenance")
    assert plain == ({**expected, "credentials": "none", "source_types": []} if sidecar else None)
    assert not {"credentials", "sourceTypes", "warnings"} & told["plain.jpg"].keys()


@pytest.mark.parametrize("sidecar", ["", "[sidecar]\n"])
def test_credentials_are_carried_on_where_asked(stack: Stack, sidecar: str) -> None:
    """From bucket to bucket: signed, trusted, and said; a photo that was changed is said to be."""
    photo = signing.by_camera(jpeg(120, 80))
    changed = photo[:-100] + b"\0" + photo[-99:]
    stack.put({"signed.jpg": photo, "changed.jpg": changed, "plain.jpg": jpeg(120, 80)})
    small = _RENDITION.replace('"a"', '"small"').replace("64", "32\nheight = 32")
    render = stack.started(_KEEP + sidecar + _RENDITION + small)
    keys = ("signed.jpg", "changed.jpg", "plain.jpg")
    for key in keys:
        render(key)
    told = stack.told()

    for name, is_valid in zip(keys, (True, False, None), strict=True):
        about = json.loads(stack.read(f"{name}/photo.json")).get("provenance", {})
        assert about.get("valid") is is_valid
        assert about.get("carried") == (None if is_valid is None else ["a"])
        assert told[name].get("credentialsValid") is is_valid
        assert header_of(stack.read(f"{name}/small.jpg")).credentials is None
    assert "warnings" not in told["signed.jpg"]
    assert told["changed.jpg"]["warnings"] == ["credentials-invalid"]
    said = signing.read(stack.read("signed.jpg/a.jpg"))
    assert said["validation_state"] == "Trusted"
    assert signing.GPS not in stack.read("signed.jpg/a.jpg")
    assert header_of(stack.read("plain.jpg/a.jpg")).credentials is None


def test_nothing_is_stored_without_credentials_once_the_certificates_have_ended(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an environment that runs: the photo is tried again, by one that has the new ones."""
    stack.put({"signed.jpg": signing.by_camera(jpeg(120, 80)), "plain.jpg": jpeg(120, 80)})
    render = stack.started(_KEEP + _RENDITION)
    end_s = time.time() + 301 * 86_400
    monkeypatch.setattr("handler.photo.renditions.now_s", lambda: end_s)
    render("plain.jpg")
    with pytest.raises(InvocationError, match="signing-failed"):
        render("signed.jpg")
    assert "plain.jpg/a.jpg" in stack.stored()
    assert "signed.jpg/a.jpg" not in stack.stored()


_BASE = _KEEP + "".join(
    f'[[renditions]]\nname = "{name}"\nwidth = {width}\n'
    for name, width in (("a", 64), ("b", 80), ("small", 32))
)
_SIDECAR = "[sidecar]\n"


def _without(name: str) -> str:
    before, _, after = _BASE.partition(f'[[renditions]]\nname = "{name}"\n')
    return before + "".join(after.partition("[[")[1:])


_CHANGES = {
    "one less": (_BASE, _without("small")),
    "one less that carries": (_BASE, _without("b")),
    "one that carries anew": (_BASE, _BASE.replace("80", "81")),
    "one that does not anew": (_BASE, _BASE.replace("32", "33")),
    "one that does not any more": (_BASE, _BASE.replace("80", "40")),
    "one more": (_without("b"), _BASE),
    "no sidecar": (_SIDECAR + _BASE, _BASE),
    "no sidecar, and one anew": (_SIDECAR + _BASE, _BASE.replace("80", "81")),
    "a sidecar, and one anew": (_BASE, _SIDECAR + _BASE.replace("80", "81")),
}


@pytest.mark.parametrize("change", _CHANGES)
def test_a_job_that_makes_a_part_of_the_set_says_the_same_as_of_the_whole(
    stack: Stack, change: str
) -> None:
    """Where the photo comes from, which renditions carry that on, and how they are listed."""
    before, after = _CHANGES[change]
    signed_photo = signing.by_camera(jpeg(120, 80))
    photos = {
        "signed": signed_photo,
        "changed": signed_photo[:-100] + b"\0" + signed_photo[-99:],
        "credit": with_xmp(jpeg(120, 80), packet("", 'photoshop:Credit="Keeper"')),
    }
    stack.put({f"{name}/part.jpg": photo for name, photo in photos.items()})
    render = stack.started(before)
    for name in photos:
        render(f"{name}/part.jpg")
    stack.put({f"{name}/whole.jpg": photo for name, photo in photos.items()})
    render = stack.started(after)
    for name in photos:
        said = []
        for key in ("part", "whole"):
            render(f"{name}/{key}.jpg")
            manifest = json.loads(stack.read(f"{name}/{key}.jpg/photo.json"))
            provenance = manifest["provenance"]
            assert name == "credit" or "carried" in provenance
            provenance.get("carried", []).sort()
            rows = [(row["name"], row["width"]) for row in manifest.get("renditions", [])]
            said.append((provenance, rows))
        assert said[0] == said[1]
