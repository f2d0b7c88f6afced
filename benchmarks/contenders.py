"""Each way from a photo to the five renditions of ``renditions.toml``, as its own process."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import pyvips

from imaging.bridge import OpenPhoto
from imaging.config import load_config
from imaging.local import FileSource, MemorySink
from imaging.pipeline import render
from imaging.plan import make_plan
from imaging.reading import read_header
from imaging.runtime import configure_libvips

_SIDES: Final = (2048, 1280, 640, 320)


def _check(width: int, height: int, expected: tuple[int, int]) -> None:
    if (width, height) != expected:
        raise ValueError(f"Expected a rendition of {expected} but received {width} x {height}")


def renditions(photo: Path) -> None:
    """This project: one decode, one base, five renditions."""
    configure_libvips()
    config = load_config(Path(__file__).parent.parent / "renditions.toml")
    with OpenPhoto(FileSource(photo)) as opened:
        plan = make_plan(read_header(opened), config.renditions, config.limits)
        made = list(render(plan, opened, lambda _: MemorySink()))
    # The largest is written last.
    _check(made[-1].width, made[-1].height, (2048, 1365))
    _check(made[0].width, made[0].height, (160, 160))


def thumbnail_per_size(photo: Path) -> None:
    """The usual way with pyvips: one ``thumbnail`` for each size, at the same quality."""
    pyvips.cache_set_max(0)
    images = [pyvips.Image.thumbnail(str(photo), side, height=side) for side in _SIDES]
    images.append(pyvips.Image.thumbnail(str(photo), 160, height=160, crop="centre"))
    for image in images:
        image.jpegsave_buffer(Q=85, optimize_coding=True, keep=pyvips.enums.ForeignKeep.NONE)
    _check(images[0].width, images[0].height, (2048, 1365))
    _check(images[-1].width, images[-1].height, (160, 160))


CONTENDERS: Final[Mapping[str, Callable[[Path], None]]] = {
    "renditions": renditions,
    "thumbnail-per-size": thumbnail_per_size,
}

if __name__ == "__main__":
    CONTENDERS[sys.argv[1]](Path(sys.argv[2]))
