"""The photos that are measured: synthesised once, kept in ``.cache/photos``."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests import photos
from tests.photos.heif import metadata_first

__all__ = ["FOLDER", "PHOTOS", "BenchPhoto", "copies"]

FOLDER: Final = Path(__file__).parent.parent / ".cache" / "photos"


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchPhoto:
    """One photo to measure.

    Attributes:
        name: Names the row of the table and the file, as in ``jpeg-24``.
        extension: Of the file.
        width: Columns.
        height: Rows.
        write: Writes it to a path.
    """

    name: str
    extension: str
    width: int
    height: int
    write: Callable[[Path], object]

    @property
    def path(self) -> Path:
        """Where it is, once :meth:`make` was called."""
        return FOLDER / f"{self.name}.{self.extension}"

    @property
    def size(self) -> int:
        """Encoded bytes."""
        return self.path.stat().st_size

    @property
    def bytes_per_pixel(self) -> float:
        """Encoded bytes for each pixel; the JPEGs of nine cameras and phones have 0.07 to 0.6."""
        return self.size / (self.width * self.height)

    def make(self) -> Path:
        """Write the photo, unless it is there; it appears under its name only when it is whole."""
        if not self.path.exists():
            FOLDER.mkdir(parents=True, exist_ok=True)
            partial = self.path.with_name(f"partial-{self.path.name}")
            partial.unlink(missing_ok=True)
            self.write(partial)
            partial.rename(self.path)
        return self.path


def copies(path: Path, times: int) -> list[Path]:
    """Return ``times`` further names of a photo, in a folder of their own: each is an object.

    What was made once of an object is not made again.
    """
    folder = FOLDER / "copies"
    folder.mkdir(parents=True, exist_ok=True)
    names = [folder / f"{number:04}-{path.name}" for number in range(times)]
    for name in names:
        if not name.exists():
            name.hardlink_to(path)
    return names


def _jpeg(name: str, width: int, height: int, *, progressive: bool = False) -> BenchPhoto:
    return BenchPhoto(
        name=name,
        extension="jpg",
        width=width,
        height=height,
        write=lambda path: photos.write_jpeg(path, width, height, progressive=progressive),
    )


def _whole(
    name: str, extension: str, width: int, height: int, make: Callable[[int, int], bytes]
) -> BenchPhoto:
    return BenchPhoto(
        name=name,
        extension=extension,
        width=width,
        height=height,
        write=lambda path: path.write_bytes(make(width, height)),
    )


def _heic(width: int, height: int) -> bytes:
    return metadata_first(photos.heic(width, height, tile=512, quality=35))


# A phone's 12 and 48 megapixels, a camera's 24, two phones' 108 and 200. The name says how many.
# WebP ends at 12: libwebp cannot encode 24 megapixels of this detail at Q90 ("unable to encode").
PHOTOS: Final = (
    _jpeg("jpeg-12", 4000, 3000),
    _jpeg("jpeg-24", 6000, 4000),
    _jpeg("jpeg-48", 8064, 6048),
    _jpeg("jpeg-108", 12000, 9000),
    _jpeg("jpeg-200", 16320, 12240),
    _jpeg("progressive-24", 6000, 4000, progressive=True),
    _jpeg("progressive-108", 12000, 9000, progressive=True),
    _whole("png-12", "png", 4000, 3000, photos.png),
    _whole("png-48", "png", 8064, 6048, photos.png),
    _whole("webp-12", "webp", 4000, 3000, photos.webp),
    _whole("avif-12", "avif", 4000, 3000, photos.avif),
    _whole("avif-48", "avif", 8064, 6048, photos.avif),
    _whole("heic-12", "heic", 4000, 3000, _heic),
    _whole("heic-48", "heic", 8064, 6048, _heic),
    BenchPhoto(
        name="tiff-108",
        extension="tif",
        width=12000,
        height=9000,
        write=lambda path: photos.pyramid_tiff(path, megapixels=108),
    ),
)
