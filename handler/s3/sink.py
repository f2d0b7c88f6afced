"""A rendition on its way into S3 as a ByteSink: one PutObject, or multipart above a part."""

from collections.abc import Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from handler.errors import StorageError

__all__ = ["S3Sink", "StoredObject"]

_PART_BYTES: Final = 8 << 20
_MAX_PARTS_IN_FLIGHT: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """An object that S3 confirmed.

    Attributes:
        bucket: The bucket.
        key: The key.
        size: Bytes.
        etag: Its ETag, with quotes.
    """

    bucket: str
    key: str
    size: int
    etag: str


class S3Sink:
    """ByteSink into one object.

    ``commit`` returns at once and the upload overlaps what comes next; ``stored`` waits for it.

    *Cost*: one PutObject up to 8 MiB; above that CreateMultipartUpload, an UploadPart for each
    8 MiB and CompleteMultipartUpload, with at most three parts in memory.
    """

    def __init__(
        self,
        client: Any,  # noqa: ANN401 - botocore's
        executor: Executor,
        *,
        bucket: str,
        key: str,
        headers: Mapping[str, Any],
    ) -> None:
        self._client = client
        self._executor = executor
        self._where = {"Bucket": bucket, "Key": key}
        self._headers = headers
        self._buffer = bytearray()
        self._size = 0
        self._upload_id: str | None = None
        self._parts: list[Future[str]] = []
        self._done: Future[str] | None = None

    def _call(self, operation: str, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401
        try:
            answer: dict[str, Any] = getattr(self._client, operation)(**self._where, **arguments)
        except (ClientError, BotoCoreError) as error:
            place = f"s3://{self._where['Bucket']}/{self._where['Key']}"
            raise StorageError(f"Expected to store {place} but received {error}") from error
        return answer

    def write(self, data: memoryview) -> None:
        self._buffer += data
        self._size += len(data)
        while len(self._buffer) > _PART_BYTES:
            self._send_part(_PART_BYTES)

    def _send_part(self, length: int) -> None:
        if self._upload_id is None:
            self._upload_id = self._call("create_multipart_upload", **self._headers)["UploadId"]
        if len(self._parts) >= _MAX_PARTS_IN_FLIGHT:
            self._parts[-_MAX_PARTS_IN_FLIGHT].result()
        body = bytes(memoryview(self._buffer)[:length])
        del self._buffer[:length]
        number = len(self._parts) + 1
        self._parts.append(self._executor.submit(self._upload_part, number, body))

    def _upload_part(self, number: int, body: bytes) -> str:
        answer = self._call("upload_part", UploadId=self._upload_id, PartNumber=number, Body=body)
        return str(answer["ETag"])

    def commit(self) -> None:
        if self._upload_id is None:
            body = bytes(self._buffer)
            self._buffer = bytearray()
            self._done = self._executor.submit(self._put, body)
        else:
            self._send_part(len(self._buffer))

    def _put(self, body: bytes) -> str:
        return str(self._call("put_object", Body=body, **self._headers)["ETag"])

    def stored(self) -> StoredObject:
        """Wait until S3 has the whole rendition, and return what it is.

        Raises:
            StorageError: S3 did not take it; nothing is left behind.
        """
        try:
            etag = self._done.result() if self._done is not None else self._complete()
        except BaseException:
            self.abort()
            raise
        self._upload_id = None
        return StoredObject(
            bucket=self._where["Bucket"], key=self._where["Key"], size=self._size, etag=etag
        )

    def _complete(self) -> str:
        parts = [
            {"PartNumber": number, "ETag": part.result()}
            for number, part in enumerate(self._parts, start=1)
        ]
        answer = self._call(
            "complete_multipart_upload",
            UploadId=self._upload_id,
            MultipartUpload={"Parts": parts},
        )
        return str(answer["ETag"])

    def abort(self) -> None:
        self._buffer = bytearray()
        for part in self._parts:
            # A part that arrives after the abort would be kept, and billed.
            part.exception()
        if self._upload_id is not None:
            upload_id, self._upload_id = self._upload_id, None
            self._call("abort_multipart_upload", UploadId=upload_id)
