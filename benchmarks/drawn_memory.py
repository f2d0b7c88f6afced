"""``make drawn-memory``: cases that nothing was fitted to, each through the wall, against the plan.

Photos and plans are drawn with a seed (``benchmarks/drawn.py``). Each case has a new worker, whose
peak is the kernel's count; the function beside it counts as one that made a small photo, with what
it holds of the renditions that were made. It fails where more estimates are below it, or too far
above it, than may be.
"""

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from benchmarks.drawn import Drawn, draw
from benchmarks.invoking import running
from benchmarks.s3 import credentials, serving
from imaging.config import parse_config
from imaging.limits import Limits
from imaging.local import MemorySink, MemorySource
from imaging.planning import make_plan
from imaging.worker.client import Workers
from imaging.worker.spawning import Launch
from tests import photos

__all__ = ["Measured", "function_bytes", "main", "measure"]

_CHECKOUT: Final = Path(__file__).parent.parent
_UPLOAD_COPIES: Final = 2
_UPLOAD_BYTES: Final = 32 << 20

_THREADS: Final = 2
_ARENAS: Final = "2"
_MOST_BELOW: Final = 0.01
_MOST_ABOVE: Final = 0.05
_FAR: Final = 1.3
_FAR_BYTES: Final = 24 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One case.

    Attributes:
        drawn: What was drawn.
        peak: Bytes that it took.
        estimate: Bytes that the plan says.
    """

    drawn: Drawn
    peak: int
    estimate: int

    @property
    def is_below(self) -> bool:
        """Whether the estimate is below the peak."""
        return self.estimate < self.peak

    @property
    def is_far_above(self) -> bool:
        """Whether it is 30 % and 24 MB above it."""
        return self.estimate > max(self.peak * _FAR, self.peak + _FAR_BYTES)


def _peak(process: int) -> int:
    status = Path(f"/proc/{process}/status").read_text("ascii")
    (kilobytes,) = re.findall(r"VmHWM:\s+(\d+) kB", status)
    return int(kilobytes) << 10


def function_bytes() -> int:
    """Return the most that the function's own process holds: real, with S3 and a small photo.

    *Cost*: a function that starts, and a second.
    """
    with tempfile.NamedTemporaryFile(suffix=".jpg") as photo:
        path = Path(photo.name)
        path.write_bytes(photos.jpeg(640, 480))
        with (
            serving([path]) as url,
            running(_CHECKOUT, credentials(url) | {"MALLOC_ARENA_MAX": _ARENAS}) as function,
        ):
            [record] = function.invoke(path.parent.name, [path.name]).records
            if record["disposition"] != "written":
                raise ValueError(f"expected a photo to be written but received {record}")
            return _peak(function.pid)


def measure(cases: Sequence[Drawn], beside: int) -> Iterator[Measured]:
    """Yield what each case takes; ``beside`` the worker the function holds so many bytes.

    Raises:
        ValueError: The worker would not have the image's ``MALLOC_ARENA_MAX``.
    """
    if (arenas := os.environ.get("MALLOC_ARENA_MAX")) != _ARENAS:
        raise ValueError(
            f"expected MALLOC_ARENA_MAX={_ARENAS}, as in the image, but it is {arenas}"
        )
    workers = Workers(Launch(concurrency=_THREADS))
    try:
        for drawn in cases:
            asked = replace(parse_config(drawn.toml, file="drawn").asked(), limits=Limits())
            with workers.open_photo(MemorySource(drawn.make()), asked) as photo:
                plan = make_plan(photo.header, asked)
                made = list(photo.render(plan, lambda _: MemorySink()))
                assert photo._worker is not None  # noqa: S101, SLF001 - no other way to its peak
                worker = _peak(photo._worker.process.pid)  # noqa: SLF001
            # What a worker keeps for its next photo is none of this one's.
            workers._pool.end(workers._pool.take())  # noqa: SLF001
            upload = max(min(_UPLOAD_COPIES * each.size, _UPLOAD_BYTES) for each in made)
            yield Measured(drawn=drawn, peak=worker + beside + upload, estimate=plan.peak_bytes)
    finally:
        workers.close()


def main() -> None:
    """Measure cases drawn with a seed, and say which estimates are wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drawn_memory", description=__doc__)
    parser.add_argument("--count", type=int, default=300, help="cases; default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="to draw with; default: %(default)s")
    arguments = parser.parse_args()
    below = above = 0
    for one in measure(draw(arguments.seed, arguments.count), function_bytes()):
        below += one.is_below
        above += one.is_far_above
        print(
            f"{one.drawn.photo:60} peak {one.peak >> 20:4} MB, estimate {one.estimate >> 20:4} MB"
            f"{', LOW' * one.is_below}{', HIGH' * one.is_far_above}",
            flush=True,
        )
    said = f"of {arguments.count} estimates {below} are below the peak, {above} too far above it"
    print(said)
    if below > _MOST_BELOW * arguments.count or above > _MOST_ABOVE * arguments.count:
        sys.exit("expected 1 % and 5 % at most")


if __name__ == "__main__":
    main()
