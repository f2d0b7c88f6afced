"""The function in its image, with 256 MB: photos that lie end no function, and cost one answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests import photos
from tests.container.emulator import s3_event
from tests.wall.hostile import BOMBS

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_s3 import S3Client

    from tests.container.emulator import FunctionContainer

_IN_THE_IMAGE: Final = (
    # Whose decoder wants more at once than the memory, little by little, or is told to.
    *("webp_lossless", "jpeg_coefficients", "gif_restored", "tiff_planes", "avif_huge_frame"),
    *("avif_deep", "webp_frames", "heic_tiles"),
    # Bytes of metadata, passes and pages.
    *("jpeg_comments", "png_profile", "jpeg_scans", "tiff_pages"),
)
"""One of each kind: the others go through the same wall in tests/unit/test_hostile.py."""

_CODES: Final = {"", None, "over-limit", "needs-more-memory"}
_TURNS: Final = 6
"""So many photos go in one event."""


def test_no_bomb_ends_a_function_of_256_mb(
    start_function: Callable[..., FunctionContainer], s3: S3Client, buckets: tuple[str, str]
) -> None:
    """Each gets an answer, none is called corrupt, and the kernel has nobody to kill."""
    source, _ = buckets
    for name in _IN_THE_IMAGE:
        s3.put_object(Bucket=source, Key=name, Body=BOMBS[name]())
    s3.put_object(Bucket=source, Key="next.jpg", Body=photos.jpeg(1200, 900))
    function = start_function(memory_mb=256)
    answers: dict[str, dict[str, str]] = {}
    for at in range(0, len(_IN_THE_IMAGE), _TURNS):
        keys = [*_IN_THE_IMAGE[at : at + _TURNS], "next.jpg"]
        invocation = function.invoke(s3_event(source, keys, s3), timeout_s=900)
        assert invocation.error_type is None, invocation
        records = invocation.body["records"]
        answers |= {record["key"]: record for record in records}
        assert records[-1]["key"] == "next.jpg"
        assert records[-1]["disposition"] in {"written", "unchanged"}
    assert function.memory_kills() == 0
    del answers["next.jpg"]
    assert answers.keys() == set(_IN_THE_IMAGE)
    assert {answer["disposition"] for answer in answers.values()} <= {"written", "rejected"}
    codes = {name: answer["code"] for name, answer in answers.items()}
    assert set(codes.values()) <= _CODES, codes
    assert codes["webp_lossless"] == "needs-more-memory"
