"""Which format the bytes are of, told by the bytes alone, and which formats can be made."""

from enum import StrEnum

from imaging.errors import EmptyObjectError, NotAPhotoError, UnsupportedFormatError

__all__ = ["SNIFF_BYTES", "InputFormat", "OutputFormat", "sniff"]

SNIFF_BYTES = 1024
"""How many leading bytes :func:`sniff` wants; fewer will do when there are no more."""


class InputFormat(StrEnum):
    """What can be decoded."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"
    GIF = "gif"
    TIFF = "tiff"
    AVIF = "avif"
    HEIC = "heic"


class OutputFormat(StrEnum):
    """What can be encoded."""

    JPEG = "jpeg"
    WEBP = "webp"
    AVIF = "avif"
    PNG = "png"
    GIF = "gif"

    @property
    def content_type(self) -> str:
        return f"image/{self.value}"

    @property
    def extension(self) -> str:
        return "jpg" if self is OutputFormat.JPEG else self.value

    @property
    def max_side(self) -> int:
        """Columns or rows at most: of the format, of libjpeg or of libvips' AVIF saver."""
        match self:
            case OutputFormat.JPEG:
                return 65_500
            case OutputFormat.WEBP:
                return 16_383
            case OutputFormat.AVIF:
                return 16_384
            case OutputFormat.PNG | OutputFormat.GIF:
                return 65_535

    @property
    def can_move(self) -> bool:
        """Whether libvips writes several frames of it."""
        return self in {OutputFormat.WEBP, OutputFormat.GIF}

    @property
    def has_alpha(self) -> bool:
        return self is not OutputFormat.JPEG


_MAGIC = (
    # Some phones write stray bytes after the first marker, which every decoder skips.
    (b"\xff\xd8", InputFormat.JPEG),
    (b"\x89PNG\r\n\x1a\n", InputFormat.PNG),
    (b"GIF87a", InputFormat.GIF),
    (b"GIF89a", InputFormat.GIF),
    (b"II*\0", InputFormat.TIFF),
    (b"MM\0*", InputFormat.TIFF),
    (b"II+\0", InputFormat.TIFF),
    (b"MM\0+", InputFormat.TIFF),
)

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
    (b"FUJIFILMCCD-RAW", "camera raw"),
    (b"IIU\0", "camera raw"),
    (b"IIRO", "camera raw"),
    (b"PK\x03\x04", "ZIP archive"),
    (b"\x1f\x8b", "gzip archive"),
)

# ISO base media brands: https://mp4ra.org/registered-types/brands
_AVIF_BRANDS = {b"avif", b"avis"}
_HEVC_BRANDS = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis"}
_HEIF_BRANDS = _HEVC_BRANDS | {b"mif1", b"mif2", b"msf1", b"heif"}


def _isobmff(head: bytes) -> InputFormat:
    """Tell AVIF and HEIC from videos by the brands of the ``ftyp`` box (ISO/IEC 14496-12, 4.3).

    ``mif1`` and its like only say that there is a picture: the codec's brand is beside them.
    """
    length = min(int.from_bytes(head[:4], "big"), len(head))
    major = head[8:12]
    brands = {major, *(head[at : at + 4] for at in range(16, length - 3, 4))}
    if major in _HEVC_BRANDS:
        return InputFormat.HEIC
    if brands & _AVIF_BRANDS:
        return InputFormat.AVIF
    if brands & _HEIF_BRANDS:
        return InputFormat.HEIC
    raise UnsupportedFormatError(
        f"Expected a photo of a format in {_ACCEPTED} but received an MPEG-4 or QuickTime video "
        f"(brand {major!r})"
    )


_ACCEPTED = ", ".join(InputFormat)


def sniff(head: bytes) -> InputFormat:
    """Return the format that ``head``, the object's first :data:`SNIFF_BYTES`, is of.

    Raises:
        EmptyObjectError: There are no bytes.
        UnsupportedFormatError: It is recognised, and not accepted (SVG, PDF, a video, ...).
        NotAPhotoError: It is not recognised.
    """
    if not head:
        msg = "Expected a photo but received an object of 0 bytes"
        raise EmptyObjectError(msg)
    for magic, found in _MAGIC:
        if head.startswith(magic):
            return found
    if head[:4] == b"RIFF":
        if head[8:12] == b"WEBP":
            return InputFormat.WEBP
        msg = f"Expected a photo of a format in {_ACCEPTED} but received RIFF {head[8:12]!r}"
        raise UnsupportedFormatError(msg)
    if head[4:8] == b"ftyp":
        return _isobmff(head)
    for magic, name in _REFUSED:
        if head.startswith(magic):
            msg = f"Expected a photo of a format in {_ACCEPTED} but received {name}"
            raise UnsupportedFormatError(msg)
    if b"<svg" in head.lower():
        msg = f"Expected a photo of a format in {_ACCEPTED} but received SVG"
        raise UnsupportedFormatError(msg)
    msg = f"Expected a photo of a format in {_ACCEPTED} but its first bytes are {head[:16]!r}"
    raise NotAPhotoError(msg)
