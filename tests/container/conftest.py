"""One S3 server and one network for all container tests; a function's container where one asks."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import docker.errors
import pytest
from testcontainers.core.network import Network

from scripts import deploy
from tests.container import engine
from tests.container.emulator import FunctionContainer, MotoContainer
from tests.container.stack import emulated_aws, emulated_image, emulated_template, parameters_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import boto3
    from mypy_boto3_s3 import S3Client

HERE = Path(__file__).parent
NO_ENGINE = "no Docker engine answers"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips the tests of this folder where they cannot run; in CI nothing excuses them."""
    ours = [item for item in items if item.path.is_relative_to(HERE)]
    if not ours or os.environ.get("CI") == "true" or engine.answers():
        return
    for item in ours:
        item.add_marker(pytest.mark.skip(reason=NO_ENGINE))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says plainly when the image was not tested, which the count of skips alone would hide."""
    skipped = terminalreporter.stats.get("skipped", [])
    count = sum(NO_ENGINE in str(report.longrepr) for report in skipped)
    if count:
        terminalreporter.write_line(
            f"The image was NOT tested: {NO_ENGINE}, so {count} container tests did not run.",
            yellow=True,
            bold=True,
        )


@pytest.fixture(scope="session")
def image() -> str:
    """The tag of the image under test, which `make image` built."""
    tag = os.environ.get("RENDITIONS_IMAGE", "renditions:latest")
    with engine.connected() as client:
        try:
            client.images.get(tag)
        except docker.errors.ImageNotFound:
            pytest.fail(f"there is no image {tag}: make image")
    return tag


@pytest.fixture(scope="session")
def network() -> Iterator[Network]:
    """The network that function and S3 server share."""
    network = Network()
    with network:
        yield network
    network._docker.client.close()


@pytest.fixture(scope="session")
def s3_server(network: Network) -> Iterator[MotoContainer]:
    """The S3 server, one for the whole run."""
    with MotoContainer(network) as server:
        yield server


@pytest.fixture(scope="session")
def s3(s3_server: MotoContainer) -> Iterator[S3Client]:
    """A client of the S3 server, in this process."""
    client = s3_server.client()
    yield client
    client.close()


@pytest.fixture
def buckets(s3: S3Client) -> tuple[str, str]:
    """A bucket for photos and one for renditions, new for each test."""
    name = uuid.uuid4().hex[:12]
    source, destination = f"photos-{name}", f"renditions-{name}"
    s3.create_bucket(Bucket=source)
    s3.create_bucket(Bucket=destination)
    return source, destination


@pytest.fixture
def start_function(
    image: str,
    network: Network,
    s3_server: MotoContainer,  # noqa: ARG001 - it has to be there before the function asks for it
    buckets: tuple[str, str],
) -> Iterator[Callable[..., FunctionContainer]]:
    """Starts the function with the settings that a test names; it ends with the test."""
    started: list[FunctionContainer] = []

    def start(
        *, memory_mb: int = 1024, config: Path | None = None, **env: str
    ) -> FunctionContainer:
        if config is not None:
            env["RENDITIONS_CONFIG"] = "/renditions.toml"
        function = FunctionContainer(
            image, network, env={"DESTINATION_BUCKET": buckets[1]} | env, memory_mb=memory_mb
        )
        if config is not None:
            function.with_volume_mapping(config, "/renditions.toml", "ro")
        started.append(function)
        return function.start()

    yield start
    for function in started:
        function.stop()


@pytest.fixture(scope="module")
def aws() -> Iterator[boto3.Session]:
    """The emulator; AWS's tools in this process talk to it."""
    with emulated_aws() as session:
        yield session


@pytest.fixture(scope="module")
def emulated(image: str) -> str:
    """The image under test, with the runtime interface emulator before it."""
    return emulated_image(image)


@pytest.fixture(scope="module")
def deployed(aws: boto3.Session, emulated: str) -> Callable[[str], dict[str, str]]:
    """Deploys a stack for one of the WAYS, once, and returns its outputs."""
    made: dict[str, dict[str, str]] = {}

    def stack(way: str) -> dict[str, str]:
        if way not in made:
            parameters = parameters_of(way, emulated)
            if parameters.get("CreateSourceBucket") == "false":
                s3 = aws.client("s3")
                s3.create_bucket(Bucket=parameters["SourceBucket"])
                s3.put_bucket_notification_configuration(
                    Bucket=parameters["SourceBucket"],
                    NotificationConfiguration={"EventBridgeConfiguration": {}},
                )
            template = emulated_template(parameters)
            made[way] = deploy.deploy(aws.client("cloudformation"), way, template, parameters)
        return made[way]

    return stack
