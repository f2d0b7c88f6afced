"""Every ByteSource keeps the same promises."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from handler.objects import ObjectEvent
from handler.s3.requests import Requests
from handler.s3.source import S3Source, _Body
from imaging.bridge.kept import Kept
from imaging.errors import SourceError
from imaging.local import FileSource, MemorySource
from imaging.streams import ByteSource
from imaging.views import Between, Part
from tests.servers import MotoServer

# Longer than S3Source's blocks and chunks, and no multiple of either.
_DATA: Final = bytes((i * 131 + (i >> 8) * 7) & 0xFF for i in range(600_001))


def _memory(_path: Path, _s3: MotoServer) -> ByteSource:
    return MemorySource(_DATA)


def _file(path: Path, _s3: MotoServer) -> ByteSource:
    path.write_bytes(_DATA)
    return FileSource(path)


def _s3_object(_path: Path, s3: MotoServer) -> ByteSource:
    client = s3.client()
    client.put_object(Bucket="photos", Key="source", Body=_DATA)
    return S3Source(Requests(client), ObjectEvent(bucket="photos", key="source"))


def _part(_path: Path, _s3: MotoServer) -> ByteSource:
    return Part(MemorySource(b"before" + _DATA + b"behind"), 6, len(_DATA))


def _between(_path: Path, _s3: MotoServer) -> ByteSource:
    return Between(MemorySource(bytes(9) + _DATA[9:-7]), _DATA[:9], _DATA[-7:])


def _kept(_path: Path, _s3: MotoServer) -> ByteSource:
    beneath = MemorySource(_DATA)
    head = memoryview(bytearray(1024))
    return Kept(beneath, head[: beneath.readinto(head)])


@pytest.fixture(
    params=[_memory, _file, _s3_object, _part, _between, _kept],
    ids=["memory", "file", "s3", "part", "between", "kept"],
)
def source(request: pytest.FixtureRequest, tmp_path: Path, s3: MotoServer) -> Iterator[ByteSource]:
    """One of the implementations, over the same bytes."""
    make: Callable[[Path, MotoServer], ByteSource] = request.param
    with closing(make(tmp_path / "source", s3)) as made:
        yield made


def _read(source: ByteSource, length: int, *, step: int = 1 << 16) -> bytes:
    """Read ``length`` bytes, or up to the end, at most ``step`` at a time."""
    data = bytearray()
    while len(data) < length:
        buffer = memoryview(bytearray(min(step, length - len(data))))
        count = source.readinto(buffer)
        assert 0 <= count <= len(buffer)
        if count == 0:
            break
        data += buffer[:count]
    return bytes(data)


def test_size_is_known_before_the_first_read(source: ByteSource) -> None:
    """The size is that of all the bytes, and reading does not change it."""
    assert source.size == len(_DATA)
    _read(source, 100)
    assert source.size == len(_DATA)


@pytest.mark.parametrize("step", [997, 65_536, 1_000_000])
def test_short_reads_add_up_to_the_bytes(source: ByteSource, step: int) -> None:
    """Whatever the buffer's length, the bytes come whole and in order."""
    assert _read(source, len(_DATA) + 1, step=step) == _DATA


def test_the_end_is_0_and_stays_the_end(source: ByteSource) -> None:
    """Past the last byte each read gives 0 and leaves the buffer alone."""
    _read(source, len(_DATA))
    buffer = memoryview(bytearray(b"untouched"))
    assert [source.readinto(buffer) for _ in range(3)] == [0, 0, 0]
    assert bytes(buffer) == b"untouched"


def test_seek_end_counts_from_the_end(source: ByteSource) -> None:
    """SEEK_END gives the size, and a negative offset the last bytes."""
    assert source.seek(0, os.SEEK_END) == len(_DATA)
    assert source.readinto(memoryview(bytearray(1))) == 0
    assert source.seek(-1000, os.SEEK_END) == len(_DATA) - 1000
    assert _read(source, 2000) == _DATA[-1000:]


def test_seek_cur_counts_from_here(source: ByteSource) -> None:
    """SEEK_CUR by 0 tells the position, and otherwise moves from it."""
    _read(source, 100)
    assert source.seek(0, os.SEEK_CUR) == 100
    assert source.seek(70_000, os.SEEK_CUR) == 70_100
    assert _read(source, 50) == _DATA[70_100:70_150]


def test_backward_seek_gives_the_same_bytes_again(source: ByteSource) -> None:
    """After reading on, an earlier position gives what it gave before."""
    _read(source, 300_000)
    for position in (299_000, 65_530, 0):
        assert source.seek(position) == position
        assert _read(source, 5000) == _DATA[position : position + 5000]


def test_backward_seek_from_the_end(source: ByteSource) -> None:
    """The end is no dead end: after it, everything can be read once more."""
    assert _read(source, len(_DATA) + 1) == _DATA
    assert source.seek(0) == 0
    assert _read(source, len(_DATA) + 1) == _DATA


def test_past_the_end_there_is_nothing(source: ByteSource) -> None:
    """A position beyond the end reads as the end does."""
    source.seek(len(_DATA) + 10)
    assert source.readinto(memoryview(bytearray(10))) == 0


def test_a_position_before_the_start_is_refused(source: ByteSource) -> None:
    """A seek to before the first byte raises SourceError."""
    with pytest.raises(SourceError):
        source.seek(-1)


def test_close_is_safe_to_repeat(source: ByteSource) -> None:
    """Closing twice, in the middle of the bytes, raises nothing."""
    _read(source, 2000)
    source.close()
    source.close()


def test_what_was_read_to_its_end_is_read_again(source: ByteSource) -> None:
    """A seek to the first byte after the last one brings all of them once more."""
    assert _read(source, len(_DATA) + 1) == _DATA
    assert source.seek(0) == 0
    assert _read(source, len(_DATA) + 1, step=4096) == _DATA


def test_a_checksum_is_of_memory_that_is_the_sources_own(
    s3: MotoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The buffer may be one that others write to: it is filled, and never read."""
    client = s3.client()
    client.put_object(Bucket="photos", Key="source", Body=_DATA)
    hashed: list[object] = []
    read = _Body.readinto

    def noted(body: _Body, buffer: memoryview) -> int:
        hashed.append(buffer.obj)
        return read(body, buffer)

    monkeypatch.setattr(_Body, "readinto", noted)
    given = bytearray(len(_DATA))
    with closing(S3Source(Requests(client), ObjectEvent(bucket="photos", key="source"))) as source:
        for _ in range(2):
            at = source.seek(0)
            while count := source.readinto(memoryview(given)[at:] or memoryview(bytearray(1))):
                at += count
            assert given == _DATA
    assert hashed
    assert not any(memory is given for memory in hashed)
