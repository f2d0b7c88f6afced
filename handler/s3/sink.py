"""A rendition on its way into S3 as a ByteSink: one PutObject, or multipart above a part."""

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from typing import Any, Final

from handler.errors import (
    ConditionFailedError,
    ObjectMissingError,
    StorageError,
)
from handler.s3.meanings import is_archived
from handler.s3.requests import Requests
from handler.version import SourceVersion, version_from_metadata
from imaging.errors import RenditionsError

__all__ = ["Condition", "S3Sink", "condition_over"]

_PART_BYTES: Final = 8 << 20
_MAX_PARTS_IN_FLIGHT: Final = 2
_MAX_TURNS: Final = 4

_log = logging.getLogger(__name__)

Condition = dict[str, str]
"""What must be true of the key for a write to happen; empty for a store without such writes."""


def condition_over(etag: str | None) -> Condition:
    """Return the condition that the key holds what has ``etag``; that it is free, for None."""
    return {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}


class S3Sink:
    """ByteSink into one object, which never replaces a newer one.

    S3 is asked for the photo before anything unexpected is replaced: if it is still the one that
    this rendition is of, then what stands there is older.

    ``commit`` returns at once and the upload overlaps what comes next; ``wait`` waits for it.

    Args:
        requests: Of this invocation.
        executor: Uploads.
        bucket: The bucket.
        key: The key.
        headers: PutObject's further arguments; ``Metadata`` holds the version.
        condition: What is expected of the key. Where it does not hold, what stands there is looked
            at: the same rendition of the same version is taken for this one (an upload whose answer
            was lost, or another attempt's); anything else is replaced, once ``check_replaceable``
            has returned.
        check_replaceable: Is given the version of what stands there, None for nothing. Raises
            SourceChangedError if the photo is another by now, and OtherSourceError if what stands
            there is not this photo's to replace. *Thread*: any.

    *Cost*: one PutObject up to 8 MiB; above that CreateMultipartUpload, an UploadPart for each
    8 MiB and CompleteMultipartUpload, with at most three parts in memory. A condition that does not
    hold costs a HeadObject, and mostly a HeadObject of the photo and another PutObject.
    """

    def __init__(
        self,
        requests: Requests,
        executor: Executor,
        *,
        bucket: str,
        key: str,
        headers: Mapping[str, Any],
        condition: Condition,
        check_replaceable: Callable[[SourceVersion | None], None],
    ) -> None:
        self._requests = requests
        self._executor = executor
        self._where = {"Bucket": bucket, "Key": key}
        self._headers = headers
        self._metadata: Mapping[str, str] = headers.get("Metadata", {})
        self._condition = condition
        self._check_replaceable = check_replaceable
        self.etag: str | None = None
        """The ETag, with quotes, of the rendition that is there by now; None for none."""
        self.was_there = False
        """Whether that stood there already, as another attempt has stored it."""
        self._buffer = bytearray()
        self._upload_id: str | None = None
        self._parts: list[Future[str]] = []
        self._done: Future[None] | None = None

    def _call(self, operation: str, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401
        return self._requests.of_destination(operation, **self._where, **arguments)

    def write(self, data: memoryview) -> None:
        self._requests.deadline.check("store a rendition")
        self._buffer += data
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
        self._requests.deadline.check("upload a part of a rendition")
        answer = self._call("upload_part", UploadId=self._upload_id, PartNumber=number, Body=body)
        return str(answer["ETag"])

    def commit(self) -> None:
        if self._upload_id is None:
            body = bytes(self._buffer)
            self._buffer = bytearray()
            self._done = self._executor.submit(self._put, body)
        else:
            self._send_part(len(self._buffer))

    def _put(self, body: bytes) -> None:
        # It may have waited for its turn.
        self._requests.deadline.check("upload a rendition")
        self._store(
            lambda condition: self._call("put_object", Body=body, **self._headers, **condition)
        )

    def _complete(self) -> None:
        parts = [
            {"PartNumber": number, "ETag": part.result()}
            for number, part in enumerate(self._parts, start=1)
        ]
        self._store(
            lambda condition: self._call(
                "complete_multipart_upload",
                UploadId=self._upload_id,
                MultipartUpload={"Parts": parts},
                **condition,
            )
        )
        self._upload_id = None

    def _store(self, write: Callable[[Condition], dict[str, Any]]) -> None:
        condition = self._condition
        for _ in range(_MAX_TURNS):
            try:
                self.etag = str(write(condition)["ETag"])
            except (ConditionFailedError, ObjectMissingError):
                present = self._present()
                if present is not None and self._is_this(present):
                    # Another attempt was faster than this upload in parts.
                    self._abort_upload()
                    self.etag = str(present["ETag"])
                    self.was_there = True
                    return
                self._check_replaceable(
                    None if present is None else version_from_metadata(present["Metadata"])
                )
                condition = condition_over(None if present is None else present["ETag"])
            else:
                return
        raise StorageError(
            f"Expected {self._where} to stay unchanged; others write it all the time"
        )

    def _present(self) -> dict[str, Any] | None:
        try:
            return self._call("head_object")
        except ObjectMissingError:
            return None

    def _is_this(self, answer: Mapping[str, Any]) -> bool:
        """Tell whether ``answer`` is of this very rendition, where it can be read.

        The same bytes, put again with other tags or another focal point, were modified later.
        """
        present = answer["Metadata"]
        ours, theirs = version_from_metadata(self._metadata), version_from_metadata(present)
        is_same = ours.is_same(theirs) and ours.modified == theirs.modified
        is_wanted = self._metadata.get("spec") == present.get("spec")
        return is_same and is_wanted and not is_archived(answer)

    @property
    def key(self) -> str:
        return self._where["Key"]

    def wait(self) -> None:
        """Wait until S3 has the whole rendition; it then has an ``etag``.

        Raises:
            SourceChangedError: The photo is another by now.
            OtherSourceError: What stands there is of a photo in another bucket.
            StorageError: S3 did not take it; nothing is left behind.
        """
        try:
            if self._done is not None:
                self._done.result()
            else:
                self._complete()
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        """Leave nothing behind; never raises an Exception, also when the deadline has passed."""
        self._buffer = bytearray()
        for upload in (*self._parts, *([self._done] if self._done is not None else ())):
            # A part that arrives after the abort would be kept, and billed; an object that arrives
            # after it would be missed by whoever removes what is there.
            upload.exception()
        self._abort_upload()

    def _abort_upload(self) -> None:
        if self._upload_id is None:
            return
        upload_id, self._upload_id = self._upload_id, None
        try:
            self._requests.to_clean_up("abort_multipart_upload", **self._where, UploadId=upload_id)
        except ObjectMissingError:
            # It was completed, and only the answer was lost.
            return
        except RenditionsError as error:
            # The error that led here counts; the bucket's lifecycle rule ends the upload.
            _log.warning("upload %s stays open: %s", upload_id, error)
