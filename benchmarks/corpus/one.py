"""A process that renders file after file, here or by Pillow, and may die of any: see ``__main__``.

Reads lines of a file and a place for its PNG, and answers each with one line of JSON.
"""

import json
import sys
import traceback
from pathlib import Path
from typing import Any, Final

from imaging.errors import RenditionsError
from imaging.formats import OutputFormat
from imaging.libvips import configure_libvips
from imaging.local import FileSink, FileSource
from imaging.planning import Asked, make_plan
from imaging.rendering import open_photo
from imaging.specs import RenditionSpec

SIDE: Final = 320
_ASKED: Final = Asked(
    specs=(RenditionSpec(name="a", width=SIDE, height=SIDE, formats=(OutputFormat.PNG,)),)
)


def here(path: Path, out: Path) -> dict[str, Any]:
    """Render as the function would; return the disposition, and the upright dimensions."""
    try:
        with open_photo(FileSource(path), _ASKED) as photo:
            width, height = photo.header.upright
            plan = make_plan(photo.header, _ASKED)
            for _ in photo.render(plan, lambda _: FileSink(out)):
                pass
    except RenditionsError as error:
        return {"code": error.code, "message": error.message, "detail": error.detail}
    warnings = [warning.code for warning in plan.warnings]
    return {"code": None, "width": width, "height": height, "warnings": warnings}


def by_pillow(path: Path, out: Path) -> dict[str, Any]:
    """Render as a script of a few lines would."""
    from PIL import Image, ImageOps

    with Image.open(path) as opened:
        image = ImageOps.exif_transpose(opened)
        width, height = image.size
        image.thumbnail((SIDE, SIDE))
        image.convert("RGBA").save(out)
    return {"code": None, "width": width, "height": height}


def main(way: str) -> None:
    """Answer until the input ends."""
    configure_libvips(concurrency=2)
    render = {"here": here, "pillow": by_pillow}[way]
    for line in sys.stdin:
        path, out = json.loads(line)
        try:
            answer = render(Path(path), Path(out))
        except Exception as error:  # noqa: BLE001 - the very thing that is looked for
            answer = {"code": "internal", "message": repr(error)}
            answer["detail"] = traceback.format_exc()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
