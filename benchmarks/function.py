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


def _event(bucket: str, key: str) -> dict[str, Any]:
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": bucket}, "object": {"key": key}},
    }
    return {"Records": [record]}


def _children(process: int) -> list[int]:
    tasks = Path(f"/proc/{process}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text("ascii").split()]


def _group() -> list[int]:
    """Return this process, and the workers: the zygote's pages are theirs as well."""
    own = os.getpid()
    return [own, *(worker for zygote in _children(own) for worker in _children(zygote))]


def _held_mb(field: str) -> float:
    """Return what the processes of the group hold by a field of their status, in all."""
    held_kb = 0
    for process in _group():
        status = Path(f"/proc/{process}/status").read_text("ascii")
        line = next(line for line in status.splitlines() if line.startswith(field))
        held_kb += int(line.split()[1])
    return held_kb / 1024


def _cpu_s() -> float:
    """Return what the group took of a CPU; workers that have ended are missing."""
    ticks = 0
    for process in (*_group(), *_children(os.getpid())):
        fields = Path(f"/proc/{process}/stat").read_text("ascii").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _invoke(bucket: str, key: str) -> dict[str, Any]:
    cpu, wall = _cpu_s(), time.perf_counter()
    job: dict[str, Any] = lambda_handler(_event(bucket, key), None)["records"][0]
    return {
        "key": key,
        "disposition": job["disposition"],
        "code": job["code"],
        "message": job["message"],
        "cpu_ms": round((_cpu_s() - cpu) * 1000, 1),
        "wall_ms": round((time.perf_counter() - wall) * 1000, 1),
        "rss_mb": round(_held_mb("VmRSS:"), 1),
        "peak_mb": round(_held_mb("VmHWM:"), 1),
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
