"""How an invocation ends before its work does: Lambda's time limit, and SIGTERM."""

from typing import Any, Final

from imaging.deadline import Deadline

__all__ = ["deadline_of"]

# A request that has just begun is waited for (its connection may stand still for 5 s), uploads in
# parts are aborted, and the answer is sent.
_MARGIN_S: Final = 7.0
_LARGEST_SHARE: Final = 0.25


def deadline_of(context: Any) -> Deadline:  # noqa: ANN401 - the runtime client's, or a test's
    """Return when this invocation's work has to stop: some seconds before Lambda ends it.

    Of a short invocation the margin is a quarter. Without a context there is no limit.
    """
    if not hasattr(context, "get_remaining_time_in_millis"):
        return Deadline()
    remaining_s: float = context.get_remaining_time_in_millis() / 1000
    return Deadline(remaining_s - min(_MARGIN_S, remaining_s * _LARGEST_SHARE))
