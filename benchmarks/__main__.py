"""``make bench``: CPU and peak memory of whole processes, in alternation, medians and spread."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.contenders import CONTENDERS
from tests.photos.files import jpeg_24mp

_RUNS = 5
_RESULTS = Path(__file__).parent / "results"


def _measure(contender: str, photo: Path) -> tuple[float, float]:
    """Return CPU milliseconds and peak resident MB of one process that renders ``photo``."""
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.contenders", contender, photo])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, contender)
    return (usage.ru_utime + usage.ru_stime) * 1000, usage.ru_maxrss / 1024


def main() -> None:
    """Run every contender ``_RUNS`` times after a warm-up, print a table, write the figures."""
    with tempfile.TemporaryDirectory() as folder:
        photo = jpeg_24mp(Path(folder) / "24mp.jpg")
        figures: dict[str, list[tuple[float, float]]] = {name: [] for name in CONTENDERS}
        for run in range(_RUNS + 1):
            for name, results in figures.items():
                result = _measure(name, photo)
                if run:
                    results.append(result)
    rows = []
    ours = statistics.median(cpu for cpu, _ in figures["renditions"])
    print(f"24 MP baseline JPEG to five JPEGs, whole process, median of {_RUNS} (min to max)\n")
    print("| how | CPU ms | peak RSS MB | CPU against renditions |\n|---|---|---|---|")
    for name, results in figures.items():
        cpu = [result[0] for result in results]
        rss = [result[1] for result in results]
        ratio = statistics.median(cpu) / ours
        rows.append({"how": name, "cpu_ms": cpu, "peak_rss_mb": rss, "ratio": ratio})
        print(
            f"| {name} | {statistics.median(cpu):.0f} ({min(cpu):.0f} to {max(cpu):.0f}) "
            f"| {statistics.median(rss):.0f} | {ratio:.2f} |"
        )
    _RESULTS.mkdir(exist_ok=True)
    (_RESULTS / "jpeg-24mp.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
