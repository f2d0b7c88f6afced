"""Decides what will happen to a photo, from its header alone: pure, without pyvips."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, assert_never

from imaging.errors import NeedsMoreMemoryError, PhotoWarning
from imaging.formats import OutputFormat, Scaling
from imaging.geometry import (
    FocalPoint,
    Placement,
    focal_point_from_text,
    is_sideways,
    place,
    scaled,
)
from imaging.header import ImageHeader, RawSource
from imaging.limits import Limits, Memory
from imaging.memory import estimate_peak
from imaging.plan import (
    Animated,
    FromBase,
    FromParent,
    Load,
    OwnPass,
    PlannedRendition,
    RenditionPlan,
    Way,
)
from imaging.region import region_of
from imaging.signatures import Signing
from imaging.specs import HDR_SIDE, Fit, Hdr, Position, RenditionSpec, Truncated

__all__ = ["Asked", "make_plan"]

_JPEG_SHRINKS: Final = (8, 4, 2)

_JPEG_SPARE: Final = (4, 3)
"""How much larger than the base a JPEG is decoded at least: its decoder averages boxes
of pixels, which alone is softer than Lanczos (37 dB and SSIM 0.97 instead of 41 and 0.985)."""

_WEBP_SPARE: Final = 1.5
"""How much larger than the base a WebP is decoded: its decoder's scaler alone is too soft."""

_MAX_SHIFT: Final = 0.2
"""Pixels of the base by which shrink-on-load may shift the far edge."""

_MAX_HELD_BYTES: Final = 48 << 20
"""Of one rendition's pixels, 16 megapixels of RGB; a larger one is not held if it need not be."""

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
            position ``focal-point``. A text that names no point gives a warning, and the centre is
            kept.
        truncated: What becomes of a truncated JPEG.
        sidecar: Whether a sidecar is wanted, and so the photo's appearance.
        marks: The pictures of the watermarks that the renditions have: digest -> PNG.
        signing: How content credentials are carried on; None for not at all.

    Raises:
        ValueError: A rendition has a watermark whose picture is missing.
    """

    specs: tuple[RenditionSpec, ...]
    limits: Limits = _DEFAULT_LIMITS
    memory: Memory | None = None
    focal_point: str | None = None
    truncated: Truncated = Truncated.REFUSE
    sidecar: bool = False
    marks: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    signing: Signing | None = None

    def __post_init__(self) -> None:
        for watermark in (spec.watermark for spec in self.specs if spec.watermark is not None):
            if watermark.digest not in self.marks:
                raise ValueError(f"expected the picture of {watermark} among the marks")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """One format of one spec.

    Attributes:
        spec: What is asked.
        format: What it is encoded to.
        placement: Where its pixels go.
        frames: How many of the photo's it has.
        keeps_gain_map: Whether the photo's gain map is stored with it.
        keeps_credentials: Whether the photo's content credentials are carried on into it.
    """

    spec: RenditionSpec
    format: OutputFormat
    placement: Placement
    frames: int
    keeps_gain_map: bool
    keeps_credentials: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """The pixels that the still formats of one spec share: those with the same placement.

    Attributes:
        name: Names them among those of the photo.
        wanted: The formats.
    """

    name: str
    wanted: tuple[_Wanted, ...]

    @property
    def spec(self) -> RenditionSpec:
        return self.wanted[0].spec

    @property
    def placement(self) -> Placement:
        return self.wanted[0].placement

    @property
    def size(self) -> tuple[int, int]:
        """Width and height before the crop."""
        return self.placement.width, self.placement.height


def _source_format(spec: RenditionSpec, header: ImageHeader) -> OutputFormat:
    """Return the photo's own format, or the one that comes closest among those that can be made."""
    row = header.format.row
    if spec.animated and header.is_animated and row.output_animated is not None:
        return row.output_animated
    if header.has_alpha and row.output_with_alpha is not None:
        return row.output_with_alpha
    return row.output


def _outputs(spec: RenditionSpec, header: ImageHeader) -> list[OutputFormat]:
    """Return the formats that ``spec`` is encoded to, each once."""
    return list(dict.fromkeys(output or _source_format(spec, header) for output in spec.formats))


def _frames(spec: RenditionSpec, output: OutputFormat, header: ImageHeader) -> int:
    return header.n_pages if spec.animated and output.row.is_animated and header.is_animated else 1


def _wanted(
    spec: RenditionSpec,
    output: OutputFormat,
    header: ImageHeader,
    focal: FocalPoint | None,
    signing: Signing | None,
) -> _Wanted:
    placement = place(*header.upright, spec, focal, max_side=output.row.max_side)
    return _Wanted(
        spec=spec,
        format=output,
        placement=placement,
        frames=_frames(spec, output, header),
        keeps_gain_map=_keeps_gain_map(spec, output, placement, header),
        keeps_credentials=_keeps_credentials(spec, placement, header, signing),
    )


def _pictures(wanted: Sequence[_Wanted]) -> list[_Picture]:
    """Return the pictures of the still renditions, in the order of ``wanted``.

    Formats that allow different sides may need different pictures of one spec.
    """
    shared: dict[tuple[str, Placement], list[_Wanted]] = {}
    for each in wanted:
        if each.frames == 1:
            shared.setdefault((each.spec.name, each.placement), []).append(each)
    pictures: dict[str, _Picture] = {}
    for (name, _), formats in shared.items():
        # No spec's name has a dot.
        unique = f"{name}.{formats[0].format.extension}" if name in pictures else name
        pictures[unique] = _Picture(name=unique, wanted=tuple(formats))
    return list(pictures.values())


def _shrinks_to(side: int, shrink: int, target: int) -> bool:
    """Tell whether ``side`` shrunk on load is large enough, without a shift.

    A side that ``shrink`` does not divide loses or gains a fraction of a pixel at its end, which
    shifts the picture: by half a pixel, detail falls from 43 dB to 31 dB.
    """
    if side < shrink:
        return False
    rounded = (2 * side + shrink) // (2 * shrink)
    moved = abs(rounded - side / shrink) * target / rounded
    above, below = _JPEG_SPARE
    return below * (side // shrink) >= above * target and moved <= _MAX_SHIFT


def _load(header: ImageHeader, base: tuple[int, int]) -> Load:
    columns, rows = base[::-1] if is_sideways(header.orientation) else base
    load = Load(fail_on=header.format.row.fail_on)
    match header.format.row.scaling:
        case Scaling.SHRINK:
            for shrink in _JPEG_SHRINKS:
                if _shrinks_to(header.width, shrink, columns) and _shrinks_to(
                    header.height, shrink, rows
                ):
                    return replace(load, shrink=shrink)
        case Scaling.SCALE:
            scale = max(columns / header.width, rows / header.height)
            return replace(load, scale=min(1.0, _WEBP_SPARE * scale))
        case Scaling.LEVELS:
            for level in reversed(header.levels):
                if level.width >= columns and level.height >= rows:
                    return replace(load, level=level.at)
        case Scaling.NONE:
            pass
        case _:
            assert_never(header.format.row.scaling)
    return load


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


def _has_own_pass(picture: _Picture, header: ImageHeader) -> bool:
    """Tell whether a picture is too large to be held, and can go row by row to its encoders.

    It can if all codecs work in rows, and no row is needed before its turn.
    """
    spec, placement = picture.spec, picture.placement
    return (
        placement.width * placement.height * max(3, header.bands) > _MAX_HELD_BYTES
        and header.format.row.in_rows
        and header.orientation == 1
        and placement.search is None
        and spec.max_bytes is None
        and not spec.progressive
        and not spec.linear
        and all(each.format.row.in_rows for each in picture.wanted)
        # A gain map comes from a file that is in memory whole anyway.
        and not any(each.keeps_gain_map for each in picture.wanted)
    )


def _parents(pictures: Sequence[_Picture]) -> dict[str, _Picture]:
    """Return each picture's smallest parent; pictures that are made from the base have none."""
    parents: dict[str, _Picture] = {}
    able: list[_Picture] = []
    for picture in sorted(pictures, key=lambda one: -one.size[0] * one.size[1]):
        spec, placement = picture.spec, picture.placement
        parent = next(
            (
                one
                for one in reversed(able)
                # One pixel less is rounding: 320 x 213 is twice 160 x 107.
                if (one.spec.colour, one.spec.linear) == (spec.colour, spec.linear)
                and one.size[0] + 1 >= _PARENT_RATIO * placement.width
                and one.size[1] + 1 >= _PARENT_RATIO * placement.height
            ),
            None,
        )
        if parent is not None:
            parents[picture.name] = parent
        if spec.fit is not Fit.FILL and placement.crop is None and placement.canvas is None:
            able.append(picture)
    return parents


def _held_ways(
    pictures: Sequence[_Picture], base: tuple[int, int] | None
) -> dict[str, FromBase | FromParent]:
    """Return how each held picture is made, and which of its pixels stay in memory."""
    parents = _parents(pictures)
    made_from = {parent.name for parent in parents.values()}
    ways: dict[str, FromBase | FromParent] = {}
    for picture in pictures:
        parent = parents.get(picture.name)
        # A picture as large as its parent is the parent.
        is_new = picture.size != (parent.size if parent is not None else base)
        is_used_again = picture.name in made_from or picture.placement.search is not None
        keeps_resized = is_new and is_used_again
        changes = picture.placement.crop is not None or picture.spec.sharpen is not None
        keeps_finished = len(picture.wanted) > 1 and (changes or (is_new and not keeps_resized))
        if parent is None:
            ways[picture.name] = FromBase(
                picture=picture.name, keeps_resized=keeps_resized, keeps_finished=keeps_finished
            )
        else:
            ways[picture.name] = FromParent(
                picture=picture.name,
                parent=parent.name,
                keeps_resized=keeps_resized,
                keeps_finished=keeps_finished,
            )
    return ways


def _writing_order(planned: PlannedRendition) -> tuple[bool, int, int]:
    """Put slow and large renditions last, so that a photo can be shown early."""
    width, height = planned.placement.output
    return planned.format.row.is_slow, planned.frames, width * height


def _keeps_gain_map(
    spec: RenditionSpec, output: OutputFormat, placement: Placement, header: ImageHeader
) -> bool:
    if not header.has_gain_map or not output.row.has_gain_map:
        return False
    if spec.hdr is None:
        return max(placement.output) >= HDR_SIDE
    return spec.hdr is Hdr.KEEP


def _raw_warning(header: ImageHeader, raw: RawSource) -> PhotoWarning:
    of = f"{raw.width} x {raw.height}" if raw.width else "an unknown size"
    return PhotoWarning(
        code="raw-preview",
        message=(
            f"Expected a photo but received a {raw.kind} of {of}: its preview of {header.width} x "
            f"{header.height} is rendered"
        ),
    )


def _photo_warnings(header: ImageHeader) -> tuple[PhotoWarning, ...]:
    """Return warnings of what the photo is, and of colours that had to be guessed."""
    warnings = []
    if header.raw is not None:
        warnings.append(_raw_warning(header, header.raw))
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
    if header.is_tone_mapped:
        warnings.append(
            PhotoWarning(
                code="hdr-tone-mapped",
                message=(
                    "Expected the light of SDR but received HDR, in PQ or HLG: its highlights are "
                    "darkened to what SDR shows"
                ),
            )
        )
    return tuple(warnings)


def _keeps_credentials(
    spec: RenditionSpec, placement: Placement, header: ImageHeader, signing: Signing | None
) -> bool:
    if signing is None or spec.credentials is None or header.credentials is None:
        return False
    # Those elsewhere are not fetched; those of a raw are in its preview, or are the raw's own.
    if (
        header.credentials.are_elsewhere
        or header.credentials.is_too_large
        or header.raw is not None
    ):
        return False
    return max(placement.output) >= spec.credentials


def _credentials_warnings(
    header: ImageHeader, wanted: Sequence[_Wanted]
) -> tuple[PhotoWarning, ...]:
    """Return the warning that no rendition has what the photo has."""
    if header.credentials is None or any(each.keeps_credentials for each in wanted):
        return ()
    where = "elsewhere" if header.credentials.are_elsewhere else "in the photo"
    if header.credentials.is_too_large and any(each.spec.credentials for each in wanted):
        where += ", of more bytes or boxes than are carried on"
    return (
        PhotoWarning(
            code="credentials-removed",
            message=(
                f"Expected no content credentials but received C2PA's, {where}: renditions have "
                "none"
            ),
        ),
    )


def _focal_point(
    specs: Sequence[RenditionSpec], text: str | None
) -> tuple[FocalPoint | None, tuple[PhotoWarning, ...]]:
    """Return the point that ``text`` names, where a spec asks for it, and warnings of it."""
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
    focal, warnings = _focal_point(specs, asked.focal_point)
    wanted = [
        _wanted(spec, output, header, focal, asked.signing)
        for spec in specs
        for output in _outputs(spec, header)
    ]
    asked.limits.check_header(header, frames=max(each.frames for each in wanted))
    smallest = min(wanted, key=lambda each: each.placement.width * each.placement.height).spec.name
    renders_truncated = asked.truncated is Truncated.RENDER and header.has_parts
    if any(each.keeps_gain_map for each in wanted):
        asked.limits.check("max_gain_map_pixels", header.gain_map_pixels)
    pictures = _pictures(wanted)
    apart = {
        picture.name
        for picture in pictures
        # Only a held picture shows how much of a truncated photo was received.
        if not renders_truncated
        # An appearance is computed from pixels that are held.
        and not (asked.sidecar and picture.spec.name == smallest)
        and _has_own_pass(picture, header)
    }
    held = [picture for picture in pictures if picture.name not in apart]
    animated = [each for each in wanted if each.frames > 1]
    of_base: list[_Picture | _Wanted] = [*held, *animated]
    base = None
    if any(one.spec.linear for one in of_base):
        # A decoder that shrinks, and a smaller base, would average stored values instead of light.
        base = header.upright
    elif of_base:
        base = _base(header, [one.placement for one in of_base])
    ways: dict[str, Way] = {**_held_ways(held, base)}
    for picture in pictures:
        if picture.name in apart:
            ways[picture.name] = OwnPass(load=_load(header, picture.size))
    planned = [
        _planned(each, ways[picture.name]) for picture in pictures for each in picture.wanted
    ]
    planned += [_planned(each, Animated(frames=each.frames)) for each in animated]
    load = _load(header, base) if base else Load()
    if base and not asked.sidecar:
        # An appearance is of the whole photo.
        load = replace(load, region=region_of(header, base, [one.placement for one in of_base]))
    plan = RenditionPlan(
        header=header,
        load=load,
        base=base,
        renditions=tuple(sorted(planned, key=_writing_order)),
        warnings=(*_photo_warnings(header), *_credentials_warnings(header, wanted), *warnings),
        signer=asked.signing.signer
        if asked.signing is not None and any(each.keeps_credentials for each in wanted)
        else None,
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


def _planned(wanted: _Wanted, way: Way) -> PlannedRendition:
    quality = wanted.spec.quality_of(wanted.format)
    return PlannedRendition(
        spec=wanted.spec,
        placement=wanted.placement,
        way=way,
        format=wanted.format,
        quality=quality,
        max_bytes=None if quality is None else wanted.spec.max_bytes,
        keeps_gain_map=wanted.keeps_gain_map,
        keeps_credentials=wanted.keeps_credentials,
    )
