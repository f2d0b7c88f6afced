"""The frame of a way that is written in Python: repeats it and prints what each time took."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

__all__ = ["repeat"]


def repeat(way: Callable[[Path, Path], None]) -> None:
    """Call ``way`` with PHOTO and OUT of the command line, REPEAT times."""
    photo, out, times = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    for _ in range(times):
        cpu, wall = time.process_time(), time.perf_counter()
        way(photo, out)
        print(
            json.dumps(
                {
                    "cpu_ms": (time.process_time() - cpu) * 1000,
                    "wall_ms": (time.perf_counter() - wall) * 1000,
                }
            ),
            flush=True,
        )
