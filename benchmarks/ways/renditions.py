"""This project: one decode, one base, five renditions, made in a worker behind the wall."""

from contextlib import closing
from pathlib import Path

from benchmarks.ways.repeat import repeat
from imaging.config import load_config
from imaging.local import FileSink, FileSource
from imaging.planning import make_plan
from imaging.worker.client import Workers
from imaging.worker.spawning import Launch

_ASKED = load_config(Path(__file__).parent.parent.parent / "renditions.toml").asked()


def main() -> None:
    """Render as the function does, with files in the place of objects."""
    with closing(Workers(Launch())) as workers:
        # As at the end of init.
        workers.start()

        def renditions(photo: Path, out: Path) -> None:
            with workers.open_photo(FileSource(photo), _ASKED) as opened:
                plan = make_plan(opened.header, _ASKED)
                for _ in opened.render(plan, lambda made: FileSink(out / f"{made.spec.name}.jpg")):
                    pass

        repeat(renditions)


if __name__ == "__main__":
    main()
