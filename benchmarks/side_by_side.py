"""``make side-by-side``: which files sharp renders, which this project does, and how alike.

Both make a PNG of at most 320 x 320 of each file. Exits with 1 if sharp renders a file that is not
rendered here, unless docs/side-by-side.md gives the reason for its kind.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyvips

from imaging.errors import RenditionsError
from imaging.formats import OutputFormat
from imaging.libvips import configure_libvips
from imaging.local import FileSink, FileSource
from imaging.planning import Asked, make_plan
from imaging.rendering import open_photo
from imaging.specs import RenditionSpec
from tests.fuzz.mutants import PHOTOS
from tests.photos import compare, damage, jpeg

_SHARP: Final = Path(__file__).parent / "ways" / "each.mjs"
_SPEC: Final = RenditionSpec(name="a", width=320, height=320, formats=(OutputFormat.PNG,))

_REASONS: Final[Mapping[str, str]] = {"unsupported-format": "SVG", "over-limit": "GIF"}
"""Codes with which a file that sharp renders may be refused, and the only kind of file that may:
docs/side-by-side.md says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """What became of one file, here and there.

    Attributes:
        ours: The code of the refusal, or None.
        sharps: Its error, or None.
        alike: PSNR in dB of the two on white; None where it cannot be told.
        reason: Why it is not rendered here though sharp does; None where there is none.
    """

    name: str
    ours: str | None
    sharps: str | None
    alike: float | None
    reason: str | None

    @property
    def is_missing(self) -> bool:
        return self.ours is not None and self.sharps is None and self.reason is None


def _synthesised(folder: Path) -> None:
    """Write the photos of the fuzz run, and every kind of damage."""
    files = {name: make() for name, make in PHOTOS.items()}
    plain = jpeg(640, 480)
    files |= {
        "damage-trailing-rubbish": damage.with_trailing_rubbish(plain),
        "damage-warning": damage.warning_jpeg(),
        "damage-truncated": damage.truncated(plain, 0.5),
        "damage-flipped": damage.flipped(plain, len(plain) // 2),
        "damage-bomb-jpeg": damage.bomb_jpeg(),
        "damage-bomb-png": damage.bomb_png(),
        "damage-gif-100000-frames": damage.gif_frames(),
        "damage-svg": damage.svg(),
        "damage-pdf": damage.pdf(),
        "damage-mp4": damage.mp4(),
        "damage-text": damage.text(),
        "damage-empty": damage.empty(),
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)


def _render(path: Path, out: Path) -> str | None:
    try:
        asked = Asked(specs=(_SPEC,))
        with open_photo(FileSource(path), asked) as photo:
            for _ in photo.render(make_plan(photo.header, asked), lambda _: FileSink(out)):
                pass
    except RenditionsError as error:
        return error.code
    return None


def _kind(path: Path) -> str:
    head = path.read_bytes()[:1024]
    return "SVG" if b"<svg" in head else "GIF" if head.startswith(b"GIF8") else "other"


def _shown(path: Path) -> pyvips.Image:
    image = pyvips.Image.new_from_file(str(path)).colourspace("srgb").cast("uchar")
    return image.flatten(background=[255.0, 255.0, 255.0]) if image.hasalpha() else image


def _alike(one: Path, other: Path) -> float:
    """Return the PSNR of two pictures; 0 for those of other dimensions."""
    first, second = _shown(one), _shown(other)
    if (first.width, first.height) != (second.width, second.height):
        return 0.0
    return compare.psnr(first, second)


def _compare(paths: list[Path], folder: Path) -> list[_Line]:
    sharp = subprocess.run(
        ["node", _SHARP, folder, *paths], check=True, stdout=subprocess.PIPE, text=True
    )
    lines = []
    for number, (path, text) in enumerate(zip(paths, sharp.stdout.splitlines(), strict=True)):
        ours = _render(path, folder / f"{number}-ours.png")
        sharps = json.loads(text).get("error")
        both = ours is None and sharps is None
        lines.append(
            _Line(
                name=path.name,
                ours=ours,
                sharps=sharps,
                alike=(
                    _alike(folder / f"{number}.png", folder / f"{number}-ours.png")
                    if both
                    else None
                ),
                reason=ours if ours and _REASONS.get(ours) == _kind(path) else None,
            )
        )
    return lines


def main() -> int:
    """Print a table; return 1 if a file is missing here without a reason."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "folder", nargs="?", type=Path, help="of files to try; synthesised ones without"
    )
    arguments = parser.parse_args()
    configure_libvips()
    with tempfile.TemporaryDirectory() as name:
        folder = arguments.folder or Path(name) / "in"
        if arguments.folder is None:
            folder.mkdir()
            _synthesised(folder)
        out = Path(name) / "out"
        out.mkdir()
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        lines = _compare(paths, out)
    print("| file | here | sharp | alike, dB |\n|---|---|---|---|")
    for line in lines:
        alike = "" if line.alike is None else f"{line.alike:.1f}"
        print(f"| {line.name} | {line.ours or 'yes'} | {line.sharps or 'yes'} | {alike} |")
    missing = [line.name for line in lines if line.is_missing]
    print(
        f"\n{len(lines)} files; {sum(line.ours is None for line in lines)} rendered here, "
        f"{sum(line.sharps is None for line in lines)} by sharp; "
        f"by sharp only, without a reason: {', '.join(missing) or 'none'}"
    )
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
