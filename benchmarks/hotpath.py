"""``python -m benchmarks.hotpath``: what could make the hot path faster or leaner, one at a time.

First what a process is started with, allocators and the like: photos in a warm process. Then the
constants of the code and the interpreter's lock: bucket to bucket in this process, with the S3 in
another one behind a link. In alternation; medians. ADR 16 has what came of it.
"""

import argparse
import os
import platform
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from benchmarks.contenders import WITHOUT_WALL
from benchmarks.measure import Figures, measure_repeated
from benchmarks.photos import PHOTOS, BenchPhoto, copies
from benchmarks.s3 import credentials, link, serving

_PHOTOS_A_PROCESS: Final = 8
_BYTES_PER_S: Final = 90e6
_LATENCY_S: Final = 0.02
_LIBRARIES: Final = Path(f"/usr/lib/{platform.machine()}-linux-gnu")

# As the image: ENV MALLOC_ARENA_MAX=2.
_IMAGE: Final = {"MALLOC_ARENA_MAX": "2"}
_ENVIRONMENTS: Final[Mapping[str, Mapping[str, str]]] = {
    "as the image": _IMAGE,
    "glibc as it is": {"MALLOC_ARENA_MAX": "64"},
    "one arena": {"MALLOC_ARENA_MAX": "1"},
    "huge pages (glibc.malloc.hugetlb=1)": _IMAGE | {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"},
    "two libvips threads": _IMAGE | {"VIPS_CONCURRENCY": "2"},
    "jemalloc": {"LD_PRELOAD": str(_LIBRARIES / "libjemalloc.so.2")},
    "mimalloc": {"LD_PRELOAD": str(_LIBRARIES / "libmimalloc.so.2")},
}

_JPEG = "imaging.encoders.jpeg"
_SOURCE: Final = "handler.s3.source"
_CONSTANTS: Final[Mapping[str, Mapping[tuple[str, str], int]]] = {
    "as it is: 8 x 256 KiB ahead": {},
    "1 x 256 KiB ahead": {(_SOURCE, "_AHEAD_CHUNKS"): 1},
    "32 x 256 KiB ahead": {(_SOURCE, "_AHEAD_CHUNKS"): 32},
    "32 x 64 KiB ahead": {(_SOURCE, "_AHEAD_CHUNKS"): 32, (_SOURCE, "_CHUNK_BYTES"): 64 << 10},
    "2 x 1 MiB ahead": {(_SOURCE, "_AHEAD_CHUNKS"): 2, (_SOURCE, "_CHUNK_BYTES"): 1 << 20},
    "Huffman tables of its own for every JPEG": {(_JPEG, "_OPTIMISED_PIXELS"): 1 << 30},
    "for none": {(_JPEG, "_OPTIMISED_PIXELS"): 0},
}
# Python's default is 5 ms: for how long a thread may keep the lock from one that waits for it.
_SWITCHES_S: Final = {"the lock handed on after 0.5 ms": 0.0005, "after 50 ms": 0.05}


def _environments(photo: BenchPhoto, runs: int) -> None:
    able = {
        name: variables
        for name, variables in _ENVIRONMENTS.items()
        if Path(variables.get("LD_PRELOAD", "/")).exists()
    }
    for name in _ENVIRONMENTS.keys() - able.keys():
        print(f"MISSING {name}: apt-get install libjemalloc2 libmimalloc2.0", file=sys.stderr)
    processes: dict[str, list[Figures]] = defaultdict(list)
    first: dict[str, list[Figures]] = defaultdict(list)
    warm: dict[str, list[Figures]] = defaultdict(list)
    for _ in range(runs):
        for name, variables in able.items():
            contender = replace(WITHOUT_WALL, environment=variables)
            process, each = measure_repeated(contender, photo.make(), _PHOTOS_A_PROCESS)
            processes[name].append(process)
            first[name].append(each[0])
            warm[name] += each[1:]
    print(f"\n{photo.name}, {_PHOTOS_A_PROCESS} photos in each of {runs} processes\n")
    print("| started | first, CPU ms | warm, CPU ms | warm, wall ms | peak RSS MB |")
    print("|---|---|---|---|---|")
    for name in able:
        figures = (
            statistics.median(one.cpu_ms for one in first[name]),
            statistics.median(one.cpu_ms for one in warm[name]),
            statistics.median(one.wall_ms for one in warm[name]),
            statistics.median(one.rss_mb or 0 for one in processes[name]),
        )
        print(f"| {name} | {' | '.join(f'{figure:,.0f}' for figure in figures)} |")


def _set(constants: Mapping[tuple[str, str], int]) -> Callable[[], None]:
    """Set the constants of modules; return what sets them back."""
    kept = {place: getattr(import_module(place[0]), place[1]) for place in constants}

    def write(values: Mapping[tuple[str, str], Any]) -> None:
        for (module, name), value in values.items():
            setattr(import_module(module), name, value)

    write(constants)
    return lambda: write(kept)


def _constants(photo: BenchPhoto, runs: int) -> None:
    from handler.objects import ObjectEvent
    from handler.photo.process import process
    from handler.s3.client import make_client
    from handler.s3.requests import Requests
    from handler.settings import read_settings
    from imaging.worker.client import Workers
    from imaging.worker.spawning import Launch

    workers = Workers(Launch(concurrency=1))
    photo.make()
    names = [*_CONSTANTS, *_SWITCHES_S]
    objects = copies(photo.path, (runs + 1) * len(names))
    walls: dict[str, list[float]] = defaultdict(list)
    cpus: dict[str, list[float]] = defaultdict(list)
    with (
        serving(objects) as near,
        link(near, bytes_per_s=_BYTES_PER_S, latency_s=_LATENCY_S) as url,
    ):
        os.environ |= credentials(url)
        settings = read_settings(os.environ)
        client = make_client()
        keys = iter([path.name for path in objects])
        for run in range(runs + 1):
            for name in names:
                back = _set(_CONSTANTS.get(name, {}))
                sys.setswitchinterval(_SWITCHES_S.get(name, 0.005))
                event = ObjectEvent(bucket=objects[0].parent.name, key=next(keys))
                wall, cpu = time.perf_counter(), time.process_time()
                with ThreadPoolExecutor(4) as executor:
                    report = process(
                        event, settings, Requests(client), executor, workers.open_photo
                    )
                wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
                back()
                if len(report.renditions) != len(settings.config.renditions):
                    raise RuntimeError(f"expected {event.key} to be written but received {report}")
                if run:
                    walls[name].append(wall * 1000)
                    cpus[name].append(cpu * 1000)
        client.close()
    workers.close()
    print(f"\n{photo.name}, bucket to bucket, warm, {runs} runs\n")
    print("| | CPU ms | wall ms |")
    print("|---|---|---|")
    for name in names:
        print(
            f"| {name} | {statistics.median(cpus[name]):,.0f} "
            f"| {statistics.median(walls[name]):,.0f} |"
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hotpath", description=__doc__)
    parser.add_argument("photos", nargs="*", default=["jpeg-24", "progressive-108"])
    parser.add_argument("--runs", type=int, default=5, help="default: %(default)s")
    arguments = parser.parse_args()
    for photo in PHOTOS:
        if photo.name in arguments.photos:
            _environments(photo, arguments.runs)
            _constants(photo, arguments.runs)


if __name__ == "__main__":
    main()
