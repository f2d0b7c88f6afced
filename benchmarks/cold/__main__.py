"""``make bench-cold``: the image beside the usual ways, in alternation, warm and cold."""

import argparse
import contextlib
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import boto3

from benchmarks.cold.starts import Contender, count_modules, count_opened, image_size, start
from tests.photos.files import jpeg_24mp

_RESULT: Final = Path(__file__).parents[1] / "results" / "cold.json"
_IMAGES: Final = {
    "renditions": os.environ.get("IMAGE", "renditions:latest"),
    "python": "renditions-cold-python:latest",
    "node": "renditions-cold-node:latest",
}
_CPUS: Final = (1.0, 0.58)
_RENDITIONS: Final = 5


@contextlib.contextmanager
def _s3(photo: Path) -> Iterator[str]:
    """Yield the address of an S3 server in a process of its own, which holds ``photo``."""
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.servers", "files", photo, "--bucket", "renditions"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert server.stdout is not None  # noqa: S101 - asked for above
    assert server.stdin is not None  # noqa: S101 - asked for above
    try:
        yield json.loads(server.stdout.readline())["endpoint_url"]
    finally:
        server.stdin.close()
        server.wait()
        server.stdout.close()


def _event(bucket: str, key: str, size: int, etag: str) -> dict[str, Any]:
    obj = {"key": key, "size": size, "eTag": etag, "sequencer": "01"}
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": bucket}, "object": obj},
    }
    return {"Records": [record]}


def main() -> None:
    """Start every contender in turn under each condition; write the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cold")
    parser.add_argument("--runs", type=int, default=7, help="default: %(default)s")
    parser.add_argument(
        "--beside",
        metavar="IMAGE",
        help="another version's, in the place of node's; writes nothing",
    )
    parser.add_argument("--cpus", type=float, nargs="*", default=_CPUS, help="default: %(default)s")
    arguments = parser.parse_args()
    images = dict(_IMAGES)
    if arguments.beside:
        images["beside"] = arguments.beside
        del images["node"]
    contenders = [Contender(name=name, image=image) for name, image in images.items()]
    with tempfile.TemporaryDirectory() as folder:
        photo = jpeg_24mp(Path(folder) / "24mp.jpg")
        with _s3(photo) as endpoint:
            result = _measure(photo, endpoint, arguments.runs, contenders, arguments.cpus)
    if arguments.beside:
        _say(result)
    else:
        _RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def _say(result: dict[str, Any]) -> None:
    """Print medians, and in brackets ours as a part of the others'."""
    starts = {each["name"]: each["starts"] for each in result["contenders"]}
    for condition, ours in starts["renditions"].items():
        for figure in ours[0]:
            medians = {
                name: statistics.median(each[figure] for each in figures[condition])
                for name, figures in starts.items()
            }
            print(
                f"{condition:9} {figure:12} "
                + "  ".join(
                    f"{name} {value:.1f} ({medians['renditions'] / (value or 1):.3f})"
                    for name, value in medians.items()
                )
            )


def _measure(
    photo: Path,
    endpoint: str,
    runs: int,
    contenders: Sequence[Contender],
    cpu_shares: Sequence[float],
) -> dict[str, Any]:
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - no secret
    )
    bucket = photo.parent.name
    etag = client.head_object(Bucket=bucket, Key=photo.name)["ETag"].strip('"')
    event = _event(bucket, photo.name, photo.stat().st_size, etag)
    environment = {"DESTINATION_BUCKET": "renditions", "AWS_ENDPOINT_URL_S3": endpoint}
    starts: dict[str, dict[str, list[dict[str, float]]]] = {
        contender.name: {} for contender in contenders
    }
    # Cold comes first: it leaves the image's files in the cache for the warm start that follows.
    for run, cpus, contender, cold in itertools.product(
        range(1, runs + 1), cpu_shares, contenders, (True, False)
    ):
        took = start(contender, environment, event, cpus=cpus, cold=cold)
        made = client.list_objects_v2(Bucket="renditions").get("Contents", [])
        # Beside them, this project keeps a record of each photo.
        if sum(item["Key"].endswith(".jpg") for item in made) != _RENDITIONS:
            raise RuntimeError(f"{contender.name}: expected five renditions but received {made}")
        for item in made:
            client.delete_object(Bucket="renditions", Key=item["Key"])
        name = f"{'cold' if cold else 'warm'} {cpus:g}"
        starts[contender.name].setdefault(name, []).append(took.as_dict())
        print(f"{run} {contender.name:10} {name:9} {took.as_dict()}", flush=True)
    return {
        "runs": runs,
        "load": os.getloadavg()[2],
        "cores": os.cpu_count(),
        "contenders": [
            {
                "name": contender.name,
                "opened": count_opened(contender, environment),
                "image_mb": image_size(contender.image) / 1e6,
                "modules": count_modules(contender, environment),
                "starts": starts[contender.name],
            }
            for contender in contenders
        ],
    }


if __name__ == "__main__":
    main()
