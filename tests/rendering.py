"""Renders a photo in memory, for tests that look at what comes out."""

from dataclasses import dataclass

import pyvips

from imaging.bridge import OpenPhoto
from imaging.limits import Limits
from imaging.local import MemorySink, MemorySource
from imaging.pipeline import Rendition, render
from imaging.plan import RenditionPlan, make_plan
from imaging.reading import read_header
from imaging.specs import RenditionSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """What became of one photo.

    Attributes:
        plan: What was to happen.
        renditions: What did, in the order of writing.
        data: Their bytes.
    """

    plan: RenditionPlan
    renditions: tuple[Rendition, ...]
    data: tuple[bytes, ...]

    @property
    def images(self) -> dict[str, pyvips.Image]:
        """By name, decoded again; of several formats of one name, the one written last."""
        return {
            rendition.planned.spec.name: pyvips.Image.new_from_buffer(data, "")
            for rendition, data in zip(self.renditions, self.data, strict=True)
        }

    @property
    def formats(self) -> dict[str, pyvips.Image]:
        """By format, of a single spec."""
        return {
            rendition.planned.format.value: pyvips.Image.new_from_buffer(data, "")
            for rendition, data in zip(self.renditions, self.data, strict=True)
        }


def rendered(
    photo: bytes,
    *specs: RenditionSpec,
    focal_point: str | None = None,
    limits: Limits | None = None,
) -> Rendered:
    """Make ``specs`` of ``photo``; what is not committed has no bytes."""
    sinks: list[MemorySink] = []

    def open_sink(_: object) -> MemorySink:
        sinks.append(MemorySink())
        return sinks[-1]

    with OpenPhoto(MemorySource(photo)) as opened:
        header = read_header(opened)
        plan = make_plan(header, specs, limits or Limits(), focal_point=focal_point)
        renditions = tuple(render(plan, opened, open_sink))
    return Rendered(
        plan=plan, renditions=renditions, data=tuple(sink.data or b"" for sink in sinks)
    )
