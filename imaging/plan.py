"""What will happen to a photo: values, printable, without pyvips."""

from dataclasses import dataclass, fields
from typing import Final, Literal

from imaging.errors import PhotoWarning
from imaging.formats import OutputFormat
from imaging.geometry import Box, Placement
from imaging.header import ImageHeader
from imaging.signatures import Signer
from imaging.specs import Colour, RenditionSpec

__all__ = [
    "Animated",
    "FromBase",
    "FromParent",
    "Load",
    "OwnPass",
    "PlannedRendition",
    "RenditionPlan",
    "Way",
]

_FULL_CHROMA_QUALITY: Final = 90
"""From here on libvips keeps the chroma of JPEG and AVIF whole."""

_FULL_SAMPLES: Final = 3.0
_HALVED_SAMPLES: Final = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How the photo is decoded, as close above the base's size as its format allows.

    Attributes:
        shrink: JPEG: 1, 2, 4 or 8, done by the decoder on its DCT coefficients.
        scale: WebP: at most 1.0, done by the decoder.
        level: TIFF: where the directory of the pyramid's level is; 0 for the photo's own.
        region: HEIC, AVIF: the part of the stored picture that renditions show something of; of a
            grid, the other tiles are not decoded. None for all of it.
        fail_on: At which level of the decoder's complaints libvips fails.
    """

    shrink: int = 1
    scale: float = 1.0
    level: int = 0
    region: Box | None = None
    fail_on: str = "truncated"

    def decoded(self, header: ImageHeader) -> tuple[int, int]:
        """Return width and height of what the decoder gives, as stored."""
        for level in header.levels:
            if level.at == self.level:
                return level.width, level.height
        scale = self.scale / self.shrink
        return max(1, round(header.width * scale)), max(1, round(header.height * scale))


@dataclass(frozen=True, slots=True, kw_only=True)
class FromBase:
    """It is made from the base.

    Attributes:
        picture: Names its pixels before they are encoded; formats of one spec may share them.
        keeps_resized: Whether its pixels stay in memory once they are resized: others are made from
            them, or they are searched for what to crop. False for those of the base itself.
        keeps_finished: Whether they stay once they are cropped and sharpened: they are encoded
            several times.
    """

    kind: Literal["base"] = "base"
    picture: str
    keeps_resized: bool = False
    keeps_finished: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FromParent:
    """It is made from another rendition's pixels.

    Attributes:
        picture: As of :class:`FromBase`.
        parent: Names the pixels that it is made from.
        keeps_resized: As of :class:`FromBase`; False for the parent's own.
        keeps_finished: As of :class:`FromBase`.
    """

    kind: Literal["parent"] = "parent"
    picture: str
    parent: str
    keeps_resized: bool = False
    keeps_finished: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPass:
    """The photo is decoded for it alone, row by row into its encoder.

    Attributes:
        load: How the photo is decoded for it.
    """

    kind: Literal["own-pass"] = "own-pass"
    load: Load


@dataclass(frozen=True, slots=True, kw_only=True)
class Animated:
    """It is made from every frame of the photo.

    Attributes:
        frames: How many.
    """

    kind: Literal["animated"] = "animated"
    frames: int


Way = FromBase | FromParent | OwnPass | Animated
"""How a rendition is made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRendition:
    """One rendition, in one format, and how it is made.

    Attributes:
        spec: What was asked.
        placement: Where the pixels go, computed from the original's dimensions, never from the
            parent's: rounding twice shifts the picture.
        way: How it is made.
        format: What it is encoded to.
        quality: ``Q``; None where the format has none.
        keeps_gain_map: Whether the photo's gain map is stored with it.
        keeps_credentials: Whether the photo's content credentials are carried on into it.
        max_bytes: Encoded bytes at most, without content credentials; None for no maximum, and
            where there is no quality to lower.
    """

    spec: RenditionSpec
    placement: Placement
    way: Way
    format: OutputFormat
    quality: int | None
    max_bytes: int | None = None
    keeps_gain_map: bool = False
    keeps_credentials: bool = False

    @property
    def frames(self) -> int:
        """1, or as many as the photo has where all of them are kept."""
        return self.way.frames if isinstance(self.way, Animated) else 1

    @property
    def pixels(self) -> int:
        """Columns times rows of the finished rendition, or of one frame."""
        width, height = self.placement.output
        return width * height

    @property
    def has_full_chroma(self) -> bool:
        """Whether its encoder keeps a sample of each colour for each pixel."""
        return (self.quality or 0) >= _FULL_CHROMA_QUALITY

    @property
    def samples(self) -> float:
        """Samples of light and colour that its encoder holds, without alpha."""
        return self.pixels * (_FULL_SAMPLES if self.has_full_chroma else _HALVED_SAMPLES)


@dataclass(frozen=True, slots=True, kw_only=True)
class RenditionPlan:
    """One decode, one base in memory, N renditions.

    A rendition that is too large to hold has its own pass. Where one is animated, every frame is
    decoded, and held at the size of the base; the still ones beside it are made from the first.

    Attributes:
        header: The photo's.
        load: How the photo is decoded for the base.
        base: Width and height, upright, of the one image that is held in memory; None where every
            rendition has its own pass.
        renditions: In the order in which they are written: AVIF after all others, and within each
            of the two groups the largest last.
        warnings: What could not be done as asked.
        renders_truncated: Whether the part that was received of a truncated photo is rendered.
        signer: Who signs the renditions that keep credentials; None where none does.
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
    signer: Signer | None = None
    appearance_of: str | None = None
    peak_bytes: int = 0

    @property
    def colours(self) -> tuple[Colour, ...]:
        """The colours in which the base is needed, each once."""
        return tuple(
            dict.fromkeys(
                rendition.spec.colour
                for rendition in self.renditions
                if not isinstance(rendition.way, OwnPass)
            )
        )

    @property
    def frames(self) -> int:
        """How many frames are decoded and held: 1, or all of an animated photo."""
        return max(rendition.frames for rendition in self.renditions)

    @property
    def gain_map_scale(self) -> float:
        """Width of the largest rendition that keeps the gain map, as a share; 0 for none."""
        return max(
            (
                rendition.placement.width / self.header.upright[0]
                for rendition in self.renditions
                if rendition.keeps_gain_map
            ),
            default=0,
        )

    def summary(self) -> str:
        """Return the plan in one line, for a log."""
        load = [
            f"{field.name} {_value(value)}"
            for field in fields(self.load)
            if (value := getattr(self.load, field.name)) != field.default
        ]
        made = (
            f"{rendition.spec.name} {rendition.placement.width}x{rendition.placement.height} "
            f"{rendition.format.value}{_said(rendition.way)}"
            for rendition in self.renditions
        )
        base = f"base {self.base[0]}x{self.base[1]}" if self.base else "no base"
        peak = f"{self.peak_bytes >> 20} MB"
        return ", ".join([*load, base, peak]) + ": " + ", ".join(made)


def _value(value: object) -> str:
    if isinstance(value, Box):
        return f"{value.width}x{value.height}+{value.left}+{value.top}"
    return str(value)


def _said(way: Way) -> str:
    match way:
        case FromBase():
            return ""
        case FromParent(parent=parent):
            return f" of {parent}"
        case OwnPass():
            return " in its own pass"
        case Animated(frames=frames):
            return f" x {frames}"
