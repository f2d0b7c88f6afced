"""The ways in which Lambda starts and ends the image, without the emulator: its own API instead."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests import photos
from tests.container import engine
from tests.container.processes import InContainer, processes
from tests.servers import REGION, CallBefore, Fault, FaultProxy, FileS3
from tests.servers.runtime import RuntimeApi

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker.models.containers import Container

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the container is on this machine's own network"
)

_SECRET: Final = "wJalrXUtnFEMI" + "K7MDENGbPxRfiCY"
_RENDITIONS: Final = 5


class House:
    """Lambda's API and an S3 on this machine, and the image, which talks to both."""

    def __init__(self, image: str, api: RuntimeApi, store: FileS3, proxy: FaultProxy) -> None:
        self.image = image
        self.api = api
        self.store = store
        self.proxy = proxy
        self.container: Container | None = None

    @contextmanager
    def started(self, **settings: str) -> Iterator[Container]:
        """Within: the function runs, as a user that the image does not know."""
        environment = {
            "AWS_ACCESS_KEY_ID": "initial",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL_S3": self.proxy.endpoint_url,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "2048",
            "AWS_LAMBDA_RUNTIME_API": self.api.address,
            "AWS_SECRET_ACCESS_KEY": _SECRET,
            "DESTINATION_BUCKET": "renditions",
            **settings,
        }
        with engine.connected() as client:
            self.container = client.containers.run(
                self.image,
                detach=True,
                environment=environment,
                network_mode="host",
                read_only=True,
                tmpfs={"/tmp": "mode=1777"},  # noqa: S108 - Lambda's one writable folder
                user="1234:1234",
                cap_drop=["ALL"],
                security_opt=["no-new-privileges"],
            )
            try:
                yield self.container
            finally:
                self.container.remove(force=True)

    def processes(self) -> list[InContainer]:
        """Return each process of the container."""
        assert self.container is not None
        return processes(self.image, str(self.container.id), _SECRET)

    def put(self, *keys: str) -> None:
        """Store a photo under each key."""
        client = self.store.client()
        for key in keys:
            client.put_object(Bucket="photos", Key=key, Body=photos.jpeg(640, 480))
        client.close()

    def made(self) -> int:
        """Return how many objects are in the destination."""
        client = self.store.client()
        count: int = client.list_objects_v2(Bucket="renditions")["KeyCount"]
        client.close()
        return count


@pytest.fixture
def house(image: str) -> Iterator[House]:
    """All of it, with a bucket of photos and one for renditions."""
    with RuntimeApi() as api, FileS3() as store, FaultProxy(store.endpoint_url) as proxy:
        store.create_buckets("photos", "renditions")
        yield House(image, api, store, proxy)


def event(key: str) -> dict[str, Any]:
    """Return a job for a photo."""
    return {"bucket": "photos", "key": key}


def test_a_snapshot_has_a_warm_worker_without_a_secret(house: House) -> None:
    """Before it and after the restore: one zygote, forked by the start, and one worker."""
    house.put("a.jpg")
    with house.started(AWS_LAMBDA_INITIALIZATION_TYPE="snap-start"):
        assert house.api.call().what == "restore/next"
        before = house.processes()
        (function, _, _, _), (zygote, above, _, knows), (_, ancestor, _, knows_too) = before
        assert (above, ancestor) == (function, zygote)
        assert not knows
        assert not knows_too
        house.api.restore()
        assert house.api.call().what == "invocation/next"
        house.api.invoke(event("a.jpg"))
        assert house.api.call().what == "response"
        assert [each[:2] for each in house.processes()] == [each[:2] for each in before]
    assert house.made() == _RENDITIONS + 1


def test_forks_of_the_runtime_client_have_zygotes_of_their_own(house: House) -> None:
    """The one that the start forked is gone; each fork spawns another, and none has a secret."""
    keys = [f"{number}.jpg" for number in range(4)]
    house.put(*keys)
    with house.started(AWS_LAMBDA_MAX_CONCURRENCY="2", AWS_LAMBDA_FUNCTION_MEMORY_SIZE="4096"):
        assert [house.api.call().what for _ in range(2)] == 2 * ["invocation/next"]
        for at in (0, 2):
            for key in keys[at : at + 2]:
                house.api.invoke(event(key))
            calls = [house.api.call() for _ in range(4)]
            assert sorted(call.what for call in calls) == [
                *2 * ["invocation/next"],
                *2 * ["response"],
            ]
        found = house.processes()
        (main, *_), *_ = found
        below = {pid: [each for each in found if each[1] == pid] for pid, *_ in found}
        forks = below[main]
        assert len(forks) == 2
        for fork, *_ in forks:
            ((zygote, _, _, knows),) = below[fork]
            ((_, _, _, knows_too),) = below[zygote]
            assert not knows
            assert not knows_too
        assert len(found) == 7
    assert house.made() == len(keys) * (_RENDITIONS + 1)


def test_sigterm_stops_the_work_and_the_next_photo_is_made(house: House) -> None:
    """As the deadline does: the record wants another attempt, and nothing of it is left over."""
    house.put("a.jpg", "b.jpg")
    with house.started() as container:

        def terminate(_: object) -> None:
            container.kill(signal.SIGTERM)
            # It is Python's to handle, between two of its instructions.
            time.sleep(0.5)

        house.proxy.add(
            Fault(operation="GetObject", key="a.jpg", action=CallBefore(function=terminate))
        )
        assert house.api.call().what == "invocation/next"
        house.api.invoke(event("a.jpg"))
        stopped = house.api.call()
        assert stopped.what == "error"
        assert "out-of-time" in stopped.body["errorMessage"]
        assert house.api.call().what == "invocation/next"
        house.api.invoke(event("b.jpg"))
        assert house.api.call().what == "response"
        assert house.api.call().what == "invocation/next"
        (function, *_), (zygote, above, *_), (_, ancestor, *_) = house.processes()
        assert (above, ancestor) == (function, zygote)


def test_an_environment_of_any_size_and_name_comes_through(house: House) -> None:
    """More than a pipe holds, and a name that is none for a shell: no process of it is left."""
    house.put("a.jpg")
    large = {f"LARGE_{number}": "x" * 100_000 for number in range(4)}
    with house.started(**large, **{"a.name": "with a dot"}) as container:
        assert house.api.call().what == "invocation/next"
        house.api.invoke(event("a.jpg"))
        assert house.api.call().what == "response"
        assert [name for _, _, name, _ in house.processes()] == 3 * ["python3"]
        assert container.exec_run(["true"]).exit_code == os.EX_OK
    assert house.made() == _RENDITIONS + 1
