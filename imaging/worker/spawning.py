"""Starts the zygote, and gets workers from it: the parent's side, without pyvips."""

import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from imaging.worker.protocol import FORK, INTEGER, REAP, UNBOUNDED, Readiness, read_line
from imaging.worker.window import Window, new_window

__all__ = ["Launch", "Process", "Zygote", "ZygoteError", "resident_bytes"]

_HANDED_ON: Final = ("LC_ALL", "LD_LIBRARY_PATH", "MALLOC_ARENA_MAX")
"""Of the environment: how libraries are found and memory is managed, and nothing else."""

_CONTROL: Final = 3
"""The zygote's descriptor of the control socket."""

_HERE: Final = __file__.removesuffix("/imaging/worker/spawning.py")
"""The folder that holds this package; of no use where a program runs the zygote."""

_ZYGOTE: Final = "imaging.worker.zygote"
_START: Final = (
    # Until all is imported, the collector would look through it again and again.
    "import gc, sys; gc.disable(); sys.path[:0] = {path!r}; "
    "from imaging.worker.zygote import main; main({control})"
)
_SOCKET_BYTES: Final = 1 << 20


class ZygoteError(Exception):
    """The zygote did not start, or has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How a zygote is started.

    Attributes:
        concurrency: libvips' threads in each worker; None for one per processor.
        memory_bytes: What the function has; None for no limit.
        program: The script that runs ``imaging.worker.zygote`` from compiled modules, as the image
            has one, given that name and a descriptor; None for the interpreter's imports.
        forked: A zygote that was forked before this process had a secret, and waits: its ID, and
            the descriptor of this end of its socket. Any other is spawned.
        modules: Imported before the first worker, beside those that are needed.
    """

    concurrency: int | None = None
    memory_bytes: int | None = None
    program: str | None = None
    forked: tuple[int, int] | None = None
    modules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Process:
    """A worker's process, alive or not reaped yet: its ID is nobody else's.

    Attributes:
        pid: Its ID.
        socket: The parent's end.
        window: What the parent says lies there.
        zygote: Whose fork it is, and who alone can reap it.
    """

    pid: int
    socket: socket.socket
    window: Window
    zygote: "Zygote"

    def kill(self) -> None:
        """End it, whatever it does. *Thread*: any."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def end(self) -> int | None:
        """Have it killed, wait until it is gone, and return its wait status.

        None where nobody can tell, for its zygote has ended: the kernel then ends it too. Its ID
        may be another's by now, so that nothing is killed by that.
        """
        try:
            return self.zygote.reap(self.pid)
        except ZygoteError:
            return None
        finally:
            # Before, it would end by itself, and the status would say so, now and then.
            self.socket.close()

    def is_at_rest(self) -> bool:
        """Tell whether it lives and says nothing, as one does that waits for a photo."""
        try:
            self.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def resident_bytes(self) -> int:
        """Return what it holds in memory; 0 if it has ended."""
        return resident_bytes(self.pid)

    def cpu_s(self) -> float:
        """Return the CPU seconds that it has taken; 0 if it has ended."""
        return _cpu_s(self.pid)


def _cpu_s(process: int) -> float:
    """Return the CPU seconds that a process has taken; 0 without one."""
    try:
        with open(f"/proc/{process}/stat", "rb", 0) as file:  # noqa: PTH123 - as below
            # The name, in brackets, may hold anything.
            fields = file.read().rpartition(b")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):
        return 0.0


def resident_bytes(process: int | str) -> int:
    """Return what a process, or ``self``, holds in memory, shared pages included; 0 without one."""
    try:
        with open(f"/proc/{process}/statm", "rb", 0) as file:  # noqa: PTH123 - 80 times a second
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0


def _line(program: str | None) -> list[str]:
    if program is not None:
        return [sys.executable, "-ISB", program, _ZYGOTE, str(_CONTROL)]
    # -I and -S would not find what this interpreter has found; a zip or an entry that is not
    # there does no harm. An editable installation finds this package in a folder that is not on
    # the path. It comes last: what stands beside the package is not for this to find.
    path = [os.path.abspath(entry) for entry in (*sys.path, _HERE)]  # noqa: PTH100 - pathlib drops nothing, and is slower
    return [sys.executable, "-ISB", "-c", _START.format(path=path, control=_CONTROL)]


def _spawn(program: str | None) -> tuple[int, socket.socket]:
    """Start a zygote with an empty environment; return its ID and this end of its socket."""
    ours, theirs = socket.socketpair()
    environment = {name: os.environ[name] for name in _HANDED_ON if name in os.environ}
    try:
        process = os.posix_spawn(
            sys.executable,
            _line(program),
            environment,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, theirs.fileno(), _CONTROL),
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                # What stands on the output is the function's, or the command line's.
                (os.POSIX_SPAWN_DUP2, 2, 1),
            ],
        )
    finally:
        theirs.close()
    return process, ours


class Zygote:
    """A process that forks workers.

    Args:
        launch: How it is to be.
        forked: One that waits to be told that: its ID, and the descriptor of this end of its
            socket; None to spawn one.

    *Cost*: its imports, beside this process; where it is spawned, a second interpreter's start.
    :meth:`fork` takes 1 to 2 ms.

    *Thread*: any, one at a time within.
    """

    def __init__(self, launch: Launch, forked: tuple[int, int] | None = None) -> None:
        if forked is None:
            self.pid, self._control = _spawn(launch.program)
        else:
            self.pid, self._control = forked[0], socket.socket(fileno=forked[1])
        self._ready = False
        self._lock = threading.Lock()
        options = {
            "concurrency": launch.concurrency,
            "memory_bytes": launch.memory_bytes,
            "modules": launch.modules,
        }
        # Whether it is there, whoever asks for a worker will hear.
        with suppress(OSError):
            self._control.sendall(json.dumps(options).encode() + b"\n")

    def _ask(self, message: bytes, descriptors: Sequence[int] = ()) -> int:
        try:
            if not self._ready:
                self._wait()
            if descriptors:
                socket.send_fds(self._control, [message], descriptors)
            else:
                self._control.sendall(message)
            answer = self._control.recv(INTEGER.size, socket.MSG_WAITALL)
        except OSError as error:
            raise ZygoteError(f"the zygote has ended: {error}") from error
        if len(answer) < INTEGER.size:
            raise ZygoteError("the zygote has ended")
        number: int = INTEGER.unpack(answer)[0]
        return number

    def _wait(self) -> None:
        words = read_line(self._control)
        if not words:
            raise ZygoteError("the zygote ended before it was ready")
        if said := json.loads(words):
            raise ZygoteError(f"the zygote cannot start:\n{said}")
        self._ready = True

    def wait(self) -> None:
        """Return once it has imported everything.

        Raises:
            ZygoteError: It could not.
        """
        with self._lock:
            if not self._ready:
                self._wait()

    def fork(self, *, readiness: Readiness, is_bounded: bool) -> Process:
        """Return a new worker.

        One that is bounded may have as much data as the launch's memory allows, and half again.

        *Cost*: 40 ms more for the first that is ready for all, and 3 ms for credentials.

        Raises:
            ZygoteError: There is none to be had.
        """
        memory = new_window()
        window = Window(memory)
        ours, theirs = socket.socketpair()
        # A chunk is sent in one go, and the sender works on.
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BYTES)
        try:
            with self._lock:
                message = FORK + bytes([readiness])
                message += b"" if is_bounded else UNBOUNDED
                pid = self._ask(message, [theirs.fileno(), memory])
            return Process(pid, ours, window, self)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
            os.close(memory)

    def reap(self, process: int) -> int:
        """Have it kill a fork of its own and wait until it is gone; return the wait status.

        Raises:
            ZygoteError: It has ended itself.
        """
        with self._lock:
            return self._ask(REAP + INTEGER.pack(process))

    def close(self) -> None:
        """End it, and with it whatever workers it still has."""
        self._control.close()
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

    def forget(self) -> None:
        """Let go of it in a fork of this process: it is the other's."""
        self._control.close()
