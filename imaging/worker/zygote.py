"""The process that workers are forked from: ``imaging`` imported, no secret, no photo.

There is no credential that a fork could inherit: it is spawned with an empty environment
(``spawning.py``), or forked from the function before that has one (``image/start.py``). It speaks
with the parent alone, over one socket:

    > one line of JSON: how it is to be    it waits for that before it imports anything
    < one line of JSON: empty, or why it cannot start
    > FORK and a readiness, with the       < the worker's process ID
      worker's socket and window
    > REAP and a worker's process ID       < its wait status

A worker opens no file: what its photo needs is imported before it is forked. That is done in
steps (``Readiness``). What most photos need comes first, and the first photo waits for no more. The
rest is imported when the first worker is asked for that must be ready for any photo, and what
carries content credentials on when the first comes that is to do so.
"""

import gc
import importlib
import json
import os
import signal
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, NoReturn

import imaging
from imaging.formats import InputFormat, OutputFormat
from imaging.worker import sandbox
from imaging.worker.protocol import FORK, INTEGER, UNBOUNDED, Readiness, read_line

__all__ = ["main", "preload", "preload_common", "preload_credentials"]

_ELSEWHERE: Final = frozenset(
    {
        *(
            "certificates",
            "config",
            "credentials",
            "in_memory",
            "lines",
            "local",
            "mark_files",
            "provenance",
            "rendering",
        ),
        *("sidecar", "warming", "worker"),
    }
)
"""What the other side imports alone, or few photos need. Everything else of ``imaging`` may be any
photo's."""

_COMMON: Final = (
    "imaging.worker.worker",
    *(f"imaging.decoders.{each.value}" for each in InputFormat if each.row.is_common),
    *(f"imaging.encoders.{each.value}" for each in OutputFormat),
    "imaging.animation",
    "imaging.gainmap",
    "imaging.light",
)
"""With what these import, all that most photos need."""

_MOST_DESCRIPTORS: Final = 1 << 16

_LIBRARIES: Final = ("heapq",)
"""The standard library has imports on first use, too. A test renders photos of every kind behind
the filter, where an import fails."""

_OPERATIONS: Final = (
    *("jpegload_source", "colourspace", "resize", "reducev", "reduceh", "extract_area"),
    *("icc_transform", "copy", "cast", "flatten", "jpegsave_target"),
)
"""pyvips asks libvips for the arguments of each operation once, for 0.2 ms each."""


def preload_common(modules: Sequence[str]) -> None:
    """Import what most photos need, and ``modules``."""
    for name in (*_COMMON, *modules):
        importlib.import_module(name)
    from pyvips import Introspect

    for operation in _OPERATIONS:
        Introspect.get(operation)


def preload() -> None:
    """Import whatever a photo may need."""
    # Imported on first use, as all that most photos do without.
    import pkgutil

    ours = (
        found.name
        for found in pkgutil.walk_packages(imaging.__path__, "imaging.")
        if found.name.split(".")[1] not in _ELSEWHERE
    )
    for name in (*ours, *_LIBRARIES):
        importlib.import_module(name)
    from imaging.decoders import libheif
    from imaging.errors import UnsupportedFormatError

    # Without it there is HEIC for nobody, and every other photo for all.
    with suppress(UnsupportedFormatError):
        libheif.preload()
    # Nobody looks through these objects for garbage again: their pages stay shared.
    gc.freeze()


def preload_credentials() -> None:
    """Import what carries content credentials on, beside whatever a photo may need."""
    preload()
    from imaging.credentials import library
    from imaging.credentials.carrying import Carrying

    del Carrying
    with suppress(library.LibraryError):
        library.preload()
    gc.freeze()


_PRELOADS: Final = {
    Readiness.MOST: lambda: None,
    Readiness.ALL: preload,
    Readiness.CREDENTIALS: preload_credentials,
}


def _become_worker(
    descriptors: Sequence[int], memory_bytes: int | None, readiness: Readiness
) -> NoReturn:
    from imaging.worker.window import Window
    from imaging.worker.worker import serve

    try:
        theirs, window = socket.socket(fileno=descriptors[0]), Window(descriptors[1])
        os.close(descriptors[1])
        # A decoder's words may be a photo's: nothing of it comes into the function's log.
        nothing = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(nothing, standard)
        os.close(nothing)
        serve(theirs, window, sandbox.enter(memory_bytes), readiness)
    finally:
        os._exit(1)


def _serve(control: socket.socket, memory_bytes: int | None) -> None:
    """Fork and reap as the parent asks, until it ends."""
    readiness = Readiness.MOST
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 1 + INTEGER.size, 2)
        if not message:
            return
        if message[:1] == FORK:
            wanted = Readiness(message[1])
            if wanted > readiness:
                _PRELOADS[wanted]()
                readiness = wanted
            bound = None if message[2:] == UNBOUNDED else memory_bytes
            process = os.fork()
            if process == 0:
                control.close()
                _become_worker(descriptors, bound, readiness)
            for descriptor in descriptors:
                os.close(descriptor)
            control.sendall(INTEGER.pack(process))
        else:
            (process,) = INTEGER.unpack(message[1:])
            # Alive or not, it is nobody else's until it is waited for.
            os.kill(process, signal.SIGKILL)
            control.sendall(INTEGER.pack(os.waitpid(process, 0)[1]))


def main(descriptor: int) -> None:
    """Be the zygote.

    The parent says, as JSON: ``concurrency`` for libvips, ``memory_bytes`` of the function or null,
    ``modules`` to import beside those that are needed.

    Args:
        descriptor: The control socket's.
    """
    # Whatever else was handed on is the function's.
    os.closerange(3, descriptor)
    os.closerange(descriptor + 1, _MOST_DESCRIPTORS)
    control = socket.socket(fileno=descriptor)
    # The parent alone decides when this ends; Ctrl-C goes to all processes of a terminal.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    words = read_line(control)
    if not words:
        return
    asked = json.loads(words)
    sandbox.prefer_to_die()
    sandbox.hide_memory()
    try:
        preload_common(asked["modules"])
        from imaging.libvips import configure_libvips

        configure_libvips(concurrency=asked["concurrency"])
    except BaseException:
        import traceback

        with suppress(OSError):
            control.sendall(json.dumps(traceback.format_exc()).encode() + b"\n")
        raise
    sandbox.shrink_stacks()
    # As in preload. Imports make no garbage that is worth a look through everything.
    gc.freeze()
    gc.enable()
    # The parent may end at any time; so do its workers, without a word in its log.
    with suppress(OSError):
        control.sendall(b'""\n')
        _serve(control, asked["memory_bytes"])
