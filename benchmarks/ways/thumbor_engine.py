"""thumbor's Pillow engine, driven as thumbor drives it for a URL of each size.

thumbor keeps no state between two URLs, so each size reads the photo anew. Its HTTP server is left
out: only the engine is measured.
"""

import io
from pathlib import Path

from PIL import Image
from thumbor.config import Config
from thumbor.context import Context, RequestParameters
from thumbor.engines.pil import Engine
from thumbor.importer import Importer

from benchmarks.ways.repeat import repeat

Image.MAX_IMAGE_PIXELS = None
_CONFIG = Config(QUALITY=85, MAX_PIXELS=1_000_000_000)
_CONFIG.ENGINE = "thumbor.engines.pil"
_IMPORTER = Importer(_CONFIG)
_IMPORTER.import_modules()


def _size(data: bytes, extension: str, side: int, *, square: bool) -> bytes:
    context = Context(config=_CONFIG, importer=_IMPORTER)
    context.request = RequestParameters(fit_in=not square, width=side, height=side)
    engine = Engine(context)
    engine.load(data, extension)
    engine.reorientate()
    width, height = engine.size
    if square:
        # thumbor crops to the ratio that is asked, then resizes.
        edge = min(width, height)
        left, top = (width - edge) // 2, (height - edge) // 2
        engine.crop(left, top, left + edge, top + edge)
        engine.resize(side, side)
    else:
        scale = min(side / width, side / height, 1.0)
        engine.resize(round(width * scale), round(height * scale))
    return bytes(engine.read(".jpg", 85))


def thumbor_engine(photo: Path, out: Path) -> None:
    """Read the photo, and hand its bytes to the engine once for each size."""
    data = io.FileIO(photo).readall()
    for name, side in (
        ("xlarge", 2048),
        ("large", 1280),
        ("medium", 640),
        ("small", 320),
        ("square", 160),
    ):
        encoded = _size(data, photo.suffix, side, square=name == "square")
        (out / f"{name}.jpg").write_bytes(encoded)


if __name__ == "__main__":
    repeat(thumbor_engine)
