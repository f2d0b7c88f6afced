"""How a backfill shows where it stands, on a terminal or in a log."""

import sys
import time
from collections.abc import Mapping

__all__ = ["Meter", "in_words"]


def in_words(seconds: float) -> str:
    """Return a time as a person would say it: ``42 s``, ``3 min 20 s``, ``2 h 05 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


class Meter:
    """Shows a progress line, at most twice a second on a terminal, every ten seconds in a log.

    *Cost*: a look at the clock at each call.
    """

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._every_s = 0.5 if self._terminal else 10.0
        self._started = self._shown = time.monotonic()

    def counted(self, count: int) -> None:
        """Say how many photos were counted so far."""
        if self._due():
            self._show(f"counting: {count:,}")

    def worked(self, ended: int, before: int, total: int | None, counts: Mapping[str, int]) -> None:
        """Say how far the work is.

        Args:
            ended: Photos that have ended, in all runs.
            before: Those of earlier runs, which say nothing of this one's rate.
            total: All.
            counts: By disposition.
        """
        if self._due():
            self._show(self.line(ended, before, total, counts))

    def line(self, ended: int, before: int, total: int | None, counts: Mapping[str, int]) -> str:
        """Return the line that says how far the work is."""
        elapsed = max(time.monotonic() - self._started, 1e-9)
        rate = (ended - before) / elapsed
        parts = [f"{ended:,}" + (f" of {total:,}" if total is not None else "")]
        parts.append(f"{rate:,.1f}/s")
        if total is not None and rate > 0:
            parts.append(f"{in_words(max(total - ended, 0) / rate)} to go")
        parts += [f"{name} {count:,}" for name, count in sorted(counts.items())]
        return ", ".join(parts)

    def end(self) -> None:
        """Leave the line that is shown."""
        if self._terminal:
            print(file=sys.stderr)

    def _due(self) -> bool:
        now = time.monotonic()
        if now - self._shown < self._every_s:
            return False
        self._shown = now
        return True

    def _show(self, line: str) -> None:
        if self._terminal:
            print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)
