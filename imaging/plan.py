"""What will happen to a photo, decided from its header alone: pure, printable, without pyvips."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from imaging.formats import InputFormat, OutputFormat
from imaging.geometry import Placement, is_sideways, place, scaled
from imaging.header import ImageHeader
from imaging.limits import Limits
from imaging.specs import DEFAULT_QUALITY, Fit, RenditionSpec

__all__ = ["Load", "PlannedRendition", "RenditionPlan", "make_plan"]

_JPEG_SHRINKS: Final = (8, 4, 2)

_MAX_SHIFT: Final = 0.2
"""Pixels of the base by which shrink-on-load may move the far edge."""

# A parent this much larger, or more, costs no visible detail: 46 dB and more on real photos.
_PARENT_RATIO: Final = 2


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
    """One rendition and where its pixels come from.

    Attributes:
        spec: What was asked.
        placement: Where the pixels go, reckoned from the original's dimensions, never from the
            parent's: rounding twice moves the picture.
        parent: The rendition whose pixels it is made from; None for the base.
        format: What it is encoded to.
        quality: ``Q``; None where the format has none.
    """

    spec: RenditionSpec
    placement: Placement
    parent: str | None
    format: OutputFormat
    quality: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RenditionPlan:
    """One decode, one base in memory, N renditions.

    Attributes:
        header: The photo's.
        load: How it is decoded.
        base: Width and height, upright, of the one image that is held in memory.
        renditions: In the order in which they are made; each after its parent.
    """

    header: ImageHeader
    load: Load
    base: tuple[int, int]
    renditions: tuple[PlannedRendition, ...]

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
            f"{rendition.format.value}" + (f" of {rendition.parent}" if rendition.parent else "")
            for rendition in self.renditions
        )
        base = f"base {self.base[0]}x{self.base[1]}"
        return ", ".join([*load, base]) + ": " + ", ".join(made)


def _output_format(spec: RenditionSpec, header: ImageHeader) -> OutputFormat:
    if spec.format is not None:
        return spec.format
    match header.format:
        case InputFormat.JPEG:
            return OutputFormat.JPEG
        case InputFormat.WEBP:
            return OutputFormat.WEBP
        case InputFormat.AVIF:
            return OutputFormat.AVIF
        case InputFormat.PNG | InputFormat.GIF:
            return OutputFormat.PNG
        case InputFormat.TIFF:
            # No browser shows TIFF.
            return OutputFormat.PNG if header.has_alpha else OutputFormat.JPEG


def _shrinks_to(side: int, shrink: int, target: int) -> bool:
    """Tell whether ``side`` shrunk on load is large enough, and still lies where it lay.

    A side that ``shrink`` does not divide loses or gains a fraction of a pixel at its end, which
    moves the picture: by half a pixel, detail falls from 43 dB to 31 dB.
    """
    rounded = (2 * side + shrink) // (2 * shrink)
    moved = abs(rounded - side / shrink) * target / rounded
    return side // shrink >= target and moved <= _MAX_SHIFT


def _load(header: ImageHeader, base: tuple[int, int]) -> Load:
    columns, rows = base[::-1] if is_sideways(header.orientation) else base
    if header.format is InputFormat.JPEG:
        for shrink in _JPEG_SHRINKS:
            if _shrinks_to(header.width, shrink, columns) and _shrinks_to(
                header.height, shrink, rows
            ):
                return Load(shrink=shrink)
    if header.format is InputFormat.WEBP:
        return Load(scale=min(1.0, max(columns / header.width, rows / header.height)))
    for level in reversed(header.levels):
        if level.width >= columns and level.height >= rows:
            return Load(page=level.page, subifd=level.subifd)
    return Load()


def _base(header: ImageHeader, placements: Sequence[Placement]) -> tuple[int, int]:
    """Return the smallest upright size that no rendition has to enlarge, at the photo's aspect."""
    width, height = header.upright
    # The largest factor asked for, as a fraction, and never above 1.
    numerator, denominator = max(
        (
            factor
            for placement in placements
            for factor in ((placement.width, width), (placement.height, height))
        ),
        key=lambda factor: factor[0] / factor[1],
    )
    if numerator >= denominator:
        return width, height
    # One side may round below what a rendition of another shape asks for.
    columns = [min(placement.width, width) for placement in placements]
    rows = [min(placement.height, height) for placement in placements]
    return (
        max(scaled(width, numerator, denominator), *columns),
        max(scaled(height, numerator, denominator), *rows),
    )


def make_plan(header: ImageHeader, specs: Sequence[RenditionSpec], limits: Limits) -> RenditionPlan:
    """Return how ``specs`` are made of a photo with ``header``; nothing is decoded.

    Raises:
        OverLimitError: The header exceeds one of ``limits``.
    """
    limits.check_header(header)
    width, height = header.upright
    placements = {spec.name: place(width, height, spec) for spec in specs}
    # Largest first: parents come before their children, and the longest upload starts earliest.
    ordered = sorted(
        specs, key=lambda spec: -placements[spec.name].width * placements[spec.name].height
    )
    planned: list[PlannedRendition] = []
    for spec in ordered:
        placement = placements[spec.name]
        parents = [
            made
            for made in planned
            if made.spec.fit is not Fit.FILL
            and made.placement.crop is None
            and made.placement.canvas is None
            # One pixel less is rounding: 320 x 213 is twice 160 x 107.
            and made.placement.width + 1 >= _PARENT_RATIO * placement.width
            and made.placement.height + 1 >= _PARENT_RATIO * placement.height
        ]
        output = _output_format(spec, header)
        quality = (
            None if DEFAULT_QUALITY[output] is None else spec.quality or DEFAULT_QUALITY[output]
        )
        planned.append(
            PlannedRendition(
                spec=spec,
                placement=placement,
                parent=parents[-1].spec.name if parents else None,
                format=output,
                quality=quality,
            )
        )
    base = _base(header, list(placements.values()))
    return RenditionPlan(
        header=header, load=_load(header, base), base=base, renditions=tuple(planned)
    )
