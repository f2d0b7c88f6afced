"""Photos worked on by processes of this machine, each as the function would."""

import multiprocessing
import os
import signal
from collections.abc import Iterable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from concurrent.futures.process import BrokenProcessPool
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from handler.backfill.listing import Photo
from handler.backfill.ways import Outcome
from handler.objects import ObjectEvent
from handler.photo.traces import answered, forget, suspicion
from handler.settings import Settings

if TYPE_CHECKING:
    from imaging.worker.client import Workers

__all__ = ["make_locally"]

_AHEAD: Final = 4
"""Photos handed to the pool for each process: enough that none waits for the next."""

_DIED: Final = "process-died"


class _Worker:
    """What one process holds; made once in each."""

    settings: Settings
    bucket: str
    client: Any
    executor: ThreadPoolExecutor
    workers: "Workers"


def _start(settings: Settings, bucket: str) -> None:
    # Ctrl-C goes to every process of the terminal; the parent alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A closed terminal and a service's manager send these to every process; so does the pool, once
    # another of its processes has ended. What is ignored, as by nohup, stays so.
    for number in (signal.SIGHUP, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end_from_outside)
    from handler.s3.client import make_client
    from imaging.worker.client import Workers
    from imaging.worker.spawning import Launch

    _Worker.settings = settings
    _Worker.bucket = bucket
    _Worker.client = make_client()
    _Worker.workers = Workers(Launch(concurrency=1))
    _Worker.executor = ThreadPoolExecutor(max_workers=2, thread_name_prefix="upload")


def _end_from_outside(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a handler's
    forget()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _event(bucket: str, photo: Photo, *, is_alone: bool = True) -> ObjectEvent:
    return ObjectEvent(
        bucket=bucket, key=photo.key, etag=photo.etag, name="backfill", is_alone=is_alone
    )


def _make(photo: Photo, *, is_alone: bool) -> Outcome:
    from handler.photo.process import process
    from handler.s3.requests import Requests

    event = _event(_Worker.bucket, photo, is_alone=is_alone)
    report = process(
        event,
        _Worker.settings,
        Requests(_Worker.client, requester_pays=_Worker.settings.source_requester_pays),
        _Worker.executor,
        _Worker.workers.open_photo,
    )
    answered(event, report.disposition)
    return Outcome(
        key=photo.key, disposition=report.disposition, code=report.code, message=report.message
    )


def make_locally(
    photos: Iterable[Photo], *, bucket: str, settings: Settings, processes: int
) -> Iterator[Outcome]:
    """Yield what became of each photo.

    A photo that ends its process takes those with it that the pool held; they are worked on again,
    each alone, so that the one that did it is known. Who left a trace in an earlier run is worked
    on alone from the start.

    *Cost*: memory of ``processes`` functions; four photos' keys for each.
    """
    crew = _Crew(settings, bucket, processes)
    coming = iter(photos)
    try:
        while crew.take(coming):
            yield from crew.ended()
            yield from crew.apart()
    finally:
        crew.dismiss()


class _Crew:
    """The processes, the photos they work on, and those that one of them may have died of."""

    def __init__(self, settings: Settings, bucket: str, processes: int) -> None:
        self._worker = (settings, bucket)
        self._bucket = bucket
        self._processes = processes
        self._pool = self._hire(processes)
        self._pending: dict[Future[Outcome], Photo] = {}
        self._suspects: list[Photo] = []

    def _hire(self, processes: int) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            processes,
            # Spawned, for libvips' threads do not survive a fork.
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_start,
            initargs=self._worker,
        )

    def take(self, coming: Iterator[Photo]) -> bool:
        """Take on as many photos as there is room for; tell whether there is anything to do."""
        while len(self._pending) < _AHEAD * self._processes:
            if (photo := next(coming, None)) is None:
                break
            if suspicion(_event(self._bucket, photo)).has_traces:
                self._suspects.append(photo)
                continue
            try:
                # When one process ends, the pool ends the others.
                future = self._pool.submit(_make, photo, is_alone=self._processes == 1)
                self._pending[future] = photo
            except BrokenProcessPool:
                self._suspects.append(photo)
                break
        return bool(self._pending or self._suspects)

    def ended(self) -> Iterator[Outcome]:
        """Wait until one has ended, and yield those that have; all of them, if a process died."""
        ended, _ = wait(self._pending, return_when=FIRST_COMPLETED)
        if self._suspects or any(_died(future) for future in ended):
            # The pool is lost, and with it everything that it held.
            ended = set(self._pending)
        for future in ended:
            photo = self._pending.pop(future)
            if _died(future):
                self._suspects.append(photo)
            else:
                yield future.result()

    def apart(self) -> Iterator[Outcome]:
        """Work alone on each photo that the pool held when a process died; yield the outcomes."""
        if not self._suspects:
            return
        self._pool.shutdown()
        for photo in self._suspects:
            with self._hire(1) as alone:
                future = alone.submit(_make, photo, is_alone=True)
                if _died(future):
                    yield Outcome(
                        key=photo.key,
                        disposition="retry",
                        code=_DIED,
                        message="The process that worked on it died",
                    )
                else:
                    yield future.result()
        self._suspects.clear()
        self._pool = self._hire(self._processes)

    def dismiss(self) -> None:
        """End the processes."""
        self._pool.shutdown(cancel_futures=True)


def _died(future: Future[Outcome]) -> bool:
    return isinstance(future.exception(), BrokenProcessPool)
