"""An emulator of AWS that deploys the template and runs the image in a container, as Lambda would.

The image is the one under test with the runtime interface emulator before it, since ministack's
containers have no Lambda around them.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import subprocess
import tarfile
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

import boto3
import pytest
import requests

from scripts import deploy
from tests.container import engine
from tests.container.emulator import REGION, ROOT, emulator_path
from tests.stack import template_with

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# How a photo's event reaches the function.
WAYS = {
    "queue": {"Trigger": "sqs", "Http": "cloudfront"},
    "notification": {"Trigger": "direct", "Http": "iam"},
    "rule-and-queue": {"Trigger": "sqs", "CreateSourceBucket": "false"},
    "rule": {"Trigger": "direct", "CreateSourceBucket": "false"},
}
_START_S = 60
_DOCKERFILE = """\
FROM {image}
COPY emulator /aws-lambda-rie
ENTRYPOINT ["/aws-lambda-rie", "/bin/sh", "/var/runtime/start.sh"]
CMD ["handler.app.lambda_handler"]
"""


def emulated_image(image: str) -> str:
    """Builds the image with the emulator before it; returns its tag, which names a registry."""
    tag = f"registry.test/emulated-{image}"
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as archive:
        archive.add(emulator_path(), "emulator")
        content = _DOCKERFILE.format(image=image).encode()
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    context.seek(0)
    with engine.connected() as client:
        client.images.build(fileobj=context, custom_context=True, tag=tag, rm=True)
    return tag


class Ministack:
    """A process of its own; its functions' containers end with it."""

    def __init__(self, **environ: str) -> None:
        """Prepares the process, which starts on entering the context, with more of its settings."""
        path = ROOT / os.environ.get("MINISTACK", ".cache/ministack/bin/ministack")
        if not path.is_file():
            message = f"no ministack at {path}: make container"
            raise FileNotFoundError(message)
        self._path = path
        self._more = environ

    @property
    def endpoint_url(self) -> str:
        """The address of every service."""
        return f"http://127.0.0.1:{self._port}"

    def session(self) -> boto3.Session:
        """Returns a session whose clients, through the environment, talk to this emulator."""
        return boto3.Session(
            aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION
        )

    @property
    def environ(self) -> dict[str, str]:
        """What makes the AWS tools talk to this emulator."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
        }

    def _remove_containers(self) -> None:
        """Removes the functions' containers that talk to this emulator."""
        address = f"AWS_ENDPOINT_URL=http://host.docker.internal:{self._port}"
        with engine.connected() as client:
            for container in client.containers.list(all=True):
                if address in container.attrs["Config"]["Env"]:
                    container.remove(force=True)

    def __enter__(self) -> Self:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port: int = probe.getsockname()[1]
        self._folder = Path(tempfile.mkdtemp(prefix="ministack-"))
        self._log = (self._folder / "log").open("wb")
        self._process = subprocess.Popen(
            [self._path],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self._folder),
                "TMPDIR": str(self._folder),
                "LAMBDA_EXECUTOR": "docker",
                "GATEWAY_PORT": str(self._port),
                # The functions' containers reach it by the host's address on their bridge.
                "BIND_HOST": "0.0.0.0",  # noqa: S104 - as said
                **self._more,
            },
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        deadline = time.monotonic() + _START_S
        while True:
            try:
                requests.get(f"{self.endpoint_url}/_ministack/health", timeout=1)
            except requests.RequestException:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    log = (self._folder / "log").read_text(errors="replace")
                    self.__exit__()
                    message = f"ministack does not answer:\n{log}"
                    raise RuntimeError(message) from None
                time.sleep(0.2)
            else:
                return self

    def __exit__(self, *exception: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
        self._remove_containers()
        shutil.rmtree(self._folder, ignore_errors=True)


def parameters_of(way: str, image: str) -> dict[str, str]:
    """Returns the parameters of the stack for one of the WAYS."""
    return {
        "ImageUri": image,
        "SourceBucket": f"{way}-photos",
        "DestinationBucket": f"{way}-renditions",
        "SourcePrefix": "in/",
        "DestinationPrefix": "out/",
        "MemorySize": "512",
        "Gradual": "false",
        **WAYS[way],
    }


def emulated_template(parameters: Mapping[str, str]) -> str:
    """Returns the template that the emulator is given, which does not transform it itself.

    An image that was never pushed has no digest to be named by. The emulator splits no text in a
    condition, and its stacks carry no credentials on.
    """
    template = template_with(parameters)
    del template["Parameters"]["ImageUri"]["AllowedPattern"]
    template["Conditions"]["HasStoredCertificates"] = {"Fn::Equals": ["never", "so"]}
    return json.dumps(template)


def retry_after(aws: boto3.Session, made: Mapping[str, str], seconds: int) -> None:
    """Leaves so long between two tries; minutes are for production."""
    aws.client("sqs").set_queue_attributes(
        QueueUrl=made["QueueUrl"], Attributes={"VisibilityTimeout": str(seconds)}
    )


@contextmanager
def emulated_aws(**environ: str) -> Iterator[boto3.Session]:
    """Within: AWS's tools in this process talk to an emulator with these settings."""
    with Ministack(**environ) as emulator, pytest.MonkeyPatch.context() as patch:
        for name, value in emulator.environ.items():
            patch.setenv(name, value)
        patch.setattr(deploy, "POLL_S", 1)
        yield emulator.session()
