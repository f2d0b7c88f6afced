"""The S3 client, made once per execution environment."""

from typing import Any, Final

from botocore.config import Config

from handler.aws.clients import create_client
from handler.release import PRODUCT

__all__ = ["UPLOADS", "make_client"]

UPLOADS: Final = 8
"""Uploads at once. A set's small renditions are encoded before S3 has answered the first: one that
had to wait for another's answer would add a whole request to a first photo's time."""


def make_client() -> Any:  # noqa: ANN401 - botocore makes its clients' classes at run time
    """Return botocore's S3 client, with time limits that fit a function that is billed for waiting.

    *Thread*: the client is safe to share.
    """
    config = Config(
        connect_timeout=3,
        # Between two reads, not for a whole body: a stalled connection is given up and resumed.
        read_timeout=5,
        # Tried again in handler/s3/requests.py, which knows how much time is left.
        retries={"total_max_attempts": 1},
        # Beside uploads, two photos are read, and a store with one endpoint has both buckets there.
        max_pool_connections=2 * UPLOADS,
        user_agent_extra=PRODUCT,
    )
    return create_client("s3", config)
