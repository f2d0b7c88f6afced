"""The frame of a way that is written in Python: repeats it and prints what each time took."""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import group

__all__ = ["repeat"]


def repeat(way: Callable[[Path, Path], None]) -> None:
    """Call ``way`` with PHOTO and OUT of the command line, REPEAT times.

    The processes that it starts are counted with its own.
    """
    photo, out, times = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    for _ in range(times):
        cpu, wall = group.cpu_s(os.getpid()), time.perf_counter()
        way(photo, out)
        cpu, wall = group.cpu_s(os.getpid()) - cpu, time.perf_counter() - wall
        print(
            json.dumps(
                {
                    "cpu_ms": cpu * 1000,
                    "wall_ms": wall * 1000,
                    "rss_mb": group.peak_mb(os.getpid()),
                }
            ),
            flush=True,
        )
