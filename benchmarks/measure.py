"""What a process takes: CPU and wall time, and the most memory that it held."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.contenders import Contender

__all__ = ["Figures", "measure", "measure_repeated", "measure_warm", "median"]

_SPAWN: Final = Path(__file__).parent / "spawn.py"
_WARM_UP: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One run of one whole process, or one repetition in a process that stays.

    Attributes:
        cpu_ms: User and system milliseconds, those of all processes that it started included.
        wall_ms: From start to end.
        rss_mb: The most that it held, resident: that of its largest process, or what it says of
            all its processes together (``benchmarks/group.py``). None where it says nothing.
    """

    cpu_ms: float
    wall_ms: float
    rss_mb: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return plain data, rounded to what the clock is worth."""
        return {name: value and round(value, 1) for name, value in asdict(self).items()}


def _run(contender: Contender, photo: Path, out: Path, times: int) -> tuple[Figures, bytes]:
    with tempfile.NamedTemporaryFile() as report:
        done = subprocess.run(
            [
                *(sys.executable, "-I", "-S", str(_SPAWN), report.name),
                *contender.line(photo, out, times),
            ],
            capture_output=True,
            cwd=_SPAWN.parent.parent,
            env=os.environ | dict(contender.environment),
            check=False,
        )
        if done.returncode:
            complaint = done.stderr.decode(errors="replace")
            raise RuntimeError(f"{contender.name} ended with {done.returncode}: {complaint}")
        cpu_ms, wall_ms, peak_kib = map(float, Path(report.name).read_text("ascii").split())
    said = [each.rss_mb or 0.0 for each in _repetitions(done.stdout)]
    rss_mb = max([peak_kib / 1024, *said])
    return Figures(cpu_ms=cpu_ms, wall_ms=wall_ms, rss_mb=rss_mb), done.stdout


def _repetitions(output: bytes) -> list[Figures]:
    return [Figures(**json.loads(line)) for line in output.splitlines() if line.startswith(b"{")]


def measure(contender: Contender, photo: Path, out: Path | None = None) -> Figures:
    """Run ``contender`` once as a process of its own, from its start to its end."""
    with tempfile.TemporaryDirectory() as folder:
        return _run(contender, photo, out or Path(folder), 1)[0]


def measure_repeated(
    contender: Contender, photo: Path, times: int
) -> tuple[Figures, list[Figures]]:
    """Return what one process took as a whole, and each of its ``times`` repetitions."""
    with tempfile.TemporaryDirectory() as folder:
        process, output = _run(contender, photo, Path(folder), times)
    return process, _repetitions(output)


def measure_warm(contender: Contender, photo: Path, times: int) -> list[Figures]:
    """Return ``times`` repetitions in one process, after two that warm it up."""
    return measure_repeated(contender, photo, times + _WARM_UP)[1][_WARM_UP:]


def median(figures: Sequence[dict[str, Any]], name: str) -> float:
    """Return the median of one figure."""
    return float(statistics.median(figure[name] for figure in figures))
