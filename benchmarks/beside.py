"""``make bench-beside BESIDE=folder``: this checkout's function beside another's, in alternation.

Both are the real handler in a process of their own, with one S3 server beside them; the other
checkout has its own ``.venv`` (``make venv`` there). Warm invocations of a photo are compared, and
the first photo of a new process, from exec, on one processor. What counts are ratios, ours by
theirs: the machine may be busy.
"""

import argparse
import statistics
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from benchmarks.invoking import Function, Invocation, running
from benchmarks.photos import PHOTOS, BenchPhoto, copies
from benchmarks.s3 import credentials, serving

_ROOT: Final = Path(__file__).parent.parent
_WARM_UP: Final = 3
_MEMORY_MB: Final = {1: "1769", 2: "3538"}
"""What Lambda gives that many vCPUs for."""

_Figures = dict[str, list[Invocation]]


def _made(took: Invocation) -> Invocation:
    for record in took.records:
        if record["disposition"] != "written":
            raise RuntimeError(f"expected a photo that is written but received {record}")
    return took


def _environment(url: str, vcpus: int) -> dict[str, str]:
    return credentials(url) | {
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": _MEMORY_MB[vcpus],
        "MALLOC_ARENA_MAX": "2",
    }


def _warm(checkouts: dict[str, Path], url: str, keys: Iterator[Path], runs: int) -> _Figures:
    figures: _Figures = {name: [] for name in checkouts}
    with ExitStack() as stack:
        functions: dict[str, Function] = {
            name: stack.enter_context(running(checkout, _environment(url, 1)))
            for name, checkout in checkouts.items()
        }
        for run in range(-_WARM_UP, runs):
            # Each in its turn comes first.
            for name in sorted(functions, reverse=bool(run % 2)):
                path = next(keys)
                took = _made(functions[name].invoke(path.parent.name, [path.name]))
                if run >= 0:
                    figures[name].append(took)
    return figures


def _first(checkouts: dict[str, Path], url: str, keys: Iterator[Path], runs: int) -> _Figures:
    figures: _Figures = {name: [] for name in checkouts}
    for run in range(runs):
        for name in sorted(checkouts, reverse=bool(run % 2)):
            path = next(keys)
            with running(checkouts[name], _environment(url, 1), frozenset({0})) as function:
                photo = _made(function.invoke(path.parent.name, [path.name]))
                figures[name].append(
                    Invocation(
                        cpu_ms=function.init.cpu_ms + photo.cpu_ms,
                        wall_ms=function.init.wall_ms + photo.wall_ms,
                        records=[],
                    )
                )
    return figures


def _say(what: str, figures: _Figures) -> None:
    for unit in ("cpu_ms", "wall_ms"):
        each = {
            name: statistics.median(getattr(one, unit) for one in took)
            for name, took in figures.items()
        }
        pairs = zip(figures["ours"], figures["theirs"], strict=True)
        ratio = statistics.median(getattr(a, unit) / getattr(b, unit) for a, b in pairs)
        print(
            f"{what:12} {unit:8} ours {each['ours']:7.1f}  theirs {each['theirs']:7.1f}  "
            f"ratio of medians {each['ours'] / each['theirs']:.3f}, of pairs {ratio:.3f}",
            flush=True,
        )


def main() -> None:
    """Measure what the command line names, and print the ratios."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.beside", description=__doc__)
    parser.add_argument("checkout", type=Path, help="the other one's folder")
    parser.add_argument("--photo", default="jpeg-24", help="default: %(default)s")
    parser.add_argument("--runs", type=int, default=20, help="default: %(default)s")
    parser.add_argument("--firsts", type=int, default=10, help="default: %(default)s")
    arguments = parser.parse_args()
    if not (arguments.checkout / ".venv" / "bin" / "python").exists():
        sys.exit(f"expected a .venv in {arguments.checkout}: make venv there")
    checkouts = {"ours": _ROOT, "theirs": arguments.checkout.resolve()}
    photo: BenchPhoto = next(one for one in PHOTOS if one.name == arguments.photo)
    objects = copies(photo.make(), 2 * (_WARM_UP + arguments.runs + arguments.firsts))
    keys = iter(objects)
    with serving(objects) as url:
        _say("warm", _warm(checkouts, url, keys, arguments.runs))
        _say("first photo", _first(checkouts, url, keys, arguments.firsts))


if __name__ == "__main__":
    main()
