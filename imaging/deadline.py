"""When work has to stop."""

import math
import threading
import time
from typing import Final

from imaging.errors import OutOfTimeError

__all__ = ["NEVER", "Deadline"]


class Deadline:
    """A moment after which no work is begun, and what runs is stopped.

    Args:
        seconds: From now; infinite for work without a limit.

    *Thread*: any; :meth:`expire` may be called from a signal handler.
    """

    def __init__(self, seconds: float = math.inf) -> None:
        self._at = time.monotonic() + seconds
        self._expired = threading.Event()

    @property
    def remaining_s(self) -> float:
        """Seconds that are left; 0 once it has passed."""
        return 0.0 if self._expired.is_set() else max(0.0, self._at - time.monotonic())

    @property
    def has_passed(self) -> bool:
        return self.remaining_s == 0

    def expire(self) -> None:
        """Make it pass now."""
        self._expired.set()

    def wait(self, seconds: float) -> None:
        """Sleep for ``seconds``, or until the deadline if that is earlier."""
        self._expired.wait(min(seconds, self.remaining_s))

    def check(self, what: str) -> None:
        """Raise OutOfTimeError once it has passed; ``what`` names the work that was next."""
        if self.has_passed:
            raise OutOfTimeError(f"Expected time to {what} but there is none left")


NEVER: Final = Deadline()
