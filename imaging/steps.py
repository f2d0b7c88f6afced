"""The steps from stored pixels to a finished rendition: one Image -> Image function each."""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import cache
from typing import Final

import pyvips

from imaging.colour import background_in, to_rgb, untagged_grey
from imaging.fields import blob_of, field_names, set_blob
from imaging.files.exif import COPYRIGHT_FIELDS, SAFE_FIELDS, write_exif
from imaging.files.rights import write_rights
from imaging.files.xmp import upright_xmp
from imaging.geometry import Box, Placement
from imaging.header import ImageHeader
from imaging.plan import PlannedRendition
from imaging.specs import Metadata

__all__ = [
    "FORMAT_STEPS",
    "PICTURE_STEPS",
    "STEPS",
    "Step",
    "find_crop",
    "keep_metadata",
    "kept",
    "resize",
    "rows_above_flat_end",
    "take",
    "upright",
]

# Fields of libvips that hold a photo's metadata.
_METADATA: Final = ("exif-", "xmp-", "iptc-")

# Fields that would no longer be true: the thumbnail shows the whole photo, the pixels are upright.
_STALE: Final = frozenset(
    {
        "jpeg-thumbnail-data",
        "orientation",
        "exif-ifd0-Orientation",
        "exif-ifd1-Orientation",
    }
)

_EXIF_FIELDS: Final[Mapping[Metadata, AbstractSet[str]]] = {
    Metadata.NONE: frozenset(),
    Metadata.COPYRIGHT: COPYRIGHT_FIELDS,
    Metadata.SAFE: SAFE_FIELDS,
    Metadata.ALL: SAFE_FIELDS,
}


def resize(image: pyvips.Image, width: int, height: int) -> pyvips.Image:
    """Resize to exactly ``width`` x ``height`` with Lanczos3; alpha is premultiplied for it.

    *Shape*: any bands and format in, the same out. Sequential-safe.
    """
    if (image.width, image.height) == (width, height):
        return image
    scale, vscale = width / image.width, height / image.height
    if not image.hasalpha():
        return image.resize(scale, vscale=vscale)
    # Transparent pixels have a colour too, and it must not bleed into their neighbours.
    band_format = image.format
    return image.premultiply().resize(scale, vscale=vscale).unpremultiply().cast(band_format)


def upright(image: pyvips.Image) -> pyvips.Image:
    """Apply the EXIF orientation and drop its tag. Wants random access."""
    return image.autorot()


def rows_above_flat_end(image: pyvips.Image) -> int:
    """Return how many rows there are before those that have the very colour of the last pixel.

    A JPEG decoder leaves rows that it did not get at 128, in every component. A photo that truly
    ends in such rows counts as shorter than it is; a resized one as up to three rows longer, by the
    reach of the kernel.

    *Shape*: uchar, in memory.
    """
    last = image.getpoint(image.width - 1, image.height - 1)
    # Colour conversion and resize may change the grey by one.
    differs = ((image - last).abs() > 1).bandor()
    _, rows = differs.project()
    counts = memoryview(rows.write_to_memory()).cast("I")
    return max((row + 1 for row, count in enumerate(counts) if count), default=0)


def keep_metadata(image: pyvips.Image, header: ImageHeader, metadata: Metadata) -> pyvips.Image:
    """Leave on the image the metadata that ``metadata`` allows, and nothing else.

    *Cost*: 0.4 ms where there is EXIF to write.
    """
    image = image.copy()
    whole = metadata is Metadata.ALL
    for field in field_names(image):
        if field in _STALE or (not whole and field.startswith(_METADATA)):
            image.remove(field)
    if whole and (packet := blob_of(image, "xmp-data")) is not None:
        upright_packet = upright_xmp(packet)
        if upright_packet is None:
            image.remove("xmp-data")
        else:
            set_blob(image, "xmp-data", upright_packet)
    names = _EXIF_FIELDS[metadata]
    fields = {name: value for name, value in header.exif.items() if name in names}
    if fields and not image.get_typeof("exif-data"):
        _attach_exif(image, write_exif(fields))
    if header.rights and metadata is not Metadata.NONE and not image.get_typeof("xmp-data"):
        set_blob(image, "xmp-data", write_rights(header.rights))
    return image


@cache
def _tiny_jpeg() -> bytes:
    return bytes(pyvips.Image.black(1, 1).jpegsave_buffer(keep=pyvips.enums.ForeignKeep.NONE))


def _attach_exif(image: pyvips.Image, block: bytes) -> None:
    """Give the image an EXIF block that its savers write as it is.

    libvips writes a block anew from the ``exif-*`` fields, and turns text that differs from the
    block's into ASCII ("(C) ???"). So block and fields come together, off a header that holds both.
    """
    segment = b"Exif\0\0" + block
    tiny = _tiny_jpeg()
    marker = b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big")
    carrier = pyvips.Image.jpegload_buffer(tiny[:2] + marker + segment + tiny[2:])
    for field in field_names(carrier):
        if field.startswith("exif-"):
            kind = "blob_type" if field == "exif-data" else "gstr_type"
            image.set_type(getattr(pyvips.GValue, kind), field, carrier.get(field))


def kept(image: pyvips.Image) -> str:
    """Return libvips' ``keep`` for what :func:`keep_metadata` left.

    Without a block of their own, savers that may keep EXIF write an empty one.
    """
    flags = [flag for flag in ("exif", "xmp", "iptc") if image.get_typeof(f"{flag}-data")]
    if image.get_typeof("icc-profile-data"):
        flags.append("icc")
    return "|".join(flags) or "none"


def find_crop(image: pyvips.Image, placement: Placement) -> Box | None:
    """Return which part of a resized picture to keep; where so planned, its pixels are searched.

    *Cost*: a search evaluates the picture, which should be in memory.
    """
    crop = placement.crop
    if crop is None or placement.search is None:
        return crop
    found = image.smartcrop(crop.width, crop.height, interesting=placement.search.value)
    # libvips notes where the part lay as the offset that would bring it back.
    return replace(crop, left=-found.xoffset, top=-found.yoffset)


def _background(
    image: pyvips.Image, colour: tuple[int, int, int]
) -> tuple[pyvips.Image, list[float]]:
    """Return the image in a space that has ``colour``, and ``colour`` in its bands."""
    if image.interpretation == "b-w":
        tagged = image.get_typeof("icc-profile-data")
        if len(set(colour)) == 1 and not tagged:
            return image, [colour[0]]
        image = to_rgb(image)
    return image, background_in(image, colour)


def crop(image: pyvips.Image, _: PlannedRendition, box: Box | None) -> pyvips.Image:
    """Keep the part of the picture that lies in ``box``."""
    return image if box is None else image.crop(box.left, box.top, box.width, box.height)


def sharpen(image: pyvips.Image, planned: PlannedRendition, _: Box | None) -> pyvips.Image:
    """Sharpen the lightness with libvips' mask of so many pixels; colours stay.

    *Shape*: uchar, 1 to 4 bands, ``b-w`` or ``srgb`` in; the same out.
    """
    sigma = planned.spec.sharpen
    if sigma is None:
        return image
    if not image.hasalpha():
        return image.sharpen(sigma=sigma)
    # Colours and alpha go their own ways from here: each would have all before it made again.
    image = image.copy_memory()
    # The colours of transparent pixels must not sharpen their neighbours.
    alpha = image.extract_band(image.bands - 1)
    shown = image.premultiply().extract_band(0, n=image.bands - 1).cast("uchar")
    sharpened = shown.sharpen(sigma=sigma).bandjoin(alpha)
    return sharpened.copy(interpretation=image.interpretation).unpremultiply().cast("uchar")


def spread_grey(image: pyvips.Image, planned: PlannedRendition, _: Box | None) -> pyvips.Image:
    """Convert grey with a profile to sRGB for formats that hold grey as three bands.

    A profile of grey would be wrong for them.
    """
    return image if planned.format.row.has_grey else untagged_grey(image)


def flatten(image: pyvips.Image, planned: PlannedRendition, _: Box | None) -> pyvips.Image:
    """Lay a picture with alpha on the background, for formats that hold none."""
    if planned.format.row.has_alpha or not image.hasalpha():
        return image
    image, background = _background(image, planned.spec.background)
    return image.flatten(background=background)


def pad(image: pyvips.Image, planned: PlannedRendition, _: Box | None) -> pyvips.Image:
    """Lay the picture on an opaque canvas of the background, where the plan has one."""
    canvas = planned.placement.canvas
    if canvas is None:
        return image
    image, background = _background(image, planned.spec.background)
    if image.hasalpha():
        background = [*background, 255]
    return image.embed(
        canvas.left,
        canvas.top,
        canvas.width,
        canvas.height,
        extend="background",
        background=background,
    )


Step = Callable[[pyvips.Image, PlannedRendition, Box | None], pyvips.Image]
"""One step: the image, what is made of it, and which part of the resized photo is kept."""

PICTURE_STEPS: Final[tuple[Step, ...]] = (crop, sharpen)
"""From a resized picture to what all formats of a spec share."""

FORMAT_STEPS: Final[tuple[Step, ...]] = (spread_grey, flatten, pad)
"""From there to what one format is encoded from."""

STEPS: Final = (*PICTURE_STEPS, *FORMAT_STEPS)
"""All steps from a resized picture to its encoder, in their order."""


def take(
    order: Sequence[Step], image: pyvips.Image, planned: PlannedRendition, box: Box | None
) -> pyvips.Image:
    """Return the image after the steps of ``order``."""
    for step in order:
        image = step(image, planned, box)
    return image
