"""AVIF through Pillow's C module: dav1d decodes in half the CPU of libvips' libaom.

Imported when the first AVIF arrives. It is the C module that is imported: Pillow's classes cost 60
ms, and copy the pixels.
"""

from typing import Any, Final

import pyvips
from PIL import _avif

from imaging.errors import CorruptPhotoError
from imaging.fields import copy_metadata
from imaging.files.heif import check_picture, from_memory, read_container
from imaging.geometry import is_sideways
from imaging.steps import upright

__all__ = ["decode"]

# What the C module raises of files that libavif does not take, or that are damaged.
# Source: ``exc_type_for_avif_result`` in Pillow's ``src/_avif.c``.
_FAILURES: Final = (RuntimeError, SyntaxError, ValueError)

_BANDS: Final = {"RGB": 3, "RGBA": 4}


def decode(data: bytes, image: pyvips.Image) -> pyvips.Image:
    """Return the picture of an AVIF, upright, with the metadata of ``image``.

    What libavif would show otherwise than libvips does stays with libvips, and ``image`` itself is
    returned: more than 8 bits (which libavif would cut to 8 here), grey, pictures that are cropped
    by their container, sequences, and files that only libheif is lenient enough to open.

    *Shape*: uchar, ``srgb``, with alpha where the picture has it, not premultiplied.

    *Cost*: the whole picture at once, as the planes of the codec and as interleaved samples.

    Args:
        data: The whole file.
        image: libvips' lazy image of the same file.

    Raises:
        TruncatedPhotoError: The file ends before the picture does.
        CorruptPhotoError: The picture is damaged, or cannot be decoded.
    """
    read = from_memory(data)
    check_picture(read_container(read, len(data)), read)
    opened = _opened(data, image) if image.format == "uchar" else None
    if opened is None:
        return image
    decoder, size, orientation = opened
    try:
        samples = decoder.get_frame(0)[0]
    except _FAILURES as error:
        raise CorruptPhotoError(
            "Expected a whole avif photo but its decoder gave up", detail=str(error)
        ) from error
    # Its planes are not needed any more.
    del decoder, opened
    picture = pyvips.Image.new_from_memory(samples, *size, image.bands, "uchar")
    picture = picture.copy(interpretation="srgb")
    if orientation > 1:
        picture.set_type(pyvips.GValue.gint_type, "orientation", orientation)
        picture = upright(picture)
    copy_metadata(image, picture)
    return picture


def _opened(data: bytes, image: pyvips.Image) -> tuple[Any, tuple[int, int], int] | None:
    """Return libavif's decoder, the size as stored, and rotation and mirroring as EXIF names them.

    None for what is left to libvips.
    """
    try:
        decoder = _avif.AvifDecoder(data, "dav1d", max(1, pyvips.vips_lib.vips_concurrency_get()))
        size, frames, mode, _, _, orientation, _ = decoder.get_info()
    except _FAILURES:
        return None
    shown = size[::-1] if is_sideways(orientation) else size
    same = shown == (image.width, image.height) and _BANDS.get(mode) == image.bands
    return (decoder, size, orientation) if same and frames == 1 else None
