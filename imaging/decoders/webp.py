"""WebP, by libvips: libwebp, which scales while it decodes."""

from typing import TYPE_CHECKING, Any, Final

from imaging.decoders import Strip
from imaging.decoders.header import common_header
from imaging.errors import CorruptPhotoError
from imaging.files.credentials import credentials_of
from imaging.files.webp import check_canvas, is_lossless, picture_pixels

if TYPE_CHECKING:
    import pyvips

    from imaging.bridge.source import OpenPhoto
    from imaging.header import ImageHeader
    from imaging.plan import Load

__all__ = ["decode", "frames", "header", "peak_bytes", "strip_bytes"]

_LOSSLESS_BYTES_PER_PIXEL: Final = 5.6
_CANVAS_BYTES_PER_PIXEL: Final = 4
_FRAMES: Final = 1.94
_MORE_BYTES: Final = 24 << 20
"""Further bytes at most; no more than all the others together."""


def header(photo: "OpenPhoto") -> "ImageHeader":
    try:
        image = photo.load()
    except CorruptPhotoError:
        check_canvas(photo.header)
        # libvips wants a whole canvas for the header, and gives up on the photo without one.
        photo.check_memory(picture_pixels(photo.header) * _CANVAS_BYTES_PER_PIXEL)
        raise
    store = None if photo.passing is None else photo.passing.found
    return common_header(
        photo,
        image,
        lossless=is_lossless(photo.header),
        credentials=credentials_of(store),
    )


_HELD: Final[dict[str, Any]] = {"access": "sequential", "memory": True}
"""libvips' loader gives a whole picture, and would write more than 100 MB of it into a file: no
worker can. Where rows come one by one, as of other formats, it would hold the whole picture."""


def decode(photo: "OpenPhoto", header: "ImageHeader", load: "Load") -> "pyvips.Image":
    del header
    return photo.load(**_HELD, fail_on=load.fail_on, scale=load.scale)


def frames(photo: "OpenPhoto", header: "ImageHeader", load: "Load") -> Strip:
    strip = photo.load(**_HELD, fail_on=load.fail_on, n=-1)
    return Strip(image=strip, page_height=header.height, pages=range(header.n_pages))


def strip_bytes(header: "ImageHeader", frames: int) -> int:
    """All of them: libvips decodes a WebP as a whole."""
    return frames * header.width * header.height * header.bands


def peak_bytes(header: "ImageHeader", load: "Load") -> float:
    """The file and the scaled picture; of a lossless WebP the whole picture too."""
    width, height = load.decoded(header)
    frame = width * height * header.bands
    if header.lossless:
        held = header.size + header.width * header.height * _LOSSLESS_BYTES_PER_PIXEL + frame
    else:
        held = header.size * 2 + frame * _FRAMES
    return held + min(_MORE_BYTES, held)
