"""The README's commands without make, each line as it stands, on an engine and an S3 of ours."""

from __future__ import annotations

import ipaddress
import json
import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests import photos
from tests.container import engine
from tests.container.emulator import CREDENTIALS, REGION, emulator_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.container.emulator import MotoContainer

_ROOT: Final = Path(__file__).parents[2]
_PORT: Final = 9000
_START_S: Final = 60


def _commands() -> list[str]:
    """Return the section's commands; what belongs to one line is in one."""
    text = (_ROOT / "README.md").read_text(encoding="utf-8")
    section = text.split("## The image, without make\n")[1].split("\n## ")[0]
    (block,) = re.findall(r"^```console\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    return [command.strip() for command in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]


def _gateway() -> str:
    """Return the address by which containers on the default network reach this machine."""
    with engine.connected() as client:
        (config,) = client.networks.get("bridge").attrs["IPAM"]["Config"]
    # Where the engine was not told another, it takes the first of the network.
    return config.get("Gateway") or str(next(ipaddress.ip_network(config["Subnet"]).hosts()))


@pytest.fixture
def environ(s3_server: MotoContainer, tmp_path: Path) -> Iterator[dict[str, str]]:
    """A shell's: credentials, an S3 with both buckets and a photo, the emulator in the home."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", _PORT)) == 0:
            pytest.skip(f"something listens on port {_PORT}, which the README's command publishes")
    home = tmp_path / "home"
    (home / ".aws-lambda-rie").mkdir(parents=True)
    shutil.copy(emulator_path(), home / ".aws-lambda-rie" / "aws-lambda-rie")
    port = s3_server.endpoint_url.rsplit(":", 1)[1]
    given = {**CREDENTIALS, "AWS_REGION": REGION}
    given |= {"AWS_ENDPOINT_URL": f"http://{_gateway()}:{port}", "HOME": str(home)}
    s3 = s3_server.client()
    for bucket in ("my-photos", "my-renditions"):
        s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket="my-photos", Key="holiday.jpg", Body=photos.jpeg(640, 480))
    # Debian's client has BuildKit built in; another that comes earlier may lack its plug-in.
    path = f"/usr/bin:{os.environ['PATH']}"
    yield {"PATH": path, "DOCKER_BUILDKIT": "1", **given}
    subprocess.run(["docker", "rm", "--force", "renditions"], check=False, capture_output=True)
    s3.close()


def test_every_line_runs(s3_server: MotoContainer, image: str, environ: dict[str, str]) -> None:
    """The image builds, starts, makes the renditions of one S3 event, and is stopped."""
    assert image
    build, run, curl, stop = _commands()
    # Another tag than the one under test, which others may work with.
    tag = f"renditions-readme-{os.getpid()}"

    def shell(command: str) -> str:
        done = subprocess.run(
            ["bash", "-c", command],
            env=environ,
            cwd=_ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout

    def invoke() -> str:
        deadline = time.monotonic() + _START_S
        while True:
            try:
                return shell(curl.replace("curl ", "curl --silent --show-error "))
            except AssertionError:
                assert time.monotonic() < deadline
                time.sleep(0.5)

    assert build == "docker build --tag renditions ."
    try:
        shell(build.replace("renditions", tag))
        shell(run.replace("renditions /usr/bin", f"{tag} /usr/bin"))
        answer = json.loads(invoke())
        assert shell(stop) == "renditions\n"
    finally:
        subprocess.run(["docker", "rmi", tag], check=False, capture_output=True)

    assert [one["disposition"] for one in answer["records"]] == ["written"]
    s3 = s3_server.client()
    listed = s3.list_objects_v2(Bucket="my-renditions")["Contents"]
    s3.close()
    assert "holiday.jpg/small.jpg" in {one["Key"] for one in listed}
