"""The HEIC decoder alone, and the five encodes: what the codecs need for a HEIC photo."""

import os
import subprocess
from pathlib import Path

from pillow_heif import open_heif

from benchmarks.ways.repeat import repeat


def floor_heic(photo: Path, out: Path) -> None:
    """Decode without a resize; encode pixels that lie ready in ``FLOOR_PIXELS``."""
    # Decodes when its pixels are first asked for.
    len(open_heif(photo).data)
    pixels = Path(os.environ["FLOOR_PIXELS"])
    for name in ("xlarge", "large", "medium", "small", "square"):
        encode = ["cjpeg", "-quality", "85", "-sample", "2x2", "-optimize"]
        target = ["-outfile", str(out / f"{name}.jpg"), str(pixels / f"{name}.ppm")]
        subprocess.run([*encode, *target], check=True)


if __name__ == "__main__":
    repeat(floor_heic)
