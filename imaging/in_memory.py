"""Renders a photo through a door into memory: for estimates, warm-up, benches and tests."""

from dataclasses import dataclass

from imaging.local import MemorySink
from imaging.photo import PhotoOpener
from imaging.plan import PlannedRendition, RenditionPlan
from imaging.planning import Asked
from imaging.rendition import Rendition
from imaging.streams import ByteSource

__all__ = ["InMemory", "render_in_memory"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InMemory:
    """The renditions of one photo, in memory.

    Attributes:
        plan: What was to be made.
        renditions: What was made, in the order in which it was written.
        data: The bytes of each.
    """

    plan: RenditionPlan
    renditions: tuple[Rendition, ...]
    data: tuple[bytes, ...]


def render_in_memory(open_photo: PhotoOpener, source: ByteSource, asked: Asked) -> InMemory:
    """Make what ``asked`` names of one photo; store nothing.

    *Cost*: the encoded bytes of all renditions, in memory.

    Raises:
        RenditionsError: As of ``open_photo`` and of :class:`imaging.photo.Photo`.
    """
    sinks: dict[int, MemorySink] = {}

    def open_sink(planned: PlannedRendition) -> MemorySink:
        sinks[id(planned)] = MemorySink()
        return sinks[id(planned)]

    with open_photo(source, asked) as photo:
        plan = photo.plan()
        renditions = tuple(photo.render(plan, open_sink))
    return InMemory(
        plan=plan,
        renditions=renditions,
        data=tuple(sinks[id(rendition.planned)].data or b"" for rendition in renditions),
    )
