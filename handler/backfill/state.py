"""Where a backfill stands, in a file that is whole whenever it is interrupted."""

import json
import os
from collections import Counter, OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from imaging.errors import ConfigError

__all__ = ["State", "StateError", "failures_of", "place_of_next"]


class StateError(ConfigError):
    """The state file is not of this backfill."""


def place_of_next(path: Path) -> Path:
    """Return where the next state is written, which then takes the place of the one in ``path``."""
    return path.with_name(f".{path.name}.new")


def failures_of(path: Path) -> Path:
    """Return where a run whose state is in ``path`` keeps what went wrong."""
    return path.with_suffix(".failed.jsonl")


class State:
    """How far a backfill has come.

    Photos are begun in the order of their keys and end in any. Kept are the last key up to which
    all have ended, and those that ended beyond it: no more than are under way at once.

    Attributes:
        total: Photos in all, once they were counted.
        finished: Every photo has ended.
        counts: How many ended with each disposition.
        notes: What a way keeps for its next run, such as the ID of its job.
    """

    def __init__(self, path: Path, job: Mapping[str, Any]) -> None:
        self._path = path
        self._job = dict(job)
        self._after = ""
        self._done: set[str] = set()
        self._open: OrderedDict[str, bool] = OrderedDict()
        self.total: int | None = None
        self.finished = False
        self.counts: Counter[str] = Counter()
        self.notes: dict[str, str] = {}

    @classmethod
    def load(cls, path: Path, job: Mapping[str, Any]) -> Self:
        """Return the state in ``path``, or a new one where there is no file.

        Raises:
            StateError: It is another backfill's, or no state.
        """
        state = cls(path, job)
        if not path.exists():
            return state
        try:
            read = json.loads(path.read_text(encoding="utf-8"))
            theirs = read["job"]
            state._after = read["after"]
            state._done = set(read["done"])
            state.total = read["total"]
            state.finished = read["finished"]
            state.counts.update(read["counts"])
            state.notes.update(read["notes"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StateError(f"Expected a backfill's state in {path}: {error!r}") from error
        if theirs != state._job:
            raise StateError(
                f"Expected the state of {state._job} in {path} but it is of {theirs}: "
                "name another file, or use --restart"
            )
        return state

    @property
    def after(self) -> str:
        """The key up to which every photo has ended."""
        return self._after

    @property
    def ended(self) -> int:
        """How many photos have ended."""
        return sum(self.counts.values())

    def has(self, key: str) -> bool:
        """Tell whether the photo ended in an earlier run."""
        return key in self._done

    def begin(self, key: str) -> None:
        """Note that ``key``, which comes after all that were begun, is under way."""
        self._open[key] = False

    def pass_over(self, key: str) -> None:
        """Note that ``key`` ended in an earlier run."""
        self._done.discard(key)
        self._open[key] = True
        self._advance()

    def end(self, key: str, disposition: str) -> None:
        """Note that ``key`` has ended."""
        self.counts[disposition] += 1
        self._open[key] = True
        self._advance()

    def _advance(self) -> None:
        while self._open:
            key, ended = next(iter(self._open.items()))
            if not ended:
                return
            self._after = key
            del self._open[key]

    def save(self) -> None:
        """Write the file; a reader sees the one before or this one. *Cost*: a rename."""
        beyond = self._done | {key for key, ended in self._open.items() if ended}
        document = {
            "job": self._job,
            "after": self._after,
            "done": sorted(beyond),
            "total": self.total,
            "finished": self.finished,
            "counts": self.counts,
            "notes": self.notes,
        }
        beside = place_of_next(self._path)
        with beside.open("w", encoding="utf-8") as file:
            json.dump(document, file, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)
