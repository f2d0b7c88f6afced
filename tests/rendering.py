"""Renders a photo in memory, for tests that compare what comes out."""

from dataclasses import dataclass

import pyvips

from imaging.header import ImageHeader
from imaging.in_memory import InMemory, render_in_memory
from imaging.limits import Limits
from imaging.local import MemorySource
from imaging.plan import FromParent, PlannedRendition, RenditionPlan
from imaging.planning import Asked, make_plan
from imaging.rendering import open_photo
from imaging.rendition import Rendition
from imaging.specs import RenditionSpec, Truncated
from imaging.streams import ByteSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered(InMemory):
    """The renditions of one photo, also decoded again."""

    @property
    def files(self) -> dict[str, bytes]:
        """The bytes, by name and extension, such as ``small.jpg``."""
        return dict(zip(self.made, self.data, strict=True))

    @property
    def made(self) -> dict[str, Rendition]:
        """What was made, by name and extension."""
        return {
            f"{one.planned.spec.name}.{one.planned.format.extension}": one
            for one in self.renditions
        }

    @property
    def images(self) -> dict[str, pyvips.Image]:
        """By name, decoded; of several formats of one name, the one written last."""
        return {
            name.partition(".")[0]: pyvips.Image.new_from_buffer(data, "")
            for name, data in self.files.items()
        }

    @property
    def formats(self) -> dict[str, pyvips.Image]:
        """By format, decoded, of a single spec."""
        return {
            rendition.planned.format.value: pyvips.Image.new_from_buffer(data, "")
            for rendition, data in zip(self.renditions, self.data, strict=True)
        }


def rendered(
    photo: bytes | ByteSource,
    *specs: RenditionSpec,
    focal_point: str | None = None,
    limits: Limits | None = None,
    truncated: Truncated = Truncated.REFUSE,
    sidecar: bool = False,
) -> Rendered:
    """Make ``specs`` of ``photo``."""
    asked = Asked(
        specs=specs,
        limits=limits or Limits(),
        focal_point=focal_point,
        truncated=truncated,
        sidecar=sidecar,
    )
    source = MemorySource(photo) if isinstance(photo, bytes) else photo
    made = render_in_memory(open_photo, source, asked)
    return Rendered(plan=made.plan, renditions=made.renditions, data=made.data)


def header_of(photo: bytes) -> ImageHeader:
    """Return what the header of ``photo`` says."""
    with open_photo(MemorySource(photo), Asked(specs=())) as opened:
        return opened.header


def plan_of(photo: bytes, asked: Asked) -> RenditionPlan:
    """Return what would be made of ``photo``."""
    return make_plan(header_of(photo), asked)


def parent_of(planned: PlannedRendition) -> str | None:
    """Return the picture that a rendition is made from; None for the base."""
    return planned.way.parent if isinstance(planned.way, FromParent) else None
