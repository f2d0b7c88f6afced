"""Lists the metadata of an image, whatever a stranger called it."""

from contextlib import suppress

import pyvips

__all__ = ["field_names"]


def field_names(image: pyvips.Image) -> list[str]:
    """Return the names of the metadata fields of ``image`` that are UTF-8.

    libvips names some after what is in the file: the key of a PNG's text, the type of a HEIF's
    item. pyvips' own ``get_fields`` raises where such a name is not UTF-8; here it is left out. No
    call could reach that field, and the savers are told by ``keep`` which kinds to write.
    """
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
