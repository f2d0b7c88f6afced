"""``AWS_LAMBDA_MAX_CONCURRENCY``: the real runtime client forks, and each fork makes photos."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from tests.photos.files import jpeg
from tests.servers import REGION, FileS3
from tests.servers.runtime import RuntimeApi

_ROOT: Final = Path(__file__).parents[2]
_FORKS: Final = 2
_RENDITIONS: Final = 5


def children(process: int) -> list[int]:
    """Return the processes that a process started."""
    tasks = Path(f"/proc/{process}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text("ascii").split()]


def event(key: str) -> dict[str, Any]:
    """Return what S3 says of a new photo."""
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": "photos"}, "object": {"key": key}},
    }
    return {"Records": [record]}


def test_forks_of_the_runtime_client_share_nothing() -> None:
    """Photos at once, one in each fork, are made again and again; each fork has its own workers."""
    keys = [f"{number}.jpg" for number in range(3 * _FORKS)]
    with RuntimeApi() as api, FileS3() as store:
        store.create_buckets("photos", "renditions")
        client = store.client()
        for key in keys:
            client.put_object(Bucket="photos", Key=key, Body=jpeg(640, 480))
        function = subprocess.Popen(
            [sys.executable, "-m", "awslambdaric", "handler.app.lambda_handler"],
            cwd=_ROOT,
            env=os.environ
            | {
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_DEFAULT_REGION": REGION,
                "AWS_ENDPOINT_URL_S3": store.endpoint_url,
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "4096",
                "AWS_LAMBDA_MAX_CONCURRENCY": str(_FORKS),
                "AWS_LAMBDA_RUNTIME_API": api.address,
                "AWS_SECRET_ACCESS_KEY": "test",
                "DESTINATION_BUCKET": "renditions",
            },
            stdout=subprocess.DEVNULL,
        )
        try:
            assert [api.call().what for _ in range(_FORKS)] == _FORKS * ["invocation/next"]
            forks = children(function.pid)
            assert len(forks) == _FORKS
            answers: list[Any] = []
            for at in range(0, len(keys), _FORKS):
                # Each waits for an event: each gets one.
                for key in keys[at : at + _FORKS]:
                    api.invoke(event(key))
                calls = [api.call() for _ in range(2 * _FORKS)]
                answers += [call.body for call in calls if call.what == "response"]
            assert [
                record["disposition"] for answer in answers for record in answer["records"]
            ] == (len(keys) * ["written"])
            zygotes = [children(fork) for fork in forks]
            assert [len(each) for each in zygotes] == _FORKS * [1]
            assert [len(children(zygote)) for (zygote,) in zygotes] == _FORKS * [1]
        finally:
            for fork in children(function.pid):
                os.kill(fork, 9)
            function.kill()
            function.wait()
        made = client.list_objects_v2(Bucket="renditions")["KeyCount"]
        client.close()
    # And each photo's record.
    assert made == len(keys) * (_RENDITIONS + 1)
