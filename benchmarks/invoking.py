"""Functions in processes of their own (``benchmarks/function.py``), and what their groups take."""

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks import group

__all__ = ["Function", "Invocation", "running"]

_PROGRAM: Final = Path(__file__).parent / "function.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """What one invocation came to, or a start with it.

    Attributes:
        cpu_ms: Of all processes of the group.
        wall_ms: From the event to the answer.
        records: Key, disposition, code and message of each record.
    """

    cpu_ms: float
    wall_ms: float
    records: list[dict[str, Any]]


class Function:
    """A function that is up.

    Attributes:
        pid: Its process ID.
        init: What its init took, from exec; no records.
    """

    def __init__(self, process: "subprocess.Popen[str]", answers: int, started: float) -> None:
        self._process = process
        self._answers = os.fdopen(answers, encoding="utf-8")
        self.pid = process.pid
        self._answer()
        self.init = Invocation(
            cpu_ms=group.cpu_s(self.pid) * 1000,
            wall_ms=(time.perf_counter() - started) * 1000,
            records=[],
        )

    def _answer(self) -> dict[str, Any]:
        line = self._answers.readline()
        if not line:
            raise RuntimeError(f"the function ended with {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def invoke(self, bucket: str, keys: Sequence[str]) -> Invocation:
        """Have it make photos: one event with a record for each key."""
        assert self._process.stdin is not None  # noqa: S101 - asked for below
        cpu = group.cpu_s(self.pid)
        self._process.stdin.write(" ".join((bucket, *keys)) + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        return Invocation(cpu_ms=(group.cpu_s(self.pid) - cpu) * 1000, **answer)

    def close(self) -> None:
        """End it, and wait until it has."""
        assert self._process.stdin is not None  # noqa: S101 - asked for below
        self._process.stdin.close()
        self._process.wait()
        self._answers.close()


@contextmanager
def running(
    checkout: Path, environment: Mapping[str, str], cpus: frozenset[int] | None = None
) -> Iterator[Function]:
    """Run the function of a checkout that has its ``.venv``, on ``cpus`` alone if they are given.

    The program is this checkout's for all.
    """
    answers, theirs = os.pipe()
    allowed = os.sched_getaffinity(0)
    started = time.perf_counter()
    if cpus is not None:
        # Inherited: a function between fork and exec would do the same, and is not safe.
        os.sched_setaffinity(0, cpus)
    try:
        process = subprocess.Popen(
            # -P: this folder's modules are not the checkout's.
            [str(checkout / ".venv" / "bin" / "python"), "-P", str(_PROGRAM), str(theirs)],
            cwd=checkout,
            env={**os.environ, "PYTHONPATH": str(checkout), **environment},
            pass_fds=[theirs],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
    finally:
        os.sched_setaffinity(0, allowed)
        os.close(theirs)
    function = Function(process, answers, started)
    try:
        yield function
    finally:
        function.close()
