"""``results/peers/*.json`` -> ``results/cpu.svg`` and ``results/memory.svg``.

Runs in the environment of requirements/bench.lock, which has matplotlib and nothing of ours.
"""

import json
import statistics
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from benchmarks.shown import SHOWN

_RESULTS: Final = Path(__file__).parent / "results"
_OURS: Final = "renditions"
_COLOURS: Final = {_OURS: "#0a7d5a", "floor: codecs alone": "#8a8a8a"}
_PEERS: Final = "#b9c6d8"


def _panel(axes: Axes, title: str, result: dict[str, Any], figure: str) -> None:
    bars = {
        one["name"]: statistics.median(run[figure] for run in one["process"])
        for one in result["contenders"]
        if one["process"]
    }
    names = list(bars)[::-1]
    longest = max(bars.values())
    axes.barh(names, [bars[name] for name in names], color=[_COLOURS.get(n, _PEERS) for n in names])
    for place, name in enumerate(names):
        axes.text(bars[name] + longest * 0.01, place, f"{bars[name]:,.0f}", va="center", fontsize=8)
    axes.set_title(title, fontsize=10, loc="left", fontweight="bold")
    axes.set_xlim(0, longest * 1.15)
    axes.tick_params(axis="y", labelsize=8, length=0)
    axes.set_xticks([])
    axes.spines[["top", "right", "bottom"]].set_visible(False)


def _plot(figure: str, title: str, path: Path) -> None:
    found = {
        name: json.loads(file.read_text("utf-8"))
        for name in SHOWN
        if (file := _RESULTS / "peers" / f"{name}.json").exists()
    }
    rows = -(-len(found) // 2)
    canvas, grid = plt.subplots(rows, 2, figsize=(11, 2.1 * rows + 0.6), squeeze=False)
    for axes, (name, result) in zip(grid.flat, found.items(), strict=False):
        _panel(axes, SHOWN[name], result, figure)
    for axes in grid.flat[len(found) :]:
        axes.remove()
    canvas.suptitle(title, fontsize=12, x=0.01, ha="left")
    canvas.tight_layout()
    canvas.savefig(path, metadata={"Date": None})
    plt.close(canvas)


def main() -> None:
    """Draw both pictures."""
    # Text stays text, and the same figures make the same file.
    mpl.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "renditions"}
    mpl.rcParams["font.family"] = "sans-serif"
    five = "five JPEGs of one photo, whole process, median"
    _plot("cpu_ms", f"CPU milliseconds: {five}", _RESULTS / "cpu.svg")
    _plot("rss_mb", f"Peak resident megabytes: {five}", _RESULTS / "memory.svg")


if __name__ == "__main__":
    main()
