"""This project with the pixels in the process itself, whose environment a worker would not see."""

from pathlib import Path

from benchmarks.ways.repeat import repeat
from imaging.config import load_config
from imaging.libvips import configure_libvips
from imaging.local import FileSink, FileSource
from imaging.planning import make_plan
from imaging.rendering import open_photo

configure_libvips()
_ASKED = load_config(Path(__file__).parent.parent.parent / "renditions.toml").asked()


def renditions(photo: Path, out: Path) -> None:
    """Render as the function does, with files in the place of objects."""
    with open_photo(FileSource(photo), _ASKED) as opened:
        plan = make_plan(opened.header, _ASKED)
        for _ in opened.render(plan, lambda made: FileSink(out / f"{made.spec.name}.jpg")):
            pass


if __name__ == "__main__":
    repeat(renditions)
