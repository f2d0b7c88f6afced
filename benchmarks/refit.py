"""``make refit``: what two processes hold at the least, fitted to what was measured.

Every estimate is ``(PROCESS_BYTES + what the photo takes) * margin``: with another number it is so
much lower or higher, and nothing is measured again. It prints what each number of megabytes would
be worth, and takes the smallest with which no chosen case of ``make calibrate``, and hardly any
drawn one, is below its peak. ``--write`` puts it into ``imaging/memory.py`` and
``docs/memory.md``; ``tests/unit/test_memory.py`` is the check.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from imaging import memory
from imaging.config import parse_config
from imaging.formats import InputFormat
from imaging.header import ImageHeader, Level
from imaging.limits import Limits
from imaging.planning import make_plan

__all__ = ["Case", "Worth", "case_from", "fitted", "main", "worth"]

_RESULTS: Final = Path(__file__).parent / "results" / "memory.json"
_CHECKOUT: Final = Path(__file__).parent.parent
_PLACES: Final = (
    (_CHECKOUT / "imaging" / "memory.py", "PROCESS_BYTES: Final = {} * _MB\n"),
    (_CHECKOUT / "docs" / "memory.md", "beside {} MB of two processes"),
)
"""Where the number is said, and in which words."""

_MB: Final = 1 << 20
_MOST_BELOW: Final = 0.015
"""Of the drawn ones; of the chosen ones none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One that was measured.

    Attributes:
        name: Its photo and its renditions.
        is_drawn: Whether it was drawn, and not chosen.
        peak_mb: What it took.
        beside_mb: What the plan says that it takes beside the processes, with the margin.
    """

    name: str
    is_drawn: bool
    peak_mb: float
    beside_mb: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """What a number of megabytes is worth.

    Attributes:
        chosen_below: Chosen cases whose estimate is below their peak.
        drawn_below: Drawn ones.
        chosen_above: Chosen cases whose estimate is 30 % and 24 MB above their peak.
        drawn_above: Drawn ones.
    """

    chosen_below: int
    drawn_below: int
    chosen_above: int
    drawn_above: int


def case_from(result: dict[str, Any], margin: float, process_mb: float) -> Case:
    """Return one of ``results/memory.json``, with what today's plan says of it."""
    fields = result["header"]
    header = ImageHeader(
        **fields
        | {
            "format": InputFormat(fields["format"]),
            "levels": tuple(Level(**level) for level in fields["levels"]),
            "tile": tuple(fields["tile"]) if fields["tile"] else None,
        }
    )
    asked = replace(parse_config(result["toml"], file="case").asked(), limits=Limits())
    return Case(
        name=f"{result['photo']} {result['specs']}",
        is_drawn=result["seed"] is not None,
        peak_mb=result["peak_mb"],
        beside_mb=make_plan(header, asked).peak_bytes / _MB - process_mb * margin,
    )


def worth(cases: Sequence[Case], process_mb: int, margin: float) -> Worth:
    """Return how many estimates would be wrong with ``process_mb``."""
    below = {True: 0, False: 0}
    above = {True: 0, False: 0}
    for case in cases:
        estimate = case.beside_mb + process_mb * margin
        below[case.is_drawn] += estimate < case.peak_mb
        above[case.is_drawn] += estimate > max(1.3 * case.peak_mb, case.peak_mb + 24)
    return Worth(
        chosen_below=below[False],
        drawn_below=below[True],
        chosen_above=above[False],
        drawn_above=above[True],
    )


def fitted(cases: Sequence[Case], margin: float) -> int:
    """Return the fewest megabytes with which no chosen case, and hardly any drawn, is below."""
    most = _MOST_BELOW * sum(case.is_drawn for case in cases)
    process_mb = 0
    while (found := worth(cases, process_mb, margin)).chosen_below or found.drawn_below > most:
        process_mb += 1
    return process_mb


def main() -> None:
    """Print what each number would be worth, and write the one that fits."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.refit", description=__doc__)
    parser.add_argument("--write", action="store_true", help="put it into imaging/memory.py")
    arguments = parser.parse_args()
    now = memory.PROCESS_BYTES // _MB
    margin = memory.MARGIN
    results = json.loads(_RESULTS.read_text("utf-8"))
    cases = [case_from(result, margin, now) for result in results]
    fit = fitted(cases, margin)
    for process_mb in range(min(fit, now) - 3, max(fit, now) + 4):
        marks = " now" * (process_mb == now) + " fits" * (process_mb == fit)
        print(process_mb, "MB:", worth(cases, process_mb, margin), marks)
    for case in sorted(cases, key=lambda each: each.beside_mb - each.peak_mb)[:5]:
        estimate = case.beside_mb + fit * margin
        print(f"lowest: {case.name}: {case.peak_mb:.1f} MB, estimate {estimate:.1f} MB")
    if arguments.write:
        for path, words in _PLACES:
            text = path.read_text("utf-8")
            if words.format(now) not in text:
                sys.exit(f"expected {words.format(now)!r} in {path}")
            path.write_text(text.replace(words.format(now), words.format(fit)), "utf-8")


if __name__ == "__main__":
    main()
