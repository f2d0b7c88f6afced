"""How much memory a plan takes at its peak, estimated from the header alone; pure.

The estimate follows the plan as it is carried out: the decode, the turn, one rendition after the
other. It sums three parts: what each decoder and encoder says that it holds, what libvips works in
and malloc keeps (:mod:`imaging.working`), and the pictures that the plan keeps. The figures were
fitted to what ``make calibrate`` measured. ``benchmarks/results/memory.json`` has every case, also
those that no figure was fitted to; the tests compare the estimate with each.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, assert_never

from imaging import working
from imaging.decoders import decoder_of, frames_decoder_of
from imaging.encoders import encoder_of
from imaging.formats import InputFormat
from imaging.header import ImageHeader
from imaging.plan import (
    Animated,
    FromBase,
    FromParent,
    Load,
    OwnPass,
    PlannedRendition,
    RenditionPlan,
)

__all__ = ["MARGIN", "PROCESS_BYTES", "estimate_peak"]

_MB: Final = 1 << 20

MARGIN: Final = 1.12

PROCESS_BYTES: Final = 92 * _MB
"""Two interpreters: one with the S3 client and two megabytes of reading ahead, one with libvips."""

_APPEARANCE_BYTES: Final = 12 * _MB
"""Two libraries, loaded for the first photo that has a sidecar."""

_GAIN_MAP_FILES: Final = 3
"""A photo whose gain map is kept is read whole, and its rendition is put together in memory."""

_CREDENTIALS_BYTES: Final = 36 * _MB
"""The library that carries content credentials on, as far as it is touched."""

_CREDENTIALS_FILES: Final = 4
"""A photo whose credentials are carried on is read whole; the library copies it, and each rendition
that it signs."""

_UPLOAD_COPIES: Final = 2
_UPLOAD_BYTES: Final = 32 * _MB
"""Four parts of a multipart upload: one that is filled, one that is cut off, two under way."""

_RGB: Final = 3


def _bands(header: ImageHeader) -> int:
    """Return how many bands, of a byte each, a picture has once its colours are converted."""
    alpha = 1 if header.has_alpha else 0
    colours = header.bands - alpha
    return (1 if colours < _RGB else _RGB) + alpha


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decoding:
    """The one decode of a photo.

    Attributes:
        peak: What it takes at most.
        kept: What malloc keeps of that after it was freed, for whatever is allocated next.
        bases: What is held until the last rendition is made.
    """

    peak: float
    kept: float
    bases: float


def _decoder_bytes(header: ImageHeader, load: Load) -> float:
    return decoder_of(header.format).peak_bytes(header, load)


def _gain_map_bytes(plan: RenditionPlan) -> float:
    """Return what the gain map takes, of three bands.

    That of a JPEG is decoded to twice the sides that are kept, and to half the photo's at most.
    """
    header, scale = plan.header, plan.gain_map_scale
    if not scale:
        return 0
    share = min(0.5, 2 * scale) ** 2 if header.format is InputFormat.JPEG else 1
    copies = 2 if header.orientation > 1 else 1
    return header.gain_map_pixels * _RGB * share * copies


def _decoding(plan: RenditionPlan, bands: int) -> _Decoding:
    if plan.base is None:
        return _Decoding(peak=0, kept=0, bases=0)
    header = plan.header
    sideways = header.upright[0] != header.width
    codec = _decoder_bytes(header, plan.load)
    if any(rendition.keeps_gain_map for rendition in plan.renditions):
        codec += _GAIN_MAP_FILES * header.size
    strips = working.decoding_bytes(header, plan.load, plan.base[1] if sideways else plan.base[0])
    kept = strips + codec * working.KEPT_PLANES
    pixels = plan.base[0] * plan.base[1]
    if plan.frames > 1:
        frames = pixels * header.bands * plan.frames
        strip = frames_decoder_of(header.format).strip_bytes(header, plan.frames)
        return _Decoding(peak=codec + strips + strip + frames, kept=kept, bases=frames)
    asked = set(plan.colours)
    # Those that need no conversion share one base.
    shared = asked & header.own_colours
    gain_map = _gain_map_bytes(plan)
    bases: float = pixels * bands * (len(asked - shared) + bool(shared)) + gain_map
    first = bases
    peak: float = 0
    if len(asked) > 1:
        # The base in the photo's own colours, from which the others are made.
        first = pixels * header.bands * header.sample_bytes + gain_map
        peak = kept + bases + (0 if shared else first)
    peak = max(peak, codec + strips + first)
    if header.orientation > 1:
        # Each colour is turned for itself.
        turned = pixels * bands * len(asked) + gain_map
        peak = max(peak, kept + bases + turned)
        bases = turned
    return _Decoding(peak=peak, kept=kept, bases=bases)


def _encoding(rendition: PlannedRendition, bands: int) -> float:
    """Return what encoder and upload hold of one rendition."""
    encoder = encoder_of(rendition.format)
    encoded = encoder.encoded_bytes(rendition, bands)
    held = encoder.peak_bytes(rendition, bands)
    if rendition.keeps_credentials:
        # The encoder has ended by then.
        held = max(held + encoded, _CREDENTIALS_FILES * encoded)
    if rendition.max_bytes is not None:
        held += rendition.pixels * bands + encoded
    return held + min(_UPLOAD_COPIES * encoded, _UPLOAD_BYTES)


class _Pictures:
    """The pictures that are held, as far as they were made."""

    def __init__(self, plan: RenditionPlan) -> None:
        self._base = plan.base or (1, 1)
        self._ways: dict[str, tuple[FromBase | FromParent, PlannedRendition]] = {
            rendition.way.picture: (rendition.way, rendition)
            for rendition in plan.renditions
            if isinstance(rendition.way, FromBase | FromParent)
        }
        self._held: dict[tuple[str, str], int] = {}

    @property
    def pixels(self) -> int:
        """How many are held."""
        return sum(self._held.values())

    def parent_size(self, way: FromBase | FromParent) -> tuple[int, int]:
        """Return width and height of what a picture is made from."""
        if isinstance(way, FromBase):
            return self._base
        placement = self._ways[way.parent][1].placement
        return placement.width, placement.height

    def make(self, way: FromBase | FromParent) -> None:
        """Make a picture, and first those that it is made from."""
        _, rendition = self._ways[way.picture]
        if way.keeps_finished:
            kept = rendition.placement.crop or rendition.placement
            self._held["finished", way.picture] = kept.width * kept.height
        name: str | None = way.picture
        while name is not None:
            step, rendition = self._ways[name]
            if step.keeps_resized:
                placement = rendition.placement
                self._held["resized", name] = placement.width * placement.height
            name = step.parent if isinstance(step, FromParent) else None


def _rendering(plan: RenditionPlan, bands: int, kept: float) -> Iterator[float]:
    """Yield, for each rendition in order, the bytes held beside the bases while it is made."""
    header = plan.header
    pictures = _Pictures(plan)
    before: float = 0
    for rendition in plan.renditions:
        placement, way = rendition.placement, rendition.way
        match way:
            case OwnPass(load=load):
                at_work = max(kept, working.decoding_bytes(header, load, placement.width))
                at_work += _decoder_bytes(header, load)
            case Animated(frames=frames):
                at_work = max(kept, working.resizing_bytes(header, rendition, bands, plan.base))
                at_work += frames * placement.width * placement.height * bands
            case FromBase() | FromParent():
                pictures.make(way)
                made_from = pictures.parent_size(way)
                resizing = working.resizing_bytes(header, rendition, bands, made_from)
                at_work = max(kept, resizing, before * working.KEPT_ENCODER)
            case _:
                assert_never(way)
        # The search ends before anything is encoded.
        searching = working.searching_bytes(header, placement)
        at_work += max(_encoding(rendition, bands), searching)
        at_work += working.marking_bytes(rendition, bands)
        yield pictures.pixels * bands + at_work
        before = max(before, at_work)


def estimate_peak(plan: RenditionPlan) -> int:
    """Return the most bytes that a process will hold that renders ``plan`` as its first photo."""
    bands = _bands(plan.header)
    decoding = _decoding(plan, bands)
    rendering = decoding.bases + max(_rendering(plan, bands, decoding.kept))
    process = PROCESS_BYTES + (0 if plan.appearance_of is None else _APPEARANCE_BYTES)
    whole = max(decoding.peak, rendering)
    if plan.signer is not None:
        process += _CREDENTIALS_BYTES
        # The copies are gone before the first pixel is decoded; the file stays.
        whole = max(_CREDENTIALS_FILES * plan.header.size, whole + plan.header.size)
    return round((process + whole) * MARGIN)
