"""What is in the bucket, in the order of its keys."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["Photo", "list_photos"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Photo:
    """One object: its key, its ETag without quotes, its size in bytes.

    And its Last-Modified, in seconds since 1970.
    """

    key: str
    etag: str
    size: int
    modified: int


def list_photos(client: Any, bucket: str, prefix: str, after: str = "") -> Iterator[Photo]:  # noqa: ANN401 - botocore's
    """Yield the objects under ``prefix`` whose keys come after ``after``.

    What consoles make for a folder, no bytes under a key that ends in a slash, is left out.

    *Cost*: one ListObjectsV2 for each 1,000 objects, when they are reached.
    """
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=prefix, **({"StartAfter": after} if after else {})
    )
    for page in pages:
        for item in page.get("Contents", []):
            if item["Size"] > 0 or not item["Key"].endswith("/"):
                yield Photo(
                    key=item["Key"],
                    etag=item["ETag"].strip('"'),
                    size=item["Size"],
                    modified=int(item["LastModified"].timestamp()),
                )
