"""This project: one decode, one base, five renditions."""

from pathlib import Path

from benchmarks.ways.repeat import repeat
from imaging.bridge import OpenPhoto
from imaging.config import load_config
from imaging.libvips import configure_libvips
from imaging.local import FileSink, FileSource
from imaging.pipeline import render
from imaging.plan import make_plan
from imaging.reading import read_header

configure_libvips()
_CONFIG = load_config(Path(__file__).parent.parent.parent / "renditions.toml")


def renditions(photo: Path, out: Path) -> None:
    """Render as the function does, with files in the place of objects."""
    with OpenPhoto(FileSource(photo)) as opened:
        plan = make_plan(read_header(opened), _CONFIG.renditions, _CONFIG.limits)
        for _ in render(plan, opened, lambda made: FileSink(out / f"{made.spec.name}.jpg")):
            pass


if __name__ == "__main__":
    repeat(renditions)
