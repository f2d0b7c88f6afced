"""Makes room in this process for the next photo's pixels."""

import os
from pathlib import Path

from imaging.limits import Memory

__all__ = ["make_room"]


def make_room(peak_bytes: int, memory: Memory | None) -> None:
    """Give the system back what malloc keeps of earlier photos, if the next one might want it.

    The estimate is of a process that renders its first photo. In one that has held much before,
    malloc may keep it in pieces that the next photo cannot use.

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
    # Imported on first use: few functions have so little memory for their photos.
    import ctypes

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
