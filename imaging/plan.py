"""What will happen to a photo: values, printable, without pyvips."""

from dataclasses import asdict, dataclass, fields
from typing import Any

from imaging.errors import PhotoWarning
from imaging.formats import OutputFormat
from imaging.geometry import Placement
from imaging.header import ImageHeader
from imaging.specs import Colour, RenditionSpec

__all__ = ["Load", "PlannedRendition", "RenditionPlan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How the photo is decoded, as close above the base's size as its format allows.

    Attributes:
        shrink: JPEG: 1, 2, 4 or 8, done by the decoder on its DCT coefficients.
        scale: WebP: at most 1.0, done by the decoder.
        page: TIFF: the page of the pyramid's level.
        subifd: TIFF: the sub-IFD of the pyramid's level, or -1.
    """

    shrink: int = 1
    scale: float = 1.0
    page: int = 0
    subifd: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRendition:
    """One rendition, in one format, and where its pixels come from.

    Attributes:
        spec: What was asked.
        placement: Where the pixels go, reckoned from the original's dimensions, never from the
            parent's: rounding twice moves the picture.
        parent: The rendition whose pixels it is made from; None for the base, and for the frames.
        format: What it is encoded to.
        quality: ``Q``; None where the format has none.
        keeps_gain_map: Whether the photo's gain map is stored with it.
        max_bytes: Encoded bytes at most; None for no maximum, and where there is no quality to
            lower.
        own_pass: How the photo is decoded for this rendition alone, row by row into its encoder;
            None where it is made from the base or from its parent.
        frames: 1, or as many as the photo has where all of them are kept.
    """

    spec: RenditionSpec
    placement: Placement
    parent: str | None
    format: OutputFormat
    quality: int | None
    max_bytes: int | None = None
    own_pass: Load | None = None
    keeps_gain_map: bool = False
    frames: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RenditionPlan:
    """One decode, one base in memory, N renditions; what is too large to hold has its own pass.

    Where a rendition moves, every frame is decoded, and held at the size of the base. Those beside
    it that do not move are made from the first frame, as of any photo.

    Attributes:
        header: The photo's.
        load: How it is decoded.
        base: Width and height, upright, of the one image that is held in memory; None where every
            rendition has a pass of its own.
        renditions: In the order in which they are written: AVIF after everything else, and of
            either the largest last. Those of one spec share one picture.
        warnings: What could not be done as asked.
        renders_truncated: Whether what is there of a photo that breaks off is rendered.
        appearance_of: The spec, the smallest, whose pixels give the photo's appearance; None where
            no sidecar is asked for.
        peak_bytes: The most that the process is expected to hold while it carries this out.
    """

    header: ImageHeader
    load: Load
    base: tuple[int, int] | None
    renditions: tuple[PlannedRendition, ...]
    warnings: tuple[PhotoWarning, ...] = ()
    renders_truncated: bool = False
    appearance_of: str | None = None
    peak_bytes: int = 0

    @property
    def colours(self) -> tuple[Colour, ...]:
        """The colours that the base is asked for in, each once."""
        return tuple(
            dict.fromkeys(
                rendition.spec.colour for rendition in self.renditions if rendition.own_pass is None
            )
        )

    @property
    def frames(self) -> int:
        """How many frames are decoded and held: 1, or all of a photo that moves."""
        return max(rendition.frames for rendition in self.renditions)

    def as_dict(self) -> dict[str, Any]:
        """Return the plan as plain data, for printing."""
        return asdict(self)

    def summary(self) -> str:
        """Return the plan in one line, for a log."""
        load = [
            f"{field.name} {value}"
            for field in fields(self.load)
            if (value := getattr(self.load, field.name)) != field.default
        ]
        made = (
            f"{rendition.spec.name} {rendition.placement.width}x{rendition.placement.height} "
            f"{rendition.format.value}"
            + (f" x {rendition.frames}" if rendition.frames > 1 else "")
            + (f" of {rendition.parent}" if rendition.parent else "")
            + (" in a pass of its own" if rendition.own_pass else "")
            for rendition in self.renditions
        )
        base = f"base {self.base[0]}x{self.base[1]}" if self.base else "no base"
        peak = f"{self.peak_bytes >> 20} MB"
        return ", ".join([*load, base, peak]) + ": " + ", ".join(made)
