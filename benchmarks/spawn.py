"""Runs a command and writes what it took, from a process too small to be in the figures.

    python -I -S benchmarks/spawn.py REPORT COMMAND...

The kernel counts the memory of the process that forks to its child's peak: measured from a process
that holds a photo, every contender would seem to need as much. Imports nothing but the standard
library's smallest.
"""

import ctypes
import os
import sys
import time
from contextlib import suppress

_PR_SET_CHILD_SUBREAPER = 36


def main() -> int:
    """Run the command, write CPU and wall milliseconds and peak KiB; return its exit code."""
    report, command = sys.argv[1], sys.argv[2:]
    # What the command leaves behind becomes this process's: it is ended with it, and counted.
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    started = time.perf_counter()
    child = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(child, 0)
    wall_ms = (time.perf_counter() - started) * 1000
    cpu_ms = (usage.ru_utime + usage.ru_stime) * 1000
    with suppress(ChildProcessError):
        while True:
            *_, left = os.wait4(-1, 0)
            cpu_ms += (left.ru_utime + left.ru_stime) * 1000
    # pathlib would cost more than all else here.
    with open(report, "w", encoding="ascii") as file:  # noqa: PTH123
        file.write(f"{cpu_ms} {wall_ms} {usage.ru_maxrss}")
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main())
