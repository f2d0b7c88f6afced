"""The records of one event: decoded side by side where there are vCPUs and memory for that."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.photos.files import jpeg
from tests.servers import REGION, FileS3

_ROOT: Final = Path(__file__).parents[2]
_KEYS: Final = ("a.jpg", "b.jpg", "not-a-photo.jpg", "c.jpg", "a.jpg", "d.jpg")
_PROGRAM: Final = """
import json, sys
import handler.app
records = [
    {
        "eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": "photos"}, "object": {"key": key}},
    }
    for key in sys.argv[1:]
]
answer = handler.app.lambda_handler({"Records": records}, None)["records"]
said = [[record["key"], record["disposition"]] for record in answer]
print(json.dumps([said, len(handler.app._workers._pool._idle)]), file=sys.stderr)
"""


@pytest.mark.parametrize(("memory_mb", "workers"), [("1769", 1), ("3538", 2)])
def test_a_batch_has_a_worker_for_each_vcpu(memory_mb: str, workers: int) -> None:
    """Each record has its own answer, in the event's order; a photo again is unchanged."""
    with FileS3() as store:
        store.create_buckets("photos", "renditions")
        client = store.client()
        for key in _KEYS:
            body = b"no photo" if key.startswith("not") else jpeg(2400, 1600)
            client.put_object(Bucket="photos", Key=key, Body=body)
        client.close()
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, *_KEYS],
            cwd=_ROOT,
            env=os.environ
            | {
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_DEFAULT_REGION": REGION,
                "AWS_ENDPOINT_URL_S3": store.endpoint_url,
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": memory_mb,
                "AWS_SECRET_ACCESS_KEY": "test",
                "DESTINATION_BUCKET": "renditions",
                "LOG_LEVEL": "CRITICAL",
            },
            check=True,
            capture_output=True,
            text=True,
        )
    said, kept = json.loads(done.stderr.splitlines()[-1])
    assert said == [
        ["a.jpg", "written"],
        ["b.jpg", "written"],
        ["not-a-photo.jpg", "rejected"],
        ["c.jpg", "written"],
        ["a.jpg", "unchanged"],
        ["d.jpg", "written"],
    ]
    assert kept == workers
