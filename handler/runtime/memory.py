"""How much memory this function may use, and room in it for the next photo."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from imaging.limits import Memory

__all__ = ["make_room", "read_memory"]

# The limit of the group that the process runs in, as a container sees it: version 2, version 1.
# Source: https://docs.kernel.org/admin-guide/cgroup-v2.html and cgroup-v1/memory.html
_LIMITS: Final = (
    Path("sys/fs/cgroup/memory.max"),
    Path("sys/fs/cgroup/memory/memory.limit_in_bytes"),
)

_NO_LIMIT: Final = 1 << 60
"""Version 1 writes the largest multiple of a page where there is no limit, version 2 ``max``."""


def read_memory(environ: Mapping[str, str], root: Path = Path("/")) -> Memory | None:
    """Return what one photo at a time may take with all that the process holds; None for no limit.

    ``AWS_LAMBDA_FUNCTION_MEMORY_SIZE`` is shared by the ``AWS_LAMBDA_MAX_CONCURRENCY`` processes
    that Managed Instances fork. Where neither is set, the control group's limit counts.

    Args:
        environ: The environment.
        root: Where the file system is mounted.
    """
    size = environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "")
    if size.isdecimal() and int(size):
        sharing = environ.get("AWS_LAMBDA_MAX_CONCURRENCY", "")
        processes = max(1, int(sharing) if sharing.isdecimal() else 1)
        return Memory(bytes=(int(size) << 20) // processes, processes=processes)
    for path in _LIMITS:
        try:
            text = (root / path).read_text("ascii").strip()
        except OSError:
            continue
        if text.isdecimal() and int(text) < _NO_LIMIT:
            return Memory(bytes=int(text))
    return None


def make_room(peak_bytes: int, memory: Memory | None) -> None:
    """Give the system back what malloc keeps of earlier photos, if the next one might want it.

    What is reckoned is what a process takes for its first photo. Where it has held much before,
    malloc may have it in pieces that the next photo cannot use.

    *Cost*: a read of ``/proc``, where there is one; 1 to 100 ms of a trim, only where what is
    resident and ``peak_bytes`` together are more than there is.

    Args:
        peak_bytes: What the photo will take, with the process.
        memory: What there is; None for no limit.
    """
    if memory is None:
        return
    try:
        pages = Path("/proc/self/statm").read_text("ascii").split()[1]
    except OSError:
        return
    if int(pages) * os.sysconf("SC_PAGE_SIZE") + peak_bytes <= memory.bytes:
        return
    # Few functions have so little memory for their photos.
    import ctypes

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
