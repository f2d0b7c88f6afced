"""HEIC through libheif: libvips, as it is built for Python, reads its header and not its pixels.

Imported when the first HEIC arrives. It is the C module of pi-heif-decoder that is imported: the
classes around it bring Pillow with them (60 ms), and read all metadata of every picture in the
file, which ends the process where the type of a metadata item is not text (pi-heif-decoder 1.7.0).
"""

from typing import Any, Final

import _pi_heif
import pyvips

from imaging.errors import CorruptPhotoError
from imaging.fields import copy_metadata
from imaging.files.heif import check_picture, from_memory, read_container

__all__ = ["decode"]

# What the C module raises on damaged files.
_FAILURES: Final = (EOFError, OSError, RuntimeError, SyntaxError, SystemError, ValueError)

# The C module's name of a picture's channels -> bands, interpretation of 8 bits, and of 16.
_CHANNELS: Final = {
    "L": (1, "b-w", "grey16"),
    "I": (1, "b-w", "grey16"),
    "RGB": (3, "srgb", "rgb16"),
    "RGBA": (4, "srgb", "rgb16"),
    "RGBa": (4, "srgb", "rgb16"),
}


def decode(data: bytes, header: pyvips.Image) -> pyvips.Image:
    """Return the primary picture of a HEIC, upright, with the metadata of ``header``.

    Thumbnails, depth and other auxiliary pictures are not looked at.

    *Shape*: uchar, or ushort for more than 8 bits, scaled to the full range; ``b-w`` or ``srgb``
    (``grey16`` or ``rgb16``), with alpha where the picture has it, not premultiplied.

    *Cost*: the whole picture at once, as the planes of the codec and as interleaved samples: 4.5
    bytes a pixel for 8 bits, 9 for more. libvips works on libheif's own memory, which is freed when
    the last image that draws on it is.

    Args:
        data: The whole file.
        header: libvips' image of the same file; none of its pixels is evaluated.

    Raises:
        TruncatedPhotoError: The file ends before the picture does.
        CorruptPhotoError: The picture is damaged, or cannot be decoded.
    """
    read = from_memory(data)
    check_picture(read_container(read, len(data)), read)
    try:
        picture = _primary(data)
        samples = picture.data
    except _FAILURES as error:
        raise CorruptPhotoError(
            "Expected a whole heic photo but its decoder gave up", detail=str(error)
        ) from error
    image = _wrap(picture, samples)
    # libvips drops the EXIF orientation as well: libheif turns the pixels.
    copy_metadata(header, image)
    return image


def _primary(data: bytes) -> Any:  # noqa: ANN401 - the C module has no types
    pictures = _pi_heif.load_file(
        data,
        max(1, pyvips.vips_lib.vips_concurrency_get()),
        False,  # noqa: FBT003 - hdr_to_8bit; the C module takes all by position
        False,  # noqa: FBT003 - bgr_mode
        True,  # noqa: FBT003 - remove_stride
        True,  # noqa: FBT003 - hdr_to_16bit: 10 bits fill the range of 16
        "",  # decoder_id: the one that there is
        False,  # noqa: FBT003 - disable_security_limits
    )
    for picture in pictures:
        if picture is not None and picture.primary:
            return picture
    message = "no picture is the primary one"
    raise ValueError(message)


def _wrap(picture: Any, samples: memoryview) -> pyvips.Image:  # noqa: ANN401 - as above
    (width, height), mode = picture.size_mode
    channels, _, deep = mode.partition(";")
    bands, shallow_space, deep_space = _CHANNELS[channels]
    band_format = "ushort" if deep else "uchar"
    # libvips keeps what it is given, but the memoryview does not keep the picture whose memory it
    # shows; a destructor that holds it does.
    memory = pyvips.ffi.gc(pyvips.ffi.from_buffer(samples), lambda _: picture)
    view = pyvips.ffi.buffer(memory, samples.nbytes)
    image = pyvips.Image.new_from_memory(view, width, height, bands, band_format)
    image = image.copy(interpretation=deep_space if deep else shallow_space)
    if channels == "RGBa":
        image = image.unpremultiply().cast(band_format)
    return image
