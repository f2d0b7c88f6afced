"""Are the renditions that a contender made those that were asked, and as good as the others'?"""

from pathlib import Path
from typing import Any, Final

import pyvips

from benchmarks.contenders import RENDITIONS
from benchmarks.photos import FOLDER, BenchPhoto
from tests.photos import psnr, upright_reference

__all__ = ["check", "compare", "pixels"]

_MIN_PSNR_DB: Final = 27.0
"""Against the reference, encoding included: what a resize of another kernel still reaches."""

_MIN_SQUARE_PSNR_DB: Final = 20.0
"""The crop of the square may begin a pixel further left: 24 dB in the finest detail."""

_MAX_BYTES_APART: Final = 1.35
"""How much larger or smaller than the median of all the renditions of one may be, in bytes."""


def _dimensions(photo: BenchPhoto, side: int) -> tuple[int, int]:
    longest = max(photo.width, photo.height)
    return (
        (2 * photo.width * side + longest) // (2 * longest),
        (2 * photo.height * side + longest) // (2 * longest),
    )


def _reference(photo: BenchPhoto, name: str) -> pyvips.Image:
    data = photo.path.read_bytes()
    side = RENDITIONS[name]
    if name != "square":
        return upright_reference(data, *_dimensions(photo, side))
    shortest = min(photo.width, photo.height)
    columns, rows = round(photo.width * side / shortest), round(photo.height * side / shortest)
    image = upright_reference(data, columns, rows)
    return image.crop((columns - side) // 2, (rows - side) // 2, side, side)


def pixels(photo: BenchPhoto) -> Path:
    """Return a folder with what each rendition should look like, as PPM, made the long way."""
    folder = FOLDER / f"{photo.name}-pixels"
    folder.mkdir(parents=True, exist_ok=True)
    for name in RENDITIONS:
        path = folder / f"{name}.ppm"
        if not path.exists():
            partial = folder / f"partial-{name}.ppm"
            image = _reference(photo, name)
            # cjpeg reads PPM, and pyvips-binary's libvips does not write it.
            header = b"P6 %d %d 255\n" % (image.width, image.height)
            partial.write_bytes(header + image.write_to_memory())
            partial.rename(path)
    return folder


def _read_ppm(path: Path) -> pyvips.Image:
    header, _, data = path.read_bytes().partition(b"\n")
    _, width, height, _ = header.split()
    image = pyvips.Image.new_from_memory(data, int(width), int(height), 3, "uchar")
    return image.copy(interpretation="srgb")


def check(contender: str, out: Path, wanted: Path) -> dict[str, Any]:
    """Return the PSNR in dB and the bytes of each rendition in ``out``.

    Raises:
        ValueError: One has other dimensions, or is another picture.
    """
    found: dict[str, Any] = {"psnr_db": {}, "bytes": {}}
    for name in RENDITIONS:
        path = out / f"{name}.jpg"
        made = pyvips.Image.new_from_file(str(path))
        reference = _read_ppm(wanted / f"{name}.ppm")
        if (made.width, made.height) != (reference.width, reference.height):
            raise ValueError(
                f"{contender}: expected {name} of {reference.width} x {reference.height} "
                f"but received {made.width} x {made.height}"
            )
        likeness = psnr(made, reference)
        least = _MIN_SQUARE_PSNR_DB if name == "square" else _MIN_PSNR_DB
        if likeness < least:
            raise ValueError(
                f"{contender}: expected {name} within {least} dB of the reference "
                f"but received {likeness:.1f} dB"
            )
        found["psnr_db"][name] = round(likeness, 1)
        found["bytes"][name] = path.stat().st_size
    return found


def compare(checks: dict[str, dict[str, Any]]) -> None:
    """Raise ValueError where one contender's renditions take far more or fewer bytes than most."""
    totals = {name: sum(found["bytes"].values()) for name, found in checks.items()}
    middle = sorted(totals.values())[len(totals) // 2]
    for name, total in totals.items():
        if not middle / _MAX_BYTES_APART <= total <= middle * _MAX_BYTES_APART:
            raise ValueError(
                f"{name}: expected renditions of about {middle:,} bytes but received {total:,}"
            )
