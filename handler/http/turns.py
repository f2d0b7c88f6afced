"""Requests for the same rendition in one process: the first makes it, the others wait for it."""

import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

__all__ = ["taking_turns"]


@dataclass(slots=True)
class _Turn:
    lock: threading.Lock = field(default_factory=threading.Lock)
    takers: int = 0


_turns: Final[dict[Hashable, _Turn]] = {}
_lock: Final = threading.Lock()


@contextmanager
def taking_turns(name: Hashable) -> Iterator[bool]:
    """Within: no other thread of this process is at what is called ``name``.

    Gives whether another was when this one came. *Thread*: any.
    """
    with _lock:
        turn = _turns.setdefault(name, _Turn())
        turn.takers += 1
        has_waited = turn.takers > 1
    try:
        with turn.lock:
            yield has_waited
    finally:
        with _lock:
            turn.takers -= 1
            if not turn.takers:
                del _turns[name]
