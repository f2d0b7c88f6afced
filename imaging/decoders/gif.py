"""GIF, by libvips: libnsgif."""

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from imaging.decoders import Strip
from imaging.decoders.header import common_header
from imaging.files.credentials import credentials_of
from imaging.files.gif import Blocks, application, read_blocks, screen_size

if TYPE_CHECKING:
    import pyvips

    from imaging.bridge.source import OpenPhoto
    from imaging.files.gif_clear import Cleared
    from imaging.header import ImageHeader
    from imaging.plan import Load

__all__ = ["decode", "frames", "header", "peak_bytes", "strip_bytes"]

_CREDENTIALS: Final = b"C2PA_GIF\x01\0\0"

_TABLES_BYTES: Final = 1 << 20
_TABLES_BYTES_PER_PIXEL: Final = 4
_BYTES_PER_PIXEL: Final = 4.0
_RESTORED_BYTES_PER_PIXEL: Final = 4

_NOT_BELIEVED: Final = frozenset(
    {(640, 480), (640, 512), (800, 600), (1024, 768), (1280, 1024), (1600, 1200)}
)
_MOST_BELIEVED: Final = 2048
"""Screens that libnsgif takes for the writer's monitor: gif.c, ``nsgif_data_scan``."""


def header(photo: "OpenPhoto") -> "ImageHeader":
    blocks = read_blocks(photo.encoded())
    store = application(photo.encoded(), _CREDENTIALS)
    # Before its decoder looks at each.
    photo.limits.check("max_frames", blocks.frames)
    photo.limits.check("max_metadata_bytes", blocks.metadata_bytes)
    photo.limits.check("max_pixels", max(blocks.largest, blocks.width * blocks.reach))
    cleared = _cleared(photo, blocks)
    image = photo.load() if cleared is None else photo.load_encoded(cleared.data)
    read = common_header(
        photo,
        image,
        metadata_bytes=blocks.metadata_bytes,
        credentials=credentials_of(store),
    )
    if cleared is not None:
        read = replace(read, n_pages=blocks.frames, height=blocks.height)
    screen = read.width * max(read.height, blocks.reach)
    held = screen if blocks.restores else 0
    return replace(read, coded_pixels=held + screen - read.width * read.height)


def decode(photo: "OpenPhoto", header: "ImageHeader", load: "Load") -> "pyvips.Image":
    cleared = _cleared_if(photo, header)
    if cleared is None:
        return photo.load(access="sequential", fail_on=load.fail_on)
    page = photo.load_encoded(
        cleared.data, access="sequential", fail_on=load.fail_on, page=cleared.pages[0]
    )
    return page.crop(0, 0, header.width, header.height)


def frames(photo: "OpenPhoto", header: "ImageHeader", load: "Load") -> Strip:
    cleared = _cleared_if(photo, header)
    if cleared is None:
        strip = photo.load(access="sequential", fail_on=load.fail_on, n=-1)
        return Strip(image=strip, page_height=header.height, pages=range(header.n_pages))
    strip = photo.load_encoded(cleared.data, access="sequential", fail_on=load.fail_on, n=-1)
    return Strip(image=strip, page_height=cleared.page_height, pages=cleared.pages)


def _cleared_if(photo: "OpenPhoto", header: "ImageHeader") -> "Cleared | None":
    # With clear places it has alpha.
    return _cleared(photo, read_blocks(photo.encoded())) if header.has_alpha else None


def _cleared(photo: "OpenPhoto", blocks: Blocks) -> "Cleared | None":
    """Return the photo as its decoder has to see it; None where that is as it is."""
    is_cut = blocks.reach > blocks.height
    if not (blocks.is_bare or is_cut or _mistaken(screen_size(photo.encoded()), blocks)):
        return None
    # Imported on first use: most photos are covered by their frames.
    from imaging.files.gif_clear import with_clear_places

    return with_clear_places(photo.encoded(), blocks)


def _mistaken(screen: tuple[int, int], blocks: Blocks) -> bool:
    """Tell whether libnsgif takes the first frame for the screen, which is larger."""
    taken = screen in _NOT_BELIEVED or max(screen) > _MOST_BELIEVED or not all(screen)
    return taken and blocks.frames > 0 and blocks.first != (blocks.width, blocks.height)


def strip_bytes(header: "ImageHeader", frames: int) -> int:
    """Nothing: they come one after the other."""
    del header, frames
    return 0


def peak_bytes(header: "ImageHeader", load: "Load") -> float:
    """Tables, the file, one frame, and the one before where it comes back.

    The file once more where its decoder is shown another one, which always has alpha.
    """
    del load
    pixels = header.width * header.height
    tables = min(_TABLES_BYTES, pixels * _TABLES_BYTES_PER_PIXEL)
    files = header.size * (2 if header.has_alpha else 1)
    held = tables + files + pixels * _BYTES_PER_PIXEL
    return held + header.coded_pixels * _RESTORED_BYTES_PER_PIXEL
