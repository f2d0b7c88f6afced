"""The table of formats: one row for each that can be decoded, and for each that can be encoded.

Nothing else lists formats. Each row has a module in ``imaging.decoders`` or ``imaging.encoders``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from imaging.errors import EmptyObjectError, NotAPhotoError, UnsupportedFormatError

__all__ = [
    "SNIFF_BYTES",
    "Input",
    "InputFormat",
    "Output",
    "OutputFormat",
    "Reading",
    "Scaling",
    "sniff",
]

SNIFF_BYTES: Final = 1024
"""How many leading bytes :func:`sniff` wants; fewer will do when there are no more."""


class Reading(StrEnum):
    """How a decoder reads a file."""

    FORWARD = "forward"
    """From start to end."""
    RANGES = "ranges"
    """In pieces, at any position: it seeks."""
    WHOLE = "whole"
    """As one block of memory."""
    KEPT = "kept"
    """From start to end into memory, and from there in pieces, at any position that has come."""


class Scaling(StrEnum):
    """How a decoder can give a smaller picture than the file holds."""

    NONE = "none"
    SHRINK = "shrink"
    """By 2, 4 or 8, on a JPEG's DCT coefficients."""
    SCALE = "scale"
    """To any size."""
    LEVELS = "levels"
    """By decoding a smaller copy that the file holds."""


class OutputFormat(StrEnum):
    """What can be encoded."""

    JPEG = "jpeg"
    WEBP = "webp"
    AVIF = "avif"
    PNG = "png"
    GIF = "gif"

    @property
    def row(self) -> "Output":
        return _OUTPUTS[self]

    @property
    def content_type(self) -> str:
        return f"image/{self.value}"

    @property
    def extension(self) -> str:
        return self.row.extension


class InputFormat(StrEnum):
    """What can be decoded."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"
    GIF = "gif"
    TIFF = "tiff"
    AVIF = "avif"
    HEIC = "heic"
    RAW = "raw"
    """Camera raw, of which the camera's own JPEG is rendered; most makers' begin as a TIFF does."""

    @property
    def row(self) -> "Input":
        return _INPUTS[self]


# eq=False: nothing compares rows, and each start would take time to make the methods.
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Output:
    """What a format that can be encoded allows.

    Attributes:
        extension: Of a destination key.
        saver: libvips' name of it.
        max_side: Columns or rows at most, by the format, by libjpeg or by libvips' AVIF saver.
        default_quality: ``Q`` where a spec names none; None where the format has no quality.
        has_alpha: Whether it holds alpha.
        has_grey: Whether it holds one band of grey, and so a profile of grey.
        has_profile: Whether it holds an ICC profile.
        has_gain_map: Whether it is stored with a gain map.
        is_animated: Whether libvips writes several frames of it.
        is_progressive: Whether a spec's ``progressive`` is for it.
        in_rows: Whether its encoder takes a picture row by row.
        is_slow: Whether it is written after all others, so that a photo can be shown early.
    """

    extension: str
    saver: str
    max_side: int
    default_quality: int | None = None
    has_alpha: bool = True
    has_grey: bool = True
    has_profile: bool = True
    has_gain_map: bool = False
    is_animated: bool = False
    is_progressive: bool = False
    in_rows: bool = False
    is_slow: bool = False


_OUTPUTS: Final[Mapping[OutputFormat, Output]] = {
    OutputFormat.JPEG: Output(
        extension="jpg",
        saver="jpegsave_target",
        max_side=65_500,
        default_quality=85,
        has_alpha=False,
        has_gain_map=True,
        is_progressive=True,
        in_rows=True,
    ),
    OutputFormat.WEBP: Output(
        extension="webp",
        saver="webpsave_target",
        max_side=16_383,
        default_quality=82,
        has_grey=False,
        is_animated=True,
    ),
    OutputFormat.AVIF: Output(
        extension="avif",
        saver="heifsave_target",
        max_side=16_384,
        default_quality=60,
        has_grey=False,
        is_slow=True,
    ),
    OutputFormat.PNG: Output(
        extension="png", saver="pngsave_target", max_side=65_535, in_rows=True
    ),
    OutputFormat.GIF: Output(
        extension="gif",
        saver="gifsave_target",
        max_side=65_535,
        has_profile=False,
        is_animated=True,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Input:
    """What there is to know of a format that can be decoded, before a byte of it is decoded.

    Attributes:
        magic: What a file begins with.
        brands: What distinguishes it from other formats in the same container: the type of a RIFF,
            or the codec's brand of an ISO base media file (https://mp4ra.org/registered-types/brands).
        loader: libvips' name of it.
        reading: How its decoder reads the file.
        is_common: Whether most photos are of it: a worker has its decoder imported from the start.
        header_alone: Whether the header is read without the whole file, however it is laid out.
        in_rows: Whether its decoder gives the picture row by row.
        stops_early: Whether its decoder stops at the last byte that it needs. If such a decoder
            meets the end of the file, the file is truncated.
        has_frames: Whether its pages follow each other in time.
        keeps_header: Whether the bytes of its header are kept: libvips does not tell all of it.
        scaling: How its decoder can give a smaller picture.
        leaves_out_tiles: Whether its decoder decodes only those tiles that are needed.
        can_be_truncated: Whether the part of it that was received can be rendered, rows or tiles.
        fail_on: At which level of its decoder's complaints libvips has to fail. ``truncated``
            accepts what the decoder merely warns of: phones write such files.
        output: The format of a rendition in the photo's own format, or in what comes closest.
        output_with_alpha: That of a photo with alpha, where it is another.
        output_animated: That of an animated rendition, where it is another.
    """

    magic: tuple[bytes, ...] = ()
    brands: frozenset[bytes] = frozenset()
    loader: str
    reading: Reading = Reading.FORWARD
    is_common: bool = False
    header_alone: bool = False
    in_rows: bool = False
    stops_early: bool = False
    has_frames: bool = False
    keeps_header: bool = False
    scaling: Scaling = Scaling.NONE
    leaves_out_tiles: bool = False
    can_be_truncated: bool = False
    fail_on: str = "truncated"
    output: OutputFormat
    output_with_alpha: OutputFormat | None = None
    output_animated: OutputFormat | None = None


_INPUTS: Final[Mapping[InputFormat, Input]] = {
    InputFormat.JPEG: Input(
        # Some phones write stray bytes after the first marker, which every decoder skips.
        magic=(b"\xff\xd8",),
        loader="jpegload",
        is_common=True,
        header_alone=True,
        in_rows=True,
        stops_early=True,
        scaling=Scaling.SHRINK,
        keeps_header=True,
        can_be_truncated=True,
        output=OutputFormat.JPEG,
    ),
    InputFormat.PNG: Input(
        magic=(b"\x89PNG\r\n\x1a\n",),
        loader="pngload",
        is_common=True,
        header_alone=True,
        in_rows=True,
        stops_early=True,
        keeps_header=True,
        output=OutputFormat.PNG,
    ),
    InputFormat.WEBP: Input(
        magic=(b"RIFF",),
        brands=frozenset({b"WEBP"}),
        loader="webpload",
        is_common=True,
        keeps_header=True,
        has_frames=True,
        scaling=Scaling.SCALE,
        output=OutputFormat.WEBP,
    ),
    InputFormat.GIF: Input(
        magic=(b"GIF87a", b"GIF89a"),
        loader="gifload",
        is_common=True,
        reading=Reading.WHOLE,
        has_frames=True,
        output=OutputFormat.PNG,
        output_animated=OutputFormat.GIF,
    ),
    InputFormat.TIFF: Input(
        magic=(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
        loader="tiffload",
        reading=Reading.RANGES,
        header_alone=True,
        in_rows=True,
        scaling=Scaling.LEVELS,
        # libtiff reports errors in strips. In tiles it only warns: decoders/tiff.py sees to that.
        fail_on="error",
        # Most browsers show neither TIFF nor HEIC.
        output=OutputFormat.JPEG,
        output_with_alpha=OutputFormat.PNG,
    ),
    InputFormat.AVIF: Input(
        brands=frozenset({b"avif", b"avis"}),
        loader="heifload",
        reading=Reading.KEPT,
        leaves_out_tiles=True,
        can_be_truncated=True,
        output=OutputFormat.AVIF,
    ),
    InputFormat.HEIC: Input(
        brands=frozenset({b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis"}),
        loader="heifload",
        reading=Reading.KEPT,
        leaves_out_tiles=True,
        can_be_truncated=True,
        # libheif 1.23's security limits ``max_memory_block_size`` and ``max_total_memory``.
        output=OutputFormat.JPEG,
        output_with_alpha=OutputFormat.PNG,
    ),
    InputFormat.RAW: Input(
        # Olympus, Panasonic, Fujifilm; Canon's CR3 is told by its brand.
        magic=(b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FUJIFILMCCD-RAW "),
        loader="jpegload",
        reading=Reading.RANGES,
        header_alone=True,
        in_rows=True,
        stops_early=True,
        scaling=Scaling.SHRINK,
        keeps_header=True,
        output=OutputFormat.JPEG,
    ),
}

# Recognised only to be refused by name: a person can act on "PDF", not on "unknown".
_REFUSED = (
    (b"%PDF-", "PDF"),
    (b"BM", "BMP"),
    (b"8BPS", "Photoshop PSD"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\x1aE\xdf\xa3", "Matroska or WebM video"),
    (b"FLV\x01", "Flash video"),
    (b"\0\0\x01\xba", "MPEG video"),
    (b"\0\0\x01\xb3", "MPEG video"),
    (b"\0\0\x01\0", "Windows icon"),
    (b"v/1\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"#?RGBE", "Radiance HDR"),
    (b"icns", "Apple icon (ICNS)"),
    (b"qoif", "QOI"),
    (b"DDS ", "DirectDraw surface (DDS)"),
    (b"%!PS", "PostScript (EPS)"),
    (b"\xc5\xd0\xd3\xc6", "PostScript (EPS)"),
    (b"II\xbc\x01", "JPEG XR"),
    (b"II\x1a\0\0\0HEAPCCDR", "Canon CRW, a camera raw that is not read"),
    (b"FOVb", "Sigma X3F, a camera raw that is not read"),
    (b"\0MRM", "Minolta MRW, a camera raw that is not read"),
    (b"farbfeld", "farbfeld"),
    (b"gimp xcf", "GIMP XCF"),
    (b"\x8aMNG", "MNG animation"),
    (b"\x8bJNG", "JNG"),
    (b"BPG\xfb", "BPG"),
    (b"FLIF", "FLIF"),
    (b"SDPX", "DPX"),
    (b"XPDS", "DPX"),
    (b"SIMPLE  =", "FITS"),
    (b"\x01\xda", "SGI image"),
    (b"Y\xa6j\x95", "Sun raster"),
    (b"\xd7\xcd\xc6\x9a", "Windows metafile"),
    (b"AT&TFORM", "DjVu"),
    (b"\xb6\xa6\xf2\x08", "libvips image"),
    (b"\x08\xf2\xa6\xb6", "libvips image"),
    (b"PK\x03\x04", "ZIP archive"),
    (b"\x1f\x8b", "gzip archive"),
)

# These brands only say that there is a picture; another one names the codec.
_CR3: Final = b"crx "
_MINIMISED: Final = b"mif3"
_HEIF_BRANDS: Final = frozenset({b"mif1", b"mif2", b"msf1", b"heif"})
_ACCEPTED: Final = ", ".join(InputFormat)


def _refused(received: str) -> UnsupportedFormatError:
    return UnsupportedFormatError(
        f"Expected a photo of a format in {_ACCEPTED} but received {received}"
    )


def _isobmff(head: bytes) -> InputFormat:
    """Tell AVIF and HEIC from videos by the brands of the ``ftyp`` box (ISO/IEC 14496-12, 4.3)."""
    length = min(int.from_bytes(head[:4], "big"), len(head))
    major = head[8:12]
    if major == _CR3:
        return InputFormat.RAW
    brands = {major, *(head[at : at + 4] for at in range(16, length - 3, 4))}
    if major in InputFormat.HEIC.row.brands:
        return InputFormat.HEIC
    if brands & InputFormat.AVIF.row.brands:
        return InputFormat.AVIF
    if brands & (InputFormat.HEIC.row.brands | _HEIF_BRANDS):
        return InputFormat.HEIC
    if major == _MINIMISED:
        raise _refused("a minimised HEIF (mif3)")
    raise _refused(f"an MPEG-4 or QuickTime video (brand {major!r})")


def _named_by_structure(head: bytes) -> str | None:
    """Return the name of what has no magic of its own; None where it is not recognised."""
    if re.match(rb"P[1-7][\s#]|P[Ff]\s", head):
        return "PNM"
    if re.match(rb"FORM....(ILBM|PBM |RGB8|ANIM)", head, re.DOTALL):
        return "IFF ILBM"
    if re.match(rb"\x0a[\0-\x05]\x01[\x01\x02\x04\x08]", head):
        return "PCX"
    if re.match(rb"\0\0\x02\0[^\0]\0", head):
        return "Windows cursor"
    if head[128:132] == b"DICM":
        return "DICOM"
    # Truevision's header has no magic: a colour map or none, a kind, and a depth.
    if re.match(
        rb".(\0[\x02\x03\x0a\x0b].{5}|\x01[\x01\x09].{4}[\x0f\x10\x18\x20]).{8}[\x08\x0f\x10\x18\x20]",
        head,
        re.DOTALL,
    ):
        return "Truevision TGA"
    return None


def _brand_fits(head: bytes, row: Input) -> bool:
    return not row.brands or head[8:12] in row.brands


def sniff(head: bytes) -> InputFormat:
    """Return the format that ``head``, the object's first :data:`SNIFF_BYTES`, is of.

    Raises:
        EmptyObjectError: There are no bytes.
        UnsupportedFormatError: It is recognised, and not accepted (SVG, PDF, a video, ...).
        NotAPhotoError: It is not recognised.
    """
    if not head:
        raise EmptyObjectError("Expected a photo but received an object of 0 bytes")
    for each, row in _INPUTS.items():
        if head.startswith(row.magic) and _brand_fits(head, row):
            return each
    if head[4:8] == b"ftyp":
        return _isobmff(head)
    if head.startswith(b"RIFF"):
        raise _refused(f"RIFF {head[8:12]!r}")
    for magic, name in _REFUSED:
        if head.startswith(magic):
            raise _refused(name)
    if b"<svg" in head.lower():
        raise _refused("SVG")
    if structure := _named_by_structure(head):
        raise _refused(structure)
    raise NotAPhotoError(
        f"Expected a photo of a format in {_ACCEPTED} but its first bytes are {head[:16]!r}"
    )
