"""Every photo that tests, the demo and the benchmarks need, synthesised and deterministic.

Nothing here is a toy: the scene has the bytes per pixel, the tonal range and the spectrum of a
camera's photo (see `scene`), so what is measured on it holds for real uploads. Small photos come
back as bytes; large ones are written to a path, streamed by libvips, never whole in memory.

Development only: Pillow and pillow-heif are imported inside the functions that need them.
"""

from tests.photos.compare import psnr, ssim, upright_reference
from tests.photos.damage import (
    bomb_jpeg,
    bomb_png,
    empty,
    flipped,
    gif_frames,
    mp4,
    pdf,
    svg,
    text,
    truncated,
    warning_jpeg,
    with_trailing_rubbish,
)
from tests.photos.files import (
    Orientation,
    Profile,
    animation,
    avif,
    cmyk_jpeg,
    gif,
    grey_jpeg,
    heic,
    icc_profile,
    jpeg,
    jpeg_24mp,
    jpeg_200mp,
    png,
    pyramid_tiff,
    stored,
    tiff,
    ultra_hdr_jpeg,
    webp,
    with_alpha,
    with_profile,
    write_jpeg,
)
from tests.photos.landscape import UPRIGHT, Colours, corner_colours, scene
from tests.photos.metadata import exif, with_exif
from tests.photos.private import (
    COPYRIGHT,
    PHOTO_FORMATS,
    RIGHTS,
    SAFE,
    PhotoFormat,
    private_photo,
)

__all__ = [
    "COPYRIGHT",
    "PHOTO_FORMATS",
    "RIGHTS",
    "SAFE",
    "UPRIGHT",
    "Colours",
    "Orientation",
    "PhotoFormat",
    "Profile",
    "animation",
    "avif",
    "bomb_jpeg",
    "bomb_png",
    "cmyk_jpeg",
    "corner_colours",
    "empty",
    "exif",
    "flipped",
    "gif",
    "gif_frames",
    "grey_jpeg",
    "heic",
    "icc_profile",
    "jpeg",
    "jpeg_24mp",
    "jpeg_200mp",
    "mp4",
    "pdf",
    "png",
    "private_photo",
    "psnr",
    "pyramid_tiff",
    "scene",
    "ssim",
    "stored",
    "svg",
    "text",
    "tiff",
    "truncated",
    "ultra_hdr_jpeg",
    "upright_reference",
    "warning_jpeg",
    "webp",
    "with_alpha",
    "with_exif",
    "with_profile",
    "with_trailing_rubbish",
    "write_jpeg",
]
