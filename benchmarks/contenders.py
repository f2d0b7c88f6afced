"""Who is measured: how each is started, what it can read, and whether it is there."""

import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from benchmarks.photos import BenchPhoto

__all__ = [
    "CONTENDERS",
    "FLOOR",
    "OURS",
    "RENDITIONS",
    "SHARP",
    "WITHOUT_WALL",
    "Contender",
    "floor_of",
]

_WAYS: Final = Path(__file__).parent / "ways"
_ROOT: Final = Path(__file__).parent.parent
_BENCH_PYTHON: Final = _ROOT / ".cache" / "bench" / "bin" / "python"

RENDITIONS: Final[Mapping[str, int]] = {
    "xlarge": 2048,
    "large": 1280,
    "medium": 640,
    "small": 320,
    "square": 160,
}
"""The five, by their longer side; the square is cropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One way to make the five renditions.

    Attributes:
        name: As the table has it.
        command: Followed by PHOTO, OUT, REPEAT and ``arguments``.
        arguments: What comes after them.
        needs: A program or file without which it is missing, and how to get it.
        cannot: Formats (a photo's name begins with one) that it does not read.
        stays: Whether its process lives on, so that there are warm figures.
        resizes: False for the floors, whose renditions are no pictures of the photo.
        environment: Variables that it is started with.
    """

    name: str
    command: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    needs: tuple[str, str] = ("python3", "")
    cannot: frozenset[str] = frozenset()
    stays: bool = True
    resizes: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def missing(self) -> str | None:
        """Say what is missing and how to get it; None where it can run."""
        program, remedy = self.needs
        there = Path(program).exists() or shutil.which(program)
        return None if there else f"{program} is not there: {remedy}"

    def takes(self, photo: BenchPhoto) -> bool:
        """Tell whether it reads the photo's format."""
        return not any(photo.name.startswith(name) for name in self.cannot)

    def line(self, photo: Path, out: Path, times: int) -> list[str]:
        """Return the command line that makes the renditions ``times`` times."""
        return [*self.command, str(photo), str(out), str(times), *self.arguments]


def _python(module: str) -> tuple[str, ...]:
    return sys.executable, "-m", f"benchmarks.ways.{module}"


@cache
def _imagemagick_policy() -> str:
    """Return a folder with a policy that lets ImageMagick use memory.

    Debian's allows 256 MiB, and above that ImageMagick works on files, thirty times as slow.
    """
    folder = Path(tempfile.gettempdir()) / "renditions-imagemagick"
    folder.mkdir(exist_ok=True)
    limits = {"memory": "8GiB", "map": "8GiB", "area": "1GP", "width": "64KP", "height": "64KP"}
    lines = (
        f'<policy domain="resource" name="{name}" value="{value}"/>'
        for name, value in limits.items()
    )
    (folder / "policy.xml").write_text(f"<policymap>{''.join(lines)}</policymap>", encoding="utf-8")
    return str(folder)


_NODE: Final = ("node", str(_WAYS / "sharp.mjs"))
_NO_SHARP: Final = (
    str(_ROOT / "benchmarks" / "node_modules" / "sharp"),
    "npm ci in benchmarks/, which make bench does where npm is",
)
_NO_BENCH: Final = (str(_BENCH_PYTHON), "make bench installs requirements/bench.lock")

OURS: Final = Contender(name="renditions", command=_python("renditions"))
WITHOUT_WALL: Final = Contender(name="renditions, no wall", command=_python("without_wall"))
SHARP: Final = Contender(
    name="sharp, stream and clone()",
    command=_NODE,
    arguments=("stream",),
    needs=_NO_SHARP,
    # Its prebuilt libvips has no HEVC decoder.
    cannot=frozenset({"heic"}),
)
FLOOR: Final = "floor: codecs alone"

CONTENDERS: Final = (
    OURS,
    SHARP,
    Contender(
        name="sharp, file for each size",
        command=_NODE,
        arguments=("file",),
        needs=_NO_SHARP,
        cannot=frozenset({"heic"}),
    ),
    Contender(
        name="pyvips, thumbnail per size",
        command=_python("thumbnail_per_size"),
        cannot=frozenset({"heic"}),
    ),
    Contender(name="Pillow, draft", command=_python("pillow")),
    Contender(
        name="vipsthumbnail per size",
        command=("sh", str(_WAYS / "vipsthumbnail.sh")),
        needs=("vipsthumbnail", "apt-get install libvips-tools"),
        stays=False,
    ),
    Contender(
        name="thumbor's engine",
        command=(str(_BENCH_PYTHON), "-m", "benchmarks.ways.thumbor_engine"),
        needs=_NO_BENCH,
        # It decodes HEIC only with a plug-in, and hands TIFF on as PNG.
        cannot=frozenset({"heic", "tiff"}),
    ),
    Contender(
        name="ImageMagick",
        command=("sh", str(_WAYS / "imagemagick.sh")),
        needs=(
            "convert-im6.q16" if shutil.which("convert-im6.q16") else "magick",
            "apt-get install imagemagick",
        ),
        stays=False,
        environment={"MAGICK_CONFIGURE_PATH": _imagemagick_policy()},
    ),
)


_DECODERS: Final = {
    "jpg": ("djpeg", "apt-get install libjpeg-turbo-progs"),
    "webp": ("dwebp", "apt-get install webp"),
    "avif": ("avifdec", "apt-get install libavif-bin"),
}


def floor_of(photo: BenchPhoto, pixels: Path) -> Contender | None:
    """Return what the codecs alone need for ``photo``; None where no such program is known.

    Args:
        photo: JPEG, WebP, AVIF or HEIC.
        pixels: The folder where the renditions' pixels lie ready as PPM.
    """
    ready = {"FLOOR_PIXELS": str(pixels)}
    if photo.extension == "heic":
        return Contender(
            name=FLOOR,
            command=_python("floor_heic"),
            needs=_DECODERS["jpg"],
            resizes=False,
            stays=False,
            environment=ready,
        )
    if photo.extension not in _DECODERS:
        return None
    longest = max(photo.width, photo.height)
    shrink = next(factor for factor in (8, 4, 2, 1) if longest // factor >= RENDITIONS["xlarge"])
    return Contender(
        name=FLOOR,
        command=("sh", str(_WAYS / "floor.sh")),
        needs=_DECODERS[photo.extension],
        resizes=False,
        stays=False,
        environment=ready | {"FLOOR_SCALE": f"1/{shrink}"},
    )
