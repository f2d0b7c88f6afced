"""The door of this process: opens a photo and makes its renditions here.

For trusted photos, in tests and benchmarks. Strangers' photos go through the wall,
``imaging.worker.client``, whose door has the same shape.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from imaging.bridge.source import OpenPhoto
from imaging.decoders import read_header
from imaging.header import ImageHeader
from imaging.photo import Photo
from imaging.pipeline import render
from imaging.plan import RenditionPlan
from imaging.planning import Asked, make_plan
from imaging.rendition import OpenSink, Rendition
from imaging.signatures import Sign
from imaging.streams import ByteSource

if TYPE_CHECKING:
    from imaging.watermark import Marks

__all__ = ["open_photo"]


class _PhotoHere:
    """A photo that is decoded in this process."""

    def __init__(self, opened: OpenPhoto, header: ImageHeader, asked: Asked, sign: Sign) -> None:
        self._opened = opened
        self._asked = asked
        self._marks = _marks(asked)
        self._sign = sign
        self.header = header

    def plan(self) -> RenditionPlan:
        return make_plan(self.header, self._asked)

    def render(self, plan: RenditionPlan, open_sink: OpenSink) -> Iterator[Rendition]:
        return render(plan, self._opened, open_sink, self._marks, self._sign)


def _sign_nothing(_data: bytes) -> bytes:
    raise AssertionError("no plan keeps credentials without a signer")


def _marks(asked: Asked) -> "Marks | None":
    if not asked.marks:
        return None
    # Imported on first use: most configurations have no watermark.
    from imaging.watermark import Marks

    return Marks(asked.marks)


@contextmanager
def open_photo(source: ByteSource, asked: Asked) -> Iterator[Photo]:
    """Read the header of the photo that ``source`` gives, to be decoded in this process.

    Render it once at most, within the context, which closes ``source`` once a photo was found in
    it.

    *Cost*: the header's bytes; all bytes of a WebP or GIF, and of an AVIF or HEIC as far as its
    metadata, which are then held until the photo is closed.

    Raises:
        OverLimitError: It has more bytes than ``asked`` allows; nothing was read.
        RejectedPhotoError: It is no photo, or its header cannot be read.
        SourceError: The bytes cannot be read.
    """
    asked.limits.check("max_bytes", source.size)
    with OpenPhoto(source, asked.limits) as opened:
        sign = asked.signing.sign if asked.signing is not None else _sign_nothing
        yield _PhotoHere(opened, read_header(opened), asked, sign)
