"""Makes a small photo's renditions before the first real one comes."""

from collections.abc import Sequence
from typing import Final

import pyvips

from imaging.bridge import OpenPhoto
from imaging.limits import Limits
from imaging.local import MemorySink, MemorySource
from imaging.pipeline import render
from imaging.plan import make_plan
from imaging.reading import read_header
from imaging.specs import RenditionSpec

__all__ = ["warm_up"]

_SIDE: Final = 64
_SUFFIXES: Final = (".jpg", ".png", ".webp", ".tif", ".avif")


def warm_up(
    specs: Sequence[RenditionSpec], limits: Limits, suffixes: Sequence[str] = _SUFFIXES
) -> None:
    """Make ``specs`` of a photo in each format, so that what each of them loads is there.

    Not before a process forks: libvips' threads, which this starts, would be missing in the child.

    *Cost*: 50 to 100 ms of CPU; nothing is read, stored or kept.
    """
    grey = pyvips.Image.sines(_SIDE, _SIDE, uchar=True)
    photo = grey.bandjoin(grey).bandjoin(grey).copy(interpretation="srgb")
    for suffix in suffixes:
        data = photo.write_to_buffer(suffix)
        with OpenPhoto(MemorySource(data)) as opened:
            plan = make_plan(read_header(opened), specs, limits)
            for _ in render(plan, opened, lambda _: MemorySink()):
                pass
