"""The real handler in a process of its own, invoked for each line of standard input: BUCKET KEY.

Into the descriptor that its one argument names it writes a line of JSON once init is done, and one
for each invocation: what became of the photo, and what it took. What its group of processes holds
and takes is for its parent to see, which knows of older versions, too.
"""

import json
import os
import sys
import time
from typing import Any

from handler.app import lambda_handler


def _event(bucket: str, key: str) -> dict[str, Any]:
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": bucket}, "object": {"key": key}},
    }
    return {"Records": [record]}


def _invoke(bucket: str, keys: list[str]) -> dict[str, Any]:
    started = time.perf_counter()
    records = [record for key in keys for record in _event(bucket, key)["Records"]]
    jobs: list[dict[str, Any]] = lambda_handler({"Records": records}, None)["records"]
    return {
        "wall_ms": (time.perf_counter() - started) * 1000,
        "records": [
            {name: job[name] for name in ("key", "disposition", "code", "message")} for job in jobs
        ],
    }


def main() -> None:
    """Invoke the handler as often as it is told to, with as many records as a line has keys."""
    with os.fdopen(int(sys.argv[1]), "w", encoding="utf-8") as report:
        print(json.dumps({}), file=report, flush=True)
        for line in sys.stdin:
            bucket, *keys = line.split()
            print(json.dumps(_invoke(bucket, keys)), file=report, flush=True)


if __name__ == "__main__":
    main()
