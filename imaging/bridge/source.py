"""A photo's bytes for libvips: ByteSource -> libvips source."""

import io
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

import pyvips

from imaging.bridge.kept import Kept
from imaging.errors import (
    CorruptPhotoError,
    OutOfMemoryError,
    TruncatedPhotoError,
)
from imaging.files.credentials import MAX_STORE_BYTES
from imaging.files.jpeg_scans import ScanCounter
from imaging.files.webp import ChunkAhead
from imaging.formats import SNIFF_BYTES, InputFormat, Reading, sniff
from imaging.limits import Limits
from imaging.streams import ByteSource, fill, read_some

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["OpenPhoto", "Watcher"]

_CHUNK_BYTES: Final = 64 << 10

_MAX_HEADER_BYTES: Final = 5 << 20
"""Of a file that is read whole, that are kept until its header is read."""

_SEGMENT_BYTES: Final = 256
"""What a segment of a JPEG counts for at least: millions may have no byte of their own."""

_DEFAULT_LIMITS: Final = Limits()
_JPEGS: Final = frozenset({InputFormat.JPEG, InputFormat.RAW})


def _chunk_ahead(format_: InputFormat) -> ChunkAhead | None:
    """Return what finds a WebP's content credentials, which stand behind its pixels."""
    return ChunkAhead(b"C2PA", MAX_STORE_BYTES) if format_ is InputFormat.WEBP else None


class Watcher(Protocol):
    """Looks at a photo's bytes as they go by."""

    def feed(self, data: memoryview) -> None:
        """Take the next bytes."""
        ...

    def check(self) -> None:
        """Say what was found, once all of them went by.

        Raises:
            RejectedPhotoError: The photo is not to be rendered.
        """
        ...


def _called(operation: str, photo: object, options: Mapping[str, object]) -> pyvips.Image:
    """Return what a loader makes of a photo, with no limit of libvips' own.

    What a photo may be, :class:`imaging.limits.Limits` and the plan's memory say, each by its name.
    What a library allows less, such as libtiff its 50 MB, would be taken for damage.
    """
    if "unlimited" in pyvips.Introspect.get(operation).optional_input:
        options = {"unlimited": True, **options}
    image = pyvips.Operation.call(operation, photo, **options)
    assert isinstance(image, pyvips.Image)  # noqa: S101 - what every loader returns
    return image


class OpenPhoto:
    """One photo being read: what its bytes are, and libvips images that draw on them.

    Use it as a context manager and evaluate every image within: the source must outlive them.

    *Thread*: made and closed by one; libvips reads from its own workers.

    Attributes:
        head: The first bytes.
        format: What they are of.
        passing: What finds the credentials of a WebP in the bytes that are read; None for others.

    Args:
        source: Its bytes.
        limits: What it may be at most, for what shows before its header is known, or after.
        memory_bytes: What there is to decode it in; None for no limit.

    Raises:
        RejectedPhotoError: The first bytes are not those of a photo that is accepted.
        SourceError: The first bytes cannot be read.
    """

    def __init__(
        self,
        source: ByteSource,
        limits: Limits = _DEFAULT_LIMITS,
        memory_bytes: int | None = None,
    ) -> None:
        self.limits = limits
        self._memory_bytes = memory_bytes
        self._bytes = source
        # What libvips is shown of it.
        self._shown = source
        self._kept: Kept | None = None
        self._captured: BaseException | None = None
        self._read_head()
        self.format = sniff(self.head)
        self._row = self.format.row
        # A decoder that reads from start to end is given no seek handler: libvips then keeps the
        # header to read it again by itself, and asks for no SEEK_END.
        self._seeks = self._row.reading in {Reading.RANGES, Reading.KEPT}
        if self._row.reading is Reading.KEPT:
            self._shown = self._kept = Kept(source, self._head)
        self._encoded: bytes | None = None
        self._is_read = False
        self._piece = memoryview(bytearray(_CHUNK_BYTES))
        self._header = bytearray()
        self._records = self._row.keeps_header
        self.passing = _chunk_ahead(self.format)
        self._watcher: Watcher | None = None
        # A RIFF says how long it is; the others show it only by ending too soon.
        self._ended = (
            self.head.startswith(b"RIFF")
            and int.from_bytes(self._head[4:8], "little") + 8 > self.size
        )
        self._source: pyvips.SourceCustom | None = self._made_source()
        self._scans = self._counter()
        if self._seeks:
            self.rewind()

    def check_memory(self, need: int) -> None:
        """Hold ``need`` bytes, which the decoder was to have, against what there is.

        Raises:
            OutOfMemoryError: It is more.
        """
        if self._memory_bytes is not None and need > self._memory_bytes:
            raise OutOfMemoryError(held=0, available=self._memory_bytes)

    def _read_head(self) -> None:
        self._position = 0
        head = memoryview(bytearray(SNIFF_BYTES))
        self._head = head[: fill(head, self._fill)]
        self._held = head[:0]
        self.head = bytes(self._head)

    def open_part(self, at: int, length: int) -> None:
        """Continue with the JPEG of ``length`` bytes at ``at``, as the photo of a camera raw.

        Raises:
            SourceError: The bytes cannot be read.
        """
        # Imported on first use: most photos are no raw.
        from imaging.views import Part

        self._bytes = self._shown = Part(self._bytes, at, length)
        self._read_head()
        self.format = InputFormat.RAW
        self._row = self.format.row
        # A JPEG is read from start to end, wherever it is.
        self._seeks = False
        self._records = self._row.keeps_header
        self._source = self._made_source()
        self._scans = self._counter()

    def _counter(self) -> ScanCounter | None:
        return ScanCounter() if self.format in _JPEGS else None

    def show(self, first: bytes, last: bytes) -> None:
        """Show libvips ``first`` in the place of the first bytes, and ``last`` behind the others.

        Only for formats that are read by ranges. It counts until the next call.
        """
        # Imported on first use: most photos are shown as they are.
        from imaging.views import Between

        self._shown = Between(self._bytes, first, last)
        self.rewind()

    def _made_source(self) -> pyvips.SourceCustom:
        source = pyvips.SourceCustom()
        source.signal_connect("read", self._on_read)
        if self._seeks:
            source.signal_connect("seek", self._on_seek)
        return source

    def rewind_if_read(self) -> None:
        """Begin again at the first byte if the pixels were read before.

        *Cost*: as :meth:`rewind`.

        Raises:
            SourceError: The source cannot go back.
        """
        if self._is_read:
            self.rewind()

    def rewind(self) -> None:
        """Begin again at the first byte, as if nothing had been read.

        *Cost*: a seek. To a source that was read to its end that is one request more; from one that
        was not, the rest is read by ranges.

        Raises:
            SourceError: The source cannot go back.
        """
        self._position = self._shown.seek(0)
        self._head = self._head[:0]
        self._held = self._head
        self._ended = False
        self._encoded = None
        self._is_read = False
        self.passing = None
        self._header.clear()
        self._watcher = None
        self._source = self._made_source()
        self._scans = self._counter()

    def watch(self, watcher: Watcher) -> None:
        """Show ``watcher`` every byte of a file of which the header was read, until its end.

        Only for formats that are read from start to end, and whose header is kept.
        """
        watcher.feed(memoryview(self._header))
        watcher.feed(self._held)
        self._watcher = watcher

    @property
    def size(self) -> int:
        """Encoded bytes."""
        return self._bytes.size

    def _fill(self, buffer: memoryview) -> int:
        count = read_some(self._shown, buffer, at=self._position)
        self._position += count
        return count

    def _record(self, read: memoryview) -> None:
        if self._row.header_alone:
            # Pixels of the last piece are among it.
            self.limits.check("max_metadata_bytes", len(self._header))
            self._header += read
        elif len(self._header) + len(read) <= _MAX_HEADER_BYTES:
            self._header += read
        else:
            # The whole file goes by, of which the beginning is enough.
            self._records = False

    def _look(self, piece: memoryview) -> None:
        """Show what came from the source to whoever counts or searches."""
        if self.passing is not None:
            self.passing.feed(piece)
        if self._watcher is not None:
            self._watcher.feed(piece)
        if self._scans is not None:
            self._scans.take(piece)
            self.limits.check("max_scans", self._scans.scans)
            self.limits.check("max_metadata_bytes", self._scans.segments * _SEGMENT_BYTES)

    def _hold_more(self) -> None:
        """Take the next piece: libvips' own reads are of 4 KiB, and each costs a callback."""
        if self._head:
            self._held, self._head = self._head, self._head[:0]
        else:
            self._held = self._piece[: self._fill(self._piece)]
        self._look(self._held)

    def _read(self, buffer: "WriteableBuffer") -> int:
        if not self._held:
            view = memoryview(buffer)
            if self._seeks or (len(view) >= _CHUNK_BYTES and not self._head):
                count = self._fill(view)
                self._look(view[:count])
                return count
            self._hold_more()
        return self._take_held(buffer)

    def _take_held(self, buffer: Any) -> int:  # noqa: ANN401 - what libvips' binding hands over
        count = min(len(self._held), len(buffer))
        buffer[:count] = self._held[:count]
        self._held = self._held[count:]
        return count

    def _on_read(self, buffer: "WriteableBuffer") -> int:
        if self._captured is not None:
            return -1
        try:
            count = self._read(buffer)
            if self._records:
                self._record(memoryview(buffer)[:count])
        except BaseException as error:  # noqa: BLE001 - libvips would turn it into end-of-file
            self._captured = error
            return -1
        if count == 0 and self._row.stops_early:
            self._ended = True
        return count

    def _on_seek(self, offset: int, whence: int) -> int:
        if self._captured is not None:
            return -1
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._shown.size}[whence]
        if start + offset < 0:
            # A damaged photo points there; its source did not fail.
            return -1
        try:
            self._position = self._shown.seek(offset, whence)
        except BaseException as error:  # noqa: BLE001 - as above
            self._captured = error
            return -1
        return self._position

    def load(self, **options: object) -> pyvips.Image:
        """Return the lazy image of the photo, by its loader, with the loader's ``options``.

        Of a HEIC it gives the header alone: libvips has no decoder for its pixels.
        """
        whole = self._encoded is not None or self._row.reading is Reading.WHOLE
        if whole:
            with self.decoding():
                data = self.encoded()
            self._records = False
            return self.load_encoded(data, **options)
        with self.decoding():
            image = _called(f"{self._row.loader}_source", self._source, options)
        self._records = False
        return image

    def load_encoded(self, data: bytes, **options: object) -> pyvips.Image:
        """Return the lazy image of ``data``, which stands for the photo, by the photo's loader."""
        with self.decoding():
            return _called(f"{self._row.loader}_buffer", data, options)

    def read_at(self, offset: int, length: int) -> bytes:
        """Return up to ``length`` bytes from ``offset``; of a TIFF, an AVIF or a HEIC.

        The position that libvips is at stays. Of an AVIF or HEIC, all that is in front is read too.

        Raises:
            SourceError: The bytes cannot be read.
        """
        if self._kept is not None:
            return self._kept.read(offset, length)
        return self._read_range(offset, length)

    def in_memory(self, end: int = 0) -> bytearray:
        """Return the bytes of an AVIF or HEIC: those before ``end`` at least, 0 beyond what came.

        Raises:
            SourceError: They cannot be read.
        """
        assert self._kept is not None  # noqa: S101 - as its row says
        self._kept.wait(end)
        return self._kept.memory

    def _read_range(self, offset: int, length: int) -> bytes:
        shown, place = self._shown, self._position
        self._shown = self._bytes
        self._position = self._shown.seek(offset)
        buffer = memoryview(bytearray(max(0, min(length, self.size - offset))))
        filled = fill(buffer, self._fill)
        self._shown = shown
        self._position = shown.seek(place)
        return bytes(buffer[:filled])

    @property
    def header(self) -> bytes:
        """The bytes that were read for the header; empty for formats whose row keeps none."""
        return bytes(self._header)

    def encoded(self) -> bytes:
        """Return all the bytes of a GIF, or of a JPEG of which only the header was read.

        For a decoder that needs them all at once; every later load reads them too.

        *Cost*: the whole download at the first call, and as much memory until the photo is closed.

        Raises:
            SourceError: The bytes cannot be read to their end.
        """
        if self._encoded is None:
            whole = io.BytesIO()
            whole.write(self._header)
            chunk = memoryview(bytearray(_CHUNK_BYTES))
            with self.decoding():
                while (count := self._on_read(chunk)) > 0:
                    whole.write(chunk[:count])
            self._encoded = whole.getvalue()
            # No decoder met the end.
            self._ended = False
        return self._encoded

    def hold(self) -> bytes:
        """Return all the bytes of a photo whose header was read; they are read from memory then.

        *Cost*: the whole download, and as much memory until the photo is closed. Of a photo that is
        read by ranges, parts come a second time.

        Raises:
            SourceError: The bytes cannot be read to their end.
        """
        if self._row.reading is Reading.WHOLE:
            return self.encoded()
        if self._kept is not None:
            return self._kept.read(0, self.size)
        if self._seeks:
            return self._read_range(0, self.size)
        # Imported on first use: most photos are not held.
        from imaging.views import Between

        self._shown = self._bytes
        self._position = self._bytes.seek(0)
        whole = io.BytesIO()
        chunk = memoryview(bytearray(_CHUNK_BYTES))
        while (count := self._fill(chunk)) > 0:
            whole.write(chunk[:count])
        held = whole.getvalue()
        self._bytes = self._shown = Between(self._bytes, held, b"")
        self.rewind()
        return held

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Within: any error of libvips, whatever was being made of the photo, refuses the photo.

        This is the outermost such place: no error of libvips becomes an InternalError.

        Raises:
            CorruptPhotoError: libvips gave up.
        """
        try:
            yield
        except (pyvips.Error, UnicodeDecodeError) as error:
            if isinstance(error, UnicodeDecodeError):
                pyvips.vips_lib.vips_error_clear()
            raise CorruptPhotoError(
                f"Expected a {self.format.value} photo that can be rendered but libvips gave up",
                detail=str(error),
            ) from error

    @contextmanager
    def decoding(self) -> Iterator[None]:
        """Within: libvips reads and decodes. What a callback captured is raised instead.

        Raises:
            SourceError: The bytes could not be read.
            TruncatedPhotoError: They ended before the decoder had what it needs.
            CorruptPhotoError: The decoder gave up for another reason.
        """
        try:
            yield
        except (CorruptPhotoError, pyvips.Error, UnicodeDecodeError) as error:
            # CorruptPhotoError comes from an encoder that decodes this photo: bytes may be missing.
            if isinstance(error, UnicodeDecodeError):
                # libvips' text quotes the photo, and pyvips takes it for UTF-8: it fails to make
                # its own exception, and would fail again at the next one.
                pyvips.vips_lib.vips_error_clear()
            self._raise_captured(error)
            if self._ended:
                raise TruncatedPhotoError(
                    f"Expected a whole {self.format.value} photo but its {self.size:,} bytes end "
                    "too soon",
                    detail=str(error),
                ) from error
            raise CorruptPhotoError(
                f"Expected a whole {self.format.value} photo but its decoder gave up",
                detail=str(error),
            ) from error
        self._raise_captured(None)

    def capture(self, error: BaseException) -> None:
        """Keep what a callback of a decoder's own failed with: libvips only learns that it did."""
        if self._captured is None:
            self._captured = error

    def _raise_captured(self, cause: Exception | None) -> None:
        if self._captured is not None:
            raise self._captured from cause

    def drain(self) -> None:
        """Read what the decoder left unread, so that a source that fails late is noticed.

        Only for formats that are read from start to end: of a TIFF, most may stay unread.

        *Cost*: the rest of the bytes; 64 KiB of memory, or of an AVIF or HEIC as much as they are.

        Raises:
            SourceError: The rest cannot be read.
            RejectedPhotoError: A watcher found that the photo is not to be rendered.
        """
        self._is_read = True
        if self._kept is not None:
            self._kept.finish()
            return
        if self._seeks:
            return
        with self.decoding():
            scratch = memoryview(bytearray(_CHUNK_BYTES))
            while self._on_read(scratch) > 0:
                pass
        if self._watcher is not None:
            self._watcher.check()

    def close(self) -> None:
        """Release libvips' source and the bytes."""
        self._source = None
        self._encoded = None
        self._kept = None
        self._shown = self._bytes
        self._bytes.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
