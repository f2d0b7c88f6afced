"""``make bench-batch``: photos side by side against one after the other, on two processors.

The real handler, with the memory that Lambda gives two vCPUs for: one event with a record for each
photo, and as many events of one record. And ``renditions render --jobs``, with 2 and with 1. In
alternation; the ratio is that of the medians of the wall times.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks.invoking import Function, running
from benchmarks.photos import PHOTOS, copies
from benchmarks.s3 import credentials, serving

_ROOT: Final = Path(__file__).parent.parent
_CPUS: Final = frozenset({0, 1})
_PHOTOS: Final = 16


def _say(what: str, walls_s: Mapping[str, Sequence[float]]) -> None:
    single, both = (statistics.median(each) for each in walls_s.values())
    names = ", ".join(
        f"{name} {statistics.median(each) * 1000:,.0f} ms" for name, each in walls_s.items()
    )
    print(f"{what}: {_PHOTOS} photos: {names}: {single / both:.2f} times as fast", flush=True)


def _alternate(runs: int, ways: Mapping[str, Callable[[int], None]]) -> Mapping[str, list[float]]:
    walls_s: dict[str, list[float]] = {name: [] for name in ways}
    for run in range(-1, runs):
        for name, way in ways.items():
            started = time.perf_counter()
            way(run)
            if run >= 0:
                walls_s[name].append(time.perf_counter() - started)
    return walls_s


def _invoke(function: Function, paths: Sequence[Path], records: int) -> None:
    for at in range(0, len(paths), records):
        part = paths[at : at + records]
        took = function.invoke(part[0].parent.name, [path.name for path in part])
        if any(record["disposition"] != "written" for record in took.records):
            raise RuntimeError(f"expected photos that are written but received {took}")


def _function(path: Path, runs: int) -> None:
    objects = copies(path, 2 * (runs + 1) * _PHOTOS)
    chunks = iter([objects[at : at + _PHOTOS] for at in range(0, len(objects), _PHOTOS)])
    with serving(objects) as url:
        environment = credentials(url) | {
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "3538",
            "MALLOC_ARENA_MAX": "2",
        }
        with running(_ROOT, environment, _CPUS) as function:
            ways: dict[str, Callable[[int], None]] = {
                "an event each": lambda _: _invoke(function, next(chunks), 1),
                "one event": lambda _: _invoke(function, next(chunks), _PHOTOS),
            }
            _say("function", _alternate(runs, ways))


def _command_line(path: Path, runs: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        photos = [Path(folder) / f"{number}.jpg" for number in range(_PHOTOS)]
        for photo in photos:
            shutil.copy(path, photo)

        def render(jobs: int) -> None:
            options = ("--jobs", str(jobs), "--out", f"{folder}/out")
            subprocess.run(
                [sys.executable, "-m", "handler.cli", "render", *map(str, photos), *options],
                cwd=_ROOT,
                check=True,
                stdout=subprocess.DEVNULL,
            )

        ways: dict[str, Callable[[int], None]] = {
            "--jobs 1": lambda _: render(1),
            "--jobs 2": lambda _: render(2),
        }
        _say("renditions render", _alternate(runs, ways))


def main() -> None:
    """Measure, and print both ratios."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batch", description=__doc__)
    parser.add_argument("--photo", default="jpeg-24", help="default: %(default)s")
    parser.add_argument("--runs", type=int, default=5, help="default: %(default)s")
    arguments = parser.parse_args()
    path = next(one for one in PHOTOS if one.name == arguments.photo).make()
    _function(path, arguments.runs)
    _command_line(path, arguments.runs)


if __name__ == "__main__":
    main()
