"""The function in its image, with 256 MB: photos that lie end no function, and cost one answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests import photos
from tests.container.emulator import s3_event
from tests.wall.hostile import BOMBS, ROWS

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_s3 import S3Client

    from tests.container.emulator import FunctionContainer

_ANSWERS = {"written", "rejected"}
_TURNS = 8
"""So many photos go in one event."""


def test_no_bomb_ends_a_function_of_256_mb(
    start_function: Callable[..., FunctionContainer], s3: S3Client, buckets: tuple[str, str]
) -> None:
    """Each of tests/wall/hostile.py gets an answer, and the kernel has nobody to kill."""
    source, _ = buckets
    for name, make in BOMBS.items():
        s3.put_object(Bucket=source, Key=name, Body=make())
    s3.put_object(Bucket=source, Key="next.jpg", Body=photos.jpeg(1200, 900))
    function = start_function(memory_mb=256)
    answers: dict[str, dict[str, str]] = {}
    names = list(BOMBS)
    for at in range(0, len(names), _TURNS):
        keys = [*names[at : at + _TURNS], "next.jpg"]
        invocation = function.invoke(s3_event(source, keys, s3), timeout_s=900)
        assert invocation.error_type is None, invocation
        records = invocation.body["records"]
        answers |= {record["key"]: record for record in records}
        assert records[-1]["key"] == "next.jpg"
        assert records[-1]["disposition"] in {"written", "unchanged"}
    assert function.memory_kills() == 0
    del answers["next.jpg"]
    assert answers.keys() == BOMBS.keys()
    assert {answer["disposition"] for answer in answers.values()} <= _ANSWERS
    # What once took more than its estimate is a photo, or is refused by a limit or for its size.
    # libvips wants a canvas for a lossless WebP's header, and says "corrupt" where there is
    # no memory for one.
    codes = {
        row.__name__: answers[row.__name__]["code"]
        for row in ROWS
        if not row.__name__.startswith("webp")
    }
    assert set(codes.values()) <= {"", None, "over-limit", "needs-more-memory"}, codes
