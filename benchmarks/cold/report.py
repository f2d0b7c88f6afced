"""``results/cold.json`` -> ``results/cold.md``."""

import json
import statistics
from pathlib import Path
from typing import Any, Final

__all__ = ["main"]

_RESULTS: Final = Path(__file__).parents[1] / "results"
_NAMES: Final = {
    "renditions": "this image",
    "python": "boto3 + pyvips, the usual way",
    "node": "Node + sharp + SDK v3",
}
_INTRO: Final = """\
# From start to the first poll, and to the first photo

Written by `make bench-cold`; do not edit. In alternation: a process in its container is started
with a cold page cache (dropped just before), then with a warm one. Medians (lowest to highest) of
{runs} runs; the ratio is this image's median by the other's. The photo is a 24-megapixel JPEG that
becomes five JPEGs, from and to an S3 server on the loopback interface. CPU is the process's own,
and says more than wall time where other work shares the machine: the load was {load:.1f} on {cores}
cores.
"""


def _cell(runs: list[dict[str, float]], ours: list[dict[str, float]], figure: str) -> str:
    values = [run[figure] for run in runs]
    middle = statistics.median(values)
    ratio = statistics.median(run[figure] for run in ours) / middle
    return f"{middle:,.0f} ({min(values):,.0f} to {max(values):,.0f}), {ratio:.2f}"


def main() -> None:
    """Write the tables, one for each condition."""
    result: dict[str, Any] = json.loads((_RESULTS / "cold.json").read_text("utf-8"))
    contenders = result["contenders"]
    ours = contenders[0]["starts"]
    lines = [
        _INTRO.format(runs=result["runs"], load=result["load"], cores=result["cores"]),
    ]
    for condition in ours:
        cache, cpus = condition.split()
        lines += [
            f"## {cache} page cache, {cpus} vCPU",
            "",
            "| | to the first poll, ms | CPU of that, ms | to the first photo, ms |",
            "|---|---|---|---|",
        ]
        for contender in contenders:
            runs = contender["starts"][condition]
            cells = " | ".join(
                _cell(runs, ours[condition], figure) for figure in ("poll_ms", "cpu_ms", "photo_ms")
            )
            lines.append(f"| {_NAMES[contender['name']]} | {cells} |")
        lines.append("")
    lines += [
        "## What init touches",
        "",
        "| | MB read from disk | files opened | modules | peak RSS, MB | image, MB |",
        "|---|---|---|---|---|---|",
    ]
    for contender in contenders:
        cold = contender["starts"]["cold 1"]
        read = statistics.median(run["read_mb"] for run in cold)
        peak = statistics.median(run["peak_mb"] for run in cold)
        lines.append(
            f"| {_NAMES[contender['name']]} | {read:.1f} | {contender['opened']:,} "
            f"| {contender['modules'] or ''} | {peak:.0f} | {contender['image_mb']:.0f} |"
        )
    (_RESULTS / "cold.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
