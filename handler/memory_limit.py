"""How much memory this process may use: the one reader of the variables that say so."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from imaging.limits import Memory

__all__ = ["lambda_memory", "memory_limit"]

# The limit of the group that the process runs in, as a container sees it: version 2, version 1.
# Source: https://docs.kernel.org/admin-guide/cgroup-v2.html and cgroup-v1/memory.html
_LIMITS: Final = (
    Path("sys/fs/cgroup/memory.max"),
    Path("sys/fs/cgroup/memory/memory.limit_in_bytes"),
)

_NO_LIMIT: Final = 1 << 60
"""Version 1 writes the largest multiple of a page where there is no limit, version 2 ``max``."""


def lambda_memory(environ: Mapping[str, str]) -> Memory | None:
    """Return this process's share of the function's memory; None outside Lambda.

    ``AWS_LAMBDA_MAX_CONCURRENCY`` processes, forked by Managed Instances, share
    ``AWS_LAMBDA_FUNCTION_MEMORY_SIZE`` evenly.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    size = environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "")
    if not size.isdecimal() or not int(size):
        return None
    sharing = environ.get("AWS_LAMBDA_MAX_CONCURRENCY", "")
    processes = max(1, int(sharing) if sharing.isdecimal() else 1)
    return Memory(bytes=(int(size) << 20) // processes, processes=processes)


def memory_limit(environ: Mapping[str, str], root: Path = Path("/")) -> Memory | None:
    """Return what one photo may take together with the process; None for no limit.

    Outside Lambda the control group's limit counts.

    Args:
        environ: The environment.
        root: Where the file system is mounted.
    """
    if (memory := lambda_memory(environ)) is not None:
        return memory
    for path in _LIMITS:
        try:
            text = (root / path).read_text("ascii").strip()
        except OSError:
            continue
        if text.isdecimal() and int(text) < _NO_LIMIT:
            return Memory(bytes=int(text))
    return None
