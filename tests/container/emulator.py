"""The built image under AWS's runtime interface emulator, beside an S3 server, on one network.

What Lambda constrains is constrained here too: a read-only root file system with only /tmp
writable, a user that the image does not know, a memory limit.
"""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import threading
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import docker.errors
import requests
from botocore.config import Config
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import HttpWaitStrategy, LogMessageWaitStrategy

from tests.container import engine

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mypy_boto3_s3 import S3Client
    from testcontainers.core.network import Network

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
MOTO_VERSION = "5.2.5"
MOTO_IMAGE = f"motoserver/moto:{MOTO_VERSION}"
REGION = "us-east-1"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
}
INVOKE_PATH = "/2015-03-31/functions/function/invocations"

# The helper that removes what a killed test run leaves behind is an image of its own, which cannot
# be pulled everywhere; whoever starts a container here also stops it.
testcontainers_config.ryuk_disabled = True


def emulator_path() -> Path:
    """Returns where the emulator is: what RIE names, else where `make` puts it.

    Raises:
        FileNotFoundError: There is none; `make container` gets it.
    """
    arch = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    path = Path(os.environ.get("RIE") or f".cache/aws-lambda-rie-{arch}")
    path = ROOT / path.expanduser()
    if not path.is_file():
        message = f"no runtime interface emulator at {path}: name one with RIE=, or use make"
        raise FileNotFoundError(message)
    return path


def ensure_image(tag: str, context: Path, *, pull: bool = True, **build_args: str) -> str:
    """Makes sure that the engine has an image: there already, pulled, or built from `context`.

    Returns:
        The tag, to start a container from.
    """
    with engine.connected() as client:
        try:
            client.images.get(tag)
        except docker.errors.ImageNotFound:
            try:
                if not pull:
                    raise docker.errors.ImageNotFound(tag)
                client.images.pull(tag)
            except docker.errors.APIError:
                client.images.build(path=str(context), tag=tag, buildargs=build_args, rm=True)
    return tag


class MotoContainer(DockerContainer):
    """An S3 server: `s3:5000` for the function's container, `endpoint_url` for this process."""

    ALIAS = "s3"
    PORT = 5000

    def __init__(self, network: Network) -> None:
        """Prepares the container, which starts on entering the context."""
        image = ensure_image(MOTO_IMAGE, HERE / "motoserver", VERSION=MOTO_VERSION)
        super().__init__(image)
        self.with_network(network).with_network_aliases(self.ALIAS)
        self.with_exposed_ports(self.PORT)
        self.waiting_for(HttpWaitStrategy(self.PORT).for_status_code(200))

    @property
    def endpoint_url(self) -> str:
        """The address by which this process reaches the server."""
        return f"http://{self.get_container_host_ip()}:{self.get_exposed_port(self.PORT)}"

    def client(self) -> S3Client:
        """Returns a client with the same made-up credentials as the function's."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint_url,
            region_name=REGION,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"total_max_attempts": 1}),
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """What one invocation came to.

    Attributes:
        status: The emulator's HTTP status: 200 also for an exception of the handler's, 502 for an
            init error, an exit or a kill.
        body: The handler's return value, or the error that the runtime client made of its
            exception; the text as it is where that is no JSON (a timeout).
        log: What the container wrote to its log meanwhile.
    """

    status: int
    body: Any
    log: str

    @property
    def error_type(self) -> str | None:
        """The class of the exception that the handler raised, if it raised one."""
        if self.status != requests.codes.ok:
            return f"HTTP {self.status}"
        if isinstance(self.body, dict):
            error_type = self.body.get("errorType")
            return None if error_type is None else str(error_type)
        return None if self.body is None else "Timeout"


class FunctionContainer(DockerContainer):
    """The function's image, started as Lambda starts it, with the emulator in Lambda's place."""

    PORT = 8080

    def __init__(
        self,
        image: str,
        network: Network,
        *,
        env: dict[str, str],
        memory_mb: int = 1024,
        user: str = "1234:1234",
    ) -> None:
        """Prepares the container, which starts on entering the context.

        Args:
            image: The tag that `make image` built.
            network: The one that the S3 server is on.
            env: The function's settings.
            memory_mb: What the kernel limits the container to, and what Lambda tells the function.
            user: Somebody whom the image does not know, as on Lambda.
        """
        super().__init__(image)
        self.with_network(network)
        self.with_exposed_ports(self.PORT)
        self.with_envs(
            **CREDENTIALS,
            AWS_ENDPOINT_URL_S3=f"http://{MotoContainer.ALIAS}:{MotoContainer.PORT}",
            AWS_LAMBDA_FUNCTION_MEMORY_SIZE=str(memory_mb),
            AWS_LAMBDA_FUNCTION_TIMEOUT="300",
            AWS_LAMBDA_LOG_FORMAT="JSON",
            **env,
        )
        self.with_volume_mapping(emulator_path(), "/aws-lambda-rie", "ro")
        self.with_tmpfs_mount("/tmp", "size=512m,mode=1777")  # noqa: S108 - Lambda's one writable folder
        self.with_kwargs(
            entrypoint=["/aws-lambda-rie", "/bin/sh", "/var/runtime/start.sh"],
            read_only=True,
            user=user,
            mem_limit=f"{memory_mb}m",
            # No swap: more than the limit is a kill, as on Lambda.
            memswap_limit=f"{memory_mb}m",
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
        )
        self.with_command(["handler.app.lambda_handler"])
        self.waiting_for(LogMessageWaitStrategy("exec '/bin/sh'"))
        self._one_at_a_time = threading.Lock()

    @property
    def url(self) -> str:
        """The address to post an event to."""
        host, port = self.get_container_host_ip(), self.get_exposed_port(self.PORT)
        return f"http://{host}:{port}{INVOKE_PATH}"

    def invoke(self, event: object, *, timeout_s: float = 330) -> Invocation:
        """Invokes the function with one event; the first invocation also initialises it.

        Thread: any; they wait for one another, since two invocations at once crash the emulator.
        """
        with self._one_at_a_time:
            before = [len(stream) for stream in self.get_logs()]
            answer = requests.post(self.url, data=json.dumps(event), timeout=timeout_s)
            streams = zip(self.get_logs(), before, strict=True)
            log = "".join(stream[start:].decode(errors="replace") for stream, start in streams)
        try:
            body = answer.json()
        except ValueError:
            body = answer.text
        return Invocation(status=answer.status_code, body=body, log=log)

    def run(self, *command: str) -> str:
        """Runs a command in the container, as the function's user, and returns what it prints.

        Raises:
            RuntimeError: It failed.
        """
        result = self.exec(list(command))
        output = bytes(result.output or b"").decode(errors="replace")
        if result.exit_code != 0:
            message = f"{command} ended with {result.exit_code}: {output}"
            raise RuntimeError(message)
        return output

    def peak_rss(self) -> int:
        """Returns the most bytes of memory that the function's process has held, from the kernel.

        The control group's own peak counts the page cache too, which fills any limit by itself.
        """
        status = self.run(
            "sh",
            "-c",
            "for process in /proc/[0-9]*; do"
            " case $(tr '\\0' ' ' <$process/cmdline) in"
            " '/usr/bin/python3 -ISBu /var/runtime/start.pyc '*) cat $process/status;;"
            " esac; done",
        )
        fields = [line.split() for line in status.splitlines()]
        ids = [int(rest[0]) for name, *rest in fields if name == "Pid:"]
        peaks = [int(rest[0]) * 1024 for name, *rest in fields if name == "VmHWM:"]
        # The others are its forks, and younger.
        return dict(zip(ids, peaks, strict=True))[min(ids)]

    def memory_kills(self) -> int:
        """Returns how many processes the kernel has killed at the container's memory limit."""
        counts = self.run(
            "sh",
            "-c",
            "cd /sys/fs/cgroup; cat memory/memory.oom_control memory.events 2>/dev/null; true",
        )
        found = [line.split()[1] for line in counts.splitlines() if line.startswith("oom_kill ")]
        return int(found[0])


def s3_event(bucket: str, keys: Iterable[str], client: S3Client | None = None) -> dict[str, Any]:
    """Returns the event that S3 sends when objects were put, a record for each key.

    Args:
        bucket: The bucket that the event names.
        keys: As they are in the bucket; in the event they are encoded as S3 encodes them.
        client: Where to look up size and ETag; an object that is not there gets made-up ones.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
    """
    records = []
    for number, key in enumerate(keys):
        size, etag = 1024, "d41d8cd98f00b204e9800998ecf8427e"
        if client is not None:
            found = client.list_objects_v2(Bucket=bucket, Prefix=key).get("Contents", [])
            for item in found:
                if item["Key"] == key:
                    size, etag = item["Size"], item["ETag"].strip('"')
        records.append(
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "awsRegion": REGION,
                "eventTime": "2026-01-01T00:00:00.000Z",
                "eventName": "ObjectCreated:Put",
                "userIdentity": {"principalId": "AWS:EXAMPLE"},
                "requestParameters": {"sourceIPAddress": "127.0.0.1"},
                "responseElements": {"x-amz-request-id": f"EXAMPLE{number}"},
                "s3": {
                    "s3SchemaVersion": "1.0",
                    "configurationId": "renditions",
                    "bucket": {
                        "name": bucket,
                        "ownerIdentity": {"principalId": "EXAMPLE"},
                        "arn": f"arn:aws:s3:::{bucket}",
                    },
                    "object": {
                        "key": urllib.parse.quote_plus(key, safe="/"),
                        "size": size,
                        "eTag": etag,
                        "sequencer": f"{0x0055AED6DCD90281E5 + number:018X}",
                    },
                },
            }
        )
    return {"Records": records}
