"""Makes a small photo's renditions before the first real one comes."""

from collections.abc import Sequence
from typing import Final

import pyvips

from imaging.config import Config
from imaging.in_memory import render_in_memory
from imaging.local import MemorySource
from imaging.planning import Asked

__all__ = ["warm_up"]

_SIDE: Final = 64
_SUFFIXES: Final = (".jpg", ".png", ".webp", ".tif", ".avif")


def warm_up(config: Config, suffixes: Sequence[str] = _SUFFIXES) -> None:
    """Make the renditions of ``config`` of a photo in each format: what they load is then there.

    Not before a process forks: libvips' threads, which this starts, would be missing in the child.

    *Cost*: 50 to 100 ms of CPU; nothing is read, stored or kept.
    """
    # Whatever the limits: they are for strangers' photos.
    asked = Asked(specs=config.renditions, sidecar=config.sidecar)
    grey = pyvips.Image.sines(_SIDE, _SIDE, uchar=True)
    photo = grey.bandjoin(grey).bandjoin(grey).copy(interpretation="srgb")
    for suffix in suffixes:
        render_in_memory(MemorySource(photo.write_to_buffer(suffix)), asked)
