"""What S3's errors mean for the next request and for the event."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.s3.meanings import Meaning, meaning_of


@pytest.mark.parametrize(
    ("status", "code", "meaning"),
    [
        (503, "SlowDown", Meaning.AGAIN),
        (400, "RequestTimeout", Meaning.AGAIN),
        (409, "OperationAborted", Meaning.AGAIN),
        (400, "ExpiredToken", Meaning.AGAIN),
        (400, "KMS.ThrottlingException", Meaning.AGAIN),
        (429, "Whatever", Meaning.AGAIN),
        (403, "AccessDenied", Meaning.NOT_OURS),
        (400, "KMS.DisabledException", Meaning.NOT_OURS),
        (404, "NoSuchBucket", Meaning.NOT_OURS),
        (301, "PermanentRedirect", Meaning.NOT_OURS),
        (501, "NotImplemented", Meaning.NOT_OURS),
        (403, "", Meaning.NOT_OURS),
        (400, "400", Meaning.NOT_OURS),
        (400, "InvalidRequest", Meaning.NEVER),
        (400, "MetadataTooLarge", Meaning.NEVER),
    ],
)
def test_a_code_of_the_table(status: int, code: str, meaning: Meaning) -> None:
    """S3's own code decides; it has several for one status."""
    assert meaning_of(status, code) is meaning


@given(st.integers(400, 599), st.from_regex(r"[A-Z][a-z]{30,40}", fullmatch=True))
def test_a_code_that_nobody_knows(status: int, code: str) -> None:
    """A 5xx is tried again, a 4xx is rejected, unless it says who is at fault."""
    expected = Meaning.NEVER if status < 500 else Meaning.AGAIN
    if status in {401, 403, 407}:
        expected = Meaning.NOT_OURS
    if status in {408, 429}:
        expected = Meaning.AGAIN
    assert meaning_of(status, code) is expected
