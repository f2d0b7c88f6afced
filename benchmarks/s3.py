"""An S3 of the photos, and a link to it, each in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

__all__ = ["DESTINATION", "credentials", "link", "serving"]

DESTINATION: Final = "renditions"

_ROOT: Final = Path(__file__).parent.parent


@contextmanager
def _server(*arguments: str) -> Iterator[str]:
    """Run ``tests.servers``; its endpoint's URL. It ends with its standard input."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.servers", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=_ROOT,
    ) as process:
        assert process.stdout is not None  # noqa: S101 - asked for above
        yield json.loads(process.stdout.readline())["endpoint_url"]
        process.communicate()


@contextmanager
def serving(paths: Sequence[Path], *, host: str = "127.0.0.1") -> Iterator[str]:
    """Serve each file as an object in a bucket that has the name of its folder; yield the URL."""
    with _server(
        "--host", host, "files", "--bucket", DESTINATION, *map(str, sorted(set(paths)))
    ) as url:
        yield url


@contextmanager
def link(
    upstream: str, *, bytes_per_s: float, latency_s: float, host: str = "127.0.0.1"
) -> Iterator[str]:
    """Stand between a function and ``upstream`` as a link of that speed; yield the URL."""
    speed = ("--bytes-per-s", str(bytes_per_s), "--latency-s", str(latency_s))
    with _server("--host", host, "proxy", upstream, *speed) as url:
        yield url


def credentials(endpoint_url: str) -> dict[str, str]:
    """Return the variables with which a function finds the S3."""
    return {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_S3": endpoint_url,
        "DESTINATION_BUCKET": DESTINATION,
        # Reports are read here, not logs.
        "LOG_LEVEL": "CRITICAL",
    }
