"""What each encoder's settings cost, and what they save: CPU and bytes at equal likeness.

``python -m benchmarks.encoders [PHOTO ...]``: the pictures are the five of ``renditions.toml``, of
a synthesised photo, or of those named. CPU is that of encoding the five at the default quality.
Bytes are those at which a picture is as like the original as the first candidate makes it at the
default quality: a setting that saves bytes by blurring saves none here.
"""

import argparse
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import pyvips

from imaging.config import load_config
from imaging.formats import OutputFormat
from imaging.in_memory import render_in_memory
from imaging.local import FileSource, MemorySource
from imaging.planning import Asked
from imaging.rendering import open_photo
from imaging.specs import RenditionSpec
from tests.photos import jpeg, ssim

_CONFIG: Final = Path(__file__).parent.parent / "renditions.toml"
_RUNS: Final = 3
# Around the default, so that any likeness asked for lies between two of them.
_STEPS: Final = (-16, -8, 0, 8)

_CANDIDATES: Final[Mapping[str, Mapping[str, Mapping[str, object]]]] = {
    "jpegsave_buffer": {
        "baseline": {},
        "optimize_coding": {"optimize_coding": True},
        "progressive": {"interlace": True},
        "progressive, optimize_scans": {"interlace": True, "optimize_scans": True},
        "optimize_coding, quant_table 3": {"optimize_coding": True, "quant_table": 3},
        "optimize_coding, trellis": {"optimize_coding": True, "trellis_quant": True},
        "optimize_coding, trellis, quant_table 3": {
            "optimize_coding": True,
            "trellis_quant": True,
            "quant_table": 3,
        },
        "all of mozjpeg": {
            "interlace": True,
            "optimize_scans": True,
            "trellis_quant": True,
            "overshoot_deringing": True,
            "quant_table": 3,
        },
        "optimize_coding, 4:4:4": {"optimize_coding": True, "subsample_mode": "off"},
    },
    "webpsave_buffer": {
        **{f"effort {effort}": {"effort": effort} for effort in range(6)},
        "effort 0, smart_subsample": {"effort": 0, "smart_subsample": True},
        "effort 2, smart_subsample": {"effort": 2, "smart_subsample": True},
    },
    "heifsave_buffer": {
        **{f"effort {effort}": {"effort": effort, "compression": "av1"} for effort in range(3)},
        # The default is iq.
        **{
            f"effort 0, tune {tune}": {"effort": 0, "compression": "av1", "tune": tune}
            for tune in ("ssim", "psnr")
        },
    },
}
_FORMATS: Final = {
    "jpegsave_buffer": OutputFormat.JPEG,
    "webpsave_buffer": OutputFormat.WEBP,
    "heifsave_buffer": OutputFormat.AVIF,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Point:
    """One picture at one quality."""

    cpu_ms: float
    size: int
    likeness: float


def _pictures(photo: Path | None) -> list[pyvips.Image]:
    """Return the photo at the sizes of ``renditions.toml``, as pixels in memory."""
    config = load_config(_CONFIG)
    specs = tuple(
        RenditionSpec(
            name=spec.name,
            width=spec.width,
            height=spec.height,
            fit=spec.fit,
            formats=(OutputFormat.PNG,),
        )
        for spec in config.renditions
    )
    source = FileSource(photo) if photo else MemorySource(jpeg(4000, 3000))
    made = render_in_memory(open_photo, source, Asked(specs=specs, limits=config.limits))
    return [pyvips.Image.new_from_buffer(data, "").copy_memory() for data in made.data]


def _encode(
    picture: pyvips.Image, saver: str, quality: int, options: Mapping[str, object]
) -> _Point:
    cpu = []
    for _ in range(_RUNS):
        started = time.process_time()
        data = getattr(picture, saver)(Q=quality, keep="none", **options)
        cpu.append((time.process_time() - started) * 1000)
    shown = pyvips.Image.new_from_buffer(data, "").copy_memory()
    return _Point(cpu_ms=statistics.median(cpu), size=len(data), likeness=ssim(picture, shown))


def _size_at(points: Sequence[_Point], likeness: float) -> float:
    """Return the bytes at ``likeness``, on straight lines between the points."""
    for low, high in pairwise(points):
        if likeness <= high.likeness or high is points[-1]:
            part = (likeness - low.likeness) / (high.likeness - low.likeness)
            return low.size + part * (high.size - low.size)
    raise AssertionError


def main() -> None:
    """Print a table for each format."""
    parser = argparse.ArgumentParser(prog="benchmarks.encoders")
    parser.add_argument("photos", nargs="*", type=Path, metavar="PHOTO")
    photos = parser.parse_args().photos or [None]
    pyvips.cache_set_max(0)
    sets = [_pictures(photo) for photo in photos]
    for saver, candidates in _CANDIDATES.items():
        default = _FORMATS[saver].row.default_quality
        assert default is not None  # noqa: S101 - all of these have a quality
        wanted: list[float] = []
        print(f"\n| {_FORMATS[saver].value} | CPU ms | bytes | at equal likeness | SSIM |")
        print("|---|---|---|---|---|")
        reference = 0.0
        for name, options in candidates.items():
            curves = [
                [_encode(picture, saver, default + step, options) for step in _STEPS]
                for pictures in sets
                for picture in pictures
            ]
            here = [curve[_STEPS.index(0)] for curve in curves]
            wanted = wanted or [point.likeness for point in here]
            equal = sum(
                _size_at(curve, likeness) for curve, likeness in zip(curves, wanted, strict=True)
            )
            reference = reference or equal
            print(
                f"| {name} | {sum(point.cpu_ms for point in here) / len(sets):.0f} "
                f"| {sum(point.size for point in here) / len(sets):,.0f} "
                f"| {equal / reference:.3f} "
                f"| {statistics.mean(point.likeness for point in here):.4f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
