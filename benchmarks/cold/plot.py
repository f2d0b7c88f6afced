"""``results/cold.json`` -> ``results/cold.svg``.

Runs in the environment of requirements/bench.lock, which has matplotlib and nothing of ours.
"""

import json
import statistics
from pathlib import Path
from typing import Final

import matplotlib as mpl
from matplotlib import pyplot as plt

_RESULTS: Final = Path(__file__).parents[1] / "results"
_COLOURS: Final = {"renditions": "#0a7d5a", "python": "#b9c6d8", "node": "#d8cdb9"}


def main() -> None:
    """Draw, for each condition, the time to the first poll and, paler, on to the first photo."""
    result = json.loads((_RESULTS / "cold.json").read_text("utf-8"))
    contenders = result["contenders"]
    conditions = list(contenders[0]["starts"])
    mpl.rcParams["svg.hashsalt"] = "renditions"
    canvas, grid = plt.subplots(len(conditions), 1, figsize=(9, 1.3 * len(conditions) + 0.5))
    for axes, condition in zip(grid, conditions, strict=True):
        for place, one in enumerate(contenders[::-1]):
            runs = one["starts"][condition]
            poll = statistics.median(run["poll_ms"] for run in runs)
            photo = statistics.median(run["photo_ms"] for run in runs)
            colour = _COLOURS[one["name"]]
            axes.barh(place, photo, color=colour, alpha=0.45)
            axes.barh(place, poll, color=colour)
            axes.text(photo, place, f" {poll:,.0f}, {photo:,.0f}", va="center", fontsize=8)
        axes.set_yticks(range(len(contenders)), [one["name"] for one in contenders[::-1]])
        cache, cpus = condition.split()
        title = f"{cache} page cache, {cpus} vCPU: ms to the first poll, to the first photo"
        axes.set_title(title, fontsize=9, loc="left")
        axes.margins(x=0.18)
        axes.set_xticks([])
        axes.spines[["top", "right", "bottom"]].set_visible(False)
    canvas.tight_layout()
    canvas.savefig(_RESULTS / "cold.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
