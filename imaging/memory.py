"""How much memory a plan takes at its peak, reckoned from the header alone; pure.

The plan is gone through as it is carried out: the decode, the turn, one rendition after the other.
What each step holds is known: the decoder's planes, the pictures that stay, what the encoder needs.
What is not known in detail (the strips that libvips works in, what malloc keeps of what was freed)
was fitted to what ``make calibrate`` measured. ``benchmarks/results/memory.json`` has every case,
those that nothing was fitted to among them; the tests hold the estimate against all.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from imaging.formats import InputFormat, OutputFormat
from imaging.header import ImageHeader
from imaging.specs import Colour, Position

if TYPE_CHECKING:
    from imaging.geometry import Placement
    from imaging.plan import Load, PlannedRendition, RenditionPlan

__all__ = ["estimate_peak"]

_MB: Final = 1 << 20

_MARGIN: Final = 1.09

_PROCESS_BYTES: Final = 62 * _MB
"""The interpreter, libvips, the S3 client, two megabytes of reading ahead."""

_APPEARANCE_BYTES: Final = 12 * _MB
"""Two libraries, loaded for the first photo that has a sidecar."""

# libvips decodes, resizes and converts in strips, several for each of its threads: so many lines of
# the wider picture, and so many more for each of them that goes into one of the narrower.
_STRIP_LINES: Final = 420
_STRIP_LINES_PER_FACTOR: Final = 460
_MAX_STRIP_FACTOR: Final = 4.0

# With alpha the colours are multiplied by it before the resize, as floats.
_ALPHA_LINES: Final = 710
_ALPHA_LINES_PER_FACTOR: Final = 140
_FLOAT_BYTES: Final = 4

# What is in memory already is not decoded in strips.
_DERIVED_LINES: Final = 320
_DERIVED_LINES_PER_FACTOR: Final = 460

# In linear light each sample has two bytes.
_LINEAR_LINES: Final = 730
_LINEAR_LINES_PER_FACTOR: Final = 280
_LINEAR_BYTES: Final = 2

_MAX_STRIPS: Final = 1.8
"""Of the whole picture: two of its kind, one in each format, where it has few lines."""

# What malloc keeps of freed strips, of a decoder's planes, and of what an encoder held.
_KEPT_STRIPS: Final = 0.93
_KEPT_PLANES: Final = 0.45
_KEPT_ENCODER: Final = 0.4

_SAMPLE_BYTES: Final = {"uchar": 1, "char": 1, "ushort": 2, "short": 2, "double": 8}
_OTHER_SAMPLE_BYTES: Final = 4

_TIFF_BYTES: Final = 18 * _MB
_TILED_TIFF_BYTES: Final = 17 * _MB
"""At most: blocks of ranged GETs that are kept, and libtiff's strips and tiles."""

_TIFF_STRIPS: Final = 1.2

_CONVERSION_BYTES: Final = 3 * _MB
"""Tables of littlecms, and the profile, which may have a megabyte."""

_INTERLACED: Final = 1.46
"""Of the whole picture's bytes: an interlaced PNG is decoded to memory, and read from there."""

_AVIF_BYTES_PER_PIXEL: Final = 14.6
_DAV1D_BYTES_PER_PIXEL: Final = 2.5
_PLANES: Final = {"4:2:0": 1.5, "4:2:2": 2.0}
"""Bytes a pixel of light and colour, beside the samples that are made of them; else three."""

_HEIC_BYTES: Final = 4 * _MB
_HEIC_BYTES_PER_PIXEL: Final = 0.6
"""Beside the samples."""

_GIF_BYTES: Final = 1 * _MB
_GIF_BYTES_PER_PIXEL: Final = 3.2
_LOSSLESS_BYTES_PER_PIXEL: Final = 5.6
_WEBP_BYTES: Final = 24 * _MB
"""At most, and as much as the rest where that is less."""

_WEBP_FRAMES: Final = 1.94

_GAIN_MAP_FILES: Final = 3
"""A photo whose gain map is kept is read whole, and its rendition is put together in memory."""

# What encoders hold of each pixel.
_WEBP_OUT_BYTES: Final = 5.7
_WEBP_OPAQUE_BYTES: Final = 4.1
_WEBP_ALPHA_BYTES: Final = 16.8
"""Alpha is compressed without loss, by another encoder; where it is the same all over, that is
nothing."""

_GIF_OUT_BYTES: Final = 12.2
_MOVING_GIF_BYTES: Final = 25.0
_MOVING_WEBP_BYTES: Final = 60.0
"""Of one frame: the ones before and after it, and each tried in several ways."""

_AVIF_OUT_BYTES: Final = 7 * _MB
"""Its tables."""

# Of each sample: one for light, and half of one, or two, for colour.
_AVIF_OUT_SAMPLE_BYTES: Final = 13.0
_AVIF_OUT_FULL_SAMPLE_BYTES: Final = 11.3
_SCANS_SAMPLE_BYTES: Final = 3.2
_SUBSAMPLED: Final = 1.5
_FULL: Final = 3.0
_FULL_CHROMA_QUALITY: Final = 90
"""From here on libvips keeps the chroma of JPEG and AVIF whole."""

# Of photos with much detail; less is held for others.
_ENCODED_BYTES_PER_PIXEL: Final = {
    OutputFormat.JPEG: 0.4,
    OutputFormat.PNG: 2.5,
    OutputFormat.WEBP: 0.4,
    OutputFormat.AVIF: 0.3,
    OutputFormat.GIF: 0.7,
}
_FINE: Final = 2
"""How many times as much there is of what has a quality for full chroma."""

_UPLOAD_COPIES: Final = 2
_UPLOAD_BYTES: Final = 32 * _MB
"""Four parts of a multipart upload: one that is filled, one that is cut off, two under way."""

_FITTED: Final = 1.3
_FITTED_AVIF: Final = 1.5
"""What is encoded several times, to fit, finds less of the freed memory in one piece."""

_SHARPEN_BYTES: Final = 6 * _MB
"""And as much again with alpha."""

_SHARPEN_ROWS: Final = 480
_SHARPEN_OPAQUE: Final = 4.2
_SHARPEN_ALPHA: Final = 10.5
"""Bytes for each of a sharpened picture's, in so many of its rows: 16 bits of Lab, or floats."""

# libvips looks for entropy in a copy of floats where there is alpha.
_SEARCH_COPIES: Final = 1.54
_SEARCH_BYTES: Final = 80 * _MB


def _decoded(header: ImageHeader, load: "Load") -> tuple[int, int]:
    """Return width and height of what the decoder gives, as stored."""
    for level in header.levels:
        if (level.page, level.subifd) == (load.page, load.subifd):
            return level.width, level.height
    scale = load.scale / load.shrink
    return max(1, round(header.width * scale)), max(1, round(header.height * scale))


def _sample_bytes(header: ImageHeader) -> int:
    return _SAMPLE_BYTES.get(header.band_format, _OTHER_SAMPLE_BYTES)


def _coefficients(chroma: str, bands: int) -> int:
    """Return bytes a pixel of a progressive JPEG: two for each sample of each component."""
    if bands == 3 and chroma == "4:2:0":  # noqa: PLR2004 - YCbCr
        return 3
    return 2 * bands


def _webp(header: ImageHeader, load: "Load") -> float:
    """Return what libwebp holds: the file, the scaled picture, and of a lossless one all of it."""
    pixels = header.width * header.height
    width, height = _decoded(header, load)
    frame = width * height * header.bands
    if header.lossless:
        held: float = header.size + pixels * _LOSSLESS_BYTES_PER_PIXEL + frame
    else:
        held = header.size * 2 + frame * _WEBP_FRAMES
    return held + min(_WEBP_BYTES, held)


def _tiff(header: ImageHeader, load: "Load") -> float:
    """Return what libtiff holds: tiles or a strip as they are in the file, and blocks of it."""
    width, height = _decoded(header, load)
    samples = width * height * header.bands * _sample_bytes(header)
    if header.tile is not None:
        return min(_TILED_TIFF_BYTES, samples)
    rows = min(header.strip_rows or height, height)
    return min(_TIFF_BYTES, samples) + min(header.size / header.n_pages, samples) * rows / height


def _codec(header: ImageHeader, load: "Load") -> float:
    """Return what the decoder holds of the whole picture."""
    pixels = header.width * header.height
    samples = pixels * header.bands * _sample_bytes(header)
    held: float = 0
    match header.format:
        case InputFormat.JPEG if header.interlaced:
            held = pixels * _coefficients(header.chroma, header.bands)
        case InputFormat.PNG if header.interlaced:
            held = samples * _INTERLACED
        case InputFormat.JPEG | InputFormat.PNG:
            pass
        case InputFormat.TIFF:
            held = _tiff(header, load)
        case InputFormat.WEBP:
            held = _webp(header, load)
        case InputFormat.GIF:
            tables = min(_GIF_BYTES, pixels * _FLOAT_BYTES)
            held = tables + header.size + pixels * _GIF_BYTES_PER_PIXEL
        case InputFormat.AVIF if header.band_format == "uchar" and header.bands >= 3:  # noqa: PLR2004 - RGB
            # By dav1d.
            planes = _PLANES.get(header.chroma, _FULL) + _DAV1D_BYTES_PER_PIXEL
            held = header.size + samples + pixels * planes
        case InputFormat.AVIF:
            held = header.size + pixels * _AVIF_BYTES_PER_PIXEL
        case InputFormat.HEIC:
            held = _HEIC_BYTES + header.size + samples + pixels * _HEIC_BYTES_PER_PIXEL
    return held


def _factor(columns: int, made: int) -> float:
    return min(max(1.0, columns / made), _MAX_STRIP_FACTOR)


def _strips(header: ImageHeader, load: "Load", columns: int) -> float:
    """Return what libvips works in, from the decoder to a picture of ``columns``."""
    width, height = _decoded(header, load)
    factor = _factor(width, columns)
    if header.has_alpha and width != columns:
        sample = _FLOAT_BYTES
        lines = _ALPHA_LINES + _ALPHA_LINES_PER_FACTOR * factor
    else:
        sample = _sample_bytes(header)
        lines = _STRIP_LINES + _STRIP_LINES_PER_FACTOR * factor
    strips = width * header.bands * sample * min(lines, height * _MAX_STRIPS)
    if header.format is InputFormat.TIFF and header.tile is None:
        strips *= _TIFF_STRIPS
    if header.has_profile or header.interpretation in {"cmyk", "lab", "labs"}:
        strips += _CONVERSION_BYTES
    return strips


def _bands(header: ImageHeader) -> int:
    """Return how many bands, of a byte each, a picture has once its colours are converted."""
    alpha = 1 if header.has_alpha else 0
    colours = header.bands - alpha
    return (1 if colours < 3 else 3) + alpha  # noqa: PLR2004 - grey, or red, green and blue


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decoding:
    """The one decode of a photo.

    Attributes:
        peak: What it takes at most.
        kept: What malloc keeps of that, and gives to whoever asks next.
        bases: What is held until the last rendition is made.
    """

    peak: float
    kept: float
    bases: float


def _in_own_colours(header: ImageHeader) -> frozenset[Colour]:
    """Return the colours for which nothing is converted: they share one base."""
    if header.band_format != "uchar" or header.interpretation not in {"srgb", "b-w"}:
        return frozenset()
    if header.cicp is not None:
        return frozenset()
    return frozenset({Colour.SOURCE} if header.has_profile else {Colour.SOURCE, Colour.SRGB})


def _decoding(plan: "RenditionPlan", bands: int) -> _Decoding:
    if plan.base is None:
        return _Decoding(peak=0, kept=0, bases=0)
    header = plan.header
    sideways = header.upright[0] != header.width
    codec = _codec(header, plan.load)
    if any(rendition.keeps_gain_map for rendition in plan.renditions):
        codec += _GAIN_MAP_FILES * header.size
    strips = _strips(header, plan.load, plan.base[1] if sideways else plan.base[0])
    kept = strips * _KEPT_STRIPS + codec * _KEPT_PLANES
    pixels = plan.base[0] * plan.base[1]
    if plan.frames > 1:
        bases = pixels * header.bands * plan.frames
        return _Decoding(peak=codec + strips + bases, kept=kept, bases=bases)
    asked = set(plan.colours)
    shared = asked & _in_own_colours(header)
    bases = pixels * bands * (len(asked - shared) + bool(shared))
    first = bases
    peak: float = 0
    if len(asked) > 1:
        # Of which those in the colours that are asked for are made.
        first = pixels * header.bands * _sample_bytes(header)
        peak = kept + bases + (0 if shared else first)
    peak = max(peak, codec + strips + first)
    if header.orientation > 1:
        # Each colour is turned for itself.
        turned = pixels * bands * len(asked)
        peak = max(peak, kept + bases + turned)
        bases = turned
    return _Decoding(peak=peak, kept=kept, bases=bases)


def _webp_out(rendition: "PlannedRendition", pixels: int, bands: int) -> float:
    placement = rendition.placement
    if rendition.frames > 1:
        return pixels * _MOVING_WEBP_BYTES
    if bands in {2, 4}:
        # A canvas around the picture is opaque.
        shown = placement.width * placement.height
        return pixels * _WEBP_OPAQUE_BYTES + min(pixels, shown) * _WEBP_ALPHA_BYTES
    return pixels * _WEBP_OUT_BYTES


def _encoding(rendition: "PlannedRendition", bands: int) -> float:
    """Return what encoder and upload hold of one rendition."""
    width, height = rendition.placement.output
    pixels = width * height
    full = (rendition.quality or 0) >= _FULL_CHROMA_QUALITY
    samples = pixels * (_FULL if full else _SUBSAMPLED)
    encoded = pixels * rendition.frames * _ENCODED_BYTES_PER_PIXEL[rendition.format]
    if rendition.format is OutputFormat.PNG:
        encoded *= bands / 3
    elif full:
        encoded *= _FINE
    held: float = 0
    match rendition.format:
        case OutputFormat.JPEG:
            held = samples * _SCANS_SAMPLE_BYTES if rendition.spec.progressive else 0
        case OutputFormat.WEBP:
            held = _webp_out(rendition, pixels, bands)
        case OutputFormat.AVIF:
            if bands in {2, 4}:
                samples += pixels
            each = _AVIF_OUT_FULL_SAMPLE_BYTES if full else _AVIF_OUT_SAMPLE_BYTES
            held = _AVIF_OUT_BYTES + samples * each
        case OutputFormat.GIF:
            held = pixels * (_MOVING_GIF_BYTES if rendition.frames > 1 else _GIF_OUT_BYTES)
        case OutputFormat.PNG:
            pass
    if rendition.max_bytes is not None:
        again = _FITTED_AVIF if rendition.format is OutputFormat.AVIF else _FITTED
        held = held * again + pixels * bands + encoded
    return held + min(_UPLOAD_COPIES * encoded, _UPLOAD_BYTES)


def _deriving(plan: "RenditionPlan", rendition: "PlannedRendition", bands: int) -> float:
    """Return what it takes to make a picture from its parent, or from the base."""
    placement, spec = rendition.placement, rendition.spec
    alpha = plan.header.has_alpha
    sizes = {one.spec.name: (one.placement.width, one.placement.height) for one in plan.renditions}
    columns, rows = sizes[rendition.parent] if rendition.parent else plan.base or (1, 1)
    taken: float = 0
    if (columns, rows) != (placement.width, placement.height):
        factor = _factor(columns, placement.width)
        if spec.linear:
            sample = _FLOAT_BYTES if alpha else _LINEAR_BYTES
            lines = _LINEAR_LINES + _LINEAR_LINES_PER_FACTOR * factor
        else:
            sample = _FLOAT_BYTES if alpha else 1
            lines = _DERIVED_LINES + _DERIVED_LINES_PER_FACTOR * factor
        taken += columns * bands * sample * min(lines, rows * _MAX_STRIPS)
    if spec.sharpen is not None:
        height = min(placement.height, _SHARPEN_ROWS)
        taken += placement.width * bands * height * (_SHARPEN_ALPHA if alpha else _SHARPEN_OPAQUE)
        taken += _SHARPEN_BYTES * (2 if alpha else 1)
    return taken


def _searching(plan: "RenditionPlan", placement: "Placement", bands: int) -> float:
    """Return what it takes to find out which part of a picture to keep."""
    if placement.search is not Position.ENTROPY or not plan.header.has_alpha:
        return 0
    copy = placement.width * placement.height * bands * _FLOAT_BYTES
    return min(_SEARCH_COPIES * copy, _SEARCH_BYTES)


def _pictures(plan: "RenditionPlan", bands: int) -> Iterator[int]:
    """Yield for each rendition the bytes of the pictures that are in memory once it is made."""
    still = {one.spec.name: one for one in plan.renditions if one.frames == 1}
    parents = {one.parent for one in still.values()}
    encodes = Counter(one.spec.name for one in plan.renditions if one.frames == 1)
    sizes = {name: (one.placement.width, one.placement.height) for name, one in still.items()}
    there: dict[tuple[str, str], int] = {}
    for rendition in plan.renditions:
        name = rendition.spec.name if rendition.own_pass is None and rendition.frames == 1 else None
        while name is not None:
            one = still[name]
            placement, crop = one.placement, one.placement.crop
            # What is as large as what it is made of is that.
            made = (placement.width, placement.height) != (
                sizes[one.parent] if one.parent else plan.base
            )
            stays = name in parents or placement.search is not None
            if made and stays:
                there["whole", name] = placement.width * placement.height
            if name == rendition.spec.name and encodes[name] > 1:
                if crop is not None:
                    there["cropped", name] = crop.width * crop.height
                elif one.spec.sharpen is not None or (made and not stays):
                    there["cropped", name] = placement.width * placement.height
            name = one.parent
        yield sum(there.values()) * bands


def _rendering(plan: "RenditionPlan", bands: int, kept: float) -> Iterator[float]:
    """Yield for each rendition, in their order, what there is beside the bases while it is made."""
    before: float = 0
    for rendition, held in zip(plan.renditions, _pictures(plan, bands), strict=True):
        encoding = _encoding(rendition, bands)
        placement = rendition.placement
        if rendition.own_pass is not None:
            working = max(kept, _strips(plan.header, rendition.own_pass, placement.width))
            working += _codec(plan.header, rendition.own_pass)
        elif rendition.frames > 1:
            working = max(kept, _deriving(plan, rendition, bands))
            working += rendition.frames * placement.width * placement.height * bands
        else:
            working = max(kept, _deriving(plan, rendition, bands), before * _KEPT_ENCODER)
        # What is found is kept before anything is encoded.
        working += max(encoding, _searching(plan, placement, bands))
        yield held + working
        before = max(before, working)


def estimate_peak(plan: "RenditionPlan") -> int:
    """Return the most bytes that a process will hold that renders ``plan`` as its first photo."""
    bands = _bands(plan.header)
    decoding = _decoding(plan, bands)
    rendering = decoding.bases + max(_rendering(plan, bands, decoding.kept))
    process = _PROCESS_BYTES + (0 if plan.appearance_of is None else _APPEARANCE_BYTES)
    return round((process + max(decoding.peak, rendering)) * _MARGIN)
