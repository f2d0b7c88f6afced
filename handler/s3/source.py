"""A photo in S3 as a ByteSource: the current version, streamed, resumed after a break."""

import base64
import os
import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Protocol

from botocore.exceptions import (
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)

from handler.errors import SourceChangedError
from handler.objects import ObjectEvent
from handler.s3.requests import Requests
from handler.version import SourceVersion, version_from_answer, version_from_event
from imaging.errors import SourceError
from imaging.streams import position_after

__all__ = ["S3Source"]

_BROKEN: Final = (
    ResponseStreamingError,
    IncompleteReadError,
    ReadTimeoutError,
    HTTPClientError,
    OSError,
)
_CHUNK_BYTES: Final = 256 << 10
_AHEAD_CHUNKS: Final = 8
# A read of more than arrives before the cut loses all of it; small reads make progress.
_RESUMING_BYTES: Final = 16 << 10
_MAX_BARREN_RESUMES: Final = 3
_BLOCK_BYTES: Final = 64 << 10
_CACHED_BLOCKS: Final = 128
_MAX_WINDOW: Final = 32
_HEAD_BYTES: Final = 1024
_WHOLE_BYTES: Final = 8 << 20
_PATIENCE_S: Final = 0.5
# The read that finds the end is the one that checks the checksum.
_NOTHING: Final = memoryview(bytearray(1))


class _Checksum(Protocol):
    def update(self, data: memoryview, /) -> object: ...
    def digest(self) -> bytes: ...


class _Crc:
    """A checksum that botocore computes only with 12 MB of libraries; anycrc takes 2."""

    def __init__(self, name: str) -> None:
        # Not at start-up: only an object with such a checksum needs it.
        import anycrc

        self._calculate: Callable[[memoryview, int], int] = anycrc.Model(name).calc
        self._value = 0
        self._length = {"CRC32-ISCSI": 4, "CRC64-NVME": 8}[name]

    def update(self, data: memoryview, /) -> object:
        self._value = self._calculate(data, self._value)
        return None

    def digest(self) -> bytes:
        return self._value.to_bytes(self._length, "big")


_CRCS: Final = {"ChecksumCRC64NVME": "CRC64-NVME", "ChecksumCRC32C": "CRC32-ISCSI"}
_BOTOCORES: Final = ("ChecksumCRC32", "ChecksumSHA256", "ChecksumSHA1")


class _Body:
    """One version's bytes from an offset to the end, across broken connections.

    *Thread*: one at a time.
    """

    def __init__(self, requests: Requests, event: ObjectEvent) -> None:
        self._requests = requests
        self._where = f"s3://{event.bucket}/{event.key}"
        self._request: dict[str, Any] = {"Bucket": event.bucket, "Key": event.key}
        # The object as it is now, and not the version that the event names: if that is another,
        # its renditions would be of a photo that is not there.
        conditions = {} if event.etag is None else {"IfMatch": f'"{event.etag}"'}
        answer = self._get(conditions)
        self.size: int = answer["ContentLength"]
        self.metadata: Mapping[str, str] = answer.get("Metadata", {})
        self.etag: str = answer["ETag"]
        self.version = version_from_answer(event, answer)
        self._event = event
        named = version_from_event(event)
        if named.version_id and self.version.version_id not in {None, named.version_id}:
            answer["Body"].close()
            raise SourceChangedError(
                f"Expected {self._where} to be version {named.version_id} but it is "
                f"{self.version.version_id}"
            )
        pinned = named.version_id is not None or named.etag is not None
        if pinned and event.size not in {None, self.size}:
            answer["Body"].close()
            raise SourceError(
                f"Expected the {event.size} bytes of the event for {self._where} but S3 announces "
                f"{self.size}"
            )
        # From here on nothing but these very bytes will do.
        self._request["IfMatch"] = self.etag
        self._begin(answer)

    def _begin(self, answer: Mapping[str, Any]) -> None:
        self.position = 0
        self._stream = answer["Body"]
        # botocore checks the body against S3's checksum, but only if one connection brings all of
        # it, and not for the checksums that it cannot compute. Its own running one goes on here.
        self._botocores: _Checksum | None = getattr(self._stream, "checksum", None)
        self._checksum = self._botocores
        names: tuple[str, ...] = _BOTOCORES
        if self._checksum is None:
            # "-n" is a checksum of the checksums of n parts, whose lengths are unknown here.
            names = tuple(name for name in _CRCS if "-" not in answer.get(name, "-"))
            self._checksum = _Crc(_CRCS[names[0]]) if names else None
        self._expected = next((answer[name] for name in names if name in answer), None)
        self._resumed = False

    def restart(self) -> None:
        """Begin again at the first byte. *Cost*: one request."""
        self._stream.close()
        self._begin(self._get({}))

    def _get(self, extra: Mapping[str, str]) -> dict[str, Any]:
        return self._requests.of_source("get_object", **self._request, **extra)

    def range(self, start: int, stop: int) -> bytes:
        """Return the bytes from ``start`` up to ``stop``. *Cost*: one request or more."""
        for attempt in range(1, _MAX_BARREN_RESUMES + 1):
            answer = self._ranged(start, stop)
            try:
                data: bytes = answer["Body"].read()
            except _BROKEN:
                self._requests.pause(attempt)
                continue
            if len(data) == stop - start:
                return data
        raise SourceError(
            f"Expected bytes {start} to {stop} of {self._where}; each try was truncated"
        )

    def _ranged(self, start: int, stop: int) -> dict[str, Any]:
        answer = self._get({"Range": f"bytes={start}-{stop - 1}"})
        expected = f"bytes {start}-{stop - 1}/{self.size}"
        if answer.get("ContentRange") != expected or answer["ETag"] != self.etag:
            answer["Body"].close()
            raise SourceError(
                f"Expected {expected} of {self._where} but received {answer.get('ContentRange')}"
            )
        return answer

    def readinto(self, buffer: memoryview) -> int:
        """Fill some of ``buffer``; 0 only at the true end."""
        barren = 0
        while True:
            self._requests.deadline.check(f"read {self._where}")
            view = buffer[:_RESUMING_BYTES] if self._resumed else buffer
            try:
                count: int = self._stream.readinto(view)
            except FlexibleChecksumError as error:
                raise SourceError(f"Expected {self._where} to match S3's checksum") from error
            except _BROKEN:
                count = 0
            if count:
                if self._checksum is not None and (self._resumed or not self._botocores):
                    self._checksum.update(view[:count])
                self.position += count
                return count
            if self.position == self.size:
                self._verify()
                return 0
            if barren == _MAX_BARREN_RESUMES or not self._requests.may_retry():
                raise SourceError(
                    f"Expected {self.size} bytes of {self._where}; the body ends at {self.position}"
                )
            barren += 1
            self._stream.close()
            if barren > 1:
                self._requests.pause(barren - 1)
            self._stream = self._ranged(self.position, self.size)["Body"]
            self._resumed = True

    def _verify(self) -> None:
        if self._checksum is None or self._expected is None:
            return
        if self._checksum.digest() != base64.b64decode(self._expected):
            raise SourceError(f"Expected {self._where} to match S3's checksum {self._expected}")

    def check_current(self) -> None:
        place = {"Bucket": self._event.bucket, "Key": self._event.key}
        answer = self._requests.of_source("head_object", **place)
        if not version_from_answer(self._event, answer).is_same_upload(self.version):
            raise SourceChangedError(f"Expected {self._where} to be {self.etag} still")

    def close(self) -> None:
        self._stream.close()


class S3Source:
    """ByteSource over one version of an object.

    Read from start to end it is one GetObject, which a thread reads up to 2 MiB ahead, so that
    download and decode overlap. The first seek ends that. An object of up to 8 MiB is then read to
    its end, and stays in memory. Of a larger one 64 KiB blocks come by ranged GETs, whose length
    doubles while reading goes forward, or is that of a read of more than 128 KiB; up to 8 MiB of
    them are kept. After the last byte, a seek to the first one is one more GetObject from start to
    end.

    Whatever is read to its end is checked against the checksum that S3 keeps for the whole object,
    if it keeps one, across resumes too. Ranged GETs are held to the same version, and to no
    checksum: S3 has none for a part of an object.

    Args:
        requests: Of this invocation.
        event: What it is about.

    *Cost*: one request when made; see above for the rest.

    Raises:
        SourceChangedError: The object is gone, or is not the version that the event names.
        SourceError: S3 refuses or cannot be reached, or the bytes end early and resuming does not
            help, or they do not match the checksum.
        OutOfTimeError: The deadline passed.
    """

    def __init__(self, requests: Requests, event: ObjectEvent) -> None:
        self._deadline = requests.deadline
        self._body = _Body(requests, event)
        self._head = bytearray()
        self._whole: memoryview | None = None
        self._at = 0
        self._chunk = memoryview(b"")
        self._queue: queue.Queue[memoryview | Exception] | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._blocks: OrderedDict[int, bytes] | None = None
        self._next_block = -1
        self._window = 1
        self.waited_s = 0.0
        """Seconds for which the reader waited for bytes."""

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.waited_s += time.perf_counter() - started

    @property
    def size(self) -> int:
        return self._body.size

    @property
    def metadata(self) -> Mapping[str, str]:
        """The object's user metadata."""
        return self._body.metadata

    @property
    def version(self) -> SourceVersion:
        """Which version it is."""
        return self._body.version

    def check_current(self) -> None:
        """Ask S3 whether this upload is still the object. *Cost*: one HeadObject. *Thread*: any.

        Raises:
            SourceChangedError: It is not, or there is none.
            SourceError: S3 cannot be asked.
        """
        self._body.check_current()

    def readinto(self, buffer: memoryview) -> int:
        if self._whole is not None:
            return self._read_whole(buffer)
        if self._blocks is not None:
            return self._read_block(buffer)
        if not self._chunk:
            if self._queue is None:
                # The first kilobyte shows whether the format seeks; others are read ahead.
                if self._at < _HEAD_BYTES:
                    return self._read_head(buffer)
                self._start()
            self._chunk = self._next_chunk()
        count = min(len(buffer), len(self._chunk))
        buffer[:count] = self._chunk[:count]
        self._chunk = self._chunk[count:]
        self._at += count
        return count

    def _read_head(self, buffer: memoryview) -> int:
        # The checksum is of memory of its own: a worker may write to the buffer.
        head = memoryview(bytearray(min(len(buffer), _HEAD_BYTES - self._at)))
        with self._waiting():
            count = self._body.readinto(head)
        buffer[:count] = head[:count]
        self._head += head[:count]
        self._at += count
        return count

    def _read_whole(self, buffer: memoryview) -> int:
        assert self._whole is not None  # noqa: S101 - the caller looked
        chunk = self._whole[self._at : self._at + len(buffer)]
        buffer[: len(chunk)] = chunk
        self._at += len(chunk)
        return len(chunk)

    def _start(self) -> None:
        self._head.clear()
        self._queue = queue.Queue(maxsize=_AHEAD_CHUNKS)
        self._thread = threading.Thread(target=self._read_ahead, name="read-ahead", daemon=True)
        self._thread.start()

    def _read_ahead(self) -> None:
        assert self._queue is not None  # noqa: S101 - made before the thread
        while not self._stopping.is_set():
            try:
                buffer = memoryview(bytearray(_CHUNK_BYTES))
                count = self._body.readinto(buffer)
                item: memoryview | Exception = buffer[:count]
            except Exception as error:  # noqa: BLE001 - raised again where the bytes are read
                item, count = error, 0
            while not self._stopping.is_set():
                try:
                    self._queue.put(item, timeout=0.1)
                    break
                except queue.Full:
                    continue
            if count == 0:
                return
        self._body.close()

    def _next_chunk(self) -> memoryview:
        assert self._queue is not None  # noqa: S101 - made before the first chunk
        with self._waiting():
            while True:
                try:
                    item = self._queue.get(timeout=_PATIENCE_S)
                    break
                except queue.Empty:
                    self._deadline.check("wait for the photo's bytes")
        if isinstance(item, Exception) or not item:
            # The end stays the end, however often it is read.
            self._queue.put(item)
        if isinstance(item, Exception):
            raise item
        return item

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        at = position_after(offset, whence, at=self._at, size=self.size)
        if at == 0 and self._at == self.size and self._whole is None and self._blocks is None:
            self._restart()
        elif at != self._at and self._whole is None and self._blocks is None:
            if self._queue is None and self.size <= _WHOLE_BYTES:
                self._read_rest()
            else:
                self.close()
                self._blocks = OrderedDict()
        self._at = at
        return at

    def _restart(self) -> None:
        self.close()
        self._stopping = threading.Event()
        self._thread = None
        self._head.clear()
        self._chunk, self._queue = memoryview(b""), None
        with self._waiting():
            self._body.restart()

    def _read_rest(self) -> None:
        whole = memoryview(bytearray(self.size))
        whole[: len(self._head)] = self._head
        at = len(self._head)
        with self._waiting():
            while count := self._body.readinto(whole[at:] if at < self.size else _NOTHING):
                at += count
        self._body.close()
        self._head.clear()
        self._whole = whole

    def _read_block(self, buffer: memoryview) -> int:
        if self._at >= self.size:
            return 0
        assert self._blocks is not None  # noqa: S101 - the caller looked
        number, offset = divmod(self._at, _BLOCK_BYTES)
        if number not in self._blocks:
            self._fetch(number, offset + len(buffer))
        self._blocks.move_to_end(number)
        chunk = self._blocks[number][offset : offset + len(buffer)]
        buffer[: len(chunk)] = chunk
        self._at += len(chunk)
        return len(chunk)

    def _fetch(self, number: int, wanted: int) -> None:
        """Fetch a block, and with it what is asked for or likely to be read next.

        Args:
            number: The block's.
            wanted: Bytes from the block's first on.
        """
        assert self._blocks is not None  # noqa: S101 - as above
        forward = number == self._next_block
        if wanted > 2 * _BLOCK_BYTES:
            # A reader that asks for so much knows where that ends.
            self._window = min(-(-wanted // _BLOCK_BYTES), _MAX_WINDOW)
        else:
            self._window = min(self._window * 2, _MAX_WINDOW) if forward else 1
        start, stop = number * _BLOCK_BYTES, (number + 1) * _BLOCK_BYTES
        # Stop before a block that was read already: behind a level's tiles lies the directory that
        # named them, and behind that the next level, which nobody wants.
        furthest = start + self._window * _BLOCK_BYTES
        while stop < furthest and stop // _BLOCK_BYTES not in self._blocks:
            stop += _BLOCK_BYTES
        with self._waiting():
            data = self._body.range(start, min(stop, self.size))
        for at in range(0, len(data), _BLOCK_BYTES):
            self._blocks[number + at // _BLOCK_BYTES] = data[at : at + _BLOCK_BYTES]
        self._next_block = -1 if wanted > 2 * _BLOCK_BYTES else stop // _BLOCK_BYTES
        while len(self._blocks) > _CACHED_BLOCKS:
            self._blocks.popitem(last=False)

    def close(self) -> None:
        self._stopping.set()
        if self._thread is None:
            self._body.close()
        elif not self._deadline.has_passed:
            # After the deadline nobody waits for a read under way; the thread ends with it.
            self._thread.join()
