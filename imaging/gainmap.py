"""The gain map of a photo: read, made to fit a rendition, written with it as an Ultra HDR JPEG.

A gain map is a small picture of exponents: how much brighter than the SDR picture each place is on
a display that can show it. libvips reads that of an Ultra HDR JPEG, through libultrahdr; that of
Apple's JPEGs, of a HEIC or of an AVIF is one of the file's pictures; the file that holds both is
written here, because libvips' own writer takes none of the JPEG options, adds an EXIF block and a
profile, and writes ISO 21496-1 only, which Android 14 does not know.

Imported when the first photo with a gain map arrives.

Source: Android's "Ultra HDR image format" 1.1, ISO 21496-1, CIPA DC-007 (MPF).
"""

import math
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyvips

from imaging.fields import blob_of
from imaging.files.gain_map_numbers import GainMapNumbers, Triple
from imaging.files.jpeg import ISO_GAIN_MAP, XMP, declares_gain_map, segments
from imaging.files.jpeg_scans import ScanCounter
from imaging.files.mpf import MPF, find_apple_gain_map
from imaging.geometry import Box, Placement, is_sideways
from imaging.limits import Limits

if TYPE_CHECKING:
    from imaging.files.heif_gain_map import GainMapItem
    from imaging.header import ImageHeader

__all__ = [
    "EncodedGainMap",
    "GainMap",
    "encode_gain_map",
    "gain_map_of_item",
    "read_gain_map",
    "with_gain_map",
]

# Its errors are exponents: one level of 255 in 6 stops is 1.6 % of light.
_QUALITY: Final = 90

_DEFAULT_LIMITS: Final = Limits()
_MOST_SHRINK: Final = 8
_SHARE: Final = 4
_SMALL_PIXELS: Final = 1 << 20
"""Up to here a gain map is decoded as it is."""

_UNIT: Final = 1 << 20
_MAX_SEGMENT: Final = 65_533
_MPF_BYTES: Final = 90
_APP0: Final = 0xE0
_APP15: Final = 0xEF


@dataclass(frozen=True, slots=True, kw_only=True)
class GainMap:
    """A gain map, upright, and how to read it.

    Attributes:
        image: uchar, one band or three.
        size: Its width and height as the photo has it; ``image`` may be smaller.
        numbers: How its values are to be read.
    """

    image: pyvips.Image
    size: tuple[int, int]
    numbers: GainMapNumbers

    @property
    def is_coloured(self) -> bool:
        """Whether red, green and blue are multiplied by different factors."""
        return self.image.bands > 1

    @property
    def neutral(self) -> list[float]:
        """The value that leaves the SDR picture as it is, for each band."""
        levels = []
        said = self.numbers
        for low, high, gamma in zip(said.minimum, said.maximum, said.gamma, strict=True):
            share = -low / (high - low) if high > low else 0.0
            levels.append(255 * min(1.0, max(0.0, share)) ** gamma)
        return levels[: self.image.bands]


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedGainMap:
    """A JPEG of a gain map, with all that its reader must know.

    Attributes:
        data: The JPEG.
        iso: Its metadata as ISO 21496-1 has it.
    """

    data: bytes
    iso: bytes

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.data)


def read_gain_map(
    data: bytes, orientation: int, *, scale: float = 1.0, limits: Limits = _DEFAULT_LIMITS
) -> GainMap | None:
    """Return the gain map of a JPEG; None where there is none that can be used.

    Ultra HDR's and ISO 21496-1's come before Apple's: a photo may have both.

    A gain map that has more pixels than its photo is not used.

    *Cost*: decodes the gain map, a sixteenth of the photo or less; a large one as small as it may.

    Args:
        data: The whole file.
        orientation: The photo's, as EXIF has it: the gain map lies as the photo does.
        scale: Of the largest rendition that keeps it, to the photo.
        limits: What it may be at most.

    Raises:
        OverLimitError: It is larger, or has more scans.
    """
    try:
        if declares_gain_map(data):
            photo = pyvips.Image.uhdrload_buffer(data)
            # pyvips' stubs know of no blobs.
            blob = bytes(photo.get("gainmap-data"))  # type: ignore[arg-type]
            numbers, may_be_coloured = _numbers(photo), True
        else:
            photo = pyvips.Image.jpegload_buffer(data)
            found = find_apple_gain_map(data, _exif(photo))
            if found is None:
                return None
            blob, numbers = found
            may_be_coloured = False
        pixels = photo.width * photo.height
        size = _checked(blob, pixels, limits)
        if size is None:
            return None
        image = _decoded(blob, size, scale, pixels)
        if not may_be_coloured:
            # As of a HEIC: Apple has one factor for all colours.
            image = image.extract_band(0).copy(interpretation="b-w")
        image = image.copy_memory()
    except (pyvips.Error, ValueError) as error:
        if isinstance(error, UnicodeDecodeError):
            # As in the bridge: the text that pyvips cannot read would meet the next error.
            pyvips.vips_lib.vips_error_clear()
        return None
    return _made(image, size, numbers, orientation)


def _exif(photo: pyvips.Image) -> bytes:
    return (blob_of(photo, "exif-data") or b"").removeprefix(b"Exif\0\0")


def _numbers(photo: pyvips.Image) -> GainMapNumbers:
    """Return what libultrahdr reads."""
    return GainMapNumbers(
        minimum=_logarithms(photo, "gainmap-min-content-boost"),
        maximum=_logarithms(photo, "gainmap-max-content-boost"),
        gamma=_triple(photo, "gainmap-gamma"),
        offset_sdr=_triple(photo, "gainmap-offset-sdr"),
        offset_hdr=_triple(photo, "gainmap-offset-hdr"),
        capacity=(
            math.log2(_number(photo, "gainmap-hdr-capacity-min")),
            math.log2(_number(photo, "gainmap-hdr-capacity-max")),
        ),
        in_base_colours=bool(photo.get("gainmap-use-base-cg")),
    )


def _checked(blob: bytes, pixels: int, limits: Limits) -> tuple[int, int] | None:
    """Return the sides of a gain map that may be decoded; None where it is none for the photo.

    Args:
        blob: Its JPEG.
        pixels: Of the photo.
        limits: What it may be at most.

    Raises:
        OverLimitError: It is larger, or has more scans.
    """
    image = pyvips.Image.jpegload_buffer(blob)
    size = image.width, image.height
    if size[0] * size[1] > pixels or image.bands not in {1, 3}:
        return None
    limits.check("max_gain_map_pixels", size[0] * size[1])
    counter = ScanCounter()
    counter.take(blob)
    limits.check("max_scans", counter.scans)
    return size


def _made(
    image: pyvips.Image, size: tuple[int, int], numbers: GainMapNumbers, orientation: int
) -> GainMap | None:
    """Return the gain map, upright; None where no camera may have meant its numbers.

    Args:
        image: As stored, in memory; maybe smaller than the photo has it.
        size: As the photo has it, as stored.
        numbers: How it is to be read.
        orientation: The photo's.
    """
    if not numbers.is_plausible:
        return None
    return GainMap(
        image=_upright(image, orientation),
        size=size[::-1] if is_sideways(orientation) else size,
        numbers=numbers,
    )


def _decoded(blob: bytes, size: tuple[int, int], scale: float, pixels: int) -> pyvips.Image:
    """Return the gain map, lazy, as small as a rendition of ``scale`` lets it be.

    A large one has a quarter of the photo's ``pixels`` at most.
    """
    stored = size[0] * size[1]
    shrink = 1
    while stored > _SMALL_PIXELS and shrink < _MOST_SHRINK:
        if scale * shrink * 2 > 1 and stored <= pixels / _SHARE * shrink**2:
            break
        shrink *= 2
    image = pyvips.Image.jpegload_buffer(
        blob, shrink=shrink, access="sequential", fail_on="truncated"
    )
    if shrink > 1:
        # As of the photo: what is left beyond whole pixels is not dropped.
        width, height = (max(1, math.floor(side / shrink + 0.5)) for side in size)
        image = image.embed(0, 0, width, height, extend="copy")
    return image


def _upright(image: pyvips.Image, orientation: int) -> pyvips.Image:
    if orientation == 1:
        return image
    image = image.copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    return image.autorot().copy_memory()


def gain_map_of_item(
    said: "GainMapItem", image: pyvips.Image, header: "ImageHeader"
) -> GainMap | None:
    """Return the gain map that is a picture of a HEIC or AVIF; None where it cannot be used.

    Args:
        said: What the file says of it.
        image: The picture, as stored; uchar.
        header: The photo's: the gain map lies as the photo does.
    """
    if image.width * image.height > header.width * header.height:
        return None
    size = image.width, image.height
    return _made(image.copy_memory(), size, said.numbers, header.orientation)


def _number(photo: pyvips.Image, field: str) -> float:
    value = photo.get(field)
    assert isinstance(value, float)  # noqa: S101 - as libvips sets it
    return value


def _triple(photo: pyvips.Image, field: str) -> Triple:
    value = photo.get(field)
    assert isinstance(value, list)  # noqa: S101 - as libvips sets it
    red, green, blue = (float(each) for each in value)
    return red, green, blue


def _logarithms(photo: pyvips.Image, field: str) -> Triple:
    red, green, blue = map(math.log2, _triple(photo, field))
    return red, green, blue


def encode_gain_map(
    gain_map: GainMap,
    placement: Placement,
    crop: Box | None,
    upright: tuple[int, int],
    shade: pyvips.Image | None = None,
) -> EncodedGainMap:
    """Return the gain map as it belongs to a rendition: resized, cropped, padded, encoded.

    It keeps its share of the photo's resolution.

    Args:
        gain_map: The photo's.
        placement: The rendition's.
        crop: What of the resized photo was kept, where it was cropped.
        upright: The photo's width and height.
        shade: How much of each pixel of the rendition something covers that is to be no brighter
            than SDR, 0 to 1; None where nothing does.
    """
    image = gain_map.image
    share = gain_map.size[0] / upright[0], gain_map.size[1] / upright[1]
    if crop is not None or placement.canvas is not None:
        # Cut where the rendition is cut, to the pixel, and only then made small.
        image = _resized(image, placement.width, placement.height)
        if crop is not None:
            image = image.crop(crop.left, crop.top, crop.width, crop.height)
        if placement.canvas is not None:
            canvas = placement.canvas
            image = image.embed(
                canvas.left,
                canvas.top,
                canvas.width,
                canvas.height,
                extend="background",
                background=gain_map.neutral,
            )
    width, height = placement.output if crop is None else (image.width, image.height)
    image = _resized(
        image,
        *(max(1, round(side * part)) for side, part in zip((width, height), share, strict=True)),
    )
    if shade is not None:
        covered = _resized(shade, image.width, image.height)
        levels = image * (1 - covered) + covered * gain_map.neutral
        image = levels.rint().cast("uchar").copy(interpretation=image.interpretation)
    jpeg = image.jpegsave_buffer(
        Q=_QUALITY,
        subsample_mode="off",
        optimize_coding=True,
        keep=pyvips.enums.ForeignKeep.NONE,
    )
    iso = _iso(gain_map)
    xmp = _segment(0xE1, XMP + _packet(_description(gain_map)))
    at = _behind_leading(jpeg)
    data = jpeg[:at] + xmp + _segment(0xE2, ISO_GAIN_MAP + iso) + jpeg[at:]
    return EncodedGainMap(data=data, iso=iso)


def _resized(image: pyvips.Image, width: int, height: int) -> pyvips.Image:
    if (image.width, image.height) == (width, height):
        return image
    # Linear: an overshoot of Lanczos at an edge would be a halo of light.
    return image.resize(width / image.width, vscale=height / image.height, kernel="linear")


def with_gain_map(picture: bytearray, gain_map: EncodedGainMap) -> bytearray:
    """Return one JPEG file of an SDR picture and, behind it, its gain map."""
    base = bytes(picture)
    item = (
        '<rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="{}" '
        'Item:Mime="image/jpeg"{}/></rdf:li>'
    )
    description = (
        '<rdf:Description rdf:about="" '
        'xmlns:Container="http://ns.google.com/photos/1.0/container/" '
        'xmlns:Item="http://ns.google.com/photos/1.0/container/item/" '
        'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0">'
        "<Container:Directory><rdf:Seq>"
        + item.format("Primary", "")
        + item.format("GainMap", f' Item:Length="{gain_map.size}"')
        + "</rdf:Seq></Container:Directory></rdf:Description>"
    ).encode()
    header = base[:2]
    packet = None
    leading_end = _behind_leading(base)
    for segment in segments(base):
        if segment.end > leading_end:
            break
        if segment.marker == 0xE1 and segment.payload.startswith(XMP):
            packet = segment.payload
        else:
            header += base[segment.at : segment.end]
    packet = _joined(packet, description)
    if len(packet) <= _MAX_SEGMENT:
        header += _segment(0xE1, packet)
    # Versions only: the values are in the gain map.
    header += _segment(0xE2, ISO_GAIN_MAP + gain_map.iso[:4])
    rest = base[leading_end:]
    primary = len(header) + _MPF_BYTES + len(rest)
    # Offsets count from behind marker, length and "MPF".
    offset = primary - (len(header) + 8)
    mpf = _mpf(primary, gain_map.size, offset)
    return bytearray().join((header, mpf, rest, gain_map.data))


def _behind_leading(jpeg: bytes) -> int:
    """Return where the APPn segments end with which a JPEG begins."""
    end = 2
    for segment in segments(jpeg):
        if not _APP0 <= segment.marker <= _APP15:
            break
        end = segment.end
    return end


def _segment(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def _packet(description: bytes) -> bytes:
    return (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        + description
        + b"</rdf:RDF></x:xmpmeta>"
    )


def _joined(packet: bytes | None, description: bytes) -> bytes:
    """Return the photo's own XMP with one more description, or a packet of that alone."""
    if packet is None or b"</rdf:RDF>" not in packet:
        return XMP + _packet(description)
    before, end, after = packet.rpartition(b"</rdf:RDF>")
    return before + description + end + after


def _description(gain_map: GainMap) -> bytes:
    """Return the values as Ultra HDR 1.0 has them."""
    numbers = gain_map.numbers
    values = {
        "GainMapMin": numbers.minimum,
        "GainMapMax": numbers.maximum,
        "Gamma": numbers.gamma,
        "OffsetSDR": numbers.offset_sdr,
        "OffsetHDR": numbers.offset_hdr,
    }
    low, high = numbers.capacity
    opening = (
        '<rdf:Description rdf:about="" xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" '
        f'hdrgm:Version="1.0" hdrgm:HDRCapacityMin="{low:.6f}" hdrgm:HDRCapacityMax="{high:.6f}" '
        'hdrgm:BaseRenditionIsHDR="False"'
    )
    if not gain_map.is_coloured:
        inside = "".join(f' hdrgm:{name}="{each[0]:.6f}"' for name, each in values.items())
        return f"{opening}{inside}/>".encode()
    inside = "".join(
        f"<hdrgm:{name}><rdf:Seq>"
        + "".join(f"<rdf:li>{value:.6f}</rdf:li>" for value in each)
        + f"</rdf:Seq></hdrgm:{name}>"
        for name, each in values.items()
    )
    return f"{opening}>{inside}</rdf:Description>".encode()


def _iso(gain_map: GainMap) -> bytes:
    """Return the values as ISO 21496-1, annex C, has them: fractions, big-endian."""
    numbers = gain_map.numbers
    flags = (0x80 if gain_map.is_coloured else 0) | (0x40 if numbers.in_base_colours else 0)
    data = struct.pack(">HHB", 0, 0, flags)
    for value in numbers.capacity:
        data += struct.pack(">II", round(value * _UNIT), _UNIT)
    for band in range(3 if gain_map.is_coloured else 1):
        for value, form in (
            (numbers.minimum[band], ">iI"),
            (numbers.maximum[band], ">iI"),
            (numbers.gamma[band], ">II"),
            (numbers.offset_sdr[band], ">iI"),
            (numbers.offset_hdr[band], ">iI"),
        ):
            data += struct.pack(form, round(value * _UNIT), _UNIT)
    return data


def _mpf(primary: int, secondary: int, offset: int) -> bytes:
    """Return the index of a file of two pictures."""
    index = struct.pack(">2sHIH", b"MM", 42, 8, 3)
    index += struct.pack(">HHI4s", 0xB000, 7, 4, b"0100")
    index += struct.pack(">HHII", 0xB001, 4, 1, 2)
    index += struct.pack(">HHIII", 0xB002, 7, 32, 50, 0)
    index += struct.pack(">IIIHH", 0x030000, primary, 0, 0, 0)
    index += struct.pack(">IIIHH", 0, secondary, offset, 0, 0)
    return _segment(0xE2, MPF + index)
