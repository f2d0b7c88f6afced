"""pyvips as its documentation shows it: ``thumbnail`` from the file, once for each size."""

from pathlib import Path

import pyvips

from benchmarks.ways.repeat import repeat

# Or a second time would take the pictures of the first from the cache.
pyvips.cache_set_max(0)


def thumbnail_per_size(photo: Path, out: Path) -> None:
    """Decode the photo once for each size, each time with shrink-on-load."""
    for name, side in (("xlarge", 2048), ("large", 1280), ("medium", 640), ("small", 320)):
        _save(pyvips.Image.thumbnail(str(photo), side, height=side), out / f"{name}.jpg")
    square = pyvips.Image.thumbnail(str(photo), 160, height=160, crop="centre")
    _save(square, out / "square.jpg")


def _save(image: pyvips.Image, path: Path) -> None:
    image.jpegsave(str(path), Q=85, optimize_coding=True, keep=pyvips.enums.ForeignKeep.NONE)


if __name__ == "__main__":
    repeat(thumbnail_per_size)
