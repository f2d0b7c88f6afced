"""What a process that ends while it decodes leaves in /tmp: which photo, and whether it was alone.

When a runtime ends, Lambda starts it anew beside the same /tmp, so the next attempt finds the trace
if it comes to the same execution environment. An ordinary photo costs a small file, and no request.

Of photos that were decoded side by side, any may have ended the process. So only an attempt that
was alone counts against its photo. Whoever left any trace is a suspect, and is worked on alone from
then on, after all others of its event: it takes none of them along.

The processes of a Managed Instance share /tmp, but not their ends.

Sources:
    https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
    https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-python-runtime.html
"""

import collections
import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from handler.errors import Disposition
from handler.objects import ObjectEvent
from handler.version import SourceVersion, key_digest

__all__ = ["MOST_ENDS", "Suspicion", "answered", "ends", "forget", "suspicion", "traced"]

MOST_ENDS: Final = 2
"""So many ends of attempts that were alone are a verdict."""

# These say what became of the photo as it is now.
_ANSWERS: Final = frozenset(
    {Disposition.WRITTEN, Disposition.UNCHANGED, Disposition.REJECTED, Disposition.REMOVED}
)

# Whatever else is there was left by somebody else. Linux has no process of more digits.
_TEXT: Final = re.compile(r"([0-9a-f]{16}) ([0-9]{1,2}) ([0-9]{1,7}) ([01])")

# How many threads of this process decode a photo now, by its file.
_under_way: Final = collections.Counter[Path]()
_lock: Final = threading.Lock()


class Suspicion(NamedTuple):
    """What there is against a photo; of two, the larger one is the stronger.

    Attributes:
        ends: Of processes that decoded nothing else.
        has_traces: Whether any process ended while it was decoded there.
    """

    ends: int = 0
    has_traces: bool = False


class _Trace(NamedTuple):
    """What the file of a photo says.

    Attributes:
        version: The name of the version that is or was decoded.
        ends: How many attempts at it had ended before, each alone.
        process: Who decodes it, or has ended.
        is_alone: Whether it decodes nothing else meanwhile.
    """

    version: str
    ends: int
    process: int
    is_alone: bool

    def text(self) -> str:
        """Return what the file holds; see :func:`_trace`. It is always as long."""
        return f"{self.version} {self.ends:02} {self.process:07} {int(self.is_alone)}"


def suspicion(event: ObjectEvent) -> Suspicion:
    """Return what there is against the photo of ``event``, whichever version.

    A photo whose verdict is certain is not decoded, and takes nobody along. *Cost*: a small file
    is read, where there is one.
    """
    trace = _left(event)
    if trace is None or trace.ends >= MOST_ENDS:
        return Suspicion()
    return Suspicion(trace.ends, has_traces=True)


def ends(event: ObjectEvent, version: SourceVersion) -> int:
    """Return how many processes have ended here while they decoded ``version`` and nothing else."""
    trace = _left(event)
    return trace.ends if trace is not None and trace.version == version.name else 0


def answered(event: ObjectEvent, disposition: Disposition) -> None:
    """Remove what ends have left of the photo, once it is known what became of it.

    It may have been answered in another execution environment, or by the manifest alone.
    """
    file = _file(event)
    if disposition not in _ANSWERS or _under_way[file]:
        return
    trace = _trace(file)
    if trace is not None and not _lives(trace.process):
        _remove(file)


def forget() -> None:
    """Remove the traces of this process: a signal ends it, and none of its photos does.

    *Thread*: the main one, within a signal's handler too.
    """
    # Without the lock, which the thread that the signal has interrupted may hold.
    for file in tuple(_under_way):
        _remove(file)


@contextmanager
def traced(event: ObjectEvent, version: SourceVersion) -> Iterator[None]:
    """Within: a file says that this process decodes ``version``; an end leaves it.

    *Thread*: any. *Cost*: a small file.
    """
    file = _file(event)
    with _lock:
        # Counted first and removed first, so that a signal in between finds it.
        before = ends(event, version)
        _under_way[file] += 1
        if _under_way[file] == 1:
            trace = _Trace(version.name, before, os.getpid(), event.is_alone)
            # Without a /tmp, or with a full one, there is no trace; the photo is made all the same.
            with suppress(OSError):
                _write(file, trace.text())
    try:
        yield
    finally:
        with _lock:
            # An error is an answer: only an end without one leaves the trace.
            if _under_way[file] == 1:
                _remove(file)
                del _under_way[file]
            else:
                _under_way[file] -= 1


def _file(event: ObjectEvent) -> Path:
    """Return the photo's, whose version a job does not name."""
    photo = SourceVersion(bucket=event.bucket, key_digest=key_digest(event.key))
    try:
        folder = Path(tempfile.gettempdir())
    except OSError:
        # None can be written to, so nothing will be found there either.
        folder = Path(os.devnull)
    return folder / f"renditions-{photo.name}"


def _write(file: Path, text: str) -> None:
    """Write ``text``; another thread's end of the process leaves what was there before, or all."""
    # To truncate it first would leave nothing: an end that was counted before is lost then.
    # No link is followed: /tmp may be everybody's where a backfill runs.
    number = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        os.write(number, text.encode())
        os.ftruncate(number, len(text))
    finally:
        os.close(number)


def _remove(file: Path) -> None:
    with suppress(OSError):
        file.unlink(missing_ok=True)


def _left(event: ObjectEvent) -> _Trace | None:
    """Return what ended attempts at the photo have left, the last one counted; None for nothing."""
    file = _file(event)
    if _under_way[file]:
        # This very process decodes the photo in another thread.
        return None
    trace = _trace(file)
    if trace is None:
        return None
    if _lives(trace.process):
        # Another process of a Managed Instance is decoding it now.
        return trace if trace.ends else None
    return trace._replace(ends=trace.ends + trace.is_alone)


def _trace(file: Path) -> _Trace | None:
    try:
        found = _TEXT.fullmatch(file.read_text())
    except (OSError, ValueError):
        return None
    if found is None:
        return None
    version, before, process, is_alone = found.groups()
    return _Trace(version, int(before), int(process), is_alone=is_alone == "1")


def _lives(process: int) -> bool:
    if process == os.getpid():
        # It began anew under the same number.
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
