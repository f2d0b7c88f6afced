"""How much memory this function may use."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from imaging.limits import Memory

__all__ = ["read_memory"]

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
