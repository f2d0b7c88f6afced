"""Photos that end the process which decodes them: noticed, and refused when two traces say so.

There are two kinds of traces; neither costs an ordinary photo a request:

- A file in /tmp while a photo is decoded. When a runtime ends, Lambda starts it anew beside the
  same /tmp, so the next attempt finds the file if it comes to the same execution environment.
- A mark in the photo's manifest, written before the decode, and only where an attempt has failed
  already: when the queue delivers the photo for the second time, or where there was a mark. It
  says when Lambda ends that attempt. Whoever finds it later than that knows that there was no
  answer, and tries once more, under a second mark. Whoever finds it before comes again. One of a
  later time than any attempt can write is over, too: else it would stop everybody for ever.

Sources:
    https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
    https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html
"""

import collections
import os
import secrets
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from handler.errors import ConditionFailedError, PoisonPhotoError
from handler.photo.attempt import Attempt
from handler.photo.manifest import Suspect
from handler.s3.source import S3Source

__all__ = ["watched"]

_MOST_CRASHES: Final = 2
# Lambda ends an invocation after that.
_LONGEST_ATTEMPT_S: Final = 15 * 60
# Between the deadline and Lambda's end, and between the clocks of two machines.
_MARGIN_S: Final = 60
# From when it is written. Work stops some seconds before Lambda's end, so that a mark of the
# function itself ends before that also by a clock which is those seconds late.
_LONGEST_MARK_S: Final = _LONGEST_ATTEMPT_S + _MARGIN_S

# How many threads of this process decode a version now.
_under_way: Final = collections.Counter[str]()
_lock: Final = threading.Lock()


@contextmanager
def watched(attempt: Attempt, source: S3Source) -> Iterator[None]:
    """Within: if the process ends, the next attempts find out.

    *Cost*: a small file; for a photo that comes again, what :meth:`ManifestStore.suspecting` costs.

    Raises:
        PoisonPhotoError: Two ends in this /tmp, or two marks that are over, say that it ends
            processes.
        ConditionFailedError: Another attempt has marked it, and is not over; or another wrote the
            manifest before this one could mark it.
    """
    event = attempt.event
    name = source.version.name
    now_s = int(time.time())
    mark = _mark(attempt, name)
    times = mark.times if mark is not None else 0
    is_over = mark is not None and not now_s <= mark.over_s <= now_s + _LONGEST_MARK_S
    if (is_over and times >= _MOST_CRASHES) or _crashes(name) >= _MOST_CRASHES:
        raise PoisonPhotoError(
            f"Expected a photo that can be decoded but s3://{event.bucket}/{event.key} ended the "
            "process again and again"
        )
    if mark is not None and not is_over:
        raise ConditionFailedError(
            f"Expected the attempt at s3://{event.bucket}/{event.key} that another delivery began "
            "to end first"
        )
    with ExitStack() as stack:
        if is_over or event.receive_count > 1:
            left_s = attempt.requests.deadline.remaining_s
            over_s = now_s + int(min(left_s + _MARGIN_S, _LONGEST_MARK_S))
            token = secrets.token_hex(8)
            own = Suspect(version=name, times=times + 1, over_s=over_s, token=token)
            stack.enter_context(attempt.manifests.suspecting(own, source.check_current))
        stack.enter_context(_traced(name))
        yield


def _mark(attempt: Attempt, name: str) -> Suspect | None:
    """Return what the manifest says of attempts at the version called ``name``."""
    manifest = attempt.manifests.manifest
    suspect = manifest.suspect if manifest is not None else None
    return suspect if suspect is not None and suspect.version == name else None


def _file(name: str) -> Path:
    return Path(tempfile.gettempdir()) / f"renditions-{name}"


def _crashes(name: str) -> int:
    """Return how many processes of this execution environment have ended while they decoded it."""
    if _under_way[name]:
        # The file is of this very process, which decodes the photo in another thread.
        return 0
    try:
        count, process = map(int, _file(name).read_text().split())
    except (OSError, ValueError):
        return 0
    # Another process of a Managed Instance may be decoding it now.
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
def _traced(name: str) -> Iterator[None]:
    """Within: a file says that this process decodes the photo. *Cost*: a small file."""
    with _lock:
        if not _under_way[name]:
            # Without a /tmp, or with a full one, there is no trace; the photo is made all the same.
            with suppress(OSError):
                _file(name).write_text(f"{_crashes(name) + 1} {os.getpid()}")
        _under_way[name] += 1
    try:
        yield
    finally:
        with _lock:
            _under_way[name] -= 1
            # An error is an answer: only an end without one leaves the trace.
            if not _under_way[name]:
                del _under_way[name]
                with suppress(OSError):
                    _file(name).unlink(missing_ok=True)
