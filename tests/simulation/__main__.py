"""Simulates what the command line says; ends with 1 where something is wrong at the end."""

import argparse
import logging
import sys
import time

from . import simulate


def main() -> int:
    """Print what was drawn, what came of it, and what is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--keys", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-faults", action="store_true")
    arguments = parser.parse_args()
    # Every spoilt manifest is a warning.
    logging.disable(logging.CRITICAL)
    started = time.monotonic()
    simulation, wrong = simulate(
        steps=arguments.steps,
        keys=arguments.keys,
        seed=arguments.seed,
        has_faults=not arguments.no_faults,
    )
    said = f"{arguments.steps:,} steps of {arguments.keys} photos, seed {arguments.seed}"
    lines = [
        f"{said}, {time.monotonic() - started:.0f} s",
        *(f"{count:9,} {what}" for what, count in sorted(simulation.drawn.items())),
        f"{simulation.came.total():,} attempts:",
        *(f"{count:9,} {what}" for what, count in sorted(simulation.came.items())),
        f"wrong in the destination: {len(wrong)}",
        *wrong,
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
