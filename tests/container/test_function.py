"""The function in its image: photos from bucket to bucket."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyvips

from imaging.config import load_config
from imaging.formats import InputFormat, OutputFormat
from imaging.local import FileSource
from imaging.planning import make_plan
from imaging.rendering import open_photo
from tests import photos
from tests.container.emulator import s3_event
from tests.container.processes import processes
from tests.photos import raws

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_s3 import S3Client

    from tests.container.emulator import FunctionContainer

NAMES = {"large", "medium", "small", "square", "xlarge"}


def stored(s3: S3Client, bucket: str) -> dict[str, tuple[int, int]]:
    """Returns the dimensions of every rendition in a bucket, by key; records are none."""
    found = {}
    for item in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
        if item["Key"].endswith("/photo.json"):
            continue
        data = s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
        image = pyvips.Image.new_from_buffer(data, "")
        found[item["Key"]] = (image.width, image.height)
    return found


def test_a_photo_becomes_five_renditions(
    start_function: Callable[..., FunctionContainer], s3: S3Client, buckets: tuple[str, str]
) -> None:
    """One event on one photo leaves the five default renditions, and nothing else."""
    source, destination = buckets
    s3.put_object(Bucket=source, Key="2026/a photo+1.jpg", Body=photos.jpeg(4000, 3000))

    invocation = start_function().invoke(s3_event(source, ["2026/a photo+1.jpg"], s3))

    assert invocation.error_type is None, invocation
    assert stored(s3, destination) == {
        "2026/a photo+1.jpg/xlarge.jpg": (2048, 1536),
        "2026/a photo+1.jpg/large.jpg": (1280, 960),
        "2026/a photo+1.jpg/medium.jpg": (640, 480),
        "2026/a photo+1.jpg/small.jpg": (320, 240),
        "2026/a photo+1.jpg/square.jpg": (160, 160),
    }


def test_every_format_is_decoded_and_encoded(
    start_function: Callable[..., FunctionContainer],
    s3: S3Client,
    buckets: tuple[str, str],
    tmp_path: Path,
) -> None:
    """The image's own libraries decode each input format, and encode each output format."""
    source, destination = buckets
    made = {
        InputFormat.JPEG: photos.jpeg(480, 320),
        InputFormat.PNG: photos.png(480, 320),
        InputFormat.WEBP: photos.webp(480, 320),
        InputFormat.GIF: photos.gif(480, 320),
        InputFormat.TIFF: photos.tiff(480, 320),
        InputFormat.AVIF: photos.avif(480, 320),
        InputFormat.HEIC: photos.heic(480, 320),
        InputFormat.RAW: raws.dng(photos.jpeg(raws.WIDTH, raws.HEIGHT)),
    }
    assert set(made) == set(InputFormat)
    for name, photo in made.items():
        s3.put_object(Bucket=source, Key=name, Body=photo)
    formats = [str(each) for each in OutputFormat]
    config = tmp_path / "renditions.toml"
    config.write_text(f'[[renditions]]\nname = "a"\nwidth = 240\nformat = {formats}\n')

    function = start_function(config=config)
    invocation = function.invoke(s3_event(source, made, s3), timeout_s=1200)

    assert invocation.error_type is None, invocation
    # The camera raw alone lies on its side.
    heights = dict.fromkeys(made, 160) | {InputFormat.RAW: 360}
    assert stored(s3, destination) == {
        f"{name}/a.{each.extension}": (240, heights[name]) for name in made for each in OutputFormat
    }


def test_only_the_function_has_a_secret(
    start_function: Callable[..., FunctionContainer],
    image: str,
    s3: S3Client,
    buckets: tuple[str, str],
) -> None:
    """Neither the zygote, which is a fork of the function, nor a worker holds its environment."""
    source, _ = buckets
    s3.put_object(Bucket=source, Key="a.jpg", Body=photos.jpeg(400, 300))
    secret = "wJalrXUtnFEMI" + "K7MDENGbPxRfiCY"
    function = start_function(A_SECRET=secret)
    invocation = function.invoke(s3_event(source, ["a.jpg"], s3))
    assert invocation.error_type is None, invocation

    found = processes(image, str(function.get_wrapped_container().id), secret)
    assert [one.has_secret for one in found if one.name == "python3"] == [True, False, False]


def test_200_megapixels_go_through_256_mb(
    start_function: Callable[..., FunctionContainer],
    s3: S3Client,
    buckets: tuple[str, str],
    tmp_path: Path,
) -> None:
    """A function of 256 MB resizes a 63 MB photo of 200 megapixels, and never holds it whole."""
    source, destination = buckets
    path = tmp_path / "large.jpg"
    photos.jpeg_200mp(path)
    s3.upload_file(str(path), source, "large.jpg")
    function = start_function(memory_mb=256)

    invocation = function.invoke(s3_event(source, ["large.jpg"], s3))

    assert invocation.error_type is None, invocation
    assert set(stored(s3, destination)) == {f"large.jpg/{name}.jpg" for name in NAMES}
    assert function.memory_kills() == 0
    # It peaks at 100 MB; the whole photo in memory would come on top.
    assert function.peak_rss() < 140_000_000


def test_a_photo_is_made_in_the_memory_that_it_is_said_to_need_and_refused_in_less(
    start_function: Callable[..., FunctionContainer],
    s3: S3Client,
    buckets: tuple[str, str],
    tmp_path: Path,
) -> None:
    """A megabyte decides: the function is never killed, and a refusal names what would do."""
    source, destination = buckets
    path = tmp_path / "scans.jpg"
    photos.write_jpeg(path, 6000, 4000, progressive=True, subsample="off")
    asked = load_config(Path(__file__).parents[2] / "renditions.toml").asked()
    with open_photo(FileSource(path), asked) as photo:
        plan = make_plan(photo.header, asked)
    enough_mb = -(-plan.peak_bytes >> 20)
    s3.upload_file(str(path), source, "scans.jpg")
    event = s3_event(source, ["scans.jpg"], s3)

    function = start_function(memory_mb=enough_mb - 1)
    [refused] = function.invoke(event).body["records"]

    assert (refused["disposition"], refused["code"]) == ("rejected", "needs-more-memory")
    assert f"at most {enough_mb - 1} MB but this one needs {enough_mb} MB" in refused["message"]
    assert function.memory_kills() == 0
    assert not stored(s3, destination)

    function = start_function(memory_mb=enough_mb)
    [made] = function.invoke(event).body["records"]

    assert made["disposition"] == "written"
    assert function.memory_kills() == 0
    assert function.peak_rss() <= plan.peak_bytes


def test_bad_records_do_not_lose_the_others(
    start_function: Callable[..., FunctionContainer], s3: S3Client, buckets: tuple[str, str]
) -> None:
    """Of five records, a text file and a missing object are reported and three photos written."""
    source, destination = buckets
    photo = photos.jpeg(1200, 900)
    for key in ("1.jpg", "3.jpg", "5.jpg"):
        s3.put_object(Bucket=source, Key=key, Body=photo)
    s3.put_object(Bucket=source, Key="2.jpg", Body=b"Dear diary, this is not a photo.\n" * 40)

    invocation = start_function().invoke(
        s3_event(source, ["1.jpg", "2.jpg", "3.jpg", "missing.jpg", "5.jpg"], s3)
    )

    assert invocation.error_type is None, invocation
    written = {key.rpartition("/")[0] for key in stored(s3, destination)}
    assert written == {"1.jpg", "3.jpg", "5.jpg"}
    dispositions = {record["key"]: record["disposition"] for record in invocation.body["records"]}
    assert dispositions == {
        "1.jpg": "written",
        "2.jpg": "rejected",
        "3.jpg": "written",
        "missing.jpg": "superseded",
        "5.jpg": "written",
    }


def test_a_wrong_setting_is_an_init_error(
    start_function: Callable[..., FunctionContainer], buckets: tuple[str, str]
) -> None:
    """A function that could never work fails before its first event, and names the setting."""
    source, _ = buckets

    invocation = start_function(DESTINATION_BUCKET="").invoke(s3_event(source, ["1.jpg"]))

    assert invocation.error_type is not None
    assert "DESTINATION_BUCKET" in f"{invocation.body}{invocation.log}"
