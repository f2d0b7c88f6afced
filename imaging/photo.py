"""A photo that was opened: what both doors give, that of this process and that of the wall."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from imaging.header import ImageHeader
from imaging.plan import RenditionPlan
from imaging.planning import Asked
from imaging.rendition import OpenSink, Rendition
from imaging.streams import ByteSource

__all__ = ["Photo", "PhotoOpener"]


class Photo(Protocol):
    """A photo whose header was read."""

    @property
    def header(self) -> ImageHeader: ...

    def plan(self) -> RenditionPlan:
        """Return how what was asked for at the door is made: :func:`imaging.planning.make_plan`.

        Raises:
            OverLimitError: The header exceeds one of the limits.
            NeedsMoreMemoryError: The plan would take more memory than there is.
            RenditionsError: The photo was opened again for that, and could not be.
        """
        ...

    def render(self, plan: RenditionPlan, open_sink: OpenSink) -> Iterator[Rendition]:
        """Make each planned rendition and commit it to the sink that ``open_sink`` gives for it.

        No sink is opened before the whole photo was read and decoded without an error, except for
        renditions with a pass of their own: theirs is committed only after that.

        Yields:
            Each rendition as it is committed, in the plan's order.

        Raises:
            RejectedPhotoError: The photo cannot be decoded.
            SourceError: Its bytes cannot be read; nothing was committed.
            SinkError: A rendition could not be written; it was aborted, earlier ones stand.
            OutOfTimeError: The photo's deadline passed; the rendition under way was aborted,
                earlier ones stand.
        """
        ...


PhotoOpener = Callable[[ByteSource, Asked], AbstractContextManager[Photo]]
"""How a photo is opened: ``imaging.rendering.open_photo``, or through the wall."""
