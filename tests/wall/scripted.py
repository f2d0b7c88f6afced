"""A worker that says what a test tells it to say: the parent's side is all that is real."""

import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, cast

from imaging.worker.pool import Pool, Worker
from imaging.worker.protocol import READ_BYTES, Frame, GoneError, Readiness, receive_words
from imaging.worker.spawning import Launch, Process, Zygote
from imaging.worker.window import Window, new_window

Script = Callable[["Peer"], None]


class Peer:
    """The worker's end, in the hands of a script."""

    def __init__(self, end: socket.socket, window: Window) -> None:
        self.socket = end
        self._window = window

    def hear(self) -> Frame:
        """Return the parent's next frame."""
        kind, json, length = receive_words(self.socket, READ_BYTES)
        return Frame(kind, json, self._window.next()[:length] if length else memoryview(b""))


_NONE: Final = cast("Zygote", None)
"""Nobody reaps a thread."""


@dataclass(frozen=True, slots=True)
class _Scripted(Process):
    """A thread instead of a process; its end looks the same from outside."""

    other: socket.socket

    def kill(self) -> None:
        with suppress(OSError):
            self.other.shutdown(socket.SHUT_RDWR)

    def resident_bytes(self) -> int:
        return 0


@dataclass
class ScriptedPool(Pool):
    """Gives workers of which the first follows the first script, and so on."""

    scripts: list[Script]
    status: int | None = 0
    is_bounded: bool = False
    readiness: Readiness = Readiness.MOST
    ended: int = field(default=0, init=False)
    kept: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        super().__init__(Launch())

    def take(self, readiness: Readiness = Readiness.MOST, *, fresh: bool = False) -> Worker:
        script = self.scripts.pop(0)
        ours, theirs = socket.socketpair()
        is_bounded = self.is_bounded and not fresh
        memory = new_window()
        process = _Scripted(0, ours, Window(memory), _NONE, theirs)
        peer = Peer(theirs, Window(memory))
        os.close(memory)
        worker = Worker(process, readiness=max(readiness, self.readiness), is_bounded=is_bounded)
        # The first was used before, or is bounded: one reason at a time.
        worker.is_fresh = fresh or is_bounded

        def run() -> None:
            with theirs, suppress(GoneError, OSError):
                script(peer)

        threading.Thread(target=run, daemon=True).start()
        return worker

    def give_back(self, worker: Worker) -> None:
        self.kept += 1
        worker.process.socket.close()

    def end(self, worker: Worker) -> int | None:
        self.ended += 1
        worker.process.kill()
        worker.process.socket.close()
        return self.status
