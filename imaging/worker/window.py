"""Memory that the parent shares with one worker: what the parent says lies there, and is not sent.

A photo's bytes would be copied twice over the socket. The parent writes and never reads here: the
worker could write as well. What a worker says comes over the socket, as a copy that it cannot
change after it was checked.
"""

import fcntl
import mmap
import os
from typing import Final

from imaging.worker.protocol import READ_BYTES

__all__ = ["Window", "new_window"]

_WINDOW_BYTES: Final = 2 * READ_BYTES


def new_window() -> int:
    """Return a descriptor of memory for a :class:`Window`, of a size that nobody can change.

    On Linux: elsewhere a worker can.
    """
    if hasattr(os, "memfd_create"):
        memory = os.memfd_create("photo", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.truncate(memory, _WINDOW_BYTES)
        # Who writes where a file has become shorter is ended by the kernel.
        fcntl.fcntl(memory, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL)
        return memory
    # Imported where Linux is not. Nothing seals this file: a worker that was taken over may shorten
    # it, and the kernel then ends the parent. For development; the wall is Linux's.
    import tempfile

    with tempfile.TemporaryFile() as file:
        file.truncate(_WINDOW_BYTES)
        return os.dup(file.fileno())


class Window:
    """Two halves, in turn: the worker decodes from one while the parent fills the other.

    Both sides go on to the next with each frame that has data. The parent sends one when the worker
    has asked for it or has taken the one before, so that there is none that nobody has seen.

    Args:
        memory: The descriptor, which may be closed from then on.
    """

    def __init__(self, memory: int) -> None:
        whole = memoryview(mmap.mmap(memory, _WINDOW_BYTES))
        self._halves = [whole[:READ_BYTES], whole[READ_BYTES:]]

    def next(self) -> memoryview:
        """Return the half that is next, of ``READ_BYTES``."""
        self._halves.reverse()
        return self._halves[0]
