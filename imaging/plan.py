"""What will happen to a photo, decided from its header alone: pure, printable, without pyvips."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final

from imaging.errors import NeedsMoreMemoryError, PhotoWarning
from imaging.formats import InputFormat, OutputFormat
from imaging.geometry import (
    FocalPoint,
    Placement,
    focal_point_from_text,
    is_sideways,
    place,
    scaled,
)
from imaging.header import ImageHeader
from imaging.limits import Limits, Memory
from imaging.memory import estimate_peak
from imaging.specs import HDR_SIDE, Colour, Fit, Hdr, Position, RenditionSpec, Truncated

__all__ = ["Load", "PlannedRendition", "RenditionPlan", "make_plan"]

_JPEG_SHRINKS: Final = (8, 4, 2)

_JPEG_SPARE: Final = (4, 3)
"""How much larger than the base a JPEG is decoded at least: what its decoder shrinks is boxes of
pixels, and left at that it is softer than Lanczos (37 dB and SSIM 0.97 instead of 41 and 0.985)."""

_WEBP_SPARE: Final = 1.5
"""How much larger than the base a WebP is decoded: its decoder's scaler alone is too soft."""

_MAX_SHIFT: Final = 0.2
"""Pixels of the base by which shrink-on-load may move the far edge."""

_MAX_HELD_BYTES: Final = 48 << 20
"""Pixels of one rendition, where there is a choice: 16 megapixels of RGB."""

_IN_ROWS: Final = frozenset({InputFormat.JPEG, InputFormat.PNG, InputFormat.TIFF})

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
        looks_of: The spec, the smallest, by whose pixels it is told what the photo looks like; None
            where nobody wants to know.
        peak_bytes: The most that the process is expected to hold while it carries this out.
    """

    header: ImageHeader
    load: Load
    base: tuple[int, int] | None
    renditions: tuple[PlannedRendition, ...]
    warnings: tuple[PhotoWarning, ...] = ()
    renders_truncated: bool = False
    looks_of: str | None = None
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


def _source_format(spec: RenditionSpec, header: ImageHeader) -> OutputFormat:
    """Return the photo's own format, or the one that comes closest among those that can be made."""
    match header.format:
        case InputFormat.JPEG:
            return OutputFormat.JPEG
        case InputFormat.WEBP:
            return OutputFormat.WEBP
        case InputFormat.AVIF:
            return OutputFormat.AVIF
        case InputFormat.GIF if spec.animated and header.moves:
            return OutputFormat.GIF
        case InputFormat.PNG | InputFormat.GIF:
            return OutputFormat.PNG
        case InputFormat.TIFF | InputFormat.HEIC:
            # Most browsers show neither.
            return OutputFormat.PNG if header.has_alpha else OutputFormat.JPEG


def _outputs(spec: RenditionSpec, header: ImageHeader) -> list[OutputFormat]:
    """Return what ``spec`` is encoded to; once, where the photo's own format is named too."""
    return list(dict.fromkeys(output or _source_format(spec, header) for output in spec.formats))


def _frames(spec: RenditionSpec, output: OutputFormat, header: ImageHeader) -> int:
    return header.n_pages if spec.animated and output.can_move and header.moves else 1


def _shrinks_to(side: int, shrink: int, target: int) -> bool:
    """Tell whether ``side`` shrunk on load is large enough, and still lies where it lay.

    A side that ``shrink`` does not divide loses or gains a fraction of a pixel at its end, which
    moves the picture: by half a pixel, detail falls from 43 dB to 31 dB.
    """
    rounded = (2 * side + shrink) // (2 * shrink)
    moved = abs(rounded - side / shrink) * target / rounded
    above, below = _JPEG_SPARE
    return below * (side // shrink) >= above * target and moved <= _MAX_SHIFT


def _load(header: ImageHeader, base: tuple[int, int]) -> Load:
    columns, rows = base[::-1] if is_sideways(header.orientation) else base
    if header.format is InputFormat.JPEG:
        for shrink in _JPEG_SHRINKS:
            if _shrinks_to(header.width, shrink, columns) and _shrinks_to(
                header.height, shrink, rows
            ):
                return Load(shrink=shrink)
    if header.format is InputFormat.WEBP:
        scale = max(columns / header.width, rows / header.height)
        return Load(scale=min(1.0, _WEBP_SPARE * scale))
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


def _has_own_pass(
    spec: RenditionSpec, placement: Placement, outputs: Sequence[OutputFormat], header: ImageHeader
) -> bool:
    """Tell whether a rendition is too large to be held, and can go row by row to its encoder.

    It can if both codecs work in rows, and no row is needed before its turn.
    """
    return (
        placement.width * placement.height * max(3, header.bands) > _MAX_HELD_BYTES
        and header.format in _IN_ROWS
        and header.orientation == 1
        and placement.search is None
        and spec.max_bytes is None
        and not spec.progressive
        and not spec.linear
        and all(output in {OutputFormat.JPEG, OutputFormat.PNG} for output in outputs)
    )


def _parents(
    specs: Sequence[RenditionSpec], placements: Mapping[str, Placement]
) -> dict[str, str | None]:
    """Return for each spec the smallest rendition that it can be made from; None for the base."""
    parents: dict[str, str | None] = {}
    able: list[tuple[str, Colour, bool]] = []
    for spec in sorted(
        specs, key=lambda spec: -placements[spec.name].width * placements[spec.name].height
    ):
        placement = placements[spec.name]
        parents[spec.name] = next(
            (
                name
                for name, colour, linear in reversed(able)
                # One pixel less is rounding: 320 x 213 is twice 160 x 107.
                if (colour, linear) == (spec.colour, spec.linear)
                and placements[name].width + 1 >= _PARENT_RATIO * placement.width
                and placements[name].height + 1 >= _PARENT_RATIO * placement.height
            ),
            None,
        )
        if spec.fit is not Fit.FILL and placement.crop is None and placement.canvas is None:
            able.append((spec.name, spec.colour, spec.linear))
    return parents


def _writing_order(planned: PlannedRendition) -> tuple[bool, int, int]:
    """Put what takes long last, so that a photo can be shown early: AVIF, frames, what is large."""
    width, height = planned.placement.output
    return planned.format is OutputFormat.AVIF, planned.frames, width * height


def _keeps_gain_map(
    spec: RenditionSpec, output: OutputFormat, placement: Placement, header: ImageHeader
) -> bool:
    if not header.has_gain_map or output is not OutputFormat.JPEG:
        return False
    if spec.hdr is None:
        return max(placement.output) >= HDR_SIDE
    return spec.hdr is Hdr.KEEP


def _colour_warnings(header: ImageHeader) -> tuple[PhotoWarning, ...]:
    """Return what had to be guessed of the photo's colours."""
    warnings = []
    if header.has_foreign_profile:
        warnings.append(
            PhotoWarning(
                code="profile-ignored",
                message=(
                    f"Expected a profile for {header.bands} bands of {header.interpretation} but "
                    "received one for other colours: it is ignored"
                ),
            )
        )
    if header.interpretation == "cmyk" and not header.has_profile:
        warnings.append(
            PhotoWarning(
                code="profile-guessed",
                message=(
                    "Expected a profile in a CMYK photo but received none: its inks are taken for "
                    "those of a common proof"
                ),
            )
        )
    return tuple(warnings)


def _focal_point(
    specs: Sequence[RenditionSpec], text: str | None
) -> tuple[FocalPoint | None, tuple[PhotoWarning, ...]]:
    """Return the point that ``text`` names, where a spec asks for it, and what is wrong with it."""
    if text is None or all(spec.position is not Position.FOCAL_POINT for spec in specs):
        return None, ()
    focal = focal_point_from_text(text)
    if focal is not None:
        return focal, ()
    message = f"Expected focal-point as x,y, each from 0 to 1, but received {text[:80]!r}"
    return None, (PhotoWarning(code="bad-focal-point", message=message),)


def make_plan(
    header: ImageHeader,
    specs: Sequence[RenditionSpec],
    limits: Limits,
    *,
    focal_point: str | None = None,
    truncated: Truncated = Truncated.REFUSE,
    looks: bool = False,
    memory: Memory | None = None,
) -> RenditionPlan:
    """Return how ``specs`` are made of a photo with ``header``; nothing is decoded.

    Args:
        header: The photo's.
        specs: What is asked.
        limits: What the photo may be at most.
        focal_point: What the photo's owner says it is about, such as ``0.3,0.7``; for the position
            ``focal-point``. A text that names no point is a warning, and the centre is kept.
        truncated: What becomes of a JPEG that breaks off.
        looks: Whether what the photo looks like is wanted too.
        memory: What the process may hold; None for no limit.

    Raises:
        OverLimitError: The header exceeds one of ``limits``.
        NeedsMoreMemoryError: The plan would take more than ``memory``.
    """
    outputs = {spec.name: _outputs(spec, header) for spec in specs}
    frames = {
        (spec.name, output): _frames(spec, output, header)
        for spec in specs
        for output in outputs[spec.name]
    }
    limits.check_header(header, frames=max(frames.values()))
    width, height = header.upright
    focal, warnings = _focal_point(specs, focal_point)
    placements = {
        spec.name: place(
            width,
            height,
            spec,
            focal,
            max_side=min(output.max_side for output in outputs[spec.name]),
        )
        for spec in specs
    }
    smallest = min(placements, key=lambda name: placements[name].width * placements[name].height)
    renders_truncated = (
        truncated is Truncated.RENDER
        and header.format is InputFormat.JPEG
        and not header.interlaced
    )
    apart = {
        spec.name
        for spec in specs
        # How much of a photo that breaks off is there can only be told of one that is held.
        if not renders_truncated
        # It is told by pixels that are held what the photo looks like.
        and not (looks and spec.name == smallest)
        and _has_own_pass(spec, placements[spec.name], outputs[spec.name], header)
        # A gain map comes from a file that is in memory whole anyway.
        and not any(
            _keeps_gain_map(spec, output, placements[spec.name], header)
            for output in outputs[spec.name]
        )
    }
    held = [spec for spec in specs if spec.name not in apart]
    still = {name for (name, _), count in frames.items() if count == 1}
    parents = _parents([spec for spec in held if spec.name in still], placements)
    planned = [
        PlannedRendition(
            spec=spec,
            placement=placements[spec.name],
            parent=parents.get(spec.name) if frames[spec.name, output] == 1 else None,
            format=output,
            quality=(quality := spec.quality_of(output)),
            max_bytes=None if quality is None else spec.max_bytes,
            own_pass=(
                _load(header, (placement.width, placement.height)) if spec.name in apart else None
            ),
            keeps_gain_map=_keeps_gain_map(spec, output, placement, header),
            frames=frames[spec.name, output],
        )
        for spec in specs
        for placement in (placements[spec.name],)
        for output in outputs[spec.name]
    ]
    base = None
    if any(spec.linear for spec in held):
        # What is made smaller before, by a decoder or for the base, is not averaged as light.
        base = header.upright
    elif held:
        base = _base(header, [placements[spec.name] for spec in held])
    plan = RenditionPlan(
        header=header,
        load=_load(header, base) if base else Load(),
        base=base,
        renditions=tuple(sorted(planned, key=_writing_order)),
        warnings=(*_colour_warnings(header), *warnings),
        renders_truncated=renders_truncated,
        looks_of=smallest if looks else None,
    )
    plan = replace(plan, peak_bytes=estimate_peak(plan))
    if memory is not None and plan.peak_bytes > memory.bytes:
        raise NeedsMoreMemoryError(
            estimate=plan.peak_bytes, available=memory.bytes, processes=memory.processes
        )
    return plan
