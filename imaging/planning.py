"""Decides what will happen to a photo, from its header alone: pure, without pyvips."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

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
from imaging.plan import Load, PlannedRendition, RenditionPlan
from imaging.specs import HDR_SIDE, Colour, Fit, Hdr, Position, RenditionSpec, Truncated

__all__ = ["Asked", "make_plan"]

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

_DEFAULT_LIMITS: Final = Limits()

# A parent this much larger, or more, costs no visible detail: 46 dB and more on real photos.
_PARENT_RATIO: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Everything that decides a plan beside the photo's header.

    Attributes:
        specs: The renditions; at least one.
        limits: The largest photo that is accepted.
        memory: What the process may hold; None for no limit.
        focal_point: Where the photo's subject is, such as ``0.3,0.7``, as its owner says; for the
            position ``focal-point``. A text that names no point is a warning, and the centre is
            kept.
        truncated: What becomes of a truncated JPEG.
        sidecar: Whether a sidecar is wanted, and so the photo's appearance.
    """

    specs: tuple[RenditionSpec, ...]
    limits: Limits = _DEFAULT_LIMITS
    memory: Memory | None = None
    focal_point: str | None = None
    truncated: Truncated = Truncated.REFUSE
    sidecar: bool = False


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


def make_plan(header: ImageHeader, asked: Asked) -> RenditionPlan:
    """Return how the renditions that ``asked`` names are made of a photo with ``header``.

    Nothing is decoded.

    Raises:
        OverLimitError: The header exceeds one of the limits.
        NeedsMoreMemoryError: The plan would take more memory than there is.
    """
    specs = asked.specs
    outputs = {spec.name: _outputs(spec, header) for spec in specs}
    frames = {
        (spec.name, output): _frames(spec, output, header)
        for spec in specs
        for output in outputs[spec.name]
    }
    asked.limits.check_header(header, frames=max(frames.values()))
    width, height = header.upright
    focal, warnings = _focal_point(specs, asked.focal_point)
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
        asked.truncated is Truncated.RENDER
        and header.format is InputFormat.JPEG
        and not header.interlaced
    )
    apart = {
        spec.name
        for spec in specs
        # How much of a photo that breaks off is there can only be told of one that is held.
        if not renders_truncated
        # It is told by pixels that are held what the photo looks like.
        and not (asked.sidecar and spec.name == smallest)
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
        appearance_of=smallest if asked.sidecar else None,
    )
    plan = replace(plan, peak_bytes=estimate_peak(plan))
    memory = asked.memory
    if memory is not None and plan.peak_bytes > memory.bytes:
        raise NeedsMoreMemoryError(
            estimate=plan.peak_bytes, available=memory.bytes, processes=memory.processes
        )
    return plan
