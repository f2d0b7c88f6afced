"""Which S3 operation an HTTP request is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Method, whether there is a key, the query parameter or header that tells operations on the same
# method apart; the first row that fits counts.
# Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
_OPERATIONS = (
    ("GET", True, "uploadId", "ListParts"),
    ("GET", True, "attributes", "GetObjectAttributes"),
    ("GET", True, "tagging", "GetObjectTagging"),
    ("GET", True, None, "GetObject"),
    ("HEAD", True, None, "HeadObject"),
    ("PUT", True, "tagging", "PutObjectTagging"),
    ("PUT", True, "partNumber", "UploadPart"),
    ("PUT", True, "x-amz-copy-source", "CopyObject"),
    ("PUT", True, None, "PutObject"),
    ("POST", True, "uploads", "CreateMultipartUpload"),
    ("POST", True, "uploadId", "CompleteMultipartUpload"),
    ("DELETE", True, "uploadId", "AbortMultipartUpload"),
    ("DELETE", True, "tagging", "DeleteObjectTagging"),
    ("DELETE", True, None, "DeleteObject"),
    ("GET", False, "uploads", "ListMultipartUploads"),
    ("GET", False, "list-type", "ListObjectsV2"),
    ("GET", False, "versions", "ListObjectVersions"),
    ("GET", False, "versioning", "GetBucketVersioning"),
    ("GET", False, "location", "GetBucketLocation"),
    ("GET", False, "notification", "GetBucketNotificationConfiguration"),
    ("GET", False, None, "ListObjects"),
    ("HEAD", False, None, "HeadBucket"),
    ("PUT", False, "versioning", "PutBucketVersioning"),
    ("PUT", False, "notification", "PutBucketNotificationConfiguration"),
    ("PUT", False, None, "CreateBucket"),
    ("POST", False, "delete", "DeleteObjects"),
    ("DELETE", False, None, "DeleteBucket"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Call:
    """What a client asked for.

    Attributes:
        method: the HTTP method.
        operation: S3's name for it, such as `GetObject`.
        bucket: empty for `ListBuckets`.
        key: decoded; empty for an operation on a bucket.
        query: the query parameters.
        headers: by name in lower case.
    """

    method: str
    operation: str
    bucket: str
    key: str
    query: Mapping[str, str]
    headers: Mapping[str, str]

    @property
    def range(self) -> str | None:
        """The range that was asked for, as in `bytes=0-99`."""
        return self.headers.get("range")

    @property
    def if_match(self) -> str | None:
        """The ETag that the object must have."""
        return self.headers.get("if-match")

    @property
    def if_none_match(self) -> str | None:
        """The ETag that the object must not have, or `*`."""
        return self.headers.get("if-none-match")


def call_from_request(method: str, target: str, headers: Iterable[tuple[str, str]]) -> S3Call:
    """Read a path-style request.

    Args:
        method: the HTTP method.
        target: path and query as they stand in the request line.
        headers: name and value of each.
    """
    path, _, query_string = target.partition("?")
    bucket, _, key = path.removeprefix("/").partition("/")
    query = dict(parse_qsl(query_string, keep_blank_values=True))
    by_name = {name.lower(): value for name, value in headers}
    return S3Call(
        method=method,
        operation=_operation(method, bucket, key, query.keys() | by_name.keys()),
        bucket=unquote(bucket),
        key=unquote(key),
        query=query,
        headers=by_name,
    )


def _operation(method: str, bucket: str, key: str, names: set[str]) -> str:
    if not bucket:
        return "ListBuckets"
    for row_method, has_key, marker, operation in _OPERATIONS:
        if method == row_method and bool(key) is has_key and (marker is None or marker in names):
            return operation
    return f"unknown {method}"
