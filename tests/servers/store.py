"""What `FileS3` keeps: objects and open uploads, each body a file of its own."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import itertools
import threading
import time
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from uuid import uuid4

if TYPE_CHECKING:
    import io
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path
    from typing import BinaryIO

_PIECE = 1 << 18
# S3's: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
_SMALLEST_PART = 5 << 20


class S3Error(Exception):
    """An answer of S3's that is an error document.

    Args:
        status: the HTTP status.
        code: S3's code.
        message: S3's text.
        headers: what the answer's header says besides.
    """

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A body on disk.

    Attributes:
        path: the file.
        size: its bytes.
        md5: of its bytes.
        checksums: base64 by algorithm, those that were asked for.
        owned: the store made the file, and deletes it.
    """

    path: Path
    size: int
    md5: bytes
    checksums: Mapping[str, str]
    owned: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """An object.

    Attributes:
        blob: its body.
        etag: in quotes, as it stands in headers.
        headers: those that S3 gives back as it got them, `x-amz-meta-` among them.
        checksums: base64 by algorithm, as S3 reports them.
        checksum_type: what they cover, `FULL_OBJECT` or `COMPOSITE`.
        last_modified: in seconds since the epoch.
    """

    blob: Blob
    etag: str
    headers: Mapping[str, str]
    checksums: Mapping[str, str]
    checksum_type: str = "FULL_OBJECT"
    last_modified: float = field(default_factory=time.time)


@dataclass(slots=True, kw_only=True)
class Upload:
    """An open multipart upload."""

    upload_id: str
    bucket: str
    key: str
    headers: Mapping[str, str]
    algorithm: str | None
    checksum_type: str
    initiated: float = field(default_factory=time.time)
    parts: dict[int, Blob] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Precondition:
    """What must be true of the object that stands under a key before it is written or deleted."""

    if_match: str | None = None
    if_none_match: str | None = None

    def check(self, present: StoredObject | None) -> None:
        """Raise S3's answer unless the condition holds."""
        if self.if_none_match is not None and present is not None:
            raise precondition_failed("If-None-Match")
        if self.if_match is None:
            return
        if present is None:
            raise S3Error(404, "NoSuchKey", "The specified key does not exist.")
        if self.if_match not in {"*", present.etag, present.etag.strip('"')}:
            raise precondition_failed("If-Match")


def precondition_failed(condition: str) -> S3Error:
    """Return S3's answer to a condition that does not hold."""
    return S3Error(
        412,
        "PreconditionFailed",
        f"At least one of the pre-conditions you specified did not hold ({condition})",
    )


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


def _digest(algorithm: str) -> _Digest:
    match algorithm:
        case "crc32":
            return _Crc32()
        case "sha1":
            return hashlib.sha1(usedforsecurity=False)
        case "sha256":
            return hashlib.sha256()
        case _:
            raise S3Error(501, "NotImplemented", f"checksum {algorithm}")


class ObjectStore:
    """Buckets, objects and uploads; bodies in a folder of the store's own. Thread: any.

    Args:
        folder: where bodies are written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count(1)
        self._lock = threading.RLock()
        self._buckets: dict[str, dict[str, StoredObject]] = {}
        self._uploads: dict[str, Upload] = {}

    # Bodies

    def receive(self, body: io.RawIOBase, algorithms: Iterable[str]) -> Blob:
        """Write a body to a file, hashing it on the way.

        Raises:
            S3Error: a checksum algorithm that is not to be had here.
            ConnectionError: the body ended early; nothing is left of it.
        """
        digests = {algorithm: _digest(algorithm) for algorithm in algorithms}
        md5 = hashlib.md5(usedforsecurity=False)
        size = 0
        path = self._folder / f"{next(self._numbers):08}"
        with _removed_on_error(path), path.open("wb", buffering=0) as file:
            while piece := body.read(_PIECE):
                file.write(piece)
                size += len(piece)
                md5.update(piece)
                for digest in digests.values():
                    digest.update(piece)
        return Blob(
            path=path,
            size=size,
            md5=md5.digest(),
            checksums={name: _base64(digest.digest()) for name, digest in digests.items()},
        )

    def adopt(self, path: Path) -> Blob:
        """Hash a file that stays where it is."""
        md5 = hashlib.md5(usedforsecurity=False)
        crc32 = _Crc32()
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                md5.update(piece)
                crc32.update(piece)
        return Blob(
            path=path,
            size=path.stat().st_size,
            md5=md5.digest(),
            checksums={"crc32": _base64(crc32.digest())},
            owned=False,
        )

    def discard(self, blob: Blob) -> None:
        """Delete a body that no object has."""
        if blob.owned:
            blob.path.unlink(missing_ok=True)

    # Buckets

    def create_bucket(self, name: str) -> None:
        """Create a bucket, unless it exists."""
        with self._lock:
            self._buckets.setdefault(name, {})

    def delete_bucket(self, name: str) -> None:
        """Delete an empty bucket."""
        with self._lock:
            if self.bucket(name):
                raise S3Error(409, "BucketNotEmpty", "The bucket you tried to delete is not empty")
            del self._buckets[name]

    def bucket_names(self) -> list[str]:
        """Return all buckets' names, sorted."""
        with self._lock:
            return sorted(self._buckets)

    def bucket(self, name: str) -> dict[str, StoredObject]:
        """Return a copy of a bucket's objects by key."""
        with self._lock:
            return dict(self._bucket(name))

    def _bucket(self, name: str) -> dict[str, StoredObject]:
        try:
            return self._buckets[name]
        except KeyError:
            raise S3Error(404, "NoSuchBucket", "The specified bucket does not exist") from None

    # Objects

    def get(self, bucket: str, key: str) -> StoredObject:
        """Return what stands under a key."""
        with self._lock:
            try:
                return self._bucket(bucket)[key]
            except KeyError:
                raise S3Error(404, "NoSuchKey", "The specified key does not exist.") from None

    def open(self, bucket: str, key: str) -> tuple[StoredObject, BinaryIO]:
        """Return what stands under a key with its body, which outlives replacement and deletion."""
        with self._lock:
            stored = self.get(bucket, key)
            return stored, stored.blob.path.open("rb", buffering=0)

    def put(self, bucket: str, key: str, stored: StoredObject, condition: Precondition) -> None:
        """Put an object under a key, in one step."""
        with self._lock:
            objects = self._bucket(bucket)
            present = objects.get(key)
            condition.check(present)
            objects[key] = stored
        if present is not None:
            self.discard(present.blob)

    def delete(self, bucket: str, key: str, condition: Precondition) -> None:
        """Delete what stands under a key, if anything does."""
        with self._lock:
            objects = self._bucket(bucket)
            present = objects.get(key)
            if present is None:
                return
            condition.check(present)
            del objects[key]
        self.discard(present.blob)

    # Uploads

    def begin_upload(
        self,
        bucket: str,
        key: str,
        headers: Mapping[str, str],
        *,
        algorithm: str | None,
        checksum_type: str,
    ) -> Upload:
        """Open a multipart upload."""
        upload = Upload(
            upload_id=uuid4().hex,
            bucket=bucket,
            key=key,
            headers=headers,
            algorithm=algorithm,
            checksum_type=checksum_type,
        )
        with self._lock:
            self._bucket(bucket)
            self._uploads[upload.upload_id] = upload
        return upload

    def uploads(self, bucket: str) -> list[Upload]:
        """Return a bucket's open uploads by key and age."""
        with self._lock:
            self._bucket(bucket)
            return sorted(
                (upload for upload in self._uploads.values() if upload.bucket == bucket),
                key=lambda upload: (upload.key, upload.initiated),
            )

    def put_part(self, bucket: str, key: str, upload_id: str, number: int, blob: Blob) -> None:
        """Add a part to an upload, in place of what had its number."""
        with self._lock:
            parts = self.upload(bucket, key, upload_id).parts
            present = parts.get(number)
            parts[number] = blob
        if present is not None:
            self.discard(present)

    def abort_upload(self, bucket: str, key: str, upload_id: str) -> None:
        """Forget an upload and its parts."""
        with self._lock:
            upload = self.upload(bucket, key, upload_id)
            del self._uploads[upload_id]
        for blob in upload.parts.values():
            self.discard(blob)

    def complete_upload(
        self,
        bucket: str,
        key: str,
        upload_id: str,
        parts: list[tuple[int, str]],
        condition: Precondition,
    ) -> StoredObject:
        """Make an object of an upload's parts.

        Args:
            bucket: the upload's.
            key: the upload's.
            upload_id: the upload.
            parts: number and ETag of each that the object is to have.
            condition: what must be true of what stands under the key.
        """
        with self._lock:
            upload = self.upload(bucket, key, upload_id)
            blobs = _chosen_parts(upload, parts)
            condition.check(self._bucket(bucket).get(key))
            stored = self._joined(upload, blobs)
            self.put(bucket, key, stored, condition)
            del self._uploads[upload_id]
        for blob in upload.parts.values():
            self.discard(blob)
        return stored

    def upload(self, bucket: str, key: str, upload_id: str) -> Upload:
        """Return an open upload."""
        with self._lock:
            upload = self._uploads.get(upload_id)
        if upload is None or (upload.bucket, upload.key) != (bucket, key):
            raise S3Error(
                404,
                "NoSuchUpload",
                "The specified upload does not exist. The upload ID may be invalid, "
                "or the upload may have been aborted or completed.",
            )
        return upload

    def _joined(self, upload: Upload, blobs: list[Blob]) -> StoredObject:
        path = self._folder / f"{next(self._numbers):08}"
        algorithm = upload.algorithm
        whole = _digest(algorithm) if algorithm else None
        with _removed_on_error(path), path.open("wb", buffering=0) as target:
            for blob in blobs:
                with blob.path.open("rb", buffering=0) as source:
                    while piece := source.read(_PIECE):
                        target.write(piece)
                        if whole is not None:
                            whole.update(piece)
        checksums: dict[str, str] = {}
        if algorithm is not None and whole is not None:
            if upload.checksum_type == "COMPOSITE":
                of_parts = _digest(algorithm)
                for blob in blobs:
                    of_parts.update(base64.b64decode(blob.checksums[algorithm]))
                checksums[algorithm] = f"{_base64(of_parts.digest())}-{len(blobs)}"
            else:
                checksums[algorithm] = _base64(whole.digest())
        md5 = hashlib.md5(b"".join(blob.md5 for blob in blobs), usedforsecurity=False)
        return StoredObject(
            blob=Blob(path=path, size=path.stat().st_size, md5=md5.digest(), checksums=checksums),
            etag=f'"{md5.hexdigest()}-{len(blobs)}"',
            headers=upload.headers,
            checksums=checksums,
            checksum_type=upload.checksum_type,
        )


def _chosen_parts(upload: Upload, parts: list[tuple[int, str]]) -> list[Blob]:
    numbers = [number for number, _ in parts]
    if numbers != sorted(set(numbers)):
        raise S3Error(400, "InvalidPartOrder", "The list of parts was not in ascending order.")
    blobs = []
    for number, etag in parts:
        blob = upload.parts.get(number)
        if blob is None or etag.strip('"') != blob.md5.hex():
            raise S3Error(
                400,
                "InvalidPart",
                "One or more of the specified parts could not be found.",
            )
        blobs.append(blob)
    if any(blob.size < _SMALLEST_PART for blob in blobs[:-1]):
        raise S3Error(
            400,
            "EntityTooSmall",
            "Your proposed upload is smaller than the minimum allowed object size.",
        )
    return blobs


@contextlib.contextmanager
def _removed_on_error(path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode("ascii")
