"""``results/peers/*.json`` -> the table in ``results/README.md``."""

import json
from pathlib import Path
from typing import Any, Final

from benchmarks.contenders import OURS
from benchmarks.measure import median
from benchmarks.photos import PHOTOS

__all__ = ["load_results", "main"]

_RESULTS: Final = Path(__file__).parent / "results"

_INTRO: Final = """\
# Side by side

Written by `make bench`; do not edit. Each photo becomes the same five JPEGs (2048, 1280, 640, 320
and 160 cropped, quality 85, chroma halved). Whole processes, from start to exit, in alternation,
each the median (lowest to highest) of its runs. `warm` is one more photo in a process that has made
some, as an execution environment sees it. The bench asserts that all renditions have the same
dimensions, are within 27 dB of a reference made the long way, and take about the same bytes.

The photos are synthesised with the detail of real ones (`tests/photos/landscape.py` says how that
was checked); bytes a pixel are beside each. The floor is what the codecs need: `djpeg -scale`,
`dwebp`, `avifdec` with dav1d or libheif, and `cjpeg` of five pictures that lie ready.
"""


def load_results() -> list[dict[str, Any]]:
    """Return what was measured, in the order of the photos."""
    paths = [_RESULTS / "peers" / f"{photo.name}.json" for photo in PHOTOS]
    return [json.loads(path.read_text("utf-8")) for path in paths if path.exists()]


def _spread(figures: list[dict[str, Any]], name: str) -> str:
    values = [figure[name] for figure in figures]
    return f"{median(figures, name):,.0f} ({min(values):,.0f} to {max(values):,.0f})"


def _row(one: dict[str, Any], ours: dict[str, Any]) -> str:
    if one["missing"]:
        return f"| {one['name']} | missing: {one['missing']} | | | | |"
    if not one["process"]:
        return f"| {one['name']} | does not read it | | | | |"
    cpu, memory = median(one["process"], "cpu_ms"), median(one["process"], "rss_mb")
    warm, ratio_warm = "", "-"
    if one["warm"]:
        warm = f"{median(one['warm'], 'cpu_ms'):,.0f}"
        ratio_warm = f"{median(ours['warm'], 'cpu_ms') / median(one['warm'], 'cpu_ms'):.2f}"
    ratio = median(ours["process"], "cpu_ms") / cpu
    lean = median(ours["process"], "rss_mb") / memory
    return (
        f"| {one['name']} | {_spread(one['process'], 'cpu_ms')} | {warm} "
        f"| {median(one['process'], 'wall_ms'):,.0f} | {memory:,.0f} "
        f"| {ratio:.2f}, {ratio_warm}, {lean:.2f} |"
    )


def _section(result: dict[str, Any]) -> str:
    ours = next(one for one in result["contenders"] if one["name"] == OURS.name)
    size = f"{result['width']} x {result['height']}, {result['bytes'] / 1e6:,.1f} MB"
    machine = result["machine"]
    where = (
        f"{machine['cores']} cores of {machine['cpu']}, load {machine['load_at_start']} at the "
        f"start, libvips {machine['libvips']}, {len(ours['process'])} runs."
    )
    return "\n".join(
        [
            f"## {result['photo']}: {size}, {result['bytes_per_pixel']:.2f} bytes a pixel",
            "",
            "| how | CPU ms | warm CPU ms | wall ms | peak RSS MB | ours / it: CPU, warm, RSS |",
            "|---|---|---|---|---|---|",
            *(_row(one, ours) for one in result["contenders"]),
            "",
            where,
            "",
        ]
    )


def main() -> None:
    """Write the table."""
    sections = [_INTRO, *(_section(result) for result in load_results())]
    (_RESULTS / "README.md").write_text("\n".join(sections), encoding="utf-8")


if __name__ == "__main__":
    main()
