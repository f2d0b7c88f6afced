"""The workers of this process: who is kept, who is new, and how much memory they may share."""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from imaging.deadline import Deadline
from imaging.limits import Memory
from imaging.worker.protocol import CHUNK_BYTES, Kind, ProtocolError, Readiness, Ready, receive
from imaging.worker.spawning import Launch, Process, Zygote, ZygoteError
from imaging.worker.values import from_json

__all__ = ["Pool", "Room", "Worker"]

_GROWN: Final = 0.25
"""Of the function's memory, that a kept worker may hold on to."""

_GROWN_BYTES: Final = 256 << 20
"""The same, where the memory has no limit."""

_log = logging.getLogger(__name__)


class Worker:
    """A worker that is claimed for one photo at a time.

    Attributes:
        process: Its process.
        is_fresh: Whether no photo was in it before.
        is_bounded: Whether the kernel limits its data: a decoder that is refused memory says that
            the photo is corrupt, or dies.
        readiness: What is imported there.
        small_bytes: What it held before its first photo.
        buffer: What is received from it lies here.
        marks: Digests of the watermarks' pictures that it has.
    """

    def __init__(self, process: Process, *, readiness: Readiness, is_bounded: bool) -> None:
        self.process = process
        self.is_fresh = True
        self.is_bounded = is_bounded
        self.readiness = readiness
        self.small_bytes = 0
        self.buffer = memoryview(bytearray(CHUNK_BYTES))
        self.marks: set[str] = set()


class Room:
    """Memory for photos that are decoded side by side.

    A photo waits until what it will hold fits beside the others; the only one never waits, for its
    plan was held against all of the memory.

    Args:
        memory_bytes: What they share; None for no limit.

    *Thread*: any.
    """

    def __init__(self, memory_bytes: int | None) -> None:
        self._memory_bytes = memory_bytes
        self._held: dict[object, int] = {}
        self._changed = threading.Condition()
        # One at a time may hold something while it waits for more: two could wait for each other.
        self._growing = threading.Lock()

    def _fits(self, who: object, need: int) -> bool:
        others = [held for holder, held in self._held.items() if holder is not who]
        return not others or self._memory_bytes is None or sum(others) + need <= self._memory_bytes

    def take(self, who: object, need: int, deadline: Deadline) -> None:
        """Wait for ``need`` bytes in all; ``who`` is told from others by identity.

        Raises:
            OutOfTimeError: ``deadline`` passed first.
        """
        with self._changed:
            # It may be woken a moment before the deadline.
            while not self._fits(who, need):
                deadline.check("decode the photo")
                self._changed.wait(min(deadline.remaining_s, threading.TIMEOUT_MAX))
            self._held[who] = need

    def take_all(self, who: object, deadline: Deadline) -> None:
        """Wait until nobody else holds any, and have it all; meanwhile ``who`` holds nothing.

        Raises:
            OutOfTimeError: ``deadline`` passed first.
        """
        self.give_back(who)
        self.take(who, self._memory_bytes or 0, deadline)

    def give_back(self, who: object) -> None:
        """Let others have what ``who`` holds, if anything."""
        with self._changed:
            self._held.pop(who, None)
            self._changed.notify_all()

    def beside(self, who: object) -> int:
        """Return what the others hold."""
        with self._changed:
            return sum(held for holder, held in self._held.items() if holder is not who)

    @contextmanager
    def growing(self) -> Iterator[None]:
        """Within: ``take`` may be called twice, for more."""
        with self._growing:
            yield


class Pool:
    """Workers, made as they are needed; those at rest are kept for the next photos.

    Args:
        launch: How the zygote is started.
        memory: What the function has; None for no limit.
        keeps: Whether a worker is used again. One for each photo keeps tenants apart who do not
            trust each other.

    *Thread*: any. A fork of this process has workers of its own.
    """

    def __init__(self, launch: Launch, memory: Memory | None = None, *, keeps: bool = True) -> None:
        self._launch = launch
        self._keeps = keeps
        self._bounds = launch.memory_bytes is not None
        self._most_kept = _GROWN_BYTES if memory is None else int(_GROWN * memory.bytes)
        self._forked = launch.forked
        self._begin()
        os.register_at_fork(after_in_child=self._forget)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._zygote: Zygote | None = None
        self._idle: list[Worker] = []
        self._is_told = False
        # Once one photo has wanted more than most do, each new worker has it.
        self._readiness = Readiness.MOST

    def _forget(self) -> None:
        if self._forked is not None:
            os.close(self._forked[1])
            self._forked = None
        if self._zygote is not None:
            self._zygote.forget()
        for worker in self._idle:
            worker.process.socket.close()
        self._begin()

    def _new_zygote(self) -> Zygote:
        forked, self._forked = self._forked, None
        return Zygote(self._launch, forked)

    def start(self) -> Zygote:
        """Start the zygote if there is none, and do not wait for it. *Cost*: 1 ms here."""
        with self._lock:
            if self._zygote is None:
                self._zygote = self._new_zygote()
            return self._zygote

    def _lose(self, zygote: Zygote) -> None:
        """Let go of one that has ended, unless another thread has: what came after it stays."""
        with self._lock:
            if self._zygote is not zygote:
                return
            self._zygote = None
        zygote.close()

    def _fork(self, *, is_bounded: bool) -> Worker:
        # Imported while the zygote imports: its ctypes take longer than the rest of the start.
        from imaging.worker.sandbox import hide_memory

        for again in (True, False):
            zygote = self.start()
            hide_memory()
            try:
                process = zygote.fork(readiness=self._readiness, is_bounded=is_bounded)
                return Worker(process, readiness=self._readiness, is_bounded=is_bounded)
            except ZygoteError:
                if not again:
                    raise
                # It was the kernel's choice, should the memory have run out.
                _log.warning("the zygote has ended, and is started again", exc_info=True)
                self._lose(zygote)
        raise AssertionError

    def take(self, readiness: Readiness = Readiness.MOST, *, fresh: bool = False) -> Worker:
        """Return a worker: one that is kept, or a new one.

        Args:
            readiness: What it must have, at least.
            fresh: Whether it must be a new one, in which no limit of data makes a decoder lie: the
                parent's watch over its memory, and the kernel's choice, are what bounds it.

        Raises:
            ZygoteError: There is none to be had.
            ProtocolError: A new one ended at once.
        """
        self._readiness = max(self._readiness, readiness)
        while not fresh and (kept := self._kept()) is not None:
            if kept.process.is_at_rest() and kept.readiness >= readiness:
                return kept
            # It died meanwhile, which is not this photo's doing, or lacks what this photo needs.
            self.end(kept)
        worker = self._fork(is_bounded=self._bounds and not fresh)
        try:
            self._hear_first_word(worker)
        except BaseException:
            self.end(worker)
            raise
        return worker

    def _kept(self) -> Worker | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _hear_first_word(self, worker: Worker) -> None:
        frame = receive(worker.process.socket, worker.buffer)
        if frame.kind is not Kind.READY:
            raise ProtocolError(f"expected a new worker's first word but received {frame.kind}")
        unguarded = from_json(Ready, frame.json).unguarded
        worker.small_bytes = worker.process.resident_bytes()
        if unguarded and not self._is_told:
            self._is_told = True
            _log.warning("the kernel refuses a part of the sandbox: %s", "; ".join(unguarded))

    def give_back(self, worker: Worker) -> None:
        """Keep a worker that is at rest, or end one that holds on to too much."""
        grown = worker.process.resident_bytes() - worker.small_bytes
        is_an_exception = worker.is_bounded is not self._bounds
        if not self._keeps or is_an_exception or grown > self._most_kept:
            self.end(worker)
            return
        worker.is_fresh = False
        with self._lock:
            self._idle.append(worker)

    def end(self, worker: Worker) -> int | None:
        """End a worker, and return its wait status; None where nobody can tell."""
        return worker.process.end()

    def close(self) -> None:
        """End everything that was started here."""
        with self._lock:
            idle, self._idle = self._idle, []
            if self._forked is not None:
                self._zygote = self._new_zygote()
            zygote, self._zygote = self._zygote, None
        for worker in idle:
            worker.process.socket.close()
        if zygote is not None:
            zygote.close()
