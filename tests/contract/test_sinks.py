"""Every ByteSink keeps the same promises."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from handler.s3.requests import Requests
from handler.s3.sink import S3Sink
from imaging.local import FileSink, MemorySink
from imaging.streams import ByteSink
from tests.servers import MotoServer, open_uploads

# Below and above what S3Sink keeps before it starts a multipart upload.
_SIZES: Final = (1000, (8 << 20) + 1, (20 << 20) + 3)
_BUCKET: Final = "photos"


class Case(NamedTuple):
    """A sink, how to wait for what it committed, and a look at everything it left behind."""

    sink: ByteSink
    wait: Callable[[], object]
    left: Callable[[], list[bytes]]


def _memory(_folder: Path, _s3: MotoServer, _executor: ThreadPoolExecutor) -> Case:
    sink = MemorySink()
    return Case(sink, lambda: None, lambda: [] if sink.data is None else [sink.data])


def _file(folder: Path, _s3: MotoServer, _executor: ThreadPoolExecutor) -> Case:
    sink = FileSink(folder / "rendition")
    return Case(sink, lambda: None, lambda: [path.read_bytes() for path in folder.rglob("*")])


def _s3_object(_folder: Path, s3: MotoServer, executor: ThreadPoolExecutor) -> Case:
    client = s3.client()
    sink = S3Sink(
        Requests(client),
        executor,
        bucket="renditions",
        key="rendition",
        headers={},
        condition={},
        check_replaceable=lambda _: None,
    )

    def left() -> list[bytes]:
        found = client.list_objects_v2(Bucket="renditions").get("Contents", [])
        objects = [
            client.get_object(Bucket="renditions", Key=item["Key"])["Body"].read() for item in found
        ]
        return objects + [b"open upload" for _ in open_uploads(client, "renditions")]

    return Case(sink, sink.wait, left)


@pytest.fixture(params=[_memory, _file, _s3_object], ids=["memory", "file", "s3"])
def case(request: pytest.FixtureRequest, tmp_path: Path, s3: MotoServer) -> Iterator[Case]:
    """One of the implementations, with nothing stored yet."""
    s3.reset()
    s3.create_buckets(_BUCKET, "renditions")
    make: Callable[[Path, MotoServer, ThreadPoolExecutor], Case] = request.param
    with ThreadPoolExecutor(max_workers=2) as executor:
        yield make(tmp_path, s3, executor)


def _data(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


def _write(sink: ByteSink, data: bytes) -> None:
    """Write as libvips does: pieces in a buffer that is used again after each call."""
    step = 300_007
    buffer = bytearray(step)
    for at in range(0, len(data), step):
        piece = data[at : at + step]
        buffer[: len(piece)] = piece
        with memoryview(buffer) as view, view[: len(piece)] as part:
            sink.write(part)
        buffer[:] = bytes(step)


@pytest.mark.parametrize("size", _SIZES)
def test_commit_shows_all_that_was_written(case: Case, size: int) -> None:
    """After a commit there is one thing, and it is the bytes."""
    _write(case.sink, _data(size))
    case.sink.commit()
    case.wait()
    assert case.left() == [_data(size)]


@pytest.mark.parametrize("size", [0, *_SIZES])
def test_abort_leaves_nothing(case: Case, size: int) -> None:
    """However much was written: no object, no file, no open upload."""
    _write(case.sink, _data(size))
    case.sink.abort()
    assert case.left() == []


def test_abort_is_safe_to_repeat(case: Case) -> None:
    """A second abort raises nothing and leaves nothing."""
    _write(case.sink, _data(_SIZES[1]))
    case.sink.abort()
    case.sink.abort()
    assert case.left() == []
