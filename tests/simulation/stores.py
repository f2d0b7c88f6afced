"""The two stores that the simulation runs on: in memory, and over HTTP through the proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.servers.memory import MemoryS3, Versioning

from .world import DESTINATION, OTHER, SOURCES, Photo

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.servers.memory import Version


class MemoryStore:
    """Everything in this process."""

    def __init__(self) -> None:
        self._s3 = MemoryS3()
        plain = dict.fromkeys((OTHER, DESTINATION), Versioning.PLAIN)
        self._versioning = SOURCES | plain
        for name, versioning in self._versioning.items():
            self._s3.create_bucket(name, versioning)

    @property
    def now_s(self) -> float:
        """S3's clock."""
        return self._s3.now_s

    def client(self) -> Any:  # noqa: ANN401 - as botocore's
        return self._s3

    def put(self, bucket: str, key: str, body: bytes, **headers: Any) -> Photo:  # noqa: ANN401
        self._s3.put_object(Bucket=bucket, Key=key, Body=body, **headers)
        photo = self.current(bucket, key)
        assert photo is not None
        return photo

    def delete(self, bucket: str, key: str, version_id: str | None = None) -> str | None:
        which = {} if version_id is None else {"VersionId": version_id}
        answer = self._s3.delete_object(Bucket=bucket, Key=key, **which)
        marker: str | None = answer.get("VersionId")
        return marker

    def current(self, bucket: str, key: str) -> Photo | None:
        version = self._s3.current(bucket, key)
        return None if version is None else self._photo(bucket, version)

    def _photo(self, bucket: str, version: Version) -> Photo:
        is_plain = self._versioning[bucket] is Versioning.PLAIN
        return Photo(
            etag=version.etag.strip('"'),
            version_id=None if is_plain else version.version_id,
            body=version.body or b"",
            metadata=version.headers.get("Metadata", {}),
            tagging=version.headers.get("Tagging", ""),
            is_archived=version.headers.get("StorageClass") == "GLACIER",
            is_locked="SSECustomerKey" in version.headers,
        )

    def archive(self, bucket: str, key: str, *, is_away: bool) -> None:
        self._s3.archive(bucket, key, is_away=is_away)

    def turn_versions(self, bucket: str) -> None:
        is_versioned = self._versioning[bucket] is Versioning.VERSIONED
        turned = Versioning.SUSPENDED if is_versioned else Versioning.VERSIONED
        self._versioning[bucket] = turned
        self._s3.create_bucket(bucket, turned)

    def version_ids(self, bucket: str, key: str) -> Sequence[str]:
        if self._versioning[bucket] is Versioning.PLAIN:
            return ()
        versions = self._s3.versions(bucket, key)
        return [one.version_id for one in versions if one.body is not None]

    def objects(self, bucket: str) -> Mapping[str, Photo]:
        photos = {key: self.current(bucket, key) for key in self._s3.keys(bucket)}
        return {key: photo for key, photo in photos.items() if photo is not None}

    def tick(self, seconds: float) -> None:
        self._s3.now_s += seconds
