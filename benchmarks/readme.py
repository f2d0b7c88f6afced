"""``results/*.json`` -> the tables of docs/speed.md, between marks.

python -m benchmarks.readme
"""

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.shown import SHOWN

__all__ = ["PAGE", "main", "renewed"]

PAGE: Final = Path(__file__).parent.parent / "docs" / "speed.md"
_RESULTS: Final = Path(__file__).parent / "results"

_PEERS: Final = {
    "renditions": "this",
    "sharp, stream and clone()": "sharp",
    "Pillow, draft": "Pillow",
    "pyvips, thumbnail per size": "pyvips per size",
    "floor: codecs alone": "codecs alone",
}
_STARTS: Final = {
    "renditions": "this image",
    "python": "boto3 + pyvips, the usual way",
    "node": "Node + sharp + SDK v3",
}
_WAYS: Final = ("renditions", "the usual way")


def _median(runs: Sequence[Mapping[str, float]], figure: str) -> float:
    return statistics.median(run[figure] for run in runs)


def _cell(contender: Mapping[str, Any]) -> str:
    if not contender["process"]:
        return ""
    warm = f"{_median(contender['warm'], 'cpu_ms'):,.0f}" if contender["warm"] else "-"
    return (
        f"{_median(contender['process'], 'cpu_ms'):,.0f} / {warm} / "
        f"{_median(contender['process'], 'rss_mb'):,.0f}"
    )


def _peers() -> list[str]:
    rows = [f"| | {' | '.join(_PEERS.values())} |", "|---" * (len(_PEERS) + 1) + "|"]
    for name, title in SHOWN.items():
        path = _RESULTS / "peers" / f"{name}.json"
        contenders = json.loads(path.read_text("utf-8"))["contenders"]
        found = {contender["name"]: _cell(contender) for contender in contenders}
        rows.append(f"| {title} | {' | '.join(found.get(peer, '') for peer in _PEERS)} |")
    return rows


def _function() -> list[str]:
    results = json.loads((_RESULTS / "function.json").read_text("utf-8"))
    found = {(one["photo"], one["memory_mb"], one["function"]): one for one in results}
    said = "seconds, peak MB, USD a million (arm64, Lambda alone)"
    rows = [f"| photo | MB, vCPU | this: {said} | the usual way |", "|---|---|---|---|"]
    # What was measured both ways.
    places = {(photo, memory) for photo, memory, way in found if way == _WAYS[1]}
    for photo, memory in sorted(places, key=lambda one: (list(SHOWN).index(one[0]), one[1])):
        cells = []
        for way in _WAYS:
            one = found[photo, memory, way]
            cells.append(
                "killed for memory"
                if "killed for memory" in one.get("failed", "")
                else f"failed: {one['failed'][:40]}"
                if "failed" in one
                else f"{statistics.median(one['wall_ms']) / 1000:.2f}, "
                f"{one['resident_peak_mb']:.0f}, {one['usd_per_million']:.2f}"
            )
        vcpus = found[photo, memory, _WAYS[0]]["cpus"]
        rows.append(f"| {SHOWN[photo]} | {memory:,}, {vcpus} | {cells[0]} | {cells[1]} |")
    return rows


def _cold() -> list[str]:
    contenders = json.loads((_RESULTS / "cold.json").read_text("utf-8"))["contenders"]
    rows = [
        "| | first poll after, ms | first photo, ms | MB read | files | RSS MB | image MB |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in contenders:
        cold, warm = one["starts"]["cold 1"], one["starts"]["warm 1"]
        rows.append(
            f"| {_STARTS[one['name']]} "
            f"| {_median(cold, 'poll_ms'):,.0f}, {_median(warm, 'poll_ms'):,.0f} "
            f"| {_median(cold, 'photo_ms'):,.0f}, {_median(warm, 'photo_ms'):,.0f} "
            f"| {_median(cold, 'read_mb'):.0f} | {one['opened']:,} "
            f"| {_median(cold, 'peak_mb'):.0f} | {one['image_mb']:.0f} |"
        )
    return rows


_TABLES: Final = {"make bench": _peers, "make bench-function": _function, "make bench-cold": _cold}


def renewed(text: str) -> str:
    """Return the page's ``text`` with each table as it was measured last."""
    for command, table in _TABLES.items():
        begin, end = f"<!-- measured: {command} -->\n", "<!-- end -->"
        before, there, rest = text.partition(begin)
        _, ended, after = rest.partition(end)
        if not (there and ended):
            raise ValueError(
                f"Expected {begin!r} and {end!r} in docs/speed.md but received neither"
            )
        text = "\n".join([before + begin, *table(), "", end]) + after
    return text


def main() -> None:
    """Renew the tables."""
    PAGE.write_text(renewed(PAGE.read_text("utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
