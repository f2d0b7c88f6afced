"""The sidecar says what a photo is and what was made of it, and matches its published schema."""

import base64
import json
from pathlib import Path
from typing import Any

import dhash
import jsonschema
import pytest
import pyvips
import thash

from handler.cli import main
from imaging.appearance import appearance_of
from imaging.plan import FromBase, OwnPass, RenditionPlan
from imaging.rendition import Rendition
from imaging.sidecar import sidecar
from imaging.specs import Fit, RenditionSpec, Truncated
from tests.photos import (
    PHOTO_FORMATS,
    PhotoFormat,
    exif,
    gif,
    jpeg,
    png,
    private_photo,
    truncated,
    ultra_hdr_jpeg,
    with_exif,
)
from tests.rendering import rendered

SCHEMA = json.loads(
    (Path(__file__).parent.parent.parent / "docs" / "sidecar.schema.json").read_text("utf-8")
)
SPECS = (
    RenditionSpec(name="large", width=300),
    RenditionSpec(name="square", width=64, height=64, fit=Fit.COVER),
    RenditionSpec(name="small", width=100),
)


def made(
    data: bytes, specs: tuple[RenditionSpec, ...] = SPECS, policy: Truncated = Truncated.REFUSE
) -> tuple[RenditionPlan, list[Rendition]]:
    """Return the plan, with an appearance, and what was made by it."""
    result = rendered(data, *specs, truncated=policy, sidecar=True)
    return result.plan, list(result.renditions)


def document(
    data: bytes, specs: tuple[RenditionSpec, ...] = SPECS, policy: Truncated = Truncated.REFUSE
) -> Any:  # noqa: ANN401 - JSON
    """Return the sidecar of ``data``, as a reader of JSON gets it, after the schema had its say."""
    plan, renditions = made(data, specs, policy)
    keys = [(each, f"a/{each.planned.spec.name}.jpg") for each in renditions]
    said = json.loads(json.dumps(sidecar({"key": "a"}, plan, keys)))
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(said, SCHEMA, cls=jsonschema.Draft202012Validator)
    return said


@pytest.mark.parametrize("photo_format", PHOTO_FORMATS)
def test_the_sidecar_of_every_format_matches_the_schema(photo_format: PhotoFormat) -> None:
    """Real type, upright dimensions, camera and time; and nothing private."""
    data, private = private_photo(photo_format)
    said = document(data)
    photo = said["photo"]
    assert photo["type"] == f"image/{photo_format}"
    assert (photo["width"], photo["height"], photo["bytes"]) == (320, 240, len(data))
    if photo_format != "gif":
        assert photo["captured_at"] == "2026-05-04T03:02:01"
        assert photo["camera"] == {
            "make": "Marker-Make",
            "model": "Marker-Model",
            "lens": "Marker-Lens-Model",
        }
    text = json.dumps(said).encode()
    assert not [name for name, marker in private.items() if marker in text]


def test_every_rendition_is_listed_as_it_was_stored() -> None:
    """Key, dimensions, bytes and content type of each, in the order in which they were made."""
    plan, renditions = made(jpeg(600, 400, orientation=6))
    said = sidecar({"key": "a"}, plan, [(each, each.planned.spec.name) for each in renditions])
    assert said["photo"]["width"], said["photo"]["height"] == (600, 400)
    listed = {each["name"]: each for each in said["renditions"]}
    assert set(listed) == {"large", "small", "square"}
    for each in renditions:
        assert listed[each.planned.spec.name] == {
            "name": each.planned.spec.name,
            "key": each.planned.spec.name,
            "width": each.width,
            "height": each.height,
            "bytes": each.size,
            "content_type": "image/jpeg",
        }


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({0x9003: "2026:05:04 03:02:01", 0x9011: "+02:00"}, "2026-05-04T03:02:01+02:00"),
        ({0x9003: "2026:05:04 03:02:01", 0x9011: "Europe"}, "2026-05-04T03:02:01"),
        ({0x9003: "0000:00:00 00:00:00"}, None),
        ({0x9003: "yesterday"}, None),
        ({0x9003: "2024:13:45 25:61:61"}, None),
        ({0x9003: "2024-13-45T25:61:61"}, None),
        ({0x9003: "2023:02:29 10:00:00"}, None),
        ({0x9003: "2024:02:29 10:00:60"}, None),
        ({0x9003: "2024:02:29 10:00:00", 0x9011: "+25:00"}, "2024-02-29T10:00:00"),
        ({0x9003: "2024:02:29 10:00:00", 0x9011: "-05:99"}, "2024-02-29T10:00:00"),
        ({}, None),
    ],
)
def test_the_time_is_the_camera_s_or_none(fields: dict[int, Any], expected: str | None) -> None:
    """ISO 8601, with the offset where it is one; a clock that was never set tells nothing."""
    data = with_exif(jpeg(64, 48), exif(camera=fields))
    assert document(data)["photo"]["captured_at"] == expected


def test_pages_hdr_and_warnings_are_told() -> None:
    """Frames of an animation, a gain map, and that the photo is truncated, once."""
    assert document(gif(120, 80, frames=5))["photo"]["pages"] == 5
    assert document(ultra_hdr_jpeg(240, 160))["photo"]["hdr"] is True
    assert document(jpeg(240, 160))["photo"]["hdr"] is False
    assert document(jpeg(240, 160))["warnings"] == []
    broken = document(truncated(jpeg(320, 240), 0.8), policy=Truncated.RENDER)
    assert [warning["code"] for warning in broken["warnings"]] == ["truncated"]


def distance(one: str, other: str) -> int:
    """Return how many of 128 bits differ."""
    return int(dhash.get_num_bits_different(int(one, 16), int(other, 16)))


def test_pictures_that_look_alike_have_hashes_that_are_near() -> None:
    """A smaller copy of lower quality is a few bits away, another scene many."""
    first = document(jpeg(600, 400))["photo"]["perceptual_hash"]
    copy = document(jpeg(600, 400, quality=40))["photo"]["perceptual_hash"]
    turned = document(jpeg(600, 400, orientation=6))["photo"]["perceptual_hash"]
    other = document(jpeg(600, 400, seed=7))["photo"]["perceptual_hash"]
    assert distance(first, copy) <= 6
    assert distance(first, turned) <= 6
    assert distance(first, other) > 6


def test_a_thumbhash_shows_the_picture() -> None:
    """Decoded again it has the photo's ratio and, roughly, its colours; alpha stays alpha."""
    whole = pyvips.Image.new_from_buffer(jpeg(600, 400), "")
    said = document(jpeg(600, 400))["photo"]
    width, height, pixels = thash.thumb_hash_to_rgba(list(base64.b64decode(said["thumbhash"])))
    assert abs(width / height - 1.5) < 0.15
    shown = pyvips.Image.new_from_memory(bytes(pixels), width, height, 4, "uchar")
    expected = whole.resize(width / 600, vscale=height / 400)
    assert (shown.extract_band(0, n=3) - expected).abs().avg() < 32
    clear = appearance_of(pyvips.Image.new_from_buffer(png(300, 200, alpha=True), ""), (300, 200))
    *_, pixels = thash.thumb_hash_to_rgba(list(base64.b64decode(clear.thumbhash)))
    assert min(pixels[3::4]) < 128 < max(pixels[3::4])


def test_the_dominant_colour_is_that_of_most_pixels() -> None:
    """Two thirds of one colour; transparent pixels have no colour."""
    red = pyvips.Image.black(90, 60).new_from_image([200, 16, 40]).cast("uchar")
    blue = pyvips.Image.black(45, 60).new_from_image([8, 16, 240]).cast("uchar")
    image = red.join(blue, "horizontal").copy(interpretation="srgb")
    assert appearance_of(image, (135, 60)).dominant_colour == "#c81028"
    hidden = image.bandjoin(
        pyvips.Image.black(90, 60)
        .join(pyvips.Image.black(45, 60) + 255, "horizontal")
        .cast("uchar")
    )
    assert appearance_of(hidden, (135, 60)).dominant_colour == "#0810f0"
    assert appearance_of(image.bandjoin(0).cast("uchar"), (135, 60)).dominant_colour == "#ffffff"


def test_a_picture_of_one_pixel_has_an_appearance() -> None:
    """Nothing is too small or too long."""
    for width, height in ((1, 1), (3000, 5), (2, 900)):
        data = png(width, height)
        assert document(data, (RenditionSpec(name="a"),))["photo"]["width"] == width


def test_who_wants_no_sidecar_does_not_pay_for_it() -> None:
    """Without it the plan asks for no appearance, and none are made."""
    result = rendered(jpeg(120, 80), *SPECS)
    assert result.plan.appearance_of is None
    assert all(rendition.appearance is None for rendition in result.renditions)


def test_the_appearance_is_that_of_the_smallest_and_once() -> None:
    """Of the square's picture before its crop, so that they show the whole photo."""
    plan, renditions = made(jpeg(600, 400))
    assert plan.appearance_of == "square"
    told = [each.planned.spec.name for each in renditions if each.appearance is not None]
    assert told == ["square"]


def test_the_command_writes_it_last(tmp_path: Path) -> None:
    """With [sidecar] in the file there is a photo.json; of a rejected photo there is none."""
    config = tmp_path / "mine.toml"
    config.write_text('[sidecar]\n[[renditions]]\nname = "photo"\nwidth = 50\n', "utf-8")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").write_bytes(jpeg(120, 80))
    (tmp_path / "in" / "b.jpg").write_bytes(truncated(jpeg(120, 80), 0.3))
    out = tmp_path / "out"
    arguments = ["render", str(tmp_path / "in"), "--out", str(out), "--config", str(config)]
    assert main(arguments) == 1
    said = json.loads((out / "a.jpg" / "photo.json").read_text("utf-8"))
    jsonschema.validate(said, SCHEMA, cls=jsonschema.Draft202012Validator)
    assert said["source"] == {"key": "a.jpg"}
    # A rendition may have the same name: the extensions differ.
    assert said["renditions"][0]["key"] == "a.jpg/photo.jpg"
    assert (out / "a.jpg" / "photo.jpg").stat().st_size == said["renditions"][0]["bytes"]
    assert not (out / "b.jpg").exists()


def test_the_smallest_is_held_even_if_it_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks for the photo's own size only, and for its appearance, gets both."""
    monkeypatch.setattr("imaging.planning._MAX_HELD_BYTES", 1000)
    plan, renditions = made(jpeg(240, 160), (RenditionSpec(name="full"),))
    assert isinstance(plan.renditions[0].way, FromBase)
    assert renditions[0].appearance is not None
    plan, renditions = made(jpeg(240, 160), (RenditionSpec(name="full"), SPECS[2]))
    assert [type(each.way) for each in plan.renditions] == [FromBase, OwnPass]
