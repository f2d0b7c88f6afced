"""Each fault of the proxy does to a real boto3 client what it says, and is logged as it was."""

from __future__ import annotations

import contextlib
import hashlib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)

from tests.servers import (
    ACCESS_DENIED,
    INTERNAL_ERROR,
    SLOW_DOWN,
    Answer,
    CallAfter,
    CallBefore,
    Cut,
    Delay,
    Drop,
    Ending,
    Fault,
    FaultProxy,
    FileS3,
    Flip,
    IgnoreRange,
    LoseAnswer,
    S3Call,
    Slow,
    Stall,
    TruncateUpload,
    WrongLength,
)
from tests.servers.faults import offset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client

BUCKET = "photos"
KEY = "a b.jpg"
BODY = bytes(range(256)) * 4096
SIZE = len(BODY)


@pytest.fixture(scope="module")
def files() -> Iterator[FileS3]:
    """The store behind the proxy."""
    with FileS3() as files:
        files.create_buckets(BUCKET)
        yield files


@pytest.fixture
def store(files: FileS3) -> S3Client:
    """A client that goes to the store directly, which holds one object."""
    client = files.client()
    for stored in client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        client.delete_object(Bucket=BUCKET, Key=stored["Key"])
    client.put_object(Bucket=BUCKET, Key=KEY, Body=BODY)
    return client


@pytest.fixture
def proxy(files: FileS3, store: S3Client) -> Iterator[FaultProxy]:
    """A proxy each of whose faults has to befall a request."""
    del store
    with FaultProxy(files.endpoint_url) as proxy:
        yield proxy
        assert proxy.unused == ()


@pytest.fixture
def client(proxy: FaultProxy) -> S3Client:
    """A client that goes through the proxy and never retries."""
    return proxy.client()


@pytest.fixture
def impatient(proxy: FaultProxy) -> S3Client:
    """One that waits for a second only."""
    return proxy.client(Config(read_timeout=1))


def open_body(client: S3Client, **options: Any) -> StreamingBody:  # noqa: ANN401 - boto3's own
    """Begin to read the object."""
    return client.get_object(Bucket=BUCKET, Key=KEY, **options)["Body"]


def read_all(body: StreamingBody) -> bytes:
    """Read to the end, up to the empty read that makes boto3 verify the checksum."""
    return b"".join(iter(partial(body.read, 1 << 14), b""))


def refusal(call: Callable[[], object]) -> tuple[int, str]:
    """Return status and code with which S3 refuses a call."""
    with pytest.raises(ClientError) as caught:
        call()
    response: Any = caught.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


@pytest.mark.parametrize(
    ("at", "expected"),
    [(0, 0), (1, 1), (0.5, 500), (0.99, 990), (1.0, 1000), (-1, 999), (2000, 1000), (-2000, 0)],
)
def test_a_position_counts_bytes_or_is_a_fraction(at: float, expected: int) -> None:
    """An int counts from the start, or from the end if negative; neither leaves the body."""
    assert offset(at, 1000) == expected


# Reading


@pytest.mark.parametrize("at", [0, 1, 0.5, 0.99, -1])
def test_a_body_is_cut_where_it_says(proxy: FaultProxy, client: S3Client, at: float) -> None:
    """All bytes before the place come and none behind it; the log says how many."""
    proxy.add(Fault(method="GET", key=KEY, action=Cut(at=at, ending=Ending.FIN)))
    body = open_body(client)
    with pytest.raises((IncompleteReadError, ResponseStreamingError)):
        read_all(body)
    (request,) = proxy.requests
    assert request.sent == offset(at, SIZE)
    assert request.status == 200
    assert request.actions == (Cut(at=at, ending=Ending.FIN),)


def test_a_cut_is_a_reset_if_wanted(proxy: FaultProxy, client: S3Client) -> None:
    """The client's read fails with ECONNRESET, not with an end that came early."""
    proxy.add(Fault(action=Cut(at=0.5, ending=Ending.RESET)))
    body = open_body(client)
    with pytest.raises(ResponseStreamingError, match="reset by peer"):
        read_all(body)


def test_a_cut_hits_a_ranged_read_within_its_range(proxy: FaultProxy, client: S3Client) -> None:
    """Positions are those of the answer's body, not of the object."""
    proxy.add(Fault(when=lambda call: call.range is not None, action=Cut(at=10)))
    with pytest.raises((IncompleteReadError, ResponseStreamingError)):
        read_all(open_body(client, Range="bytes=100-199"))
    assert read_all(open_body(client)) == BODY
    assert [request.sent for request in proxy.requests] == [10, SIZE]
    assert [request.range for request in proxy.requests] == ["bytes=100-199", None]


def test_a_stalled_body_times_out(proxy: FaultProxy, impatient: S3Client) -> None:
    """The client gives up; the proxy notices, though its stall would last for an hour."""
    proxy.add(Fault(action=Stall(at=0.5, seconds=3600)))
    body = open_body(impatient)
    with pytest.raises(ReadTimeoutError):
        read_all(body)
    body.close()
    (request,) = proxy.requests
    assert request.sent == SIZE // 2
    assert request.ended_s is not None


def test_a_short_stall_loses_nothing(proxy: FaultProxy, client: S3Client) -> None:
    """The body goes on where it stopped."""
    proxy.add(Fault(action=Stall(at=1000, seconds=0.05)))
    assert read_all(open_body(client)) == BODY


def test_a_slow_body_trickles(proxy: FaultProxy, client: S3Client) -> None:
    """A rate bounds the time from below, on however slow a machine; each piece comes in time."""
    proxy.add(Fault(action=Slow(bytes_per_s=10_000)))
    assert read_all(open_body(client, Range="bytes=0-7999")) == BODY[:8000]
    (request,) = proxy.requests
    assert request.ended_s is not None
    assert request.ended_s - request.started_s >= 0.79


@pytest.mark.parametrize("at", [0, 12_345, 0.5, -1, 1.0])
def test_one_byte_is_flipped(proxy: FaultProxy, at: float) -> None:
    """That byte is another and all others are the same."""
    client = proxy.client(Config(response_checksum_validation="when_required"))
    proxy.add(Fault(action=Flip(at=at)))
    body = read_all(open_body(client))
    place = min(offset(at, SIZE), SIZE - 1)
    assert [index for index in range(SIZE) if body[index] != BODY[index]] == [place]


def test_a_flipped_byte_fails_a_checked_read(proxy: FaultProxy, client: S3Client) -> None:
    """boto3 sees it, if the read goes on to the end."""
    proxy.add(Fault(action=Flip(at=0.5)))
    with pytest.raises(FlexibleChecksumError):
        read_all(open_body(client))


def test_a_range_is_ignored(proxy: FaultProxy, client: S3Client) -> None:
    """The whole object comes, with status 200 and without Content-Range."""
    proxy.add(Fault(action=IgnoreRange()))
    got = client.get_object(Bucket=BUCKET, Key=KEY, Range="bytes=5-9")
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert got.get("ContentRange") is None
    assert read_all(got["Body"]) == BODY
    assert proxy.requests[0].range == "bytes=5-9"


def test_a_short_body_may_look_whole(proxy: FaultProxy) -> None:
    """With a Content-Length that is too small the message is sound, and its connection kept."""
    client = proxy.client(Config(response_checksum_validation="when_required"))
    proxy.add(Fault(action=WrongLength(by=-5)))
    got = client.get_object(Bucket=BUCKET, Key=KEY)
    assert got["ContentLength"] == SIZE - 5
    assert read_all(got["Body"]) == BODY[:-5]
    assert read_all(open_body(client)) == BODY


def test_a_body_may_be_shorter_than_its_length(proxy: FaultProxy, client: S3Client) -> None:
    """With a Content-Length that is too large the connection ends behind the last byte."""
    proxy.add(Fault(action=WrongLength(by=5)))
    got = client.get_object(Bucket=BUCKET, Key=KEY)
    assert got["ContentLength"] == SIZE + 5
    with pytest.raises((IncompleteReadError, ResponseStreamingError)):
        read_all(got["Body"])
    assert proxy.requests[0].sent == SIZE


def test_a_client_that_hangs_up_is_not_sent_the_rest(proxy: FaultProxy, store: S3Client) -> None:
    """What it was sent is what it read and little more: byte counts mean something."""
    store.put_object(Bucket=BUCKET, Key="large", Body=BODY * 32)
    body = proxy.client().get_object(Bucket=BUCKET, Key="large")["Body"]
    body.read(1000)
    body.close()
    assert 1000 <= proxy.bytes_sent(key="large") < 2 * SIZE


# Answers


@pytest.mark.parametrize("ending", Ending)
def test_a_connection_is_dropped_before_the_answer(
    proxy: FaultProxy, client: S3Client, store: S3Client, ending: Ending
) -> None:
    """The client has no answer, and S3 has not seen the request."""
    proxy.add(Fault(operation="DeleteObject", action=Drop(ending=ending)))
    with pytest.raises((ConnectionClosedError, HTTPClientError)):
        client.delete_object(Bucket=BUCKET, Key=KEY)
    assert store.head_object(Bucket=BUCKET, Key=KEY)["ContentLength"] == SIZE
    assert proxy.requests[0].status is None


def test_a_client_that_retries_gets_past_throttling(proxy: FaultProxy) -> None:
    """Two answers of 503 SlowDown, then the object: three requests, two of them befallen."""
    client = proxy.client(Config(retries={"total_max_attempts": 4}))
    proxy.add(Fault(operation="GetObject", times=2, action=SLOW_DOWN))
    assert read_all(open_body(client)) == BODY
    assert [request.status for request in proxy.requests] == [503, 503, 200]
    assert proxy.count(operation="GetObject") == 3


@pytest.mark.parametrize("answer", [SLOW_DOWN, INTERNAL_ERROR, ACCESS_DENIED], ids=lambda a: a.code)
def test_an_error_is_one_that_boto3_understands(
    proxy: FaultProxy, client: S3Client, answer: Answer
) -> None:
    """Status and code arrive; with a HEAD the status alone; the connection serves on."""
    proxy.add(Fault(times=2, action=answer))
    assert refusal(partial(client.get_object, Bucket=BUCKET, Key=KEY)) == (
        answer.status,
        answer.code,
    )
    assert refusal(partial(client.head_object, Bucket=BUCKET, Key=KEY))[0] == answer.status
    assert read_all(open_body(client)) == BODY


def test_an_upload_is_refused_before_it_is_sent(
    proxy: FaultProxy, client: S3Client, store: S3Client
) -> None:
    """boto3 awaits leave to send its body: refused, it sends none of it."""
    proxy.add(Fault(operation="PutObject", action=SLOW_DOWN))
    assert refusal(partial(client.put_object, Bucket=BUCKET, Key="b", Body=BODY)) == (
        503,
        "SlowDown",
    )
    assert proxy.requests[0].received == 0
    assert refusal(partial(store.head_object, Bucket=BUCKET, Key="b"))[0] == 404


def test_a_late_answer_times_out(proxy: FaultProxy, impatient: S3Client) -> None:
    """The client gives up before the first byte."""
    proxy.add(Fault(action=Delay(seconds=3600)))
    with pytest.raises(ReadTimeoutError):
        impatient.head_object(Bucket=BUCKET, Key=KEY)
    assert proxy.requests[0].ended_s is not None


# Writing


def test_an_upload_is_stored_and_its_answer_lost(
    proxy: FaultProxy, client: S3Client, store: S3Client
) -> None:
    """The client sees a dropped connection; the object is there."""
    proxy.add(Fault(operation="PutObject", action=LoseAnswer()))
    with pytest.raises(ConnectionClosedError):
        client.put_object(Bucket=BUCKET, Key="b", Body=BODY)
    assert store.head_object(Bucket=BUCKET, Key="b")["ContentLength"] == SIZE
    assert proxy.requests[0].received == SIZE
    assert proxy.requests[0].status is None


def test_a_lost_answer_makes_a_conditional_retry_fail_on_itself(
    proxy: FaultProxy, store: S3Client
) -> None:
    """The trap that the function has to know: 412, and the object is its own."""
    client = proxy.client(Config(retries={"total_max_attempts": 3}))
    proxy.add(Fault(operation="PutObject", action=LoseAnswer(instead=INTERNAL_ERROR)))
    assert refusal(
        partial(client.put_object, Bucket=BUCKET, Key="b", Body=BODY, IfNoneMatch="*")
    ) == (412, "PreconditionFailed")
    assert [request.status for request in proxy.requests] == [500, 412]
    assert store.get_object(Bucket=BUCKET, Key="b")["Body"].read() == BODY


def test_a_completed_upload_may_lose_its_answer(
    proxy: FaultProxy, client: S3Client, store: S3Client
) -> None:
    """The object is there and the upload is gone, whatever the client heard."""
    upload_id = client.create_multipart_upload(Bucket=BUCKET, Key="b")["UploadId"]
    etag = client.upload_part(Bucket=BUCKET, Key="b", UploadId=upload_id, PartNumber=1, Body=BODY)[
        "ETag"
    ]
    proxy.add(Fault(operation="CompleteMultipartUpload", action=LoseAnswer()))
    complete = partial(
        client.complete_multipart_upload,
        Bucket=BUCKET,
        Key="b",
        UploadId=upload_id,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]},
    )
    with pytest.raises(ConnectionClosedError):
        complete()
    assert refusal(complete) == (404, "NoSuchUpload")
    assert store.get_object(Bucket=BUCKET, Key="b")["Body"].read() == BODY


@pytest.mark.parametrize("at", [0, 1, 0.5, -1])
def test_an_upload_breaks_off_half_way(
    proxy: FaultProxy, client: S3Client, store: S3Client, at: float
) -> None:
    """So many bytes of it are read, the connection is reset, and nothing is stored."""
    proxy.add(Fault(operation="PutObject", action=TruncateUpload(at=at)))
    with pytest.raises((ConnectionClosedError, HTTPClientError)):
        client.put_object(Bucket=BUCKET, Key="b", Body=BODY)
    assert proxy.requests[0].received == offset(at, SIZE)
    assert refusal(partial(store.head_object, Bucket=BUCKET, Key="b"))[0] == 404


# In between


def test_an_object_is_replaced_between_two_ranged_reads(
    proxy: FaultProxy, client: S3Client, store: S3Client
) -> None:
    """The first read sees the old object; the second, which names its ETag, is refused."""

    def replace(call: S3Call) -> None:
        store.put_object(Bucket=call.bucket, Key=call.key, Body=b"other")

    proxy.add(Fault(method="GET", key=KEY, nth=2, action=CallBefore(function=replace)))
    first = client.get_object(Bucket=BUCKET, Key=KEY, Range="bytes=0-9")
    assert first["Body"].read() == BODY[:10]
    assert refusal(
        partial(
            client.get_object,
            Bucket=BUCKET,
            Key=KEY,
            Range="bytes=10-19",
            IfMatch=first["ETag"],
        )
    ) == (412, "PreconditionFailed")
    assert proxy.requests[1].if_match == first["ETag"]


def test_an_object_is_deleted_once_it_is_stored(
    proxy: FaultProxy, client: S3Client, store: S3Client
) -> None:
    """The client is told of a success that is no longer one."""

    def delete(call: S3Call) -> None:
        store.delete_object(Bucket=call.bucket, Key=call.key)

    proxy.add(Fault(operation="PutObject", action=CallAfter(function=delete)))
    put = client.put_object(Bucket=BUCKET, Key="b", Body=b"x")
    assert put["ETag"] == f'"{hashlib.md5(b"x").hexdigest()}"'  # noqa: S324
    assert refusal(partial(store.head_object, Bucket=BUCKET, Key="b"))[0] == 404


# Scripts and logs


def test_a_fault_befalls_the_requests_that_it_names(proxy: FaultProxy, client: S3Client) -> None:
    """The second and third GET of one key, and no other request."""
    proxy.add(Fault(method="GET", bucket=BUCKET, key=KEY, nth=2, times=2, action=ACCESS_DENIED))
    client.put_object(Bucket=BUCKET, Key="b", Body=b"b")
    for key in ("b", KEY, "b", KEY, "b", KEY, KEY):
        with contextlib.suppress(ClientError):
            client.get_object(Bucket=BUCKET, Key=key)
    statuses = [request.status for request in proxy.matching(method="GET", key=KEY)]
    assert statuses == [200, 403, 403, 200]
    assert {request.status for request in proxy.matching(key="b")} == {200}


def test_faults_may_befall_one_request_together(proxy: FaultProxy, client: S3Client) -> None:
    """A flipped byte comes before a cut: the client has one and suffers the other."""
    proxy.add(
        Fault(action=Cut(at=2000, ending=Ending.FIN)),
        Fault(action=Flip(at=100)),
    )
    body = open_body(client)
    first = body.read(1000)
    assert first[100] == BODY[100] ^ 0xFF
    with pytest.raises((IncompleteReadError, ResponseStreamingError)):
        read_all(body)
    assert proxy.requests[0].actions == (Cut(at=2000, ending=Ending.FIN), Flip(at=100))


def test_a_fault_without_a_number_befalls_all(proxy: FaultProxy, client: S3Client) -> None:
    """Until faults and log are cleared."""
    proxy.add(Fault(times=None, action=SLOW_DOWN))
    for _ in range(3):
        assert refusal(partial(client.head_object, Bucket=BUCKET, Key=KEY))[0] == 503
    proxy.clear()
    assert read_all(open_body(client)) == BODY
    assert [request.status for request in proxy.requests] == [200]


def test_a_fault_that_befell_nothing_is_known(files: FileS3) -> None:
    """A test can see that it proved nothing."""
    with FaultProxy(files.endpoint_url) as proxy:
        fault = Fault(key="never", action=SLOW_DOWN)
        proxy.add(fault)
        proxy.client().list_buckets()
        assert proxy.unused == (fault,)


def test_a_fault_counts_from_one() -> None:
    """There is no request before the first."""
    with pytest.raises(ValueError, match="expected nth from 1 but received 0"):
        Fault(nth=0, action=SLOW_DOWN)


def test_the_log_tells_what_was_asked_and_what_was_carried(
    proxy: FaultProxy, client: S3Client
) -> None:
    """Operation, key, headers of interest, status, and bytes both ways, in order."""
    etag = client.put_object(Bucket=BUCKET, Key="b/é", Body=BODY)["ETag"]
    client.get_object(Bucket=BUCKET, Key="b/é", Range="bytes=0-99", IfMatch=etag)["Body"].read()
    client.head_object(Bucket=BUCKET, Key="b/é")
    assert refusal(partial(client.get_object, Bucket=BUCKET, Key="b/é", IfNoneMatch=etag))[0] == 304
    assert [
        (request.operation, request.bucket, request.key, request.status)
        for request in proxy.requests
    ] == [
        ("PutObject", BUCKET, "b/é", 200),
        ("GetObject", BUCKET, "b/é", 206),
        ("HeadObject", BUCKET, "b/é", 200),
        ("GetObject", BUCKET, "b/é", 304),
    ]
    assert [(request.received, request.sent) for request in proxy.requests] == [
        (SIZE, 0),
        (0, 100),
        (0, 0),
        (0, 0),
    ]
    assert (proxy.requests[1].range, proxy.requests[1].if_match) == ("bytes=0-99", etag)
    assert proxy.requests[3].if_none_match == etag
    assert proxy.bytes_received(bucket=BUCKET) == SIZE
    assert proxy.bytes_sent() == 100


def test_many_connections_are_counted_one_by_one(proxy: FaultProxy, client: S3Client) -> None:
    """Eight threads with twenty reads each: nothing is missed, nothing is mixed up."""
    proxy.add(Fault(operation="GetObject", nth=50, times=30, action=SLOW_DOWN))

    def read(number: int) -> bool:
        first, last = number * 100, number * 100 + 999
        try:
            body = open_body(client, Range=f"bytes={first}-{last}").read()
        except ClientError:
            return False
        return body == BODY[first : last + 1]

    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(read, range(160)))
    assert results.count(True) == 130
    assert proxy.count(method="GET") == 160
    assert sum(request.sent for request in proxy.requests if request.status == 206) == 130_000


def test_a_link_shares_its_rate_among_all(files: FileS3, store: S3Client) -> None:
    """Two bodies at once take as long as both, and each first byte its latency: lower bounds."""
    del store
    with FaultProxy(files.endpoint_url, bytes_per_s=8 * SIZE, latency_s=0.05) as proxy:
        client = proxy.client()
        with ThreadPoolExecutor(2) as threads:
            bodies = threads.map(lambda _: open_body(client).read(), range(2))
            assert list(bodies) == [BODY, BODY]
        client.put_object(Bucket=BUCKET, Key="b", Body=BODY)
        *gets, put = proxy.requests
        began = min(request.started_s for request in gets)
        assert max(request.ended_s or 0 for request in gets) - began >= 0.05 + 2 / 8 - 0.01
        assert (put.ended_s or 0) - put.started_s >= 0.05 + 1 / 8 - 0.01
