"""One process that renders mutants and says what became of each; it may be killed at any."""

from __future__ import annotations

import json
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

from imaging.config import parse_config
from imaging.errors import RenditionsError
from imaging.libvips import configure_libvips
from imaging.local import MemorySink, MemorySource
from imaging.planning import make_plan
from imaging.rendering import open_photo
from tests.fuzz.mutants import mutant

CONFIG = """
truncated = "render"

[sidecar]

[[renditions]]
name = "large"
width = 200
format = "source"
metadata = "all"
colour = "source"
hdr = "keep"

[[renditions]]
name = "square"
width = 64
height = 64
fit = "cover"
metadata = "safe"
colour = "display-p3"
hdr = "keep"

[limits]
max_pixels = 20_000_000
"""
"""Limits for a function of 1 GiB: 20 megapixels of 16 bits and four bands, whole in memory, are
160 MB, and there are a few such buffers."""


def outcome(data: bytes) -> dict[str, Any]:
    """Render ``data``; return its code (None for written) and how many sinks were committed."""
    asked = parse_config(CONFIG, file="fuzz").asked()
    sinks: list[MemorySink] = []

    def open_sink(_: object) -> MemorySink:
        sinks.append(MemorySink())
        return sinks[-1]

    code = None
    try:
        with open_photo(MemorySource(data), asked) as photo:
            for _ in photo.render(make_plan(photo.header, asked), open_sink):
                pass
    except RenditionsError as error:
        code = error.code
    except Exception as error:  # noqa: BLE001 - the very thing that is looked for
        code = f"foreign: {type(error).__name__}: {error}"
    return {"code": code, "committed": sum(sink.data is not None for sink in sinks)}


def _peak_bytes() -> int:
    """Return this process's peak of memory; getrusage's begins with that of who started it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (peak,) = (row.split()[1] for row in status.splitlines() if row.startswith("VmHWM:"))
    return int(peak) * 1024


def main(folder: Path, start: int, stop: int, memory: int, *, hang_s: float) -> None:
    """Print one line of JSON after each mutant from ``start`` up to ``stop``.

    A mutant that takes longer than ``hang_s`` ends the process: no handler is set for the alarm, so
    that a decoder which never returns to Python cannot miss it.
    """
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    configure_libvips(concurrency=2)
    photos = [path.read_bytes() for path in sorted(folder.iterdir())]
    for number in range(start, stop):
        data = mutant(number, photos)
        started = time.perf_counter()
        signal.setitimer(signal.ITIMER_REAL, hang_s)
        line = outcome(data)
        signal.setitimer(signal.ITIMER_REAL, 0)
        line["seconds"] = time.perf_counter() - started
        line["rss"] = _peak_bytes()
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:5]), hang_s=float(sys.argv[5]))
