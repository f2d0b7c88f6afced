"""Tries every order of every scenario: ``python -m tests.model``; exits with 1 for a wrong end."""

import sys
import time

from .scenarios import LONG, QUICK
from .search import search


def main() -> int:
    """Print a line for each scenario, and the way to each wrong end."""
    is_wrong, states = False, 0
    for name, scenario in (QUICK | LONG).items():
        started = time.monotonic()
        outcome = search(scenario)
        states += outcome.states
        sys.stdout.write(
            f"{name}: {outcome.states:,} states, {outcome.ends} ends, "
            f"{len(outcome.wrong)} wrong, {time.monotonic() - started:.0f} s\n"
        )
        sys.stdout.flush()
        for wrong, history in outcome.wrong.items():
            is_wrong = True
            sys.stdout.write("\n".join((*wrong, *history, "")))
    sys.stdout.write(f"{states:,} states\n")
    return 1 if is_wrong else 0


if __name__ == "__main__":
    sys.exit(main())
