"""The real handler in a process of its own, invoked once for each object: REPORT BUCKET KEY...

Into REPORT, a line of JSON for each invocation: what it took, what the process holds, what became
of the photo.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from handler.app import lambda_handler

_PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024


def _event(bucket: str, key: str) -> dict[str, Any]:
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": bucket}, "object": {"key": key}},
    }
    return {"Records": [record]}


def _resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * _PAGE_KB / 1024


def _peak_mb() -> float:
    status = Path("/proc/self/status").read_text("ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def _invoke(bucket: str, key: str) -> dict[str, Any]:
    cpu, wall = time.process_time(), time.perf_counter()
    job: dict[str, Any] = lambda_handler(_event(bucket, key), None)["records"][0]
    return {
        "key": key,
        "disposition": job["disposition"],
        "code": job["code"],
        "message": job["message"],
        "cpu_ms": round((time.process_time() - cpu) * 1000, 1),
        "wall_ms": round((time.perf_counter() - wall) * 1000, 1),
        "rss_mb": round(_resident_mb(), 1),
        "peak_mb": round(_peak_mb(), 1),
        # Of the kernel: Python goes on counting workers of libvips that once called it.
        "threads": len(list(Path("/proc/self/task").iterdir())),
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
    }


def main() -> None:
    """Invoke the handler for each key of the command line, in order."""
    report, bucket, *keys = sys.argv[1:]
    with Path(report).open("w", encoding="utf-8") as file:
        for key in keys:
            print(json.dumps(_invoke(bucket, key)), file=file, flush=True)


if __name__ == "__main__":
    main()
