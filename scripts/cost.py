"""What photos cost on AWS: `python -m scripts.cost --photos 1e6 --photo jpeg-24 --memory 512`.

The seconds of a photo are those that `make bench-function` measured, unless they are given. See
docs/cost.md, whose table `--write` renews.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from handler.backfill.prices import ARM, X86, Prices, Work, price_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "function.json"
DOCUMENT = ROOT / "docs" / "cost.md"
BEGIN, END = "<!-- measured: python -m scripts.cost --write -->\n", "<!-- end -->\n"
RENDITIONS = 5
STORED_MB = 1.0


class CostError(Exception):
    """An argument from which no cost can be computed; the message says why."""


def measured(results: Path = RESULTS) -> dict[tuple[str, int], float]:
    """Returns the seconds of a warm invocation, the median, by photo and memory in MB."""
    return {
        (one["photo"], one["memory_mb"]): statistics.median(one["wall_ms"]) / 1000
        for one in json.loads(results.read_text(encoding="utf-8"))
        if one["function"] == "renditions" and one.get("wall_ms")
    }


def seconds_of(photo: str, memory_mb: int, known: Mapping[tuple[str, int], float]) -> float:
    """Returns the measured seconds of a photo.

    Raises:
        CostError: They were not measured at this memory.
    """
    if (photo, memory_mb) not in known:
        there = ", ".join(f"{name} at {memory}" for name, memory in sorted(known))
        message = (
            f"Expected a measured photo and memory ({there}), or --seconds, "
            f"but received {photo} at {memory_mb}"
        )
        raise CostError(message)
    return known[photo, memory_mb]


def with_prices(prices: Prices, changes: Sequence[str]) -> Prices:
    """Returns the prices with those of `NAME=DOLLARS` changed.

    Raises:
        CostError: There is no such price, or it is no number.
    """
    names = {field.name for field in fields(Prices)}
    changed = {}
    for change in changes:
        name, _, dollars = change.partition("=")
        try:
            changed[name] = float(dollars)
        except ValueError:
            changed[name] = -1
        if name not in names or changed[name] < 0:
            message = (
                f"--price: expected NAME=DOLLARS with a name of {', '.join(sorted(names))} "
                f"but received {change!r}"
            )
            raise CostError(message)
    return replace(prices, **changed)


def table(known: Mapping[tuple[str, int], float]) -> str:
    """Returns what a million of each measured photo costs at each memory, in Markdown."""
    lines = [
        "| photo | MB | seconds | compute: x86_64 | arm64 | writes | all the rest |",
        "|---|---|---|---|---|---|---|",
    ]
    for (photo, memory_mb), seconds in sorted(known.items()):
        work = Work(
            photos=1e6,
            seconds=seconds,
            memory_mb=memory_mb,
            renditions=RENDITIONS,
            stored_bytes=STORED_MB * 1e6,
        )
        bill = price_of(work, X86)
        rest = bill.total - bill.compute - bill.writes
        lines.append(
            f"| {photo} | {memory_mb:,} | {seconds:.2f} | ${bill.compute:.2f} "
            f"| ${price_of(work, ARM).compute:.2f} | ${bill.writes:.2f} | ${rest:.2f} |"
        )
    return "\n".join(lines) + "\n"


def renewed(document: str, known: Mapping[tuple[str, int], float]) -> str:
    """Returns docs/cost.md with the table of what is measured."""
    before, _, after = document.partition(BEGIN)
    _, _, after = after.partition(END)
    return f"{before}{BEGIN}\n{table(known)}\n{END}{after}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.cost", description=__doc__)
    parser.add_argument("--photos", type=float, default=1e6, help="default: %(default)s")
    parser.add_argument("--photo", default="jpeg-24", help="one measured; default: %(default)s")
    parser.add_argument("--memory", type=int, default=1769, help="MB; default: %(default)s")
    parser.add_argument("--seconds", type=float, help="billed for a photo; default: as measured")
    parser.add_argument(
        "--renditions", type=float, default=RENDITIONS, help="of a photo; default: %(default)s"
    )
    parser.add_argument(
        "--stored", type=float, default=STORED_MB, help="MB of them; default: %(default)s"
    )
    parser.add_argument("--arm", action="store_true", help="arm64's price")
    parser.add_argument(
        "--price",
        action="append",
        default=[],
        metavar="NAME=DOLLARS",
        help=f"instead of the built-in one: {', '.join(f.name for f in fields(Prices))}",
    )
    parser.add_argument(
        "--write", action="store_true", help="renew the table of docs/cost.md, and no more"
    )
    options = parser.parse_args(arguments)
    known = measured()
    if options.write:
        document = DOCUMENT.read_text(encoding="utf-8")
        DOCUMENT.write_text(renewed(document, known), encoding="utf-8")
        return 0
    try:
        seconds = options.seconds
        if seconds is None:
            seconds = seconds_of(options.photo, options.memory, known)
            print(f"{options.photo} at {options.memory} MB: {seconds:.2f} s, as measured")
        prices = with_prices(ARM if options.arm else X86, options.price)
    except CostError as error:
        print(f"cost: {error}", file=sys.stderr)
        return 1
    work = Work(
        photos=options.photos,
        seconds=seconds,
        memory_mb=options.memory,
        renditions=options.renditions,
        stored_bytes=options.stored * 1e6,
    )
    bill = price_of(work, prices)
    for name, dollars in asdict(bill).items():
        print(f"{name:<12}{dollars:>12,.2f}{' a month' if name == 'monthly' else ''}")
    print(f"{'once':<12}{bill.total:>12,.2f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
