"""One S3 for each file of contract tests, over HTTP."""

from collections.abc import Iterator

import pytest

from tests.servers import MotoServer


@pytest.fixture(scope="module")
def s3() -> Iterator[MotoServer]:
    """An S3 with the bucket ``photos``."""
    with MotoServer() as server:
        server.create_buckets("photos")
        yield server
