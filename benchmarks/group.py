"""What a process and all that it started take together: a function, its zygote, its workers."""

import os
import time
from contextlib import suppress
from pathlib import Path

__all__ = ["cpu_s", "descendants", "held_mb", "peak_mb"]

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_CLOCK_OF_PROCESS = 2


def _children(process: int) -> list[int]:
    children: list[int] = []
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        # A thread may end meanwhile.
        with suppress(OSError):
            children += map(int, task.read_text("ascii").split())
    return children


def descendants(process: int) -> list[int]:
    """Return ``process``, and all that it and its children started: what lives, and zombies."""
    return [process, *(each for child in _children(process) for each in descendants(child))]


def _clock_s(process: int) -> float:
    # What clock_getcpuclockid(3) makes of a process ID: nanoseconds, its ended threads included.
    return time.clock_gettime((~process << 3) | _CLOCK_OF_PROCESS)


def _reaped_s(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / _TICKS_PER_S


def cpu_s(process: int) -> float:
    """Return what the group of ``process`` took of a CPU, workers that were ended included.

    The clocks of the living count nanoseconds, those of the ended 10 ms.
    """
    took = 0.0
    for each in descendants(process):
        with suppress(OSError):
            took += _clock_s(each) + _reaped_s(each)
    return took


def _field_mb(process: int, file: str, name: str) -> float:
    text = Path(f"/proc/{process}/{file}").read_text("ascii")
    return next(int(row.split()[1]) for row in text.splitlines() if row.startswith(name)) / 1024


def held_mb(process: int) -> float:
    """Return what the group holds: the sum of PSS, where a page of many is each one's in part.

    It wants root: the zygote and its workers show their memory to nobody else.
    """
    return sum(_field_mb(each, "smaps_rollup", "Pss:") for each in descendants(process))


def peak_mb(process: int) -> float:
    """Return the most that the group held: the sum of the peaks of RSS but for the zygote's.

    A worker is forked from the zygote, whose pages are in the worker's RSS too. It is an upper
    bound: the peaks need not be of one moment.
    """
    own, *others = descendants(process)
    zygotes = {each for each in others if _children(each)}
    return sum(
        _field_mb(each, "status", "VmHWM:") for each in (own, *others) if each not in zygotes
    )
