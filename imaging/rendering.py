"""The front door: open a photo, read its header, make its renditions."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Final, Protocol

from imaging.bridge.source import OpenPhoto
from imaging.deadline import NEVER, Deadline
from imaging.decoders import decoder_of
from imaging.encoding import OpenSink
from imaging.header import ImageHeader
from imaging.limits import Memory
from imaging.pipeline import render
from imaging.plan import RenditionPlan
from imaging.planning import Asked
from imaging.rendition import Rendition
from imaging.room import make_room
from imaging.streams import ByteSource

__all__ = ["Photo", "PhotoOpener", "open_photo"]

# The pixels of one photo at a time: an estimate assumes that the process holds no other's.
_pixels: Final = threading.Lock()


class Photo(Protocol):
    """A photo whose header was read."""

    @property
    def header(self) -> ImageHeader: ...

    def render(
        self, plan: RenditionPlan, open_sink: OpenSink, deadline: Deadline = NEVER
    ) -> Iterator[Rendition]:
        """Make each planned rendition and commit it to the sink that ``open_sink`` gives for it.

        No sink is opened before the whole photo was read and decoded without an error, except for
        renditions with a pass of their own: theirs is committed only after that.

        Yields:
            Each rendition as it is committed, in the plan's order.

        Raises:
            RejectedPhotoError: The photo cannot be decoded; nothing was committed.
            SourceError: Its bytes cannot be read; nothing was committed.
            SinkError: A rendition could not be written; it was aborted, earlier ones stand.
            OutOfTimeError: ``deadline`` passed; the rendition under way was aborted, earlier ones
                stand.
        """
        ...


PhotoOpener = Callable[[ByteSource, Asked], AbstractContextManager[Photo]]
"""How a photo is opened: :func:`open_photo`, or another of its shape."""


class _PhotoHere:
    """A photo that is decoded in this process."""

    def __init__(
        self, opened: OpenPhoto, header: ImageHeader, memory: Memory | None, held: ExitStack
    ) -> None:
        self._opened = opened
        self._memory = memory
        self._held = held
        self.header = header

    def render(
        self, plan: RenditionPlan, open_sink: OpenSink, deadline: Deadline = NEVER
    ) -> Iterator[Rendition]:
        if self.header.format.row.header_alone:
            self._held.enter_context(_pixels)
        make_room(plan.peak_bytes, self._memory)
        return render(plan, self._opened, open_sink, deadline)


@contextmanager
def open_photo(source: ByteSource, asked: Asked) -> Iterator[Photo]:
    """Read the header of the photo that ``source`` gives, to be decoded in this process.

    Render it once at most, within the context, which closes ``source`` once a photo was found in
    it.

    *Cost*: the header's bytes; all bytes of a WebP, GIF, AVIF or HEIC, which are then held until
    the photo is closed.

    *Thread*: any; while one photo's pixels are held, other threads wait for it.

    Raises:
        OverLimitError: It has more bytes than ``asked`` allows; nothing was read.
        RejectedPhotoError: It is no photo, or its header cannot be read.
        SourceError: The bytes cannot be read.
    """
    asked.limits.check_bytes(source.size)
    with OpenPhoto(source) as opened, ExitStack() as held:
        if not opened.format.row.header_alone:
            # The whole file is read for its header, and held from there on.
            held.enter_context(_pixels)
        header = decoder_of(opened.format).header(opened)
        yield _PhotoHere(opened, header, asked.memory, held)
