"""A rendition's bytes from libvips: libvips target -> ByteSink."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyvips

from imaging.errors import CorruptPhotoError, RenditionsError, SinkError
from imaging.streams import ByteSink

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from imaging.bridge.source import OpenPhoto

__all__ = ["encode", "encode_pass", "encoded", "hand_on"]


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
    photo: "OpenPhoto",
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


def hand_on(data: bytes | bytearray, sink: ByteSink) -> None:
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

    def on_write(data: "ReadableBuffer") -> int:
        nonlocal captured, written
        if captured is not None:
            return -1
        try:
            view = memoryview(data)
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
