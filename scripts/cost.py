"""What photos cost on AWS: `python -m scripts.cost --photos 1e6 --seconds 0.5`.

See docs/cost.md.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from handler.backfill.prices import ARM, X86, Work, price_of

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.cost", description=__doc__)
    parser.add_argument("--photos", type=float, default=1e6, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=0.5, help="billed for a photo")
    parser.add_argument("--memory", type=int, default=1769, help="MB; default: %(default)s")
    parser.add_argument("--renditions", type=float, default=5, help="default: %(default)s")
    parser.add_argument("--stored", type=float, default=1.0, help="MB of them for a photo")
    parser.add_argument("--arm", action="store_true", help="arm64's price")
    options = parser.parse_args(arguments)
    work = Work(
        photos=options.photos,
        seconds=options.seconds,
        memory_mb=options.memory,
        renditions=options.renditions,
        source_bytes=0,
        stored_bytes=options.stored * 1e6,
    )
    bill = price_of(work, ARM if options.arm else X86)
    for name, dollars in asdict(bill).items():
        print(f"{name:<12}{dollars:>12,.2f}{' a month' if name == 'monthly' else ''}")
    print(f"{'once':<12}{bill.total:>12,.2f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
