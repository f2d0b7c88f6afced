"""Keeps workers busy, and notices when one dies, hangs, grows or commits what it rejected."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

MEMORY_BYTES: Final = 1 << 30
"""What a worker may hold resident."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a worker dies of.

    Attributes:
        hang_s: Seconds for one mutant.
        address_bytes: What it may reserve; threads and allocators reserve more than they touch.
    """

    hang_s: float = 10
    address_bytes: int = 4 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What must not happen: ``crash``, ``hang``, ``memory``, ``foreign`` or ``committed``."""

    kind: str
    number: int
    detail: str


@dataclass(slots=True, kw_only=True)
class FuzzReport:
    """What became of the mutants."""

    done: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    slowest_s: float = 0.0
    slowest: int = -1
    peak_bytes: int = 0

    def add(self, number: int, line: dict[str, Any]) -> None:
        """Take the worker's word on mutant ``number``."""
        self.done += 1
        code = line["code"]
        if line["seconds"] > self.slowest_s:
            self.slowest_s, self.slowest = line["seconds"], number
        grew = line["rss"] > max(self.peak_bytes, MEMORY_BYTES)
        self.peak_bytes = max(self.peak_bytes, line["rss"])
        if grew:
            self.find("memory", number, f"{line['rss'] / 2**20:.0f} MiB resident")
        if code is not None and code.startswith("foreign"):
            self.find("foreign", number, code)
        elif code is not None and line["committed"]:
            self.find("committed", number, f"{line['committed']} renditions of a photo with {code}")
        else:
            self.codes[code or "written"] += 1

    def find(self, kind: str, number: int, detail: str) -> None:
        self.findings.append(Finding(kind=kind, number=number, detail=f"mutant {number}: {detail}"))


def run(
    folder: Path,
    *,
    first: int,
    count: int,
    workers: int,
    deadline_s: float,
    bounds: Bounds = Bounds(),
) -> FuzzReport:
    """Render ``count`` mutants of the photos in ``folder``.

    Args:
        folder: The photos, in the order of their names.
        first: The number of the first mutant.
        count: How many.
        workers: Processes at a time.
        deadline_s: No mutant begins later than that.
        bounds: What a worker dies of.
    """
    report = FuzzReport()
    lock = threading.Lock()
    ends = time.monotonic() + deadline_s
    share = -(-count // workers)
    threads = [
        threading.Thread(
            target=_drive,
            args=(folder, (start, min(start + share, first + count)), ends, bounds, report, lock),
        )
        for start in range(first, first + count, share)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return report


def _drive(
    folder: Path,
    numbers: tuple[int, int],
    ends: float,
    bounds: Bounds,
    report: FuzzReport,
    lock: threading.Lock,
) -> None:
    """See the mutants of ``numbers`` through, in as many processes as it takes."""
    start, stop = numbers
    while start < stop and time.monotonic() < ends:
        command = [sys.executable, "-m", "tests.fuzz.worker", str(folder), str(start), str(stop)]
        command += [str(bounds.address_bytes), str(bounds.hang_s)]
        with (
            tempfile.TemporaryFile() as errors,
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as worker,
        ):
            assert worker.stdout is not None
            for text in worker.stdout:
                with lock:
                    report.add(start, json.loads(text))
                start += 1
                if time.monotonic() > ends:
                    worker.kill()
                    return
            if worker.wait() == 0:
                return
            # It died of the first mutant that it said nothing of; the next worker goes on after it.
            errors.seek(0)
            last = errors.read().decode(errors="replace").strip().rpartition("\n")[2]
        with lock:
            report.done += 1
            hung = worker.returncode == -signal.SIGALRM
            detail = (
                f"over {bounds.hang_s} s" if hung else f"ended with {worker.returncode}: {last}"
            )
            report.find("hang" if hung else "crash", start, detail)
        start += 1
