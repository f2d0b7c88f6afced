"""A bad day, at random: photos come, change and go, everybody asks for them, nothing is reliable.

    python -m tests.simulation --steps 10000 --keys 200 --seed 1

Events are delivered twice, late and out of order; jobs, HTTP requests and batch operations come
between them; configuration and key template change; somebody else writes into the destination. Some
attempts are under way at a time, each request may fail, and processes end between two of them. What
was not acknowledged comes again. In the end the destination has to hold the renditions of what is
left of the photos, and no more.

One attempt runs at a time, up to its next request, and a seeded generator says which: a seed is one
history, again and again.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from typing import TYPE_CHECKING, Final
from unittest import mock

import handler.http.respond
import handler.photo.attempt
import handler.photo.poison
import handler.s3.requests
from handler.settings import read_settings

from .stores import MemoryStore
from .world import DESTINATION, Simulation

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOOK_EVERY: Final = 200


def simulate(
    *, steps: int, keys: int, seed: int, has_faults: bool = True
) -> tuple[Simulation, list[str]]:
    """Return a finished simulation, and the first things that it left wrong.

    Now and then nothing new happens until all is done, and the destination is looked at.
    """
    with begun(keys=keys, seed=seed, has_faults=has_faults) as simulation:
        for number in range(steps):
            simulation.step()
            # Not far ahead of the function, so that events meet the photos that they tell of.
            while simulation.backlog > max(4, keys // 4):
                simulation.advance()
            simulation.advance()
            if sys.stderr.isatty() and number % 100 == 0:
                print(f"\r{number}", end="", file=sys.stderr)  # noqa: T201 - for who waits
            if number % _LOOK_EVERY == 0 and (wrong := settled(simulation)):
                return simulation, wrong
        return simulation, settled(simulation)


@contextlib.contextmanager
def begun(*, keys: int, seed: int, has_faults: bool) -> Iterator[Simulation]:
    """Within: a simulation in which nothing has happened yet."""
    store = MemoryStore()
    with _each_attempt_a_process(store):
        settings = read_settings({"DESTINATION_BUCKET": DESTINATION})
        yield Simulation(store, settings, keys=keys, seed=seed, has_faults=has_faults)


def settled(simulation: Simulation) -> list[str]:
    """Let all be done; return what is wrong then."""
    while simulation.backlog:
        simulation.advance()
    return simulation.wrong()


@contextlib.contextmanager
def _each_attempt_a_process(store: MemoryStore) -> Iterator[None]:
    """Within: attempts share nothing but S3, and its clock; pauses take no time."""

    @contextlib.contextmanager
    def alone(_: object) -> Iterator[bool]:
        yield False

    with (
        tempfile.TemporaryDirectory(prefix="simulation-") as folder,
        mock.patch.object(tempfile, "tempdir", folder),
        mock.patch.object(handler.s3.requests, "_FIRST_PAUSE_S", 0.0),
        mock.patch.object(handler.http.respond, "taking_turns", alone),
        mock.patch.object(handler.photo.attempt, "time", mock.Mock(time=lambda: store.now_s)),
        mock.patch.object(handler.photo.poison, "time", mock.Mock(time=lambda: store.now_s)),
    ):
        yield
