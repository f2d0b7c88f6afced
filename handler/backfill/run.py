"""Processes a bucket's photos by one way, and keeps the state."""

import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Final, Self

from handler.backfill.listing import Photo
from handler.backfill.meter import Meter
from handler.backfill.state import State
from handler.backfill.ways import Outcome, Way

__all__ = ["Stop", "run"]

_SAVE_EVERY_S: Final = 1.0
_TROUBLE: Final = frozenset({"retry", "not-queued", "rejected"})


class Stop:
    """Turns the first Ctrl-C into a wish to stop; the second one interrupts at once.

    SIGTERM is a wish too. Use as a context manager, in the main thread.
    """

    def __init__(self) -> None:
        self.wished = False
        self._before: dict[signal.Signals, Any] = {}

    def _on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if self.wished and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.wished = True

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


def run(
    listed: Callable[[str], Iterator[Photo]],
    way: Way,
    state: State,
    *,
    failures: Path,
    stop: Stop,
    meter: Meter,
) -> bool:
    """Hand every photo that has not ended yet to ``way``; tell whether all have ended.

    The state is saved each second and at the end, whatever ends the run. What goes wrong is
    appended to ``failures``, a line of JSON for each photo.

    Args:
        listed: The photos whose keys come after its argument.
        way: What they are handed to.
        state: Where to begin; changed as photos end.
        failures: A file.
        stop: Once wished, no photo starts any more; the run waits for those under way.
        meter: Shows progress.
    """
    before = state.ended
    exhausted = False

    def coming() -> Iterator[Photo]:
        nonlocal exhausted
        for photo in listed(state.after):
            if stop.wished:
                return
            if state.has(photo.key):
                state.pass_over(photo.key)
                continue
            state.begin(photo.key)
            yield photo
        exhausted = True

    saved = time.monotonic()
    try:
        for outcome in way(coming()):
            state.end(outcome.key, outcome.disposition)
            if outcome.disposition in _TROUBLE:
                _append(failures, outcome)
            meter.worked(state.ended, before, state.total, state.counts)
            if time.monotonic() - saved >= _SAVE_EVERY_S:
                saved = time.monotonic()
                state.save()
        state.finished = exhausted
    finally:
        meter.end()
        state.save()
    return state.finished


def _append(failures: Path, outcome: Outcome) -> None:
    line = {
        "key": outcome.key,
        "disposition": outcome.disposition,
        "code": outcome.code,
        "message": outcome.message,
    }
    with failures.open("a", encoding="utf-8") as file:
        print(json.dumps(line, ensure_ascii=False), file=file)
