"""When an invocation's work stops: early enough for whatever has just begun."""

from __future__ import annotations

import pytest

from handler.runtime.ending import deadline_of
from handler.s3.client import make_client

_CLEAN_UP_S = 0.5
"""The longest pauses between the attempts at an abort (handler/s3/requests.py)."""


class _Context:
    """What Lambda's runtime client hands over."""

    def __init__(self, remaining_s: float) -> None:
        self._remaining_s = remaining_s

    def get_remaining_time_in_millis(self) -> int:
        return int(self._remaining_s * 1000)


# The shortest Timeout of deploy/template.yaml, and the longest.
@pytest.mark.parametrize("timeout_s", [30, 60, 900])
def test_a_request_that_stalls_from_the_last_moment_ends_before_lambda_does(
    timeout_s: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connecting and one silent read, and then an abort, fit between the deadline and the limit."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    client = make_client()
    config = client.meta.config
    longest_s = config.connect_timeout + config.read_timeout
    client.close()
    margin_s = timeout_s - deadline_of(_Context(timeout_s)).remaining_s
    assert margin_s >= longest_s + _CLEAN_UP_S


def test_a_short_invocation_keeps_most_of_its_time() -> None:
    """Of Lambda's default of 3 s, at least two thirds are for the work."""
    assert deadline_of(_Context(3)).remaining_s > 2
