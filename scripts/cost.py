"""What photos cost on AWS: `python -m scripts.cost --photos 1e6 --photo jpeg-24 --memory 512`.

The seconds of a photo are those that `make bench-function` measured, unless they are given. See
docs/cost.md, whose table `--write` renews.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from handler.backfill.prices import ARM, X86, Prices, Work, price_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "function.json"
DOCUMENT = ROOT / "docs" / "cost.md"
BEGIN, END = "<!-- measured: python -m scripts.cost --write -->\n", "<!-- end -->\n"
BEGIN_SERVERS = "<!-- computed: python -m scripts.cost --write -->\n"
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
    columns = " | ".join(f"{name}: compute | and all requests" for name in ("x86_64", "arm64"))
    lines = [f"| photo | MB | seconds | {columns} |", "|---|---|---|---|---|---|---|"]
    for (photo, memory_mb), seconds in sorted(known.items()):
        work = Work(
            photos=1e6,
            seconds=seconds,
            memory_mb=memory_mb,
            renditions=RENDITIONS,
            stored_bytes=STORED_MB * 1e6,
        )
        cells = [
            f"${bill.compute:.2f} | ${bill.total:.2f}"
            for bill in (price_of(work, X86), price_of(work, ARM))
        ]
        lines.append(f"| {photo} | {memory_mb:,} | {seconds:.2f} | {cells[0]} | {cells[1]} |")
    return "\n".join(lines) + "\n"


def warm_cpu_s(peer: str, photo: str = "jpeg-24") -> float:
    """Returns the CPU seconds that a peer takes for five renditions in a warm process."""
    path = RESULTS.parent / "peers" / f"{photo}.json"
    contenders = json.loads(path.read_text(encoding="utf-8"))["contenders"]
    (runs,) = (one["warm"] for one in contenders if one["name"] == peer)
    return float(statistics.median(run["cpu_ms"] for run in runs)) / 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A service of containers that makes a rendition when it is asked for.

    Attributes:
        name: What it is called in the table.
        cpu_s: Of one vCPU, for five renditions of one photo.
        monthly: What stands there besides its two tasks.
    """

    name: str
    cpu_s: float
    monthly: float


# One vCPU and 2 GB of Fargate for an hour, and a load balancer for one, from where docs/cost.md
# says; arm64's are from memory: https://aws.amazon.com/fargate/pricing/,
# https://aws.amazon.com/elasticloadbalancing/pricing/
TASK_HOUR = {"x86_64": 0.04048 + 2 * 0.004445, "arm64": 0.03238 + 2 * 0.00356}
BALANCER_HOUR = 0.0225
MONTH_H = 730
BUSY = 0.5
"""The share of a task's time that it works: scaling out takes minutes, and a burst is at once."""
TASKS = 2
"""One in each of two zones, at least, also at night."""


def beside_servers(known: Mapping[tuple[str, int], float]) -> str:
    """Returns what five renditions of a million photos cost here and on servers, in Markdown."""
    seconds = known["jpeg-24", 512]
    work = Work(photos=1e6, seconds=seconds, memory_mb=512, renditions=RENDITIONS, stored_bytes=0)
    lines = [
        "| | CPU s a photo | compute | S3 requests, queue, log | each month, whatever is asked |",
        "|---|---|---|---|---|",
    ]
    for processor, prices in (("x86_64", X86), ("arm64", ARM)):
        bill = price_of(work, prices)
        rest = bill.total - bill.compute
        lines.append(
            f"| this, Lambda of 512 MB, {processor} | - | ${bill.compute:.2f} | ${rest:.2f} | $0 |"
        )
    balancer = BALANCER_HOUR * MONTH_H
    servers = [
        Server(
            name="DIT on ECS",
            cpu_s=warm_cpu_s("sharp, stream and clone()"),
            monthly=balancer,
        ),
        Server(
            name="imgproxy on Fargate",
            cpu_s=warm_cpu_s("pyvips, thumbnail per size"),
            monthly=balancer,
        ),
    ]
    for server in servers:
        for processor, hour in TASK_HOUR.items():
            compute = 1e6 * server.cpu_s / 3600 / BUSY * hour
            reads = 1e6 * RENDITIONS * X86.read
            lines.append(
                f"| {server.name}, {processor} | {server.cpu_s:.2f} | ${compute:.2f} "
                f"| ${reads:.2f} | ${TASKS * MONTH_H * hour + server.monthly:.0f} |"
            )
    return "\n".join(lines) + "\n"


def renewed(document: str, known: Mapping[tuple[str, int], float]) -> str:
    """Returns docs/cost.md with the tables of what is measured, and computed from it."""
    for begin, made in ((BEGIN, table(known)), (BEGIN_SERVERS, beside_servers(known))):
        before, _, after = document.partition(begin)
        _, _, after = after.partition(END)
        document = f"{before}{begin}\n{made}\n{END}{after}"
    return document


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
        "--write", action="store_true", help="renew the tables of docs/cost.md, and no more"
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
    print(
        f"{work.photos:,.0f} photos on {'arm64' if options.arm else 'x86_64'}, "
        f"{work.memory_mb:,} MB, {work.seconds:.2f} s and {work.renditions:g} renditions each"
    )
    for name, dollars in asdict(bill).items():
        print(f"{name:<12}{dollars:>12,.2f}{' a month' if name == 'monthly' else ''}")
    print(f"{'once':<12}{bill.total:>12,.2f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
