"""When work has to stop, and how libvips is stopped."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import pyvips

from imaging.errors import OutOfTimeError

__all__ = ["NEVER", "Deadline"]

_AGAIN_S: Final = 0.01
# Only a signal lets it pass early, and may do so a moment late.
_LOOK_S: Final = 0.1


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
        """Let it pass now."""
        self._expired.set()

    def wait(self, seconds: float) -> None:
        """Sleep, but not beyond it."""
        self._expired.wait(min(seconds, self.remaining_s))

    def check(self, what: str) -> None:
        """Raise OutOfTimeError once it has passed; ``what`` was to come next."""
        if self.has_passed:
            raise OutOfTimeError(f"Expected time to {what} but there is none left")

    @contextmanager
    def stopping(self) -> Iterator[Callable[[pyvips.Image], pyvips.Image]]:
        """Within: when it passes, libvips stops evaluating the image that was named last.

        Gives a function that names an image, checks the time, and returns the image. libvips reads
        the mark whenever it is asked for pixels of that image: a decoder or an encoder that has
        all its pixels runs to its end. A thread sets the mark, not libvips' progress signal: pyvips
        3.2 keeps no reference to the image that a handler is called with, and one that was let go
        aborts the process.

        *Cost*: a thread, unless there is all the time in the world.

        Raises:
            OutOfTimeError: It passed; whatever else went wrong then is its cause.
        """
        watched: list[pyvips.Image] = []

        def watch(image: pyvips.Image) -> pyvips.Image:
            watched[:] = [image]
            self.check("evaluate an image")
            return image

        if math.isinf(self._at):
            yield watch
            return
        done = threading.Event()
        watcher = threading.Thread(
            target=self._kill, args=(watched, done), name="deadline", daemon=True
        )
        watcher.start()
        try:
            yield watch
        except Exception as error:
            if self.has_passed:
                raise OutOfTimeError(
                    f"Expected time to finish but there is none: {error}"
                ) from error
            raise
        finally:
            done.set()
            watcher.join()

    def _kill(self, watched: list[pyvips.Image], done: threading.Event) -> None:
        while not done.wait(_AGAIN_S if self.has_passed else min(self.remaining_s, _LOOK_S)):
            if self.has_passed:
                for image in watched:
                    # Again and again: libvips takes the mark away once it has seen it.
                    image.set_kill(True)


NEVER: Final = Deadline()
