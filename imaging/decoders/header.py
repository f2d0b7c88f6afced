"""What libvips says of every photo's header, whatever its format; no pixel is decoded."""

from typing import TYPE_CHECKING, Any, Final

from imaging.fields import blob_of, field_names, set_blob
from imaging.files.credentials import Credentials
from imaging.files.exif import ExifFields, read_exif
from imaging.files.iptc import read_iptc_values
from imaging.files.rights import Rights, rights_from_values
from imaging.files.xmp_values import CREDENTIALS, read_xmp_values
from imaging.header import ImageHeader

if TYPE_CHECKING:
    import pyvips

    from imaging.bridge.source import OpenPhoto

__all__ = ["common_header", "number_of", "read_exif_block", "read_profile", "text_of"]

_PROFILE_SPACES: Final[dict[int | str, bytes]] = {1: b"GRAY", 3: b"RGB ", "cmyk": b"CMYK"}
_BLOBS: Final = ("exif-data", "xmp-data", "icc-profile-data", "iptc-data")
_COMMENT: Final = "png-comment-"
_SCANNER: Final = b"scnr"
_ORIENTATIONS: Final = range(1, 9)


def number_of(image: "pyvips.Image", field: str, default: int) -> int:
    """Return an integer field of ``image``; ``default`` where there is none."""
    value = image.get(field) if image.get_typeof(field) else default
    return value if isinstance(value, int) else default


def text_of(image: "pyvips.Image", field: str) -> str:
    """Return a field of ``image`` as text; empty where there is none."""
    return str(image.get(field)) if image.get_typeof(field) else ""


def read_exif_block(image: "pyvips.Image") -> bytes:
    """Return the EXIF block from its byte order on; empty where there is none."""
    return (blob_of(image, "exif-data") or b"").removeprefix(b"Exif\0\0")


def read_profile(image: "pyvips.Image") -> bytes | None:
    """Return the embedded ICC profile, whether it fits or not."""
    return blob_of(image, "icc-profile-data")


def _fits(image: "pyvips.Image", profile: bytes) -> bool:
    """Tell whether a profile is one for such bands.

    libvips and viewers ignore one that is not: editors leave RGB profiles in grey photos.

    Source: ICC.1:2022, 7.2: colour space at 16, "acsp" at 36.
    """
    colour_bands = image.bands - image.hasalpha()
    space = _PROFILE_SPACES.get("cmyk" if image.interpretation == "cmyk" else colour_bands)
    return profile[16:20] == space and profile[36:40] == b"acsp" and _opens(profile)


def _opens(profile: bytes) -> bool:
    """Tell whether littlecms can use a profile.

    libvips takes another one where it cannot read from it, and fails where it has to write to it;
    a scanner's may be there to be read from only.

    *Cost*: one pixel; a millisecond.
    """
    import pyvips

    if profile[12:16] == _SCANNER:
        return True
    pixel = pyvips.Image.new_from_memory(bytes(12), 1, 1, 3, "float").copy(interpretation="lab")
    set_blob(pixel, "icc-profile-data", profile)
    try:
        pixel.icc_export(depth=8).avg()
    except pyvips.Error:
        return False
    return True


def _exif(image: "pyvips.Image") -> ExifFields:
    block = read_exif_block(image)
    return read_exif(lambda at, length: block[at : at + length]) if block else {}


def _said_in_xmp_and_iptc(image: "pyvips.Image") -> tuple[Rights | None, Credentials | None]:
    """Return whose it is, and whether its credentials are elsewhere."""
    packet, block = blob_of(image, "xmp-data"), blob_of(image, "iptc-data")
    if packet is None and block is None:
        return None, None
    values = read_xmp_values(packet or b"")
    # Where both say something, XMP is the younger.
    rights = rights_from_values(values, read_iptc_values(block or b""))
    return rights, Credentials(are_elsewhere=True) if CREDENTIALS in values else None


def _metadata_bytes(photo: "OpenPhoto", image: "pyvips.Image") -> int:
    """Return what the decoder holds beside pixels, unpacked, or as read if that is more."""
    blobs = sum(len(blob_of(image, field) or b"") for field in _BLOBS)
    texts = sum(
        len(text_of(image, field)) for field in field_names(image) if field.startswith(_COMMENT)
    )
    return max(blobs + texts, len(photo.header) if photo.format.row.header_alone else 0)


def common_header(
    photo: "OpenPhoto",
    image: "pyvips.Image",
    **own: Any,  # noqa: ANN401 - fields of ImageHeader, each of its own type
) -> ImageHeader:
    """Return the header of ``photo``, as libvips gives it in ``image``.

    Args:
        photo: The photo.
        image: libvips' lazy image of it.
        own: What its format alone has, as fields of :class:`ImageHeader`.
    """
    rights, elsewhere = _said_in_xmp_and_iptc(image)
    fields: dict[str, Any] = {
        "exif": _exif(image),
        "n_pages": number_of(image, "n-pages", 1),
        "rights": rights,
        "interlaced": bool(number_of(image, "interlaced", 0)),
        "metadata_bytes": _metadata_bytes(photo, image),
    }
    own["credentials"] = own.get("credentials") or elsewhere
    profile = read_profile(image)
    fits = profile is not None and _fits(image, profile)
    orientation = number_of(image, "orientation", 1)
    return ImageHeader(
        format=photo.format,
        loader=str(image.get("vips-loader")),
        width=image.width,
        height=image.height,
        bands=image.bands,
        band_format=str(image.format),
        interpretation=str(image.interpretation),
        has_alpha=bool(image.hasalpha()),
        has_profile=fits,
        has_foreign_profile=profile is not None and not fits,
        orientation=orientation if orientation in _ORIENTATIONS else 1,
        size=photo.size,
        profile_bytes=0 if profile is None else len(profile),
        **fields | own,
    )
