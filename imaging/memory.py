"""How much memory a plan takes at its peak, reckoned from the header alone; pure.

The terms are what the decoders and encoders are known to hold. Their factors, and what is not known
in detail (the strips that libvips works in, what malloc keeps), were fitted to what ``make
calibrate`` measured; ``benchmarks/results/memory.json`` has every case, and the tests hold the
estimate against them: never below the peak, and 30 % or 24 MB above it at most.
"""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from imaging.formats import InputFormat, OutputFormat
from imaging.header import ImageHeader

if TYPE_CHECKING:
    from imaging.geometry import Placement
    from imaging.plan import Load, PlannedRendition, RenditionPlan

__all__ = ["estimate_peak"]

_MB: Final = 1 << 20

_PROCESS_BYTES: Final = 60 * _MB
"""The interpreter, libvips, the S3 client, two megabytes of reading ahead."""

_MARGIN: Final = 1.08
_REUSED: Final = 0.2

# libvips decodes, resizes and converts in strips, two for each of its threads: so many lines of the
# decoder's, and so many more for each line of it that goes into one of the base's.
_STRIP_LINES: Final = 700
_STRIP_LINES_PER_FACTOR: Final = 400
_MAX_STRIP_FACTOR: Final = 4.0

_SAMPLE_BYTES: Final = {"uchar": 1, "char": 1, "ushort": 2, "short": 2, "double": 8}
_OTHER_SAMPLE_BYTES: Final = 4

# With alpha the colours are multiplied by it before the resize, as floats.
_PREMULTIPLIED: Final = 3

_TIFF_BYTES: Final = 20 * _MB
_TILED_TIFF_BYTES: Final = 14 * _MB
"""At most: blocks of ranged GETs that are kept, and libtiff's strips and tiles."""

_TIFF_STRIPS: Final = 1.25

_CONVERSION_BYTES: Final = 8 * _MB
"""Tables of littlecms, and the profile, which may have a megabyte."""

_INTERLACED: Final = 1.6
"""Of the whole picture's bytes: an interlaced PNG is decoded to memory, and read from there."""

_AVIF_BYTES_PER_PIXEL: Final = 14
_HEIC_BYTES_PER_PIXEL: Final = 4.5
_HEIC_BYTES_PER_DEEP_PIXEL: Final = 7
_GIF_BYTES: Final = 8 * _MB
_GIF_BYTES_PER_PIXEL: Final = 4.5
_LOSSLESS_BYTES_PER_PIXEL: Final = 4
_WEBP_BYTES: Final = 14 * _MB
_WEBP_FRAMES: Final = 1.6
_WEBP_ALPHA_PLANES: Final = 3

_LINEAR_SAMPLE_BYTES: Final = 4
_LINEAR_LINES: Final = 350
"""Of the whole photo, as light in floats, while a rendition is resized from it."""

_GAIN_MAP_FILES: Final = 3
"""A photo whose gain map is kept is read whole, and its rendition is put together in memory."""

_ENCODER_BYTES_PER_PIXEL: Final = {
    OutputFormat.JPEG: 0.0,
    OutputFormat.PNG: 0.0,
    OutputFormat.WEBP: 6.0,
    OutputFormat.AVIF: 22.0,
    OutputFormat.GIF: 16.0,
}

_WEBP_ALPHA_BYTES_PER_PIXEL: Final = 20.0
"""Alpha is compressed without loss, by another encoder."""

_PROGRESSIVE_BYTES_PER_PIXEL: Final = 5.0
"""Coefficients of a JPEG that is written in scans, at half the chroma."""

# Of photos with much detail; less is held for others.
_ENCODED_BYTES_PER_PIXEL: Final = {
    OutputFormat.JPEG: 0.4,
    OutputFormat.PNG: 2.5,
    OutputFormat.WEBP: 0.4,
    OutputFormat.AVIF: 0.3,
    OutputFormat.GIF: 0.7,
}

_UPLOAD_COPIES: Final = 2
_UPLOAD_BYTES: Final = 32 * _MB
"""Four parts of a multipart upload: one that is filled, one that is cut off, two under way."""


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
    """Return what libwebp holds: the file, the scaled picture, and planes of the whole one."""
    pixels = header.width * header.height
    width, height = _decoded(header, load)
    frame = width * height * header.bands
    if header.lossless:
        held: float = header.size + pixels * _LOSSLESS_BYTES_PER_PIXEL + frame
    else:
        held = header.size * 2 + frame * _WEBP_FRAMES
    return _WEBP_BYTES + held + (pixels * _WEBP_ALPHA_PLANES if header.has_alpha else 0)


def _codec(header: ImageHeader, load: "Load") -> float:
    """Return what the decoder holds of the whole picture."""
    pixels = header.width * header.height
    sample = _sample_bytes(header)
    held: float = 0
    match header.format:
        case InputFormat.JPEG if header.interlaced:
            held = pixels * _coefficients(header.chroma, header.bands)
        case InputFormat.PNG if header.interlaced:
            held = pixels * header.bands * sample * _INTERLACED
        case InputFormat.JPEG | InputFormat.PNG:
            pass
        case InputFormat.TIFF:
            width, height = _decoded(header, load)
            most = _TIFF_BYTES if header.tile is None else _TILED_TIFF_BYTES
            held = min(most, width * height * header.bands * sample)
        case InputFormat.WEBP:
            held = _webp(header, load)
        case InputFormat.GIF:
            held = _GIF_BYTES + header.size + pixels * _GIF_BYTES_PER_PIXEL
        case InputFormat.AVIF:
            held = header.size + pixels * _AVIF_BYTES_PER_PIXEL
        case InputFormat.HEIC:
            deep = sample > 1
            each = _HEIC_BYTES_PER_DEEP_PIXEL if deep else _HEIC_BYTES_PER_PIXEL
            held = header.size + pixels * each
    return held


def _strips(header: ImageHeader, load: "Load", columns: int, narrowest: int) -> float:
    """Return what libvips works in, from the decoder to an image of ``columns``.

    Alpha costs more wherever there is a resize: here, or from here to ``narrowest`` columns.
    """
    width, _ = _decoded(header, load)
    sample = _sample_bytes(header)
    factor = min(max(1.0, width / columns), _MAX_STRIP_FACTOR)
    lines = _STRIP_LINES + _STRIP_LINES_PER_FACTOR * factor
    strips = width * header.bands * sample * lines
    if header.has_alpha and width != narrowest:
        strips *= _PREMULTIPLIED
    if header.format is InputFormat.TIFF and header.tile is None:
        strips *= _TIFF_STRIPS
    if header.has_profile or header.interpretation == "cmyk":
        strips += _CONVERSION_BYTES
    return strips


def _bands(header: ImageHeader) -> int:
    """Return how many bands, of a byte each, a picture has once its colours are converted."""
    alpha = 1 if header.has_alpha else 0
    colours = header.bands - alpha
    return (1 if colours < 3 else 3) + alpha  # noqa: PLR2004 - grey, or red, green and blue


def _held(plan: "RenditionPlan", bands: int) -> int:
    """Return the bytes of the images that stay in memory until the last rendition is made."""
    if plan.base is None:
        return 0
    base = plan.base[0] * plan.base[1] * bands
    held = base * (len(plan.colours) if len(plan.colours) == 1 else len(plan.colours) + 1)
    if plan.header.orientation > 1:
        held += base
    if plan.frames > 1:
        # All frames in the size of the base, and those of one rendition, finished.
        held += base * (plan.frames - 1)
        held += max(
            rendition.frames * rendition.placement.width * rendition.placement.height * bands
            for rendition in plan.renditions
        )
    parents = {rendition.parent for rendition in plan.renditions}
    encodes = Counter(rendition.spec.name for rendition in plan.renditions)
    for name in encodes:
        rendition = next(one for one in plan.renditions if one.spec.name == name)
        if rendition.own_pass is not None:
            continue
        if name in parents or rendition.placement.search is not None or encodes[name] > 1:
            held += rendition.placement.width * rendition.placement.height * bands
    return held


def _encoding(rendition: "PlannedRendition", bands: int) -> float:
    """Return what encoder and upload hold of one rendition."""
    width, height = rendition.placement.output
    pixels = width * height
    held = pixels * _ENCODER_BYTES_PER_PIXEL[rendition.format]
    if rendition.format is OutputFormat.WEBP and bands in {2, 4}:
        held = pixels * _WEBP_ALPHA_BYTES_PER_PIXEL
    if rendition.format is OutputFormat.JPEG and rendition.spec.progressive:
        held += pixels * _PROGRESSIVE_BYTES_PER_PIXEL
    encoded = pixels * _ENCODED_BYTES_PER_PIXEL[rendition.format]
    if rendition.max_bytes is not None:
        held += pixels * bands + encoded
    return held + min(_UPLOAD_COPIES * encoded, _UPLOAD_BYTES)


def _stored_width(plan: "RenditionPlan", placement: "Placement") -> int:
    """Return the columns of a rendition as they lie in the file, before it is turned upright."""
    sideways = plan.header.upright[0] != plan.header.width
    return placement.height if sideways else placement.width


def _passes(plan: "RenditionPlan") -> Sequence[tuple["Load", int]]:
    """Return how each pass over the photo decodes it, and how wide what it makes is, as stored."""
    own = [
        (rendition.own_pass, rendition.placement.width)
        for rendition in plan.renditions
        if rendition.own_pass is not None
    ]
    if plan.base is None:
        return own
    sideways = plan.header.upright[0] != plan.header.width
    return [(plan.load, plan.base[1] if sideways else plan.base[0]), *own]


def estimate_peak(plan: "RenditionPlan") -> int:
    """Return the most bytes that a process will hold that renders ``plan`` as its first photo."""
    header = plan.header
    bands = _bands(header)
    narrowest = min(_stored_width(plan, one.placement) for one in plan.renditions)
    decoding = max(
        _codec(header, load) + _strips(header, load, columns, min(columns, narrowest))
        for load, columns in _passes(plan)
    )
    if any(rendition.keeps_gain_map for rendition in plan.renditions):
        decoding += _GAIN_MAP_FILES * header.size
    encoding = max(_encoding(rendition, bands) for rendition in plan.renditions)
    if any(rendition.spec.linear for rendition in plan.renditions):
        lines = _LINEAR_LINES * (_PREMULTIPLIED if header.has_alpha else 1)
        encoding += header.width * bands * _LINEAR_SAMPLE_BYTES * lines
    # What the decoder has freed, the encoder gets in part.
    both = decoding + encoding - _REUSED * min(decoding, encoding)
    return round((_PROCESS_BYTES + _held(plan, bands) + both) * _MARGIN)
