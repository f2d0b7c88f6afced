"""``make calibrate``: the memory that photos take against what the plan says of it.

Each case is one photo and one ``renditions.toml`` in a process of its own, the real handler against
an S3. It writes ``results/memory.json``, which the tests hold the estimate against, and fails where
the estimate is below the peak, or too far above it.

The cases are chosen, one for each thing that costs memory; with ``--random`` they are drawn, photos
and plans of every kind (``benchmarks/drawn.py``), and kept under their seed.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from benchmarks import group
from benchmarks.drawn import draw
from benchmarks.invoking import running
from benchmarks.photos import FOLDER, PHOTOS
from benchmarks.s3 import credentials, serving
from imaging.config import parse_config
from imaging.libvips import configure_libvips
from imaging.limits import Limits
from imaging.local import FileSource
from imaging.planning import Asked, make_plan
from imaging.rendering import open_photo
from tests import photos

__all__ = ["main"]

_UNNEEDED: Final = frozenset({"exif", "rights", "credentials", "raw"})
"""Of a header, for an estimate."""

_CHECKOUT: Final = Path(__file__).parent.parent
_PROCESSES: Final = 3
"""The function, its zygote and one worker."""

_FIRST: Final = FOLDER / "first.heic"

_RESULTS: Final = Path(__file__).parent / "results" / "memory.json"
_MEMORY_MB: Final = "3538"
"""Two vCPUs, so that libvips has two threads, as where there is memory for large photos."""

_FIVE: Final = (Path(__file__).parent.parent / "renditions.toml").read_text("utf-8")
_SPECS: Final = {
    "five": _FIVE,
    "full": '[[renditions]]\nname = "full"\n',
    "full-png": '[[renditions]]\nname = "full"\nformat = "png"\n',
    "wide": '[[renditions]]\nname = "wide"\nwidth = 3600\n',
    "webp": '[[renditions]]\nname = "large"\nwidth = 2048\nformat = "webp"\n',
    "avif": '[[renditions]]\nname = "large"\nwidth = 2048\nformat = "avif"\n',
    "wide-webp": '[[renditions]]\nname = "wide"\nwidth = 3600\nformat = "webp"\n',
    "wide-avif": '[[renditions]]\nname = "wide"\nwidth = 3600\nformat = "avif"\n',
    "moving": '[[renditions]]\nname = "m"\nwidth = 640\nformat = "webp"\nanimated = true\n',
    "linear": '[[renditions]]\nname = "large"\nwidth = 2048\nlinear = true\n',
    "small": '[[renditions]]\nname = "small"\nwidth = 320\n',
    "progressive": '[[renditions]]\nname = "wide"\nwidth = 3600\nprogressive = true\n',
    "formats": (
        '[[renditions]]\nname = "large"\nwidth = 2048\nformat = ["avif", "webp", "jpeg"]\n'
    ),
    "max-bytes": '[[renditions]]\nname = "large"\nwidth = 2048\nmax_bytes = 200000\n',
}

_MADE: Final[dict[str, Callable[[], bytes]]] = {
    "jpeg-1.jpg": lambda: photos.jpeg(1200, 900),
    "jpeg-444-12.jpg": lambda: photos.jpeg(4000, 3000, subsample="off"),
    "jpeg-sideways-12.jpg": lambda: photos.jpeg(3000, 4000, orientation=6),
    "jpeg-turned-12.jpg": lambda: photos.jpeg(4000, 3000, orientation=3),
    "jpeg-p3-12.jpg": lambda: photos.jpeg(4000, 3000, icc="display-p3"),
    "jpeg-grey-12.jpg": lambda: photos.grey_jpeg(4000, 3000),
    "jpeg-cmyk-12.jpg": lambda: photos.cmyk_jpeg(4000, 3000),
    "jpeg-tall-12.jpg": lambda: photos.jpeg(2000, 6000),
    "progressive-12.jpg": lambda: photos.jpeg(4000, 3000, progressive=True),
    "progressive-444-12.jpg": lambda: photos.jpeg(4000, 3000, progressive=True, subsample="off"),
    "png-1.png": lambda: photos.png(1200, 900),
    "png-alpha-12.png": lambda: photos.png(4000, 3000, alpha=True),
    "png-16-12.png": lambda: photos.png(4000, 3000, bits=16),
    "png-palette-6.png": lambda: photos.png(3000, 2000, palette=True),
    "png-grey-12.png": lambda: photos.png(4000, 3000, grey=True),
    "png-interlaced-12.png": lambda: photos.png(4000, 3000, interlaced=True),
    "png-interlaced-16-6.png": lambda: photos.png(3000, 2000, bits=16, interlaced=True),
    "webp-3.webp": lambda: photos.webp(2000, 1500),
    "webp-alpha-6.webp": lambda: photos.webp(3000, 2000, alpha=True),
    "webp-lossless-6.webp": lambda: photos.webp(3000, 2000, lossless=True),
    "webp-frames-1.webp": lambda: photos.webp(1200, 900, frames=6),
    "gif-3.gif": lambda: photos.gif(2000, 1500),
    "gif-12.gif": lambda: photos.gif(4000, 3000),
    "gif-frames-1.gif": lambda: photos.gif(1200, 900, frames=6),
    "tiff-lzw-12.tif": lambda: photos.tiff(4000, 3000),
    "tiff-none-24.tif": lambda: photos.tiff(6000, 4000, compression="none"),
    "tiff-jpeg-24.tif": lambda: photos.tiff(6000, 4000, compression="jpeg", layout="tiles"),
    "tiff-tiles-12.tif": lambda: photos.tiff(4000, 3000, layout="tiles", compression="deflate"),
    "tiff-tiles-48.tif": lambda: photos.tiff(8064, 6048, layout="tiles", compression="deflate"),
    "tiff-16-12.tif": lambda: photos.tiff(4000, 3000, pixels="rgb16"),
    "tiff-float-6.tif": lambda: photos.tiff(3000, 2000, pixels="float"),
    "tiff-lab-12.tif": lambda: photos.tiff(4000, 3000, pixels="lab"),
    "tiff-cmyk-12.tif": lambda: photos.tiff(4000, 3000, pixels="cmyk"),
    "tiff-alpha-12.tif": lambda: photos.tiff(4000, 3000, alpha=True),
    "tiff-subifds-12.tif": lambda: photos.tiff(4000, 3000, layout="subifds", compression="jpeg"),
    "avif-1.avif": lambda: photos.avif(1200, 900),
    "avif-6.avif": lambda: photos.avif(3000, 2000),
    "avif-alpha-3.avif": lambda: photos.avif(2000, 1500, alpha=True),
    "avif-444-12.avif": lambda: photos.avif(4000, 3000, subsample="off"),
    "avif-10-3.avif": lambda: photos.avif(2000, 1500, bits=10),
    "heic-1.heic": lambda: photos.heic(1200, 900),
    "heic-3.heic": lambda: photos.heic(2000, 1500),
    "heic-10-3.heic": lambda: photos.heic(2000, 1500, bits=10),
}

# Of each photo the five; of these the others too.
_MORE: Final = (
    ("jpeg-12.jpg", "full", "full-png", "wide", "webp", "avif", "small", "formats", "max-bytes"),
    ("gif-frames-1.gif", "moving"),
    ("webp-frames-1.webp", "moving"),
    ("png-alpha-12.png", "linear"),
    ("jpeg-24.jpg", "linear", "full", "wide", "wide-webp", "wide-avif", "progressive"),
    ("jpeg-48.jpg", "full", "full-png", "wide"),
    ("jpeg-108.jpg", "full", "small"),
    ("jpeg-200.jpg", "full", "wide"),
    ("jpeg-sideways-12.jpg", "full"),
    ("jpeg-cmyk-12.jpg", "full", "wide"),
    ("progressive-24.jpg", "full", "wide"),
    ("progressive-108.jpg", "full"),
    ("png-48.png", "full", "webp"),
    ("png-alpha-12.png", "full-png", "wide-webp"),
    ("tiff-108.tif", "wide", "small"),
    ("tiff-tiles-48.tif", "full"),
    ("webp-12.webp", "full", "wide"),
    ("avif-12.avif", "full", "small"),
    ("heic-12.heic", "full", "small"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One photo and one ``renditions.toml``, by their names; drawn with ``seed``, or chosen."""

    path: Path
    photo: str
    specs: str
    toml: str
    seed: int | None = None

    @property
    def key(self) -> tuple[int | None, str, str]:
        return self.seed, self.photo, self.specs


def _chosen() -> list[_Case]:
    paths = [photo.make() for photo in PHOTOS]
    for name, make in _MADE.items():
        path = FOLDER / name
        if not path.exists():
            path.write_bytes(make())
        paths.append(path)
    asked = [(path, "five") for path in paths]
    for name, *more in _MORE:
        asked += [(FOLDER / name, specs) for specs in more]
    return [
        _Case(path=path, photo=path.name, specs=specs, toml=_SPECS[specs]) for path, specs in asked
    ]


def _drawn(seed: int, count: int) -> list[_Case]:
    folder = FOLDER / "drawn"
    folder.mkdir(parents=True, exist_ok=True)
    cases = []
    for number, drawn in enumerate(draw(seed, count)):
        path = folder / f"{seed}-{number:03}.{drawn.extension}"
        if not path.exists():
            path.write_bytes(drawn.make())
        specs = f"drawn-{number:03}"
        cases.append(_Case(path=path, photo=drawn.photo, specs=specs, toml=drawn.toml, seed=seed))
    return cases


def _peak_mb(case: _Case, url: str) -> float:
    """Return what the function and its worker held, both new for the case."""
    with tempfile.NamedTemporaryFile("w+", suffix=".toml") as toml:
        toml.write(case.toml)
        toml.flush()
        environment = credentials(url) | {
            "RENDITIONS_CONFIG": toml.name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": _MEMORY_MB,
            # As in the image.
            "MALLOC_ARENA_MAX": "2",
        }
        with running(_CHECKOUT, environment) as function:
            # It is refused: from then on workers are ready for any photo, and hold more for that.
            function.invoke(_FIRST.parent.name, [_FIRST.name])
            [record] = function.invoke(case.path.parent.name, [case.path.name]).records
            processes = group.descendants(function.pid)
            peak_mb = group.peak_mb(function.pid)
    # One that was ended, for what it held, would not be counted.
    if record["disposition"] != "written" or len(processes) != _PROCESSES:
        raise ValueError(f"{case}: expected it to be written by a worker but received {record}")
    return peak_mb


def _header(case: _Case) -> dict[str, Any]:
    with open_photo(FileSource(case.path), Asked(specs=())) as photo:
        said = asdict(photo.header)
    return {name: value for name, value in said.items() if name not in _UNNEEDED}


def _estimate_mb(case: _Case) -> float:
    config = parse_config(case.toml, file=case.specs)
    asked = replace(config.asked(), limits=Limits())
    with open_photo(FileSource(case.path), asked) as photo:
        plan = make_plan(photo.header, asked)
    return plan.peak_bytes / (1 << 20)


def main() -> None:
    """Measure every case, or those whose photo's name the command line begins."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calibration", description=__doc__)
    parser.add_argument("photos", nargs="*", help="beginnings of names, such as png; default: all")
    parser.add_argument("--missing", action="store_true", help="only what was never measured")
    parser.add_argument("--random", type=int, metavar="N", help="draw N cases instead")
    parser.add_argument("--seed", type=int, default=1, help="to draw with; default: %(default)s")
    arguments = parser.parse_args()
    configure_libvips()
    known = json.loads(_RESULTS.read_text("utf-8")) if _RESULTS.exists() else []
    results = {(one["seed"], one["photo"], one["specs"]): one for one in known}
    drawn = arguments.random is not None
    cases = [
        case
        for case in (_drawn(arguments.seed, arguments.random) if drawn else _chosen())
        if not arguments.photos or case.photo.startswith(tuple(arguments.photos))
        if not arguments.missing or case.key not in results
    ]
    low = high = 0
    _FIRST.write_bytes(photos.heic(64, 48)[:-100])
    with serving([_FIRST, *(case.path for case in cases)]) as url:
        for case in cases:
            results[case.key] = {
                "photo": case.photo,
                "specs": case.specs,
                "seed": case.seed,
                "toml": case.toml,
                "header": _header(case),
                "peak_mb": (peak_mb := round(_peak_mb(case, url), 1)),
            }
            estimate_mb = _estimate_mb(case)
            low += (is_low := estimate_mb < peak_mb)
            high += (is_high := estimate_mb > max(peak_mb * 1.3, peak_mb + 24))
            print(
                f"{case.photo:26} {case.specs:12} peak {peak_mb:6.1f} MB, "
                f"estimate {estimate_mb:6.1f} MB{', LOW' * is_low}{', HIGH' * is_high}",
                flush=True,
            )
            lines = ",\n".join(json.dumps(result) for result in results.values())
            _RESULTS.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    if low or high:
        sys.exit(f"of {len(cases)} estimates {low} are below the peak, {high} too far above it")


if __name__ == "__main__":
    main()
