"""An S3 server that gives files from disk as fast as the kernel copies them."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import re
import tempfile
from dataclasses import dataclass
from email.utils import formatdate
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote
from uuid import uuid4
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from .bodies import ChunkedBody
from .calls import call_from_request
from .listening import REGION, Handler, Listener, S3Endpoint
from .store import (
    Blob,
    ObjectStore,
    Precondition,
    S3Error,
    StoredObject,
    precondition_failed,
)

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from .authority import Authority
    from .calls import S3Call

_CHECKSUM = "x-amz-checksum-"
_ALGORITHMS = frozenset({"crc32", "crc32c", "crc64nvme", "sha1", "sha256"})
_KEPT_HEADERS = frozenset(
    {
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-type",
        "expires",
    }
)
_XML_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_ONE_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class FileS3(S3Endpoint):
    """An S3 whose objects are files, given by sendfile and hashed as they arrive.

    For benchmarks and large objects, where moto would be what is measured. Unlike moto it verifies
    checksums (CRC32, SHA-1, SHA-256, Content-MD5), those in trailers too, and body lengths.

    It knows GetObject and HeadObject with Range, If-Match, If-None-Match; PutObject, multipart
    uploads and DeleteObject with If-Match, If-None-Match; DeleteObjects, ListObjectsV2,
    ListMultipartUploads, and buckets. It leaves out: versions, copies, tags, ACLs, encryption,
    ListParts, `partNumber` of a GET, several ranges, `response-*` overrides, dates as conditions,
    CRC32C and CRC64NVME, notifications, signatures and virtual-hosted addresses. What it can tell
    that it does not know, it refuses with 501; signatures it ignores.

    Args:
        folder: where written objects go; a temporary folder if None, deleted at the end.
        host: the address to listen on; `0.0.0.0` for clients in containers.
        port: 0 for a free one.
        authority: speak TLS with this authority's certificate; plain HTTP if None.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        authority: Authority | None = None,
    ) -> None:
        super().__init__(host=host, port=port, authority=authority)
        self._folder = folder

    def _listen(self, host: str, port: int) -> Listener:
        self._temporary = None
        folder = self._folder
        if folder is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="file-s3-")
            folder = Path(self._temporary.name)
        self._store = ObjectStore(folder)
        listener = _FileListener((host, port), _FileHandler)
        listener.store = self._store
        return listener

    def __exit__(self, *exception: object) -> None:
        try:
            super().__exit__(None, None, None)
        finally:
            if self._temporary is not None:
                self._temporary.cleanup()

    def add_file(self, bucket: str, key: str, path: Path, content_type: str = "image/jpeg") -> None:
        """Show a file that is already there as an object, without copying it.

        The bucket is created if it is missing. Cost: the file is read once, for its hashes.
        """
        self._store.create_bucket(bucket)
        blob = self._store.adopt(path)
        stored = StoredObject(
            blob=blob,
            etag=f'"{blob.md5.hex()}"',
            headers={"Content-Type": content_type},
            checksums=blob.checksums,
        )
        self._store.put(bucket, key, stored, Precondition())

    def path_of(self, bucket: str, key: str) -> Path:
        """Return the file that holds an object's body; read it, do not write it."""
        return self._store.get(bucket, key).blob.path


class _FileListener(Listener):
    store: ObjectStore


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    status: int = 200
    headers: Mapping[str, str] | None = None
    body: bytes = b""


class _FileHandler(Handler):
    server: _FileListener

    def exchange(self) -> None:
        """Answer one request."""
        self._store = self.server.store
        self._call = call_from_request(self.command, self.path, self.headers.items())
        self._body: io.RawIOBase | None = None
        operations: Mapping[str, Callable[[], _Answer | None]] = {
            "AbortMultipartUpload": self._abort_multipart_upload,
            "CompleteMultipartUpload": self._complete_multipart_upload,
            "CreateBucket": self._create_bucket,
            "CreateMultipartUpload": self._create_multipart_upload,
            "DeleteBucket": self._delete_bucket,
            "DeleteObject": self._delete_object,
            "DeleteObjects": self._delete_objects,
            "GetObject": self._get_object,
            "HeadBucket": self._head_bucket,
            "HeadObject": self._get_object,
            "ListBuckets": self._list_buckets,
            "ListMultipartUploads": self._list_multipart_uploads,
            "ListObjectsV2": self._list_objects_v2,
            "PutObject": self._put_object,
            "UploadPart": self._upload_part,
        }
        try:
            try:
                answer = operations.get(self._call.operation, self._unknown)()
            except S3Error as error:
                answer = _error_answer(error, self._call)
            if answer is not None:
                self._finish_body()
                self._give(answer)
        except OSError:
            self.close_connection = True

    def _unknown(self) -> _Answer:
        raise S3Error(501, "NotImplemented", self._call.operation)

    def _give(self, answer: _Answer) -> None:
        """Send an answer, its body aside where the request was a HEAD."""
        self._give_head(
            answer.status, {"Content-Length": str(len(answer.body)), **(answer.headers or {})}
        )
        if answer.body and self._call.method != "HEAD":
            self.connection.sendall(answer.body)

    def _give_head(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response_only(status)
        self.send_header("Date", formatdate(usegmt=True))
        self.send_header("Server", "FileS3")
        self.send_header("x-amz-request-id", uuid4().hex)
        for name, value in headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    # Request bodies

    def _finish_body(self) -> None:
        """Read what is left of the body, so that the next request stands where it is looked for."""
        if self._body is None:
            self.skip_request_body()
        else:
            while self._body.read(1 << 16):
                pass

    def _receive(self, default_algorithm: str | None = None) -> Blob:
        """Take in the request's body, whole and as its checksums say, or not at all.

        Args:
            default_algorithm: the checksum to compute, whatever the request states.
        """
        headers = self._call.headers
        stated = {
            algorithm: headers[_CHECKSUM + algorithm]
            for algorithm in _ALGORITHMS
            if _CHECKSUM + algorithm in headers
        }
        trailing = headers.get("x-amz-trailer", "").removeprefix(_CHECKSUM)
        self._body = self.request_body()
        body, chunks = self._body, None
        if "aws-chunked" in headers.get("content-encoding", ""):
            body = chunks = ChunkedBody(BufferedReader(self._body, 1 << 16))
        blob = self._store.receive(body, {*stated, trailing, default_algorithm or ""} - {""})
        try:
            if trailing and chunks is not None:
                stated[trailing] = chunks.trailers.get(_CHECKSUM + trailing, "")
            self._verify(blob, stated)
        except S3Error:
            self._store.discard(blob)
            raise
        return blob

    def _verify(self, blob: Blob, stated: Mapping[str, str]) -> None:
        headers = self._call.headers
        length = headers.get("x-amz-decoded-content-length")
        if length is not None and int(length) != blob.size:
            raise S3Error(
                400, "IncompleteBody", f"Expected {length} bytes but received {blob.size}"
            )
        md5 = headers.get("content-md5")
        if md5 is not None and base64.b64decode(md5) != blob.md5:
            raise S3Error(
                400, "BadDigest", "The Content-MD5 you specified did not match what we received."
            )
        for algorithm, value in stated.items():
            if blob.checksums[algorithm] != value:
                raise S3Error(
                    400,
                    "BadDigest",
                    f"The {algorithm.upper()} you specified did not match the calculated checksum.",
                )

    def _document(self) -> ET.Element:
        blob = self._receive()
        try:
            # What is parsed comes from the tests' own clients.
            root = ET.fromstring(blob.path.read_bytes())  # noqa: S314
        except ET.ParseError:
            raise S3Error(400, "MalformedXML", "The XML you provided was not well-formed") from None
        finally:
            self._store.discard(blob)
        for element in root.iter():
            element.tag = element.tag.rpartition("}")[2]
        return root

    # Objects

    def _get_object(self) -> _Answer | None:
        call = self._call
        if "partNumber" in call.query or "versionId" in call.query:
            raise S3Error(501, "NotImplemented", "partNumber and versionId")
        stored, file = self._store.open(call.bucket, call.key)
        with file:
            headers = _headers_of(stored)
            tags = {"*", stored.etag, stored.etag.strip('"')}
            if call.if_match is not None and call.if_match not in tags:
                raise precondition_failed("If-Match")
            if call.if_none_match in tags:
                return _Answer(status=304, headers={"ETag": stored.etag})
            whole = range(stored.blob.size)
            wanted = _wanted_range(call.range, whole)
            if wanted is None and call.headers.get("x-amz-checksum-mode") == "ENABLED":
                for algorithm, value in stored.checksums.items():
                    headers[_CHECKSUM + algorithm] = value
                    headers[_CHECKSUM + "type"] = stored.checksum_type
            if wanted is not None:
                headers["Content-Range"] = (
                    f"bytes {wanted.start}-{wanted.stop - 1}/{stored.blob.size}"
                )
            given = whole if wanted is None else wanted
            headers["Content-Length"] = str(len(given))
            self._finish_body()
            self._give_head(200 if wanted is None else 206, headers)
            if call.method == "GET" and given:
                self.connection.sendfile(file, given.start, len(given))
        return None

    def _put_object(self) -> _Answer:
        call = self._call
        self._store.bucket(call.bucket)
        blob = self._receive()
        stored = StoredObject(
            blob=blob,
            etag=f'"{blob.md5.hex()}"',
            headers=_kept_headers(call),
            checksums=blob.checksums,
        )
        with self._discarded_on_error(blob):
            self._store.put(call.bucket, call.key, stored, _precondition(call))
        return _Answer(headers={"ETag": stored.etag, **_checksum_headers(blob.checksums)})

    def _delete_object(self) -> _Answer:
        self._store.delete(self._call.bucket, self._call.key, _precondition(self._call))
        return _Answer(status=204)

    def _delete_objects(self) -> _Answer:
        document = self._document()
        keys = [element.findtext("Key", "") for element in document.iter("Object")]
        for key in keys:
            self._store.delete(self._call.bucket, key, Precondition())
        quiet = document.findtext("Quiet") == "true"
        deleted = "" if quiet else "".join(_tag("Deleted", _tag("Key", escape(k))) for k in keys)
        return _xml("DeleteResult", deleted)

    def _discarded_on_error(self, blob: Blob) -> contextlib.AbstractContextManager[object]:
        stack = contextlib.ExitStack()
        stack.push(lambda kind, *_: self._store.discard(blob) if kind else None)
        return stack

    # Uploads

    def _create_multipart_upload(self) -> _Answer:
        call = self._call
        algorithm = call.headers.get("x-amz-checksum-algorithm")
        checksum_type = call.headers.get("x-amz-checksum-type", "COMPOSITE")
        upload = self._store.begin_upload(
            call.bucket,
            call.key,
            _kept_headers(call),
            algorithm=None if algorithm is None else algorithm.lower(),
            checksum_type=checksum_type,
        )
        return _xml(
            "InitiateMultipartUploadResult",
            _tag("Bucket", call.bucket)
            + _tag("Key", escape(call.key))
            + _tag("UploadId", upload.upload_id),
        )

    def _upload_part(self) -> _Answer:
        call = self._call
        upload_id = call.query["uploadId"]
        upload = self._store.upload(call.bucket, call.key, upload_id)
        blob = self._receive(upload.algorithm)
        with self._discarded_on_error(blob):
            self._store.put_part(
                call.bucket, call.key, upload_id, int(call.query["partNumber"]), blob
            )
        return _Answer(headers={"ETag": f'"{blob.md5.hex()}"', **_checksum_headers(blob.checksums)})

    def _complete_multipart_upload(self) -> _Answer:
        call = self._call
        parts = [
            (int(part.findtext("PartNumber", "0")), part.findtext("ETag", ""))
            for part in self._document().iter("Part")
        ]
        stored = self._store.complete_upload(
            call.bucket, call.key, call.query["uploadId"], parts, _precondition(call)
        )
        return _xml(
            "CompleteMultipartUploadResult",
            _tag("Location", escape(f"/{call.bucket}/{quote(call.key)}"))
            + _tag("Bucket", call.bucket)
            + _tag("Key", escape(call.key))
            + _tag("ETag", escape(stored.etag))
            + "".join(_tag(f"Checksum{n.upper()}", v) for n, v in stored.checksums.items())
            + (_tag("ChecksumType", stored.checksum_type) if stored.checksums else ""),
        )

    def _abort_multipart_upload(self) -> _Answer:
        call = self._call
        self._store.abort_upload(call.bucket, call.key, call.query["uploadId"])
        return _Answer(status=204)

    def _list_multipart_uploads(self) -> _Answer:
        bucket = self._call.bucket
        name = _name_writer(self._call)
        uploads = "".join(
            _tag(
                "Upload",
                _tag("Key", name(upload.key))
                + _tag("UploadId", upload.upload_id)
                + _tag("Initiated", _timestamp(upload.initiated)),
            )
            for upload in self._store.uploads(bucket)
        )
        return _xml(
            "ListMultipartUploadsResult",
            _tag("Bucket", bucket)
            + _tag("IsTruncated", "false")
            + _tag("EncodingType", self._call.query.get("encoding-type", ""))
            + uploads,
        )

    # Buckets

    def _create_bucket(self) -> _Answer:
        self._store.create_bucket(self._call.bucket)
        return _Answer(headers={"Location": f"/{self._call.bucket}"})

    def _head_bucket(self) -> _Answer:
        self._store.bucket(self._call.bucket)
        return _Answer(headers={"x-amz-bucket-region": REGION})

    def _delete_bucket(self) -> _Answer:
        self._store.delete_bucket(self._call.bucket)
        return _Answer(status=204)

    def _list_buckets(self) -> _Answer:
        names = "".join(_tag("Bucket", _tag("Name", n)) for n in self._store.bucket_names())
        return _xml("ListAllMyBucketsResult", _tag("Buckets", names))

    def _list_objects_v2(self) -> _Answer:
        query = self._call.query
        objects = self._store.bucket(self._call.bucket)
        # The token is the last entry of the page before.
        after = max(query.get("continuation-token", ""), query.get("start-after", ""))
        limit = min(int(query.get("max-keys", "1000")), 1000)
        name = _name_writer(self._call)
        page: list[str] = []
        last = ""
        truncated = False
        for entry, key in _entries(objects, query.get("prefix", ""), query.get("delimiter", "")):
            if entry <= after:
                continue
            if len(page) == limit:
                truncated = True
                break
            last = entry
            if key is None:
                page.append(_tag("CommonPrefixes", _tag("Prefix", name(entry))))
                continue
            stored = objects[key]
            page.append(
                _tag(
                    "Contents",
                    _tag("Key", name(key))
                    + _tag("LastModified", _timestamp(stored.last_modified))
                    + _tag("ETag", escape(stored.etag))
                    + _tag("Size", str(stored.blob.size))
                    + _tag("StorageClass", "STANDARD"),
                )
            )
        return _xml(
            "ListBucketResult",
            _tag("Name", self._call.bucket)
            + _tag("Prefix", name(query.get("prefix", "")))
            + _tag("KeyCount", str(len(page)))
            + _tag("MaxKeys", str(limit))
            + _tag("EncodingType", query.get("encoding-type", ""))
            + _tag("IsTruncated", "true" if truncated else "false")
            + (_tag("NextContinuationToken", escape(last)) if truncated else "")
            + "".join(page),
        )


def _entries(keys: Iterable[str], prefix: str, delimiter: str) -> Iterator[tuple[str, str | None]]:
    """Yield what a list shows, sorted: a key, or what keys have in common.

    Python orders text by code point, which is S3's order, by the bytes of UTF-8.
    """
    common = None
    for key in sorted(keys):
        if not key.startswith(prefix):
            continue
        end = key.find(delimiter, len(prefix)) if delimiter else -1
        if end < 0:
            yield key, key
        elif (group := key[: end + len(delimiter)]) != common:
            common = group
            yield group, None


def _wanted_range(header: str | None, whole: range) -> range | None:
    """Return the range that a header asks for; None, for all of it, if it is none that S3 knows."""
    match = None if header is None else _ONE_RANGE.fullmatch(header)
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if first and last and int(first) > int(last):
        return None
    if first:
        wanted = range(int(first), min(int(last) + 1, len(whole)) if last else len(whole))
    else:
        wanted = range(max(len(whole) - int(last), 0), len(whole))
    if not wanted:
        raise S3Error(416, "InvalidRange", "The requested range is not satisfiable")
    return wanted


def _headers_of(stored: StoredObject) -> dict[str, str]:
    return {
        "Content-Type": "binary/octet-stream",
        **stored.headers,
        "ETag": stored.etag,
        "Last-Modified": formatdate(stored.last_modified, usegmt=True),
        "Accept-Ranges": "bytes",
    }


def _kept_headers(call: S3Call) -> dict[str, str]:
    kept = {
        name: value
        for name, value in call.headers.items()
        if name in _KEPT_HEADERS or name.startswith("x-amz-meta-")
    }
    # The coding of the request, not of the object.
    codings = [c.strip() for c in kept.pop("content-encoding", "").split(",")]
    if rest := [coding for coding in codings if coding not in {"", "aws-chunked"}]:
        kept["content-encoding"] = ",".join(rest)
    # The name that boto3 and S3 write; a dictionary tells the two apart.
    if "content-type" in kept:
        kept["Content-Type"] = kept.pop("content-type")
    return kept


def _precondition(call: S3Call) -> Precondition:
    return Precondition(if_match=call.if_match, if_none_match=call.if_none_match)


def _checksum_headers(checksums: Mapping[str, str]) -> dict[str, str]:
    return {_CHECKSUM + algorithm: value for algorithm, value in checksums.items()}


def _error_answer(error: S3Error, call: S3Call) -> _Answer:
    if call.method == "HEAD":
        return _Answer(status=error.status)
    document = (
        f"{_XML_HEAD}<Error>"
        + _tag("Code", error.code)
        + _tag("Message", escape(error.message))
        + _tag("Resource", escape(f"/{call.bucket}/{call.key}"))
        + "</Error>"
    )
    return _Answer(
        status=error.status,
        headers={"Content-Type": "application/xml"},
        body=document.encode(),
    )


def _xml(root: str, content: str) -> _Answer:
    return _Answer(
        headers={"Content-Type": "application/xml"},
        body=f'{_XML_HEAD}<{root} xmlns="{_NAMESPACE}">{content}</{root}>'.encode(),
    )


def _tag(name: str, content: str) -> str:
    return f"<{name}>{content}</{name}>"


def _name_writer(call: S3Call) -> Callable[[str], str]:
    """Return how a key is written in a list: some are not to be had in XML."""
    return quote if call.query.get("encoding-type") == "url" else escape


def _timestamp(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
