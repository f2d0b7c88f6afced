"""How an invocation ends before its work does: Lambda's time limit, and SIGTERM."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from imaging.deadline import Deadline

__all__ = ["deadline_of", "end_on_sigterm", "invocation"]

# Enough for a request that has just begun (3 s to connect, 5 s without a byte), for aborting
# uploads in parts, and for the answer.
_MARGIN_S: Final = 9.0
_LARGEST_SHARE: Final = 0.3
_DAY_S: Final = 86_400.0


def deadline_of(context: Any) -> Deadline:  # noqa: ANN401 - the runtime client's, or a test's
    """Return when this invocation's work has to stop: some seconds before Lambda ends it.

    An invocation of less than 30 s keeps back three tenths of its time. Without a context the
    deadline is a day away.
    """
    if not hasattr(context, "get_remaining_time_in_millis"):
        # Not NEVER, which all share: SIGTERM makes this one pass.
        return Deadline(_DAY_S)
    remaining_s: float = context.get_remaining_time_in_millis() / 1000
    return Deadline(remaining_s - min(_MARGIN_S, remaining_s * _LARGEST_SHARE))


@contextmanager
def invocation(context: Any) -> Iterator[Deadline]:  # noqa: ANN401 - as above
    """Within: an invocation is under way; gives its deadline."""
    deadline = deadline_of(context)
    _under_way.append(deadline)
    try:
        yield deadline
    finally:
        _under_way.remove(deadline)


_under_way: list[Deadline] = []


def end_on_sigterm() -> None:
    """Make SIGTERM stop the work under way as the deadline does, or else end the process.

    Whole objects stay, uploads in parts are aborted, and the records want another attempt. Lambda
    sends SIGTERM to a runtime beside which an extension runs, Managed Instances and the emulator
    always do.

    *Thread*: the main one; Python handles signals there.
    """
    signal.signal(signal.SIGTERM, _stop)


def _stop(*_: object) -> None:
    if not _under_way:
        # Not sys.exit: the runtime client waits in C for its next event, and would go on waiting.
        os._exit(0)
    for deadline in _under_way:
        deadline.expire()
