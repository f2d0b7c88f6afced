"""Photos that end the process which decodes them: noticed, and refused when two traces say so.

There are two kinds of traces; neither costs an ordinary photo a request, and only an attempt that
was alone counts:

- A file in /tmp while a photo is decoded (``traces.py``).
- A mark in the photo's manifest, written before the decode, and only where an attempt has failed
  already: when the queue delivers the photo for the second time, or where there was a mark. It
  says when Lambda ends that attempt. Whoever finds it later than that knows that there was no
  answer, and tries once more, under a second mark. Whoever finds it before comes again. One of a
  later time than any attempt can write is over, too: else it would stop everybody for ever.

Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html
"""

import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from handler.errors import ConditionFailedError, PoisonPhotoError
from handler.photo.attempt import Attempt
from handler.photo.manifest import Suspect
from handler.photo.traces import MOST_ENDS, ends, traced
from handler.s3.source import S3Source

__all__ = ["watched"]

# Lambda ends an invocation after that.
_LONGEST_ATTEMPT_S: Final = 15 * 60
# Between the deadline and Lambda's end, and between the clocks of two machines.
_MARGIN_S: Final = 60
# From when it is written. Work stops some seconds before Lambda's end, so that a mark of the
# function itself ends before that also by a clock which is those seconds late.
_LONGEST_MARK_S: Final = _LONGEST_ATTEMPT_S + _MARGIN_S


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
    version = source.version
    now_s = int(time.time())
    mark = _mark(attempt, version.name)
    times = mark.times if mark is not None else 0
    # Another machine's clock may be before this one's.
    latest_s = now_s + _LONGEST_MARK_S + _MARGIN_S
    is_over = mark is not None and not now_s <= mark.over_s <= latest_s
    if (is_over and times >= MOST_ENDS) or ends(event, version) >= MOST_ENDS:
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
            # Where others are decoded beside it, its end would say nothing: the mark before stays.
            times += event.is_alone
            token = secrets.token_hex(8)
            own = Suspect(version=version.name, times=times, over_s=over_s, token=token)
            stack.enter_context(attempt.manifests.suspecting(own, source.check_current))
        stack.enter_context(traced(event, version))
        yield


def _mark(attempt: Attempt, name: str) -> Suspect | None:
    """Return what the manifest says of attempts at the version called ``name``."""
    manifest = attempt.manifests.manifest
    suspect = manifest.suspect if manifest is not None else None
    return suspect if suspect is not None and suspect.version == name else None
