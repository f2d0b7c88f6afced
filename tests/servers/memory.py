"""`MemoryS3`: an S3 without a network, for thousands of attempts; each request is one step."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import itertools
import threading
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Mapping

_STATUS = {
    "InvalidObjectState": 403,
    "InvalidRequest": 400,
    "NoSuchBucket": 404,
    "NoSuchKey": 404,
    "NoSuchVersion": 404,
    "NotModified": 304,
    "PreconditionFailed": 412,
    "InvalidRange": 416,
}


class Versioning(StrEnum):
    """What a bucket does with the version that another one replaces."""

    PLAIN = "plain"
    """It is gone."""
    VERSIONED = "versioned"
    """It stays, under its version ID."""
    SUSPENDED = "suspended"
    """It stays if it has a version ID; the new one has none, which S3 calls "null"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of an object, or a delete marker.

    Attributes:
        version_id: `null` for one without.
        body: None for a delete marker.
        etag: in quotes.
        modified: in whole seconds since 1970, as S3 says it.
        headers: what the client gave besides the body, `Metadata` among it; `StorageClass` may be
            that of an archive, and `SSECustomerKey` a key that nobody gives again.
    """

    version_id: str
    body: bytes | None
    etag: str = ""
    modified: int
    headers: Mapping[str, Any] = field(default_factory=dict)


def client_error(operation: str, status: int, code: str, message: str = "") -> ClientError:
    """Return the exception that botocore would raise."""
    response: Any = {
        "Error": {"Code": code, "Message": message or code},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(response, operation)


def _refusal(operation: str, code: str) -> ClientError:
    # Without a body there is no error document: botocore makes a code of the status.
    shown = str(_STATUS[code]) if operation == "HeadObject" else code
    return client_error(operation, _STATUS[code], shown, code)


class MemoryS3:
    """Buckets with versions, and the operations of botocore's client that the function uses.

    It leaves out multipart uploads, lists and checksums. A request is one step: what another does
    comes before it or after it. *Thread*: any.

    Attributes:
        now_s: S3's clock, in seconds since 1970; whoever owns this sets it.
    """

    def __init__(self) -> None:
        self.now_s = 1_700_000_000.0
        self._lock = threading.RLock()
        self._ids = itertools.count(1)
        self._versioning: dict[str, Versioning] = {}
        self._versions: dict[tuple[str, str], list[Version]] = {}

    def create_bucket(self, name: str, versioning: Versioning = Versioning.PLAIN) -> None:
        """Create a bucket, or change what it does with versions."""
        self._versioning[name] = versioning

    def versions(self, bucket: str, key: str) -> tuple[Version, ...]:
        """Return what is under a key, oldest first, delete markers included."""
        with self._lock:
            return tuple(self._versions.get((bucket, key), ()))

    def current(self, bucket: str, key: str) -> Version | None:
        """Return the object; None where there is none, or where a marker is on top."""
        versions = self.versions(bucket, key)
        return versions[-1] if versions and versions[-1].body is not None else None

    def archive(self, bucket: str, key: str, *, is_away: bool) -> None:
        """Move the object into an archive, as a lifecycle rule does, or restore it."""
        with self._lock:
            versions = self._versions[bucket, key]
            storage_class = "GLACIER" if is_away else "STANDARD"
            headers = {**versions[-1].headers, "StorageClass": storage_class}
            versions[-1] = replace(versions[-1], headers=headers)

    def keys(self, bucket: str) -> list[str]:
        """Return the keys of a bucket's objects, sorted."""
        with self._lock:
            return sorted(
                key
                for name, key in self._versions
                if name == bucket and self.current(name, key) is not None
            )

    # The operations, as botocore's client has them

    def head_object(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - botocore's
        with self._lock:
            return self._answer(request, self._chosen("HeadObject", request))

    def get_object(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - botocore's
        with self._lock:
            version = self._chosen("GetObject", request)
            if version.headers.get("StorageClass") == "GLACIER":
                raise _refusal("GetObject", "InvalidObjectState")
            answer = self._answer(request, version)
            body = version.body or b""
            if (asked := request.get("Range")) is not None:
                first, last = (int(part) for part in asked.removeprefix("bytes=").split("-"))
                if first >= len(body):
                    raise _refusal("GetObject", "InvalidRange")
                last = min(last, len(body) - 1)
                answer["ContentRange"] = f"bytes {first}-{last}/{len(body)}"
                body = body[first : last + 1]
            return answer | {"ContentLength": len(body), "Body": io.BytesIO(body)}

    def get_object_tagging(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - botocore's
        with self._lock:
            version = self._chosen("GetObjectTagging", request)
            tags = parse_qsl(version.headers.get("Tagging", ""))
            tag_set = [{"Key": name, "Value": value} for name, value in tags]
            return {"TagSet": tag_set} | self._shown_id(request["Bucket"], version)

    def put_object(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - botocore's
        with self._lock:
            bucket, key, body = request.pop("Bucket"), request.pop("Key"), request.pop("Body")
            self._check("PutObject", bucket, key, request)
            version = Version(
                version_id=self._new_id(bucket),
                body=body,
                etag=f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"',
                modified=int(self.now_s),
                headers=request,
            )
            self._push(bucket, key, version)
            return {"ETag": version.etag} | self._shown_id(bucket, version)

    def delete_object(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - botocore's
        with self._lock:
            bucket, key = request["Bucket"], request["Key"]
            versions = self._versions.get((bucket, key), [])
            if (version_id := request.get("VersionId")) is not None:
                versions[:] = [one for one in versions if one.version_id != version_id]
                return {}
            if "IfMatch" in request and self.current(bucket, key) is not None:
                self._check("DeleteObject", bucket, key, request)
            if self._versioning[bucket] is Versioning.PLAIN:
                self._versions.pop((bucket, key), None)
                return {}
            marker = Version(version_id=self._new_id(bucket), body=None, modified=int(self.now_s))
            self._push(bucket, key, marker)
            return {"DeleteMarker": True} | self._shown_id(bucket, marker)

    # How

    def _new_id(self, bucket: str) -> str:
        return f"v{next(self._ids)}" if self._versioning[bucket] is Versioning.VERSIONED else "null"

    def _shown_id(self, bucket: str, version: Version) -> dict[str, str]:
        plain = self._versioning[bucket] is Versioning.PLAIN
        return {} if plain else {"VersionId": version.version_id}

    def _push(self, bucket: str, key: str, version: Version) -> None:
        versions = self._versions.setdefault((bucket, key), [])
        versions[:] = [
            one
            for one in versions
            # There is one version without an ID at most.
            if not (one.version_id == version.version_id == "null")
        ]
        versions.append(version)

    def _chosen(self, operation: str, request: Mapping[str, Any]) -> Version:
        bucket, key = request["Bucket"], request["Key"]
        if bucket not in self._versioning:
            raise _refusal(operation, "NoSuchBucket")
        if (version_id := request.get("VersionId")) is not None:
            found = next(
                (one for one in self.versions(bucket, key) if one.version_id == version_id), None
            )
            if found is None or found.body is None:
                raise _refusal(operation, "NoSuchVersion")
        elif (found := self.current(bucket, key)) is None:
            raise _refusal(operation, "NoSuchKey")
        if request.get("IfMatch", found.etag) != found.etag:
            raise _refusal(operation, "PreconditionFailed")
        if "SSECustomerKey" in found.headers:
            raise _refusal(operation, "InvalidRequest")
        if request.get("IfNoneMatch") == found.etag:
            raise _refusal(operation, "NotModified")
        return found

    def _answer(self, request: Mapping[str, Any], version: Version) -> dict[str, Any]:
        return {
            "ETag": version.etag,
            "ContentLength": len(version.body or b""),
            "ContentType": version.headers.get("ContentType", "binary/octet-stream"),
            "LastModified": dt.datetime.fromtimestamp(version.modified, dt.UTC),
            "Metadata": dict(version.headers.get("Metadata", {})),
            "StorageClass": version.headers.get("StorageClass", "STANDARD"),
            "ResponseMetadata": {"HTTPStatusCode": 200},
        } | self._shown_id(request["Bucket"], version)

    def _check(self, operation: str, bucket: str, key: str, request: dict[str, Any]) -> None:
        """Raise S3's answer unless the request's condition holds, and take the condition out."""
        if bucket not in self._versioning:
            raise _refusal(operation, "NoSuchBucket")
        present = self.current(bucket, key)
        if request.pop("IfNoneMatch", None) is not None and present is not None:
            raise _refusal(operation, "PreconditionFailed")
        if (if_match := request.pop("IfMatch", None)) is not None:
            if present is None:
                raise _refusal(operation, "NoSuchKey")
            if present.etag != if_match:
                raise _refusal(operation, "PreconditionFailed")
