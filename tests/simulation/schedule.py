"""Attempts in threads of which one runs at a time, up to its next request."""

from __future__ import annotations

import threading
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class KilledError(BaseException):
    """The process ended: nothing that follows in it happens."""


class Run:
    """A function that runs in a thread of its own, a step at a time.

    A step ends when the function calls :meth:`pause`, or ends. Threads of its own that the function
    starts run as they like; only its first one pauses.

    Args:
        work: the function; called with this run.
    """

    def __init__(self, work: Callable[[Run], object]) -> None:
        # Locks alone: most of a long simulation is handing over.
        self._go, self._stopped = threading.Lock(), threading.Lock()
        self._go.acquire()
        self._stopped.acquire()
        self._work = work
        self._error: BaseException | None = None
        self.is_over = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self._go.acquire()
        try:
            self._work(self)
        except KilledError:
            pass
        except BaseException as error:  # noqa: BLE001 - raised again in `step`
            self._error = error
        self.is_over = True
        self._stopped.release()

    def step(self) -> None:
        """Let it run up to its next pause, or to its end; raise what it ended with."""
        self._go.release()
        self._stopped.acquire()
        if self.is_over:
            self._thread.join()
            if self._error is not None:
                raise self._error

    def is_own(self) -> bool:
        """Tell whether this is the function's own thread."""
        return threading.current_thread() is self._thread

    def pause(self) -> None:
        """End the step, from within; other threads than the function's own are not kept."""
        if self.is_own():
            self._stopped.release()
            self._go.acquire()


class AtOnce(Executor):
    """Does what it is given at once, in the thread that gives it."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401 - Executor's
        """Return a future that is done."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - the future's
            future.set_exception(error)
        return future
