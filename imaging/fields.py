"""Lists, reads, sets and copies the metadata of an image, whatever a stranger named it.

pyvips is imported by the functions that need it: a plan is made without it.
"""

from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pyvips

__all__ = ["blob_of", "copy_metadata", "field_names", "set_blob"]

# The orientation is left out: the other library has turned the pixels already.
_METADATA: Final = ("exif-", "icc-profile-data", "iptc-data", "xmp-data")


def field_names(image: "pyvips.Image") -> list[str]:
    """Return the names of the metadata fields of ``image`` that are UTF-8.

    libvips names some after what is in the file: the key of a PNG's text, the type of a HEIF's
    item. pyvips' own ``get_fields`` raises where such a name is not UTF-8; here it is left out. No
    call could reach that field, and ``keep`` says which kinds the savers write.
    """
    import pyvips

    names = []
    array = pyvips.vips_lib.vips_image_get_fields(image.pointer)
    at = 0
    while array[at] != pyvips.ffi.NULL:
        with suppress(UnicodeDecodeError):
            names.append(pyvips.ffi.string(array[at]).decode())
        pyvips.glib_lib.g_free(array[at])
        at += 1
    pyvips.glib_lib.g_free(array)
    return names


def blob_of(image: "pyvips.Image", field: str) -> bytes | None:
    """Return a field of bytes; None where there is none."""
    # pyvips' stubs know of no blobs.
    return bytes(image.get(field)) if image.get_typeof(field) else None  # type: ignore[arg-type]


def set_blob(image: "pyvips.Image", field: str, data: bytes) -> None:
    """Set a field of bytes."""
    import pyvips

    image.set_type(pyvips.GValue.blob_type, field, data)  # type: ignore[arg-type]  # as above


def copy_metadata(header: "pyvips.Image", picture: "pyvips.Image") -> None:
    """Copy to ``picture``, which another library decoded, what libvips read from the file."""
    for field in field_names(header):
        if field.startswith(_METADATA):
            picture.set_type(header.get_typeof(field), field, header.get(field))
