"""ByteSource -> libvips source, ByteSink <- libvips target: the only module that names them.

libvips calls back into Python for bytes, and loses what goes wrong there: an exception becomes
end-of-file, and a JPEG or PNG cut short then "succeeds". So every callback here captures its
exception, answers -1, and the capture outranks whatever libvips reports, success included.
"""

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Self

import pyvips

from imaging.errors import (
    CorruptPhotoError,
    RenditionsError,
    SinkError,
    SourceError,
    TruncatedPhotoError,
)
from imaging.formats import SNIFF_BYTES, InputFormat, sniff
from imaging.streams import ByteSink, ByteSource

__all__ = ["OpenPhoto", "encode", "encode_pass", "encoded", "hand_on"]

_LOADERS: Final = {
    InputFormat.JPEG: "jpegload",
    InputFormat.PNG: "pngload",
    InputFormat.WEBP: "webpload",
    InputFormat.GIF: "gifload",
    InputFormat.TIFF: "tiffload",
    InputFormat.AVIF: "heifload",
    InputFormat.HEIC: "heifload",
}

# These loaders jump about in the file. The others read from start to end, and are given no seek
# handler: libvips then keeps the header for a second look by itself, and asks for no SEEK_END.
_SEEKING: Final = frozenset({InputFormat.TIFF})

# Their decoders, which are not libvips' own, take a file as one.
_WHOLE: Final = frozenset({InputFormat.AVIF, InputFormat.HEIC})

_CHUNK_BYTES: Final = 64 << 10

# These loaders stop at the last byte that they need: one that finds the end wanted more.
_FRUGAL: Final = frozenset({InputFormat.JPEG, InputFormat.PNG})


class OpenPhoto:
    """One photo being read: what its bytes are, and libvips images that draw on them.

    Use as a context manager, and evaluate every image within it: the source must outlive them.

    *Thread*: made and closed by one; libvips reads from its own workers.

    Raises:
        RejectedPhotoError: The first bytes are not those of a photo that is accepted.
        SourceError: The first bytes cannot be read.
    """

    def __init__(self, source: ByteSource) -> None:
        self._bytes = source
        self._captured: BaseException | None = None
        self._position = 0
        head = memoryview(bytearray(SNIFF_BYTES))
        filled = 0
        while filled < len(head) and (count := self._fill(head[filled:])):
            filled += count
        self._head = head[:filled]
        self._head_at = 0
        self.head = bytes(self._head)
        self.format = sniff(self.head)
        self.seekable = self.format in _SEEKING
        self._encoded: bytes | None = None
        # The header says whether there is a gain map to read from the end of the file.
        self._header = bytearray()
        self._records = self.format is InputFormat.JPEG
        # A RIFF says how long it is; the others show it only by ending too soon.
        self._ended = (
            self.format is InputFormat.WEBP
            and int.from_bytes(self._head[4:8], "little") + 8 > self.size
        )
        self._source: pyvips.SourceCustom | None = self._made_source()
        if self.seekable:
            self.rewind()

    def _made_source(self) -> pyvips.SourceCustom:
        source = pyvips.SourceCustom()
        source.signal_connect("read", self._on_read)
        if self.seekable:
            source.signal_connect("seek", self._on_seek)
        return source

    def rewind(self) -> None:
        """Begin again at the first byte, as if nothing had been read.

        *Cost*: a seek. To a source that was read to its end that is one request more; from one that
        was not, the rest is read by ranges.

        Raises:
            SourceError: The source cannot go back.
        """
        self._position = self._bytes.seek(0)
        self._head = self._head[:0]
        self._head_at = 0
        self._ended = False
        self._encoded = None
        self._header.clear()
        self._source = self._made_source()

    @property
    def size(self) -> int:
        """Encoded bytes."""
        return self._bytes.size

    def _fill(self, buffer: memoryview) -> int:
        try:
            count = self._bytes.readinto(buffer)
        except RenditionsError:
            raise
        except Exception as error:
            raise SourceError(f"Expected to read the photo: {error}") from error
        if count < 0:
            raise SourceError(f"Expected 0 or more bytes from the source but received {count}")
        if count == 0 and self._position < self.size:
            # A decoder that has all its pixels would never miss what comes after them.
            raise SourceError(f"Expected {self.size} bytes but they ended at {self._position}")
        self._position += count
        return count

    def _on_read(self, buffer: object) -> int:
        if self._captured is not None:
            return -1
        try:
            view = memoryview(buffer)  # type: ignore[arg-type]  # cffi's buffer is one
            if self._head_at < len(self._head):
                chunk = self._head[self._head_at : self._head_at + len(view)]
                view[: len(chunk)] = chunk
                self._head_at += len(chunk)
                count = len(chunk)
            else:
                count = self._fill(view)
            if self._records:
                self._header += view[:count]
        except BaseException as error:  # noqa: BLE001 - libvips would turn it into end-of-file
            self._captured = error
            return -1
        if count == 0 and self.format in _FRUGAL:
            self._ended = True
        return count

    def _on_seek(self, offset: int, whence: int) -> int:
        if self._captured is not None:
            return -1
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        if start + offset < 0:
            # A broken photo points there; that is no failure of its source.
            return -1
        try:
            self._position = self._bytes.seek(offset, whence)
        except BaseException as error:  # noqa: BLE001 - as above
            self._captured = error
            return -1
        return self._position

    def load(self, **options: object) -> pyvips.Image:
        """Return the lazy image of the photo, by its loader, with the loader's ``options``.

        Of a HEIC only what its header says can be had: libvips has no decoder for its pixels.
        """
        loader = _LOADERS[self.format]
        with self.decoding():
            if self._encoded is None and self.format not in _WHOLE:
                image = pyvips.Operation.call(f"{loader}_source", self._source, **options)
            else:
                image = pyvips.Operation.call(f"{loader}_buffer", self.encoded(), **options)
        self._records = False
        assert isinstance(image, pyvips.Image)  # noqa: S101 - what every loader returns
        return image

    def read_at(self, offset: int, length: int) -> bytes:
        """Return up to ``length`` bytes from ``offset``; of a TIFF, an AVIF or a HEIC.

        libvips finds its place again: it does not notice.

        Raises:
            SourceError: The bytes cannot be read.
        """
        if self.format in _WHOLE:
            return self.encoded()[offset : offset + length]
        place = self._position
        self._position = self._bytes.seek(offset)
        buffer = memoryview(bytearray(max(0, min(length, self.size - offset))))
        filled = 0
        while filled < len(buffer) and (count := self._fill(buffer[filled:])):
            filled += count
        self._position = self._bytes.seek(place)
        return bytes(buffer[:filled])

    @property
    def header(self) -> bytes:
        """The bytes of a JPEG that were read for its header; empty for other formats."""
        return bytes(self._header)

    def encoded(self) -> bytes:
        """Return all the bytes of an AVIF or HEIC, or of a JPEG of which the header alone was read.

        For a decoder that cannot take them as they come; what is loaded later is loaded from them.

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
            # Nobody wanted more than there was.
            self._ended = False
        return self._encoded

    @contextmanager
    def decoding(self) -> Iterator[None]:
        """Within: libvips reads and decodes. What a callback captured comes out instead.

        Raises:
            SourceError: The bytes could not be read.
            TruncatedPhotoError: They ended before the decoder had what it needs.
            CorruptPhotoError: The decoder gave up for another reason.
        """
        try:
            yield
        except (CorruptPhotoError, pyvips.Error, UnicodeDecodeError) as error:
            # The first comes from an encoder that draws on this photo: for want of its bytes?
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

    def _raise_captured(self, cause: Exception | None) -> None:
        if self._captured is not None:
            raise self._captured from cause

    def drain(self) -> None:
        """Read what the decoder left unread, so that a source that fails late is noticed.

        Only for formats that are read from start to end: of a TIFF, most may stay unread.

        *Cost*: the rest of the bytes, 64 KiB of memory.

        Raises:
            SourceError: The rest cannot be read.
        """
        if self.seekable:
            return
        with self.decoding():
            scratch = memoryview(bytearray(_CHUNK_BYTES))
            while self._on_read(scratch) > 0:
                pass

    def close(self) -> None:
        """Let go of libvips' source and of the bytes."""
        self._source = None
        self._encoded = None
        self._bytes.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def encode(image: pyvips.Image, saver: str, options: dict[str, object], sink: ByteSink) -> int:
    """Evaluate ``image`` into ``sink`` and commit it; return how many bytes it took.

    The sink is committed only after libvips reported success, no callback failed, and bytes were
    written; otherwise it is aborted before the error goes on.

    Args:
        image: In memory, or lazy on one that is: a broken photo is noticed before this.
        saver: libvips' name, such as ``jpegsave_target``.
        options: The saver's.
        sink: Not written to before.

    Raises:
        SinkError: The bytes could not be handed on, or there were none.
    """
    with _committed(sink):
        return _evaluate(image, saver, options, sink.write)


def encode_pass(
    photo: OpenPhoto,
    image: pyvips.Image,
    saver: str,
    options: dict[str, object],
    sink: ByteSink,
) -> int:
    """Do as :func:`encode` does with an image that is lazy on ``photo``: decode while encoding.

    The photo's bytes are read to their end before the sink is committed.

    Raises:
        SourceError: The photo's bytes could not be read.
        CorruptPhotoError: The photo could not be decoded to its end.
        SinkError: The bytes could not be handed on, or there were none.
    """
    with _committed(sink):
        with photo.decoding():
            written = _evaluate(image, saver, options, sink.write)
        photo.drain()
    return written


def encoded(image: pyvips.Image, saver: str, options: dict[str, object]) -> bytearray:
    """Return what :func:`encode` would hand to a sink."""
    data = bytearray()
    _evaluate(image, saver, options, data.extend)
    return data


def hand_on(data: bytearray, sink: ByteSink) -> None:
    """Commit ``data``, a whole rendition, to ``sink``, or abort it.

    Raises:
        SinkError: The bytes could not be handed on.
    """
    with _committed(sink):
        try:
            sink.write(memoryview(data))
        except RenditionsError:
            raise
        except Exception as error:
            raise SinkError(f"Expected to write the rendition: {error}") from error


@contextmanager
def _committed(sink: ByteSink) -> Iterator[None]:
    """Commit ``sink`` at the end of what is done within, or abort it if that fails."""
    try:
        yield
        sink.commit()
    except BaseException:
        sink.abort()
        raise


def _evaluate(
    image: pyvips.Image,
    saver: str,
    options: dict[str, object],
    write: Callable[[memoryview], None],
) -> int:
    captured: BaseException | None = None
    written = 0

    def on_write(data: object) -> int:
        nonlocal captured, written
        if captured is not None:
            return -1
        try:
            view = memoryview(data)  # type: ignore[arg-type]  # cffi's buffer is one
            write(view)
        except BaseException as error:  # noqa: BLE001 - libvips would lose it
            captured = error
            return -1
        written += len(view)
        return len(view)

    target = pyvips.TargetCustom()
    target.signal_connect("write", on_write)
    failure: pyvips.Error | None = None
    try:
        pyvips.Operation.call(saver, image, target, **options)
    except pyvips.Error as error:
        failure = error
    if captured is not None:
        if isinstance(captured, RenditionsError) or not isinstance(captured, Exception):
            raise captured from failure
        raise SinkError(f"Expected to write the rendition: {captured}") from captured
    if failure is not None:
        raise CorruptPhotoError(
            "Expected to encode the rendition but the encoder gave up", detail=str(failure)
        ) from failure
    if written == 0:
        raise SinkError("Expected an encoded rendition but the encoder wrote no bytes")
    return written
