"""How an invocation ends before its work does: Lambda's time limit, and SIGTERM."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from imaging.deadline import Deadline

__all__ = ["deadline_of", "end_on_sigterm", "invocation"]

# A request that has just begun is waited for: it takes up to 3 s to connect, and may stand still
# for 5. Then uploads in parts are aborted, and the answer is sent.
_MARGIN_S: Final = 9.0
_LARGEST_SHARE: Final = 0.3
_DAY_S: Final = 86_400.0


def deadline_of(context: Any) -> Deadline:  # noqa: ANN401 - the runtime client's, or a test's
    """Return when this invocation's work has to stop: some seconds before Lambda ends it.

    Of an invocation of less than 30 s the margin is three tenths. Without a context there is a day.
    """
    if not hasattr(context, "get_remaining_time_in_millis"):
        # A day, not never: SIGTERM can still let it pass.
        return Deadline(_DAY_S)
    remaining_s: float = context.get_remaining_time_in_millis() / 1000
    return Deadline(remaining_s - min(_MARGIN_S, remaining_s * _LARGEST_SHARE))


@contextmanager
def invocation(context: Any) -> Iterator[Deadline]:  # noqa: ANN401 - as above
    """Within: an invocation is under way, until the deadline that this gives."""
    deadline = deadline_of(context)
    _under_way.append(deadline)
    try:
        yield deadline
    finally:
        _under_way.remove(deadline)


_under_way: list[Deadline] = []


def end_on_sigterm() -> None:
    """Let SIGTERM stop the work under way as the deadline does; without any, end the process.

    What is whole stays, uploads in parts are aborted, and the records want another attempt. Lambda
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
