"""SnapStart: the real runtime client, before a snapshot and after a restore."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.photos.files import jpeg
from tests.servers import REGION, FaultProxy, MotoServer
from tests.servers.runtime import RuntimeApi

_ROOT: Final = Path(__file__).parents[2]
# What the function would show of itself at each point, said on its standard error by hooks that run
# around its own: the last to be registered comes first before a snapshot, and last after a restore.
_PROGRAM: Final = """
import json, os, random, sys
import handler.app
from snapshot_restore_py import get_after_restore, get_before_snapshot

def tell(when):
    app = handler.app
    key = app._client and app._client._request_signer._credentials.access_key
    workers = len(app._workers._pool._idle)
    print(json.dumps([when, key, workers, random.random()]), file=sys.stderr, flush=True)

def before_ours():
    random.seed(1)
    tell("initialised")

def restored():
    os.environ["AWS_ACCESS_KEY_ID"] = "restored"

get_before_snapshot().append((before_ours, (), {}))
get_before_snapshot().insert(0, (tell, ("snapshot",), {}))
get_after_restore().insert(0, (restored, (), {}))
get_after_restore().append((tell, ("restored",), {}))
from awslambdaric.__main__ import main
main(["", "handler.app.lambda_handler"])
"""


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    """An S3 that records requests."""
    with MotoServer() as moto, FaultProxy(moto.endpoint_url) as recording:
        recording.create_buckets("photos", "renditions")
        yield recording


@pytest.fixture
def api() -> Iterator[RuntimeApi]:
    """Lambda's side."""
    with RuntimeApi() as made:
        yield made


def _start(api: RuntimeApi, endpoint: str, kind: str, **settings: str) -> subprocess.Popen[str]:
    environment = os.environ | {
        "AWS_ACCESS_KEY_ID": "initial",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL_S3": endpoint,
        "AWS_LAMBDA_INITIALIZATION_TYPE": kind,
        "AWS_LAMBDA_RUNTIME_API": api.address,
        "AWS_SECRET_ACCESS_KEY": "test",
        "DESTINATION_BUCKET": "renditions",
        **settings,
    }
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM],
        cwd=_ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def _children(process: int) -> list[int]:
    tasks = Path(f"/proc/{process}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text("ascii").split()]


def _memory_of(process: int) -> bytes:
    parts = []
    with Path(f"/proc/{process}/mem").open("rb", 0) as memory:
        for line in Path(f"/proc/{process}/maps").read_text("ascii").splitlines():
            addresses, rights, *_ = line.split()
            start, end = (int(address, 16) for address in addresses.split("-"))
            if rights.startswith("rw") and "[v" not in line:
                memory.seek(start)
                parts.append(memory.read(end - start))
    return b"\0".join(parts)


def test_the_workers_of_a_snapshot_have_no_secret(api: RuntimeApi, proxy: FaultProxy) -> None:
    """The zygote and the warm worker are in the snapshot; neither memory holds a credential."""
    secret = "a-secret-that-no-snapshot-of-workers-has"
    process = _start(api, proxy.endpoint_url, "snap-start", AWS_SESSION_TOKEN=secret)
    try:
        assert api.call().what == "restore/next"
        # The snapshot would be taken here.
        (zygote,) = _children(process.pid)
        (worker,) = _children(zygote)
        assert secret.encode() in _memory_of(process.pid)
        for each in (zygote, worker):
            assert secret.encode() not in _memory_of(each)
            assert secret.encode() not in Path(f"/proc/{each}/environ").read_bytes()
    finally:
        process.kill()
        process.communicate()


def test_a_restored_function_is_warm_and_has_what_is_its_own(
    api: RuntimeApi, proxy: FaultProxy
) -> None:
    """A snapshot has a warm worker and no client; a restored copy has credentials and works."""
    etag = proxy.client().put_object(Bucket="photos", Key="a.jpg", Body=jpeg(640, 480))["ETag"]
    requests = len(proxy.requests)
    process = _start(api, proxy.endpoint_url, "snap-start")
    try:
        assert api.call().what == "restore/next"
        # The snapshot would be taken here: init and warming have asked S3 for nothing.
        assert len(proxy.requests) == requests
        api.restore()
        assert api.call().what == "invocation/next"
        obj = {"key": "a.jpg", "eTag": etag.strip('"'), "sequencer": "01"}
        record = {
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": "photos"}, "object": obj},
        }
        api.invoke({"Records": [record]})
        answer = api.call()
    finally:
        # It waits for Lambda outside Python, where its own handler of SIGTERM does not run.
        process.kill()
        _, printed = process.communicate()

    told = [json.loads(line) for line in printed.splitlines() if line.startswith("[")]
    states = [(when, key, workers) for when, key, workers, _ in told]
    assert states == [
        ("initialised", "initial", 0),
        ("snapshot", None, 1),
        ("restored", "restored", 1),
    ]
    assert answer.what == "response", printed
    # The five renditions and the photo's record.
    assert proxy.client().list_objects_v2(Bucket="renditions")["KeyCount"] == 6


def test_a_restored_function_has_the_configuration_of_today(
    api: RuntimeApi, proxy: FaultProxy
) -> None:
    """An object that changed after the snapshot is read at the restore, once."""
    client = proxy.client()
    proxy.create_buckets("settings")
    client.put_object(Bucket="photos", Key="a.jpg", Body=jpeg(640, 480))

    def configure(name: str) -> None:
        text = f'[[renditions]]\nname = "{name}"\nwidth = 16\n'
        client.put_object(Bucket="settings", Key="renditions.toml", Body=text.encode())

    def reads() -> int:
        return sum(one.bucket == "settings" for one in proxy.matching(operation="GetObject"))

    configure("before")
    place = "s3://settings/renditions.toml"
    process = _start(api, proxy.endpoint_url, "snap-start", RENDITIONS_CONFIG=place)
    try:
        assert api.call().what == "restore/next"
        assert reads() == 1
        configure("after")
        api.restore()
        assert api.call().what == "invocation/next"
        assert reads() == 2
        api.invoke({"bucket": "photos", "key": "a.jpg"})
        assert api.call().what == "response"
    finally:
        process.kill()
        process.communicate()
    listed = client.list_objects_v2(Bucket="renditions")["Contents"]
    assert [one["Key"] for one in listed] == ["a.jpg/after.jpg", "a.jpg/photo.json"]


def test_copies_of_one_snapshot_go_different_ways(proxy: FaultProxy) -> None:
    """Two restores from the same random state do not draw the same numbers."""
    drawn = []
    for _ in range(2):
        with RuntimeApi() as api:
            process = _start(api, proxy.endpoint_url, "snap-start")
            try:
                assert api.call().what == "restore/next"
                api.restore()
                assert api.call().what == "invocation/next"
            finally:
                process.kill()
                _, printed = process.communicate()
        drawn.append([json.loads(x)[3] for x in printed.splitlines() if x.startswith("[")])

    (initialised, _, restored), (initialised_too, _, restored_too) = drawn
    assert initialised == initialised_too
    assert restored != restored_too


def test_a_usual_start_registers_no_hooks(api: RuntimeApi, proxy: FaultProxy) -> None:
    """On demand, the function polls for its first event at once."""
    process = _start(api, proxy.endpoint_url, "on-demand")
    try:
        assert api.call().what == "invocation/next"
    finally:
        process.kill()
        process.communicate()
