"""``make bench-function``: bucket to bucket, in the container, under the emulator.

The function and the usual way (``benchmarks/cold/python``: ``get_object().read()``, one
``thumbnail_buffer`` for each size, ``put_object``), at Lambda's memory sizes and the CPU share that
each buys, against an S3 behind a link. It writes ``results/function.json`` and
``results/function.md``.
"""

import argparse
import contextlib
import json
import os
import socket
import statistics
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.photos import PHOTOS, BenchPhoto, copies
from benchmarks.s3 import credentials, link, serving

_ROOT: Final = Path(__file__).parent.parent
_RESULTS: Final = Path(__file__).parent / "results"
_DOCKER: Final = os.environ.get("DOCKER", "docker")
_USUAL_IMAGE: Final = "renditions-cold-python"

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html: 1,769 MB are one vCPU.
_CPUS: Final = {256: 0.15, 512: 0.29, 1024: 0.58, 1769: 1.0}
_LINK_BYTES_PER_S: Final = 90e6
_LATENCY_S: Final = 0.02

# https://aws.amazon.com/lambda/pricing/: Arm, us-east-1, a GB-second and a request.
_USD_PER_GB_S: Final = 0.0000133334
_USD_PER_REQUEST: Final = 0.0000002

_BUCKET: Final = "copies"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Function:
    name: str
    image: str


def _docker(*arguments: str) -> str:
    return subprocess.run(
        [_DOCKER, *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class _Container:
    """One execution environment: the image under the emulator, within Lambda's limits."""

    def __init__(self, function: _Function, memory_mb: int, endpoint_url: str) -> None:
        self.port = _free_port()
        # What the image starts with, below the emulator.
        line = json.loads(
            _docker("image", "inspect", "--format", "{{json .Config.Entrypoint}}", function.image)
        )
        command = json.loads(
            _docker("image", "inspect", "--format", "{{json .Config.Cmd}}", function.image)
        )
        variables = credentials(endpoint_url) | {
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory_mb),
            "AWS_LAMBDA_FUNCTION_TIMEOUT": "900",
            # The emulator reads it too, and knows other levels.
            "LOG_LEVEL": "ERROR",
        }
        self._id = _docker(
            *("run", "--detach", "--network", "host", "--read-only", "--user", "1234:1234"),
            *("--tmpfs", "/tmp:size=512m,mode=1777"),  # noqa: S108 - Lambda's writable folder
            *("--memory", f"{memory_mb}m", "--memory-swap", f"{memory_mb}m"),
            *("--cpus", str(_CPUS[memory_mb])),
            *("--volume", f"{Path(os.environ['RIE']).resolve()}:/aws-lambda-rie:ro"),
            *(f"--env={name}={value}" for name, value in variables.items()),
            *("--entrypoint", "/aws-lambda-rie", function.image),
            *("--runtime-interface-emulator-address", f"127.0.0.1:{self.port}"),
            *("--runtime-api-address", f"127.0.0.1:{_free_port()}"),
            *line,
            *command,
        )

    def invoke(self, key: str) -> float:
        """Return the milliseconds of one invocation for the photo ``key``."""
        record = {
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": _BUCKET}, "object": {"key": key}},
        }
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/2015-03-31/functions/function/invocations",
            data=json.dumps({"Records": [record]}).encode(),
        )
        started = time.perf_counter()
        try:
            with urllib.request.urlopen(request, timeout=900) as answer:  # noqa: S310 - as above
                body = json.loads(answer.read())
        except OSError as error:
            raise RuntimeError(f"{error}; killed for memory: {self.oom_kills()}") from error
        elapsed_ms = (time.perf_counter() - started) * 1000
        records = body.get("records", [])
        if "errorType" in body or any(one["disposition"] != "written" for one in records):
            raise RuntimeError(f"expected {key} to be written but received {body}")
        return elapsed_ms

    def peak_mb(self) -> float:
        """Return the most memory that the control group of the container held, by the kernel."""
        for name in ("memory.peak", "memory/memory.max_usage_in_bytes"):
            with contextlib.suppress(subprocess.CalledProcessError):
                return int(_docker("exec", self._id, "cat", f"/sys/fs/cgroup/{name}")) / (1 << 20)
        raise RuntimeError("expected a control group that knows its peak")

    def oom_kills(self) -> int:
        """Return how many processes the kernel killed for want of memory."""
        for name in ("memory.events", "memory/memory.oom_control"):
            with contextlib.suppress(subprocess.CalledProcessError):
                listing = _docker("exec", self._id, "cat", f"/sys/fs/cgroup/{name}")
                counts = dict(row.split() for row in listing.splitlines())
                return int(counts["oom_kill"])
        raise RuntimeError("expected a control group that counts whom the kernel killed")

    def resident_peak_mb(self) -> float:
        """Return the most that the function's processes held: as ``benchmarks.group.peak_mb``."""
        listing = _docker("exec", self._id, "sh", "-c", "cat /proc/[0-9]*/status")
        rows = [row.split(":", 1) for row in listing.splitlines() if ":" in row]
        processes: list[dict[str, str]] = []
        for name, value in rows:
            if name == "Name":
                processes.append({})
            processes[-1][name] = value.strip()
        # Neither the emulator nor the shell that asks.
        python = [each for each in processes if each["Name"].startswith("python")]
        ids, parents = ({each[field] for each in python} for field in ("Pid", "PPid"))
        zygotes = [each for each in python if each["PPid"] in ids and each["Pid"] in parents]
        return sum(int(each["VmHWM"].split()[0]) for each in python if each not in zygotes) / 1024

    def log(self) -> str:
        """Return what it wrote."""
        done = subprocess.run(
            [_DOCKER, "logs", "--tail", "20", self._id], check=True, capture_output=True, text=True
        )
        return done.stdout + done.stderr

    def close(self) -> None:
        """Remove the container."""
        _docker("rm", "--force", self._id)


@contextlib.contextmanager
def _environment(function: _Function, memory_mb: int, url: str) -> Iterator[_Container]:
    container = _Container(function, memory_mb, url)
    try:
        # The emulator listens once it is up.
        for _ in range(100):
            with (
                contextlib.suppress(OSError),
                socket.create_connection(
                    ("127.0.0.1", container.port),
                    1,
                ),
            ):
                break
            time.sleep(0.1)
        else:
            raise RuntimeError(f"expected an emulator that listens: {container.log()}")
        yield container
    finally:
        container.close()


def _download_ms(url: str, key: str) -> float:
    """Return the milliseconds that the photo's bytes alone take through the link."""
    import boto3

    variables = credentials(url)
    client = boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
    )
    started = time.perf_counter()
    body = client.get_object(Bucket=_BUCKET, Key=key)["Body"]
    while body.read(1 << 20):
        pass
    return (time.perf_counter() - started) * 1000


def _measure(
    function: _Function,
    photo: BenchPhoto,
    memory_mb: int,
    urls: tuple[str, str],
    keys: Iterator[str],
    runs: int,
) -> dict[str, Any]:
    """Return the figures of one function, photo and memory size.

    ``urls`` are with the link and without; ``keys`` are objects of the photo, each new.
    """
    linked, near = urls
    result: dict[str, Any] = {
        "function": function.name,
        "photo": photo.name,
        "memory_mb": memory_mb,
        "cpus": _CPUS[memory_mb],
    }
    try:
        with _environment(function, memory_mb, linked) as container:
            result["first_ms"] = round(container.invoke(next(keys)), 1)
            walls = [container.invoke(next(keys)) for _ in range(runs)]
            result["peak_mb"] = round(container.peak_mb(), 1)
            result["resident_peak_mb"] = round(container.resident_peak_mb(), 1)
        with _environment(function, memory_mb, near) as container:
            container.invoke(next(keys))
            compute_ms = statistics.median(container.invoke(next(keys)) for _ in range(runs))
    except (OSError, RuntimeError) as error:
        return result | {"failed": str(error)[:300]}
    wall_ms = statistics.median(walls)
    download_ms = statistics.median(_download_ms(linked, next(keys)) for _ in range(3))
    usd = wall_ms / 1000 * memory_mb / 1024 * _USD_PER_GB_S + _USD_PER_REQUEST
    return result | {
        "wall_ms": [round(wall, 1) for wall in walls],
        "compute_ms": round(compute_ms, 1),
        "download_ms": round(download_ms, 1),
        "overlap": round(wall_ms / max(compute_ms, download_ms), 2),
        "usd_per_million": round(usd * 1e6, 2),
    }


def _table(results: Sequence[dict[str, Any]]) -> str:
    rows = [
        "# Bucket to bucket",
        "",
        "Written by `make bench-function`; do not edit. The image under AWS's emulator, read-only,",
        "with the memory limit and the CPU share of each size, against an S3 behind a link of",
        f"{_LINK_BYTES_PER_S / 1e6:.0f} MB/s and {_LATENCY_S * 1000:.0f} ms to the first byte.",
        "Warm invocations, the median. `overlap` is wall",
        "divided by the larger of the download alone and the same invocation without the link.",
        "The price is arm64's in us-east-1, for Lambda alone, without S3's requests. The control",
        "group's peak counts what the kernel caches; resident is the sum of the peaks of what the",
        "function and its worker held.",
        "",
        "| photo | MB, vCPU | function | wall ms | overlap | MB: group, resident | USD a million |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in results:
        start = f"| {one['photo']} | {one['memory_mb']}, {one['cpus']} | {one['function']} "
        if "failed" in one:
            rows.append(f"{start}| failed: {one['failed'][:80]} | | | |")
            continue
        rows.append(
            f"{start}| {statistics.median(one['wall_ms']):,.0f} | {one['overlap']:.2f} "
            f"| {one['peak_mb']:.0f}, {one['resident_peak_mb']:.0f} "
            f"| {one['usd_per_million']:.2f} |"
        )
    return "\n".join(rows) + "\n"


def main() -> None:
    """Measure each photo at each memory size, with both functions."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bucket_to_bucket")
    parser.add_argument("--runs", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--memory", type=int, nargs="*", default=list(_CPUS))
    parser.add_argument("--photos", nargs="*", default=["jpeg-24", "jpeg-200"])
    arguments = parser.parse_args()
    folder = _ROOT / "benchmarks" / "cold" / "python"
    _docker("build", "--quiet", "--tag", _USUAL_IMAGE, str(folder))
    functions = (
        _Function(name="renditions", image=os.environ.get("IMAGE", "renditions:latest")),
        _Function(name="the usual way", image=_USUAL_IMAGE),
    )
    photos = [photo for photo in PHOTOS if photo.name in arguments.photos]
    path = _RESULTS / "function.json"
    known = json.loads(path.read_text("utf-8")) if path.exists() else []
    results = {(one["photo"], one["memory_mb"], one["function"]): one for one in known}
    each = len(arguments.memory) * len(functions) * (2 * arguments.runs + 5)
    objects = {photo.name: copies(photo.make(), each) for photo in photos}
    with (
        serving([path for paths in objects.values() for path in paths]) as near,
        link(near, bytes_per_s=_LINK_BYTES_PER_S, latency_s=_LATENCY_S) as linked,
    ):
        for photo in photos:
            keys = iter([path.name for path in objects[photo.name]])
            for memory_mb in arguments.memory:
                for function in functions:
                    one = _measure(function, photo, memory_mb, (linked, near), keys, arguments.runs)
                    results[photo.name, memory_mb, function.name] = one
                    print(json.dumps(one), flush=True)
                    ordered = [results[place] for place in sorted(results)]
                    path.write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")
                    (_RESULTS / "function.md").write_text(_table(ordered), encoding="utf-8")


if __name__ == "__main__":
    main()
