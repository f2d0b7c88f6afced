"""A process that renders file after file, here or by Pillow, and may die of any: see ``__main__``.

Here means as ``renditions render`` does it: pixels are decoded in a worker, so that a file which
ends its decoder is refused as ``crashed``, and this process goes on.

Reads lines of a file and a place for its PNG, and answers each with one line of JSON.
"""

import json
import sys
import traceback
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Final

from imaging.errors import RenditionsError
from imaging.formats import OutputFormat
from imaging.local import FileSink, FileSource
from imaging.planning import Asked, make_plan
from imaging.specs import RenditionSpec
from imaging.worker.client import Workers
from imaging.worker.spawning import Launch

SIDE: Final = 320
_ASKED: Final = Asked(
    specs=(RenditionSpec(name="a", width=SIDE, height=SIDE, formats=(OutputFormat.PNG,)),)
)

_Render = Callable[[Path, Path], dict[str, Any]]


class _Counted:
    """A file that counts the bytes which are read of it."""

    def __init__(self, path: Path) -> None:
        self._file = FileSource(path)
        self.size = self._file.size
        self.seek = self._file.seek
        self.close = self._file.close
        self.read_bytes = 0

    def readinto(self, buffer: memoryview) -> int:
        count = self._file.readinto(buffer)
        self.read_bytes += count
        return count


def here(path: Path, out: Path, workers: Workers) -> dict[str, Any]:
    """Render as the function would; return the code, the upright dimensions, and what was read."""
    try:
        source = _Counted(path)
        with workers.open_photo(source, _ASKED) as photo:
            width, height = photo.header.upright
            plan = make_plan(photo.header, _ASKED)
            for _ in photo.render(plan, lambda _: FileSink(out)):
                pass
    except RenditionsError as error:
        return {"code": error.code, "message": error.message, "detail": error.detail}
    raw = photo.header.raw
    return {
        "code": None,
        "width": width,
        "height": height,
        "warnings": [warning.code for warning in plan.warnings],
        "read": source.read_bytes,
        "raw": raw and f"{raw.kind}, {raw.width} x {raw.height}",
    }


def by_pillow(path: Path, out: Path) -> dict[str, Any]:
    """Render as a script of a few lines would."""
    from PIL import Image, ImageOps

    with Image.open(path) as opened:
        image = ImageOps.exif_transpose(opened)
        width, height = image.size
        # Before the resize: indices and single bits are not averaged.
        image = image.convert("RGBA")
        image.thumbnail((SIDE, SIDE))
        image.save(out)
    return {"code": None, "width": width, "height": height}


def _answer(render: _Render, path: Path, out: Path) -> dict[str, Any]:
    try:
        return render(path, out)
    except Exception as error:  # noqa: BLE001 - the very thing that is looked for
        return {"code": "internal", "message": repr(error), "detail": traceback.format_exc()}


def main(way: str) -> None:
    """Answer until the input ends."""
    with closing(Workers(Launch())) as workers:
        ways: dict[str, _Render] = {"here": partial(here, workers=workers), "pillow": by_pillow}
        for line in sys.stdin:
            path, out = map(Path, json.loads(line))
            print(json.dumps(_answer(ways[way], path, out)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
