"""``make bench``: the pipeline and its peers, whole processes, in alternation, in one run.

For each photo it writes ``results/peers/NAME.json``; ``benchmarks.report`` makes the table and
``benchmarks.plots`` the pictures of all of them.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pyvips

from benchmarks.check import check, compare, pixels
from benchmarks.contenders import CONTENDERS, OURS, Contender, floor_of
from benchmarks.measure import measure, measure_warm, median
from benchmarks.photos import PHOTOS, BenchPhoto

_RESULTS: Final = Path(__file__).parent / "results" / "peers"


def _machine() -> dict[str, Any]:
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "load_at_start": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "libvips": ".".join(str(pyvips.version(part)) for part in range(3)),
    }


def _checked(photo: BenchPhoto, wanted: Path, contenders: list[Contender]) -> dict[str, Any]:
    checks = {}
    for contender in contenders:
        if not contender.resizes:
            continue
        with tempfile.TemporaryDirectory() as folder:
            measure(contender, photo.path, Path(folder))
            checks[contender.name] = check(contender.name, Path(folder), wanted)
    compare(checks)
    return checks


def _bench(photo: BenchPhoto, runs: int, only: Sequence[str] | None) -> dict[str, Any]:
    photo.make()
    wanted = pixels(photo)
    floor = floor_of(photo, wanted)
    everyone = [*CONTENDERS, *([floor] if floor is not None else [])]
    if only is not None:
        everyone = [OURS, *(one for one in everyone if one.name in only)]
    able = [one for one in everyone if one.missing is None and one.takes(photo)]
    checks = _checked(photo, wanted, able)
    figures: dict[str, list[dict[str, Any]]] = {one.name: [] for one in able}
    for run in range(runs):
        # Each in its turn comes first, when the machine has to find memory that others gave back.
        start = run * len(able) // runs
        for one in [*able[start:], *able[:start]]:
            figures[one.name].append(measure(one, photo.path).as_dict())
    warm = {
        one.name: [again.as_dict() for again in measure_warm(one, photo.path, runs)]
        for one in able
        if one.stays
    }
    return {
        "photo": photo.name,
        "width": photo.width,
        "height": photo.height,
        "bytes": photo.size,
        "bytes_per_pixel": round(photo.bytes_per_pixel, 3),
        "machine": _machine(),
        "contenders": [
            {
                "name": one.name,
                "missing": one.missing,
                "cannot_read": not one.takes(photo),
                "process": figures.get(one.name, []),
                "warm": warm.get(one.name, []),
            }
            | checks.get(one.name, {})
            for one in everyone
        ],
    }


def main() -> None:
    """Measure what the command line names, and write the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("photos", nargs="*", help="names such as jpeg-24; default: all")
    parser.add_argument("--runs", type=int, default=5, help="default: %(default)s")
    parser.add_argument(
        "--only", nargs="*", metavar="NAME", help="beside these alone; prints, and writes nothing"
    )
    arguments = parser.parse_args()
    chosen = [photo for photo in PHOTOS if not arguments.photos or photo.name in arguments.photos]
    if not chosen:
        parser.error(f"expected names of {', '.join(photo.name for photo in PHOTOS)}")
    for one in CONTENDERS:
        if one.missing is not None:
            print(f"MISSING {one.name}: {one.missing}", file=sys.stderr)
    _RESULTS.mkdir(parents=True, exist_ok=True)
    for photo in chosen:
        result = _bench(photo, arguments.runs, arguments.only)
        if arguments.only is None:
            (_RESULTS / f"{photo.name}.json").write_text(
                json.dumps(result, indent=1) + "\n", encoding="utf-8"
            )
        print(f"{photo.name}: {photo.bytes_per_pixel:.2f} bytes a pixel")
        for one in result["contenders"]:
            if one["process"]:
                print(
                    f"  {one['name']:28} {median(one['process'], 'cpu_ms'):7.0f} ms CPU "
                    f"{median(one['process'], 'rss_mb'):6.0f} MB"
                    + (f" {median(one['warm'], 'cpu_ms'):7.0f} ms warm" if one["warm"] else "")
                    + (f" {one['psnr_db']}" if "psnr_db" in one else ""),
                    flush=True,
                )


if __name__ == "__main__":
    main()
