"""Photos that end the process which decodes them: traced, and refused the third time.

Two traces, neither of which costs an ordinary photo a request:

- A file in /tmp for as long as a photo is decoded. Lambda starts a runtime that ended anew beside
  the same /tmp, so the next attempt finds it there, if it comes to the same execution environment.
- A mark in the photo's record, written before the decode only when the queue hands the photo over
  for the second time or more: then an attempt has failed already, and a mark that is found at the
  next one means that the one before it never came to its end either.

Source: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from handler.photo.lineage import Lineage

__all__ = ["MOST_CRASHES", "crashes", "name_of", "traced"]

MOST_CRASHES: Final = 2


def name_of(bucket: str, key: str, lineage: Lineage) -> str:
    """Return a name for the version, 16 hexadecimal digits."""
    parts = (bucket, key, lineage.version_id or lineage.etag or "")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _file(name: str) -> Path:
    return Path(tempfile.gettempdir()) / f"renditions-{name}"


def crashes(name: str) -> int:
    """Return how many processes of this execution environment have ended while they decoded it."""
    try:
        count, process = map(int, _file(name).read_text().split())
    except (OSError, ValueError):
        return 0
    # Another process of a Managed Instance may be at it this very moment.
    return count - 1 if _lives(process) else count


def _lives(process: int) -> bool:
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def traced(name: str) -> Iterator[None]:
    """Within: should this process end, the next one learns of it. *Cost*: a small file."""
    with suppress(OSError):
        _file(name).write_text(f"{crashes(name) + 1} {os.getpid()}")
    try:
        yield
    finally:
        # An error is an answer: only an end without one leaves the trace.
        _file(name).unlink(missing_ok=True)
