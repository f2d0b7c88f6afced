"""``make soak``: 2,000 invocations of mixed photos in one function; it must stay lean.

Everything is counted of the whole group of processes: the function, the zygote and its workers. The
memory (PSS) of the last quarter may be 5 % above that of the one before at most, and no process,
zombie, thread, file descriptor or temporary file may be left over. It writes
``results/soak.json``, and wants root, to whom alone workers show what they hold.

Counts are the fewest that there were after an invocation of each quarter: what is left over adds
up, while a thread that has not ended yet does not. The S3 client's pool keeps as many connections
as were ever in use at once, eight at most; it gets there early.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from benchmarks import group
from benchmarks.invoking import running
from benchmarks.photos import BenchPhoto, copies
from benchmarks.s3 import credentials, serving
from tests import photos

_ROOT: Final = Path(__file__).parent.parent
_RESULTS: Final = Path(__file__).parent / "results" / "soak.json"
_MAX_GROWTH: Final = 1.05
_BUCKET: Final = "copies"


def _mixed(name: str, width: int, height: int, make: Callable[[int, int], bytes]) -> BenchPhoto:
    return BenchPhoto(
        name=f"soak-{name}",
        extension=name.partition("-")[0],
        width=width,
        height=height,
        write=lambda path: path.write_bytes(make(width, height)),
    )


_MIXED: Final = (
    _mixed("jpg-baseline", 4000, 3000, photos.jpeg),
    _mixed("jpg-small", 1203, 801, photos.jpeg),
    _mixed("jpg-scans", 2000, 1500, lambda w, h: photos.jpeg(w, h, progressive=True)),
    _mixed("jpg-turned", 1500, 2000, lambda w, h: photos.jpeg(w, h, orientation=6)),
    _mixed("jpg-cut", 1200, 800, lambda w, h: photos.truncated(photos.jpeg(w, h), 0.5)),
    _mixed("png-opaque", 1600, 1200, photos.png),
    _mixed("png-alpha", 900, 600, lambda w, h: photos.png(w, h, alpha=True)),
    _mixed("webp-lossy", 1600, 1200, photos.webp),
    _mixed("gif-still", 900, 600, photos.gif),
    _mixed("tif-strips", 1600, 1200, photos.tiff),
    _mixed("avif-small", 900, 600, photos.avif),
    _mixed("heic-small", 900, 600, photos.heic),
)


def _counts(pid: int) -> dict[str, float]:
    """Return what the function's group of processes holds just now, after an invocation."""
    members = group.descendants(pid)
    stats = [Path(f"/proc/{each}/stat").read_text("ascii") for each in members]
    return {
        "held_mb": group.held_mb(pid),
        "processes": len(members),
        "zombies": sum(stat.rpartition(")")[2].split()[0] == "Z" for stat in stats),
        # Of the kernel: Python goes on counting workers of libvips that once called it.
        "threads": sum(len(os.listdir(f"/proc/{each}/task")) for each in members),  # noqa: PTH208
        "descriptors": sum(len(os.listdir(f"/proc/{each}/fd")) for each in members),  # noqa: PTH208
    }


def _soak(times: int) -> tuple[list[dict[str, Any]], float, list[str]]:
    """Return what there was after each invocation, the peak in MB, and files that are left."""
    rounds = -(-times // len(_MIXED))
    names = [copies(photo.make(), rounds) for photo in _MIXED]
    paths = [path for each in zip(*names, strict=True) for path in each][:times]
    lines = []
    with tempfile.TemporaryDirectory() as temporary, serving(paths) as url:
        environment = credentials(url) | {
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769",
            "MALLOC_ARENA_MAX": "2",
            "TMPDIR": temporary,
        }
        with running(_ROOT, environment) as function:
            for path in paths:
                (record,) = function.invoke(_BUCKET, [path.name]).records
                lines.append(record | _counts(function.pid))
            peak_mb = group.peak_mb(function.pid)
        left = [str(path.name) for path in Path(temporary).rglob("*")]
    return lines, peak_mb, left


def main() -> None:
    """Soak, say what was found, and fail where something grows or is left over."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--times", type=int, default=2000, help="default: %(default)s")
    arguments = parser.parse_args()
    lines, peak_mb, left = _soak(arguments.times)
    quarter = len(lines) // 4
    quarters = [
        statistics.median(line["held_mb"] for line in lines[at : at + quarter])
        for at in range(0, 4 * quarter, quarter)
    ]
    fewest = {
        name: [
            min(line[name] for line in lines[at : at + quarter])
            for at in range(0, 4 * quarter, quarter)
        ]
        for name in ("processes", "zombies", "threads", "descriptors")
    }
    result = {
        "invocations": len(lines),
        "dispositions": {
            name: sum(line["disposition"] == name for line in lines)
            for name in sorted({line["disposition"] for line in lines})
        },
        "held_mb_median_of_each_quarter": [round(each, 1) for each in quarters],
        "peak_mb": round(peak_mb, 1),
        "fewest_of_each_quarter": fewest,
        "temporary_files": left,
    }
    print(json.dumps(result, indent=1))
    _RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    problems = [
        f"memory grew from {quarters[2]:.1f} to {quarters[3]:.1f} MB"
        for _ in range(quarters[3] > quarters[2] * _MAX_GROWTH)
    ]
    problems += [
        f"{name} grew from {counts[2]} to {counts[3]}"
        for name, counts in fewest.items()
        if counts[3] > counts[2] or (name == "zombies" and counts[3])
    ]
    problems += [f"temporary files are left: {left}"] if left else []
    if problems:
        sys.exit("; ".join(problems))


if __name__ == "__main__":
    main()
