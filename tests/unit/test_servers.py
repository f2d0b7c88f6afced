"""The S3 servers of the tests answer alike, whichever stands behind the endpoint."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import socket
import subprocess
import sys
import threading
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError, ConnectionClosedError

from tests.servers import (
    Authority,
    CallBefore,
    Fault,
    FaultProxy,
    FileS3,
    MotoServer,
    S3Endpoint,
    open_uploads,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

BUCKET = "photos"
KEYS = ["a.jpg", "a b+c%2B/é&<'\".jpg", "/lead//double/", "..", "x" * 300]
PART = bytes(range(256)) * (5 << 12)


@pytest.fixture(scope="module")
def authority() -> Iterator[Authority]:
    """One for all tests."""
    with Authority() as authority:
        yield authority


@pytest.fixture(
    scope="module",
    params=["moto", "moto-tls", "files", "files-tls", "proxied-moto", "proxied-files-tls"],
)
def endpoint(request: pytest.FixtureRequest, authority: Authority) -> Iterator[S3Endpoint]:
    """Each server, with and without TLS, and behind a proxy that has no faults."""
    tls = authority if request.param.endswith("-tls") else None
    with contextlib.ExitStack() as stack:
        kind = MotoServer if "moto" in request.param else FileS3
        proxied = request.param.startswith("proxied")
        server: S3Endpoint = stack.enter_context(kind(authority=None if proxied else tls))
        if proxied:
            server = stack.enter_context(FaultProxy(server.endpoint_url, authority=tls))
        yield server


@pytest.fixture
def client(endpoint: S3Endpoint) -> Iterator[S3Client]:
    """A client with one empty bucket, which is emptied again."""
    client = endpoint.client()
    client.create_bucket(Bucket=BUCKET)
    yield client
    for key, upload_id in open_uploads(client, BUCKET):
        client.abort_multipart_upload(Bucket=BUCKET, Key=key, UploadId=upload_id)
    for stored in client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        client.delete_object(Bucket=BUCKET, Key=stored["Key"])
    client.delete_bucket(Bucket=BUCKET)


def refusal(call: Callable[[], object]) -> tuple[int, str]:
    """Return status and code with which S3 refuses a call."""
    with pytest.raises(ClientError) as caught:
        call()
    response: Any = caught.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


@pytest.mark.parametrize("key", KEYS, ids=["plain", "odd", "slashes", "dots", "long"])
def test_an_object_comes_back_as_it_was_put(client: S3Client, key: str) -> None:
    """Body, ETag, headers and user metadata survive, under any key that S3 allows."""
    body = b"some bytes"
    put = client.put_object(
        Bucket=BUCKET,
        Key=key,
        Body=body,
        ContentType="image/jpeg",
        CacheControl="max-age=60",
        Metadata={"source-key": "b"},
    )
    got = client.get_object(Bucket=BUCKET, Key=key)

    assert got["Body"].read() == body
    assert got["ETag"] == put["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'  # noqa: S324
    assert got["ContentLength"] == len(body)
    assert got["ContentType"] == "image/jpeg"
    assert got["CacheControl"] == "max-age=60"
    assert got["Metadata"] == {"source-key": "b"}
    assert got["AcceptRanges"] == "bytes"
    assert [stored["Key"] for stored in client.list_objects_v2(Bucket=BUCKET)["Contents"]] == [key]


@pytest.mark.parametrize(
    ("asked", "status", "content_range", "body"),
    [
        ("bytes=2-4", 206, "bytes 2-4/10", b"234"),
        ("bytes=7-", 206, "bytes 7-9/10", b"789"),
        ("bytes=-3", 206, "bytes 7-9/10", b"789"),
        ("bytes=8-99", 206, "bytes 8-9/10", b"89"),
        ("bytes=0-0", 206, "bytes 0-0/10", b"0"),
        ("bytes=-99", 206, "bytes 0-9/10", b"0123456789"),
    ],
)
def test_a_range_is_answered_with_those_bytes(
    client: S3Client, asked: str, status: int, content_range: str, body: bytes
) -> None:
    """Status, Content-Range and body are those of the range, clamped to the object."""
    client.put_object(Bucket=BUCKET, Key="a", Body=b"0123456789")
    got = client.get_object(Bucket=BUCKET, Key="a", Range=asked)
    assert got["ResponseMetadata"]["HTTPStatusCode"] == status
    assert got["ContentRange"] == content_range
    assert got["Body"].read() == body


def test_a_range_behind_the_end_is_refused(client: S3Client) -> None:
    """There is no such byte: 416."""
    client.put_object(Bucket=BUCKET, Key="a", Body=b"0123456789")
    assert refusal(lambda: client.get_object(Bucket=BUCKET, Key="a", Range="bytes=10-")) == (
        416,
        "InvalidRange",
    )


def test_reads_hold_to_their_conditions(client: S3Client) -> None:
    """If-Match refuses another object, If-None-Match the same one; both ways of asking agree."""
    etag = client.put_object(Bucket=BUCKET, Key="a", Body=b"0123456789")["ETag"]
    assert client.get_object(Bucket=BUCKET, Key="a", IfMatch=etag)["ETag"] == etag
    assert client.get_object(Bucket=BUCKET, Key="a", IfNoneMatch='"x"')["ETag"] == etag
    assert refusal(lambda: client.get_object(Bucket=BUCKET, Key="a", IfMatch='"x"')) == (
        412,
        "PreconditionFailed",
    )
    assert refusal(lambda: client.head_object(Bucket=BUCKET, Key="a", IfMatch='"x"'))[0] == 412
    assert refusal(lambda: client.get_object(Bucket=BUCKET, Key="a", IfNoneMatch=etag))[0] == 304
    assert refusal(lambda: client.head_object(Bucket=BUCKET, Key="a", IfNoneMatch=etag))[0] == 304


def test_what_is_not_there_is_not_found(client: S3Client) -> None:
    """A missing key, a missing bucket and a missing upload each have their code."""
    assert refusal(lambda: client.get_object(Bucket=BUCKET, Key="a")) == (404, "NoSuchKey")
    assert refusal(lambda: client.head_object(Bucket=BUCKET, Key="a")) == (404, "404")
    assert refusal(lambda: client.get_object(Bucket="missing", Key="a")) == (404, "NoSuchBucket")
    assert refusal(lambda: client.put_object(Bucket="missing", Key="a", Body=b"b")) == (
        404,
        "NoSuchBucket",
    )
    assert refusal(
        lambda: client.abort_multipart_upload(Bucket=BUCKET, Key="a", UploadId="missing")
    ) == (404, "NoSuchUpload")


def test_writes_hold_to_their_conditions(client: S3Client) -> None:
    """`If-None-Match: *` writes only what is missing, If-Match replaces only what it names."""

    def put(**condition: str) -> str:
        return client.put_object(Bucket=BUCKET, Key="a", Body=b"new", **condition)["ETag"]  # type: ignore[arg-type]

    assert refusal(lambda: put(IfMatch='"x"')) == (404, "NoSuchKey")
    etag = put(IfNoneMatch="*")
    assert refusal(lambda: put(IfNoneMatch="*")) == (412, "PreconditionFailed")
    assert refusal(lambda: put(IfMatch='"x"')) == (412, "PreconditionFailed")
    assert put(IfMatch=etag) == etag


def test_the_checksum_that_boto3_sends_is_kept(client: S3Client) -> None:
    """The whole object's CRC32 is there for who asks, and never with a range."""
    checksum = base64.b64encode(zlib.crc32(b"0123456789").to_bytes(4, "big")).decode()
    put = client.put_object(Bucket=BUCKET, Key="a", Body=b"0123456789")
    whole = client.get_object(Bucket=BUCKET, Key="a", ChecksumMode="ENABLED")
    part = client.get_object(Bucket=BUCKET, Key="a", ChecksumMode="ENABLED", Range="bytes=1-2")
    assert put["ChecksumCRC32"] == whole["ChecksumCRC32"] == checksum
    assert "ChecksumCRC32" not in part


def test_parts_become_one_object(client: S3Client) -> None:
    """Parts count by their numbers; the upload is open until it is completed."""
    upload_id = client.create_multipart_upload(
        Bucket=BUCKET, Key="a", ContentType="image/webp", Metadata={"spec": "1"}
    )["UploadId"]
    etags = {}
    for number, body in ((2, b"end"), (1, PART)):
        etags[number] = client.upload_part(
            Bucket=BUCKET, Key="a", UploadId=upload_id, PartNumber=number, Body=body
        )["ETag"]
    assert open_uploads(client, BUCKET) == [("a", upload_id)]
    assert refusal(lambda: client.get_object(Bucket=BUCKET, Key="a"))[0] == 404

    done = client.complete_multipart_upload(
        Bucket=BUCKET,
        Key="a",
        UploadId=upload_id,
        MultipartUpload={
            "Parts": [{"PartNumber": number, "ETag": etags[number]} for number in (1, 2)]
        },
    )
    assert open_uploads(client, BUCKET) == []
    got = client.get_object(Bucket=BUCKET, Key="a")
    assert got["ETag"] == done["ETag"]
    assert done["ETag"].endswith('-2"')
    assert got["ContentType"] == "image/webp"
    assert got["Metadata"] == {"spec": "1"}
    assert got["Body"].read() == PART + b"end"


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ([(1, "first"), (3, "last")], "InvalidPart"),
        ([(1, "last"), (2, "last")], "InvalidPart"),
        ([(2, "last"), (4, "fourth")], "EntityTooSmall"),
    ],
    ids=["a missing part", "a wrong ETag", "a small part before the last"],
)
def test_a_wrong_list_of_parts_is_refused(
    client: S3Client, parts: list[tuple[int, str]], code: str
) -> None:
    """The upload stays open, and no object comes of it."""
    upload_id = client.create_multipart_upload(Bucket=BUCKET, Key="a")["UploadId"]
    etags = {
        name: client.upload_part(
            Bucket=BUCKET, Key="a", UploadId=upload_id, PartNumber=number, Body=body
        )["ETag"]
        for name, number, body in (("first", 1, PART), ("last", 2, b"end"), ("fourth", 4, b"4"))
    }
    assert refusal(
        lambda: client.complete_multipart_upload(
            Bucket=BUCKET,
            Key="a",
            UploadId=upload_id,
            MultipartUpload={
                "Parts": [{"PartNumber": number, "ETag": etags[name]} for number, name in parts]
            },
        )
    ) == (400, code)
    assert open_uploads(client, BUCKET) == [("a", upload_id)]
    assert refusal(lambda: client.head_object(Bucket=BUCKET, Key="a"))[0] == 404


def test_a_completed_upload_holds_to_its_condition(client: S3Client) -> None:
    """`If-None-Match: *` refuses to complete onto an object, which stays as it was."""
    client.put_object(Bucket=BUCKET, Key="a", Body=b"old")
    upload_id = client.create_multipart_upload(Bucket=BUCKET, Key="a")["UploadId"]
    etag = client.upload_part(
        Bucket=BUCKET, Key="a", UploadId=upload_id, PartNumber=1, Body=b"new"
    )["ETag"]
    assert refusal(
        lambda: client.complete_multipart_upload(
            Bucket=BUCKET,
            Key="a",
            UploadId=upload_id,
            MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]},
            IfNoneMatch="*",
        )
    ) == (412, "PreconditionFailed")
    assert client.get_object(Bucket=BUCKET, Key="a")["Body"].read() == b"old"


def test_an_aborted_upload_leaves_nothing(client: S3Client) -> None:
    """Neither an object nor an open upload."""
    upload_id = client.create_multipart_upload(Bucket=BUCKET, Key="a")["UploadId"]
    client.upload_part(Bucket=BUCKET, Key="a", UploadId=upload_id, PartNumber=1, Body=b"x")
    client.abort_multipart_upload(Bucket=BUCKET, Key="a", UploadId=upload_id)
    assert open_uploads(client, BUCKET) == []
    assert "Contents" not in client.list_objects_v2(Bucket=BUCKET)


def test_deleting_is_idempotent(client: S3Client) -> None:
    """One by one or in a batch, what is gone or never was is no error."""
    client.put_object(Bucket=BUCKET, Key="a", Body=b"a")
    client.put_object(Bucket=BUCKET, Key="b & <c>", Body=b"b")
    client.delete_object(Bucket=BUCKET, Key="a")
    client.delete_object(Bucket=BUCKET, Key="a")
    deleted = client.delete_objects(
        Bucket=BUCKET, Delete={"Objects": [{"Key": "b & <c>"}, {"Key": "missing"}]}
    )
    assert sorted(entry["Key"] for entry in deleted["Deleted"]) == ["b & <c>", "missing"]
    assert "Contents" not in client.list_objects_v2(Bucket=BUCKET)


def test_a_list_comes_in_pages_and_folders(client: S3Client) -> None:
    """Prefix, delimiter and pages: the same names in the same order."""
    for key in ("a/1", "a/2", "a/b/3", "é 4", "a+5"):
        client.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket=BUCKET, PaginationConfig={"PageSize": 2}
    )
    keys = [[stored["Key"] for stored in page["Contents"]] for page in pages]
    assert keys == [["a+5", "a/1"], ["a/2", "a/b/3"], ["é 4"]]

    listed = client.list_objects_v2(Bucket=BUCKET, Prefix="a/", Delimiter="/")
    assert [stored["Key"] for stored in listed["Contents"]] == ["a/1", "a/2"]
    assert [group["Prefix"] for group in listed["CommonPrefixes"]] == ["a/b/"]
    assert listed["KeyCount"] == 3


def test_a_managed_upload_arrives_whole(client: S3Client) -> None:
    """boto3's own multipart upload, with several threads and checksums in trailers."""
    body = PART * 3 + b"end"
    client.upload_fileobj(
        io.BytesIO(body),
        BUCKET,
        "a",
        Config=TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20),
    )
    got = client.get_object(Bucket=BUCKET, Key="a")
    assert got["ETag"].endswith('-4"')
    assert got["Body"].read() == body
    assert open_uploads(client, BUCKET) == []


def test_a_body_that_cannot_seek_arrives_over_tls(authority: Authority) -> None:
    """There boto3 sends it in chunks with its checksum behind them, and both servers decode it."""

    class Stream(io.RawIOBase):
        """Sixteen bytes at a time, and never again."""

        def __init__(self) -> None:
            self._left = [b"0123456789abcdef"] * 10_000

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
            piece = self._left.pop() if self._left else b""
            buffer[: len(piece)] = piece
            return len(piece)

    for kind in (MotoServer, FileS3):
        with (
            kind() as server,
            FaultProxy(server.endpoint_url, authority=authority) as proxy,
        ):
            proxy.create_buckets(BUCKET)
            client = proxy.client()
            client.put_object(Bucket=BUCKET, Key="a", Body=io.BufferedReader(Stream()))
            (request,) = proxy.matching(operation="PutObject")
            assert request.headers["x-amz-trailer"] == "x-amz-checksum-crc32"
            assert request.headers["content-encoding"] == "aws-chunked"
            assert client.get_object(Bucket=BUCKET, Key="a")["Body"].read() == (
                b"0123456789abcdef" * 10_000
            )


# FileS3 alone


@pytest.fixture
def files(tmp_path: Path) -> Iterator[FileS3]:
    """A server with one empty bucket and a folder that can be looked into."""
    folder = tmp_path / "objects"
    folder.mkdir()
    with FileS3(folder) as files:
        files.create_buckets(BUCKET)
        yield files


def test_a_wrong_checksum_is_refused(files: FileS3, tmp_path: Path) -> None:
    """A body that is not what its checksum says becomes no object, and leaves no file."""
    client = files.client()
    assert refusal(
        lambda: client.put_object(Bucket=BUCKET, Key="a", Body=b"ab", ChecksumCRC32="AAAAAA==")
    ) == (400, "BadDigest")
    assert refusal(
        lambda: client.put_object(Bucket=BUCKET, Key="a", Body=b"ab", ContentMD5="AAAA")
    ) == (400, "BadDigest")
    assert refusal(lambda: client.head_object(Bucket=BUCKET, Key="a"))[0] == 404
    assert list((tmp_path / "objects").iterdir()) == []


def test_a_full_object_checksum_covers_all_parts(files: FileS3) -> None:
    """It is the one of the same bytes put in one piece; a composite one says how many parts."""
    client = files.client()
    whole = client.put_object(Bucket=BUCKET, Key="whole", Body=PART + b"end")["ChecksumCRC32"]
    seen = {}
    for kind in ("FULL_OBJECT", "COMPOSITE"):
        upload_id = client.create_multipart_upload(
            Bucket=BUCKET,
            Key="a",
            ChecksumAlgorithm="CRC32",
            ChecksumType=kind,
        )["UploadId"]
        for number, body in ((1, PART), (2, b"end")):
            client.upload_part(
                Bucket=BUCKET, Key="a", UploadId=upload_id, PartNumber=number, Body=body
            )
        client.complete_multipart_upload(
            Bucket=BUCKET,
            Key="a",
            UploadId=upload_id,
            MultipartUpload={
                "Parts": [
                    {"PartNumber": 1, "ETag": hashlib.md5(PART).hexdigest()},  # noqa: S324
                    {"PartNumber": 2, "ETag": hashlib.md5(b"end").hexdigest()},  # noqa: S324
                ]
            },
        )
        head = client.head_object(Bucket=BUCKET, Key="a", ChecksumMode="ENABLED")
        seen[head["ChecksumType"]] = head["ChecksumCRC32"]
    assert seen["FULL_OBJECT"] == whole
    assert seen["COMPOSITE"].endswith("-2")


def test_what_it_cannot_do_it_refuses(files: FileS3) -> None:
    """501, instead of an answer to another question; the connection serves on."""
    client = files.client()
    client.put_object(Bucket=BUCKET, Key="a", Body=b"ab")
    assert refusal(lambda: client.get_object_tagging(Bucket=BUCKET, Key="a"))[0] == 501
    assert refusal(lambda: client.get_object(Bucket=BUCKET, Key="a", PartNumber=1))[0] == 501
    assert refusal(lambda: client.get_object(Bucket=BUCKET, Key="a", VersionId="1"))[0] == 501
    assert refusal(
        lambda: client.copy_object(Bucket=BUCKET, Key="b", CopySource=f"{BUCKET}/a")
    ) == (501, "NotImplemented")
    assert client.get_object(Bucket=BUCKET, Key="a")["Body"].read() == b"ab"


def test_a_file_is_shown_without_a_copy(files: FileS3, tmp_path: Path) -> None:
    """It is read where it lies, has an ETag and a checksum, and outlives its object."""
    path = tmp_path / "big.jpg"
    path.write_bytes(PART * 4)
    files.add_file("big", "x/big.jpg", path)
    client = files.client()
    got = client.get_object(Bucket="big", Key="x/big.jpg", ChecksumMode="ENABLED")
    assert got["Body"].read() == PART * 4
    assert got["ContentType"] == "image/jpeg"
    assert "ChecksumCRC32" in got
    assert files.path_of("big", "x/big.jpg") == path
    client.delete_object(Bucket="big", Key="x/big.jpg")
    assert path.stat().st_size == len(PART) * 4


def test_a_read_under_way_sees_one_object(files: FileS3) -> None:
    """Replacing or deleting the object does not change what a reader gets."""
    client = files.client()
    for change in (
        lambda: client.put_object(Bucket=BUCKET, Key="a", Body=b"other"),
        lambda: client.delete_object(Bucket=BUCKET, Key="a"),
    ):
        client.put_object(Bucket=BUCKET, Key="a", Body=PART)
        body = client.get_object(Bucket=BUCKET, Key="a")["Body"]
        first = body.read(10)
        change()
        assert first + body.read() == PART


def test_an_upload_that_breaks_off_leaves_nothing(files: FileS3, tmp_path: Path) -> None:
    """Neither an object nor a file."""
    with socket.create_connection(("127.0.0.1", files.port)) as connection:
        connection.sendall(
            b"PUT /photos/a HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nonly these"
        )
        connection.shutdown(socket.SHUT_WR)
        # Hung up on: a 200 would be the object's.
        assert connection.recv(100) == b""
    assert list((tmp_path / "objects").iterdir()) == []


def test_a_refused_upload_need_not_be_sent(files: FileS3) -> None:
    """A client that awaits leave to send its body has its answer before it sends a byte."""
    with socket.create_connection(("127.0.0.1", files.port)) as connection:
        connection.sendall(
            b"PUT /missing/a HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        assert connection.recv(1000).startswith(b"HTTP/1.1 404 ")


# All of them


@pytest.mark.parametrize("tls", [False, True], ids=["http", "tls"])
@pytest.mark.parametrize("kind", [MotoServer, FileS3])
def test_nothing_is_left_when_a_server_closes(
    kind: type[MotoServer | FileS3], authority: Authority, *, tls: bool
) -> None:
    """Threads and sockets go, though clients keep connections open and others never finish."""
    before = set(threading.enumerate())
    with contextlib.ExitStack() as clients:
        with (
            kind(authority=authority if tls else None) as server,
            FaultProxy(
                server.endpoint_url,
                upstream_ca=server.ca_bundle,
                authority=authority if tls else None,
            ) as proxy,
        ):
            proxy.create_buckets(BUCKET)
            for port in (server.port, proxy.port):
                idle = clients.enter_context(socket.create_connection(("127.0.0.1", port)))
                idle.sendall(b"GET /photos")
            proxy.client().list_objects_v2(Bucket=BUCKET)
            ports = (server.port, proxy.port)
        assert set(threading.enumerate()) <= before
        for port in ports:
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port))


def test_two_moto_servers_show_one_state_until_it_is_reset() -> None:
    """The state is the process's: what one is told the other knows, and both forget."""
    with MotoServer() as one, MotoServer() as other:
        one.create_buckets(BUCKET)
        assert [bucket["Name"] for bucket in other.client().list_buckets()["Buckets"]] == [BUCKET]
        one.reset()
        assert other.client().list_buckets()["Buckets"] == []


def test_a_client_that_does_not_know_the_authority_refuses_it(authority: Authority) -> None:
    """The certificate is good for nobody else."""
    import ssl

    with MotoServer(authority=authority) as server:
        context = ssl.create_default_context()
        with (
            socket.create_connection(("127.0.0.1", server.port)) as connection,
            pytest.raises(ssl.SSLCertVerificationError),
        ):
            context.wrap_socket(connection, server_hostname="127.0.0.1")


def test_what_a_handler_raises_fails_the_test() -> None:
    """A bug in a callback is not lost in a thread."""

    def fail(call: object) -> None:
        raise LookupError(f"{call}")

    proxy = FaultProxy("http://127.0.0.1:9").__enter__()
    proxy.add(Fault(action=CallBefore(function=fail)))
    with pytest.raises(ConnectionClosedError):
        proxy.client().list_buckets()
    with pytest.raises(ExceptionGroup) as caught:
        proxy.__exit__(None, None, None)
    assert caught.group_contains(LookupError)


def test_servers_run_in_processes_of_their_own(tmp_path: Path) -> None:
    """`python -m tests.servers` says where it is, serves, and ends with its input."""
    photo = tmp_path / "source" / "a.jpg"
    photo.parent.mkdir()
    photo.write_bytes(b"not really")

    @contextlib.contextmanager
    def server(*arguments: str) -> Iterator[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.servers", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            assert process.stdout is not None
            assert process.stdin is not None
            try:
                yield json.loads(process.stdout.readline())["endpoint_url"]
            finally:
                process.stdin.close()
        assert process.returncode == 0

    with (
        server("files", str(photo), "--bucket", "target") as upstream,
        server("proxy", upstream, "--bytes-per-s", "90e6", "--latency-s", "0.001") as url,
        FaultProxy(url) as nearest,
    ):
        client = nearest.client()
        body = client.get_object(Bucket="source", Key="a.jpg")["Body"].read()
        client.put_object(Bucket="target", Key="b", Body=body)
        assert client.head_object(Bucket="target", Key="b")["ContentLength"] == 10
