"""Uploads over TLS, where boto3 sends a body that it cannot rewind in chunks with a trailer."""

import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Final

import pytest

from handler.s3.client import make_client
from handler.s3.requests import Requests
from handler.s3.sink import S3Sink
from tests.servers import REGION, Authority, FaultProxy, MotoServer, open_uploads

_BUCKET: Final = "renditions"
_MIB: Final = 1 << 20


@pytest.fixture
def proxy(authority: Authority) -> Iterator[FaultProxy]:
    """An S3 over TLS that records requests."""
    with MotoServer() as moto, FaultProxy(moto.endpoint_url, authority=authority) as secure:
        secure.create_buckets(_BUCKET)
        yield secure


@pytest.fixture
def authority() -> Iterator[Authority]:
    """Whom the function's client is told to trust."""
    with Authority() as made:
        yield made


@pytest.mark.parametrize(
    ("size", "operations"),
    [
        (100_000, ["PutObject"]),
        (8 * _MIB, ["PutObject"]),
        (
            20 * _MIB,
            ["CreateMultipartUpload", *["UploadPart"] * 3, "CompleteMultipartUpload"],
        ),
    ],
    ids=["small", "one-part", "multipart"],
)
def test_a_rendition_arrives_whole_over_tls(
    proxy: FaultProxy,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    size: int,
    operations: list[str],
) -> None:
    """The function's own client stores the very bytes, with their headers, in as many requests."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", proxy.endpoint_url)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(authority.ca_bundle))
    data = (bytes(range(251)) * (size // 251 + 1))[:size]
    before = len(proxy.requests)
    with closing(make_client()) as client, ThreadPoolExecutor(max_workers=2) as executor:
        sink = S3Sink(
            Requests(client),
            executor,
            bucket=_BUCKET,
            key="a.jpg/large.jpg",
            headers={"ContentType": "image/jpeg", "Metadata": {"source-key": "a.jpg"}},
            condition={"IfNoneMatch": "*"},
            check_replaceable=lambda _: None,
        )
        for at in range(0, size, 300_007):
            sink.write(memoryview(data)[at : at + 300_007])
        sink.commit()
        sink.wait()

    made = [call.operation for call in proxy.requests[before:]]
    assert sorted(made) == sorted(operations)
    answer = proxy.client().get_object(Bucket=_BUCKET, Key="a.jpg/large.jpg")
    assert answer["Body"].read() == data
    assert (answer["ContentType"], answer["Metadata"]) == ("image/jpeg", {"source-key": "a.jpg"})
    assert sink.etag == answer["ETag"]
    assert open_uploads(proxy.client(), _BUCKET) == []


def test_the_authorities_are_read_for_the_first_connection_alone(
    proxy: FaultProxy, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading them takes 20 ms of CPU; a photo's uploads make a connection each."""
    read: list[object] = []
    load = ssl.SSLContext.load_verify_locations

    def loaded(context: ssl.SSLContext, *places: str | None) -> None:
        read.append(places)
        load(context, *places)

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", loaded)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", proxy.endpoint_url)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(authority.ca_bundle))
    everyone = threading.Barrier(4)

    def ask() -> None:
        # Each holds its connection until all have one.
        answer = client.get_object(Bucket=_BUCKET, Key="a.jpg")
        everyone.wait(30)
        answer["Body"].read()

    proxy.client().put_object(Bucket=_BUCKET, Key="a.jpg", Body=bytes(1 << 20))
    with closing(make_client()) as client:
        client.head_object(Bucket=_BUCKET, Key="a.jpg")
        with ThreadPoolExecutor(max_workers=4) as executor:
            for done in [executor.submit(ask) for _ in range(4)]:
                done.result()

    assert read == [(str(authority.ca_bundle), None, None)]
