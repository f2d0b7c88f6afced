"""Which picture of a TIFF is the photo, whether it can be decoded, and whether all of it is there.

Pure: no pixel is decoded. What a decoder does with a directory that it does not understand is a
picture all the same, black or white; so nothing is handed to it that is not understood here.

Source: TIFF 6.0; its technical notes 2 (JPEG) and Adobe's of 2002 (ICC L*a*b*, NewSubfileType).
"""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from imaging.errors import (
    CorruptPhotoError,
    OverLimitError,
    TruncatedPhotoError,
    UnsupportedFormatError,
)
from imaging.files.tiff import Directory, Tiff, restated

__all__ = ["Numbers", "Space", "TiffLevel", "TiffPicture", "find_picture"]

_SUBFILE: Final = 254
_OLD_SUBFILE: Final = 255
_WIDTH: Final = 256
_HEIGHT: Final = 257
_BITS: Final = 258
_COMPRESSION: Final = 259
_PHOTOMETRIC: Final = 262
_STRIPS: Final = 273
_SAMPLES: Final = 277
_ROWS_PER_STRIP: Final = 278
_STRIP_BYTES: Final = 279
_PLANES: Final = 284
_TILE_WIDTH: Final = 322
_TILE_HEIGHT: Final = 323
_TILES: Final = 324
_TILE_BYTES: Final = 325
_SUBIFDS: Final = 330
_INK_SET: Final = 332
_EXTRA: Final = 338
_SAMPLE_FORMAT: Final = 339
_CHROMA: Final = 530

_UNDERSTOOD: Final = frozenset(
    {256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 282, 283, 284, 292, 293, 296, 317, 320}
    | {322, 323, 324, 325, 332, 338, 339, 347, 529, 530, 531, 532, 700, 33723, 34675, 34677}
)
"""Tags that libtiff is shown; it warns of those that it does not know, and a warning may mean that
a tile is damaged."""

_HELD: Final = (347, 700, 33723, 34675)
"""JPEG's tables, XMP, IPTC and the profile."""

_VALUES: Final[Mapping[int, Container[int]]] = {
    266: {1, 2},
    274: range(1, 9),
    284: {1, 2},
    296: {1, 2, 3},
}
"""Of FillOrder, Orientation, PlanarConfiguration and ResolutionUnit. Of another value libtiff makes
an error, as of a damaged strip; cameras and scanners write 0 where they do not know."""

_COMPRESSIONS: Final[Mapping[int, str]] = {
    1: "none", 2: "CCITT", 3: "CCITT G3", 4: "CCITT G4", 5: "LZW", 7: "JPEG", 8: "Deflate",
    32771: "CCITT", 32773: "PackBits", 32946: "Deflate", 34676: "SGILog", 34677: "SGILog",
    50001: "WebP",
}  # fmt: skip
"""Those that the libtiff of pyvips-binary decodes, tried one by one."""

_NAMED: Final[Mapping[int, str]] = {
    6: "old-style JPEG", 34712: "JPEG 2000", 34925: "LZMA", 50000: "Zstandard", 50002: "JPEG XL",
    50013: "PixTIFF", 34887: "LERC", 32809: "ThunderScan", 32766: "NeXT", 34661: "JBIG",
    32908: "PixarFilm", 32909: "PixarLog", 9: "JBIG", 10: "JBIG",
}  # fmt: skip

_REDUCED: Final = 1
_MASK: Final = 4
_MAX_LEVELS: Final = 32
_MAX_SUBIFDS: Final = 64
_DEFAULT_CHROMA: Final = (2, 2)
_ICCLAB: Final = 9
_APART: Final = 2
"""PlanarConfiguration of each band apart."""
_FAX: Final = frozenset({2, 3, 4, 32771})


class Space(StrEnum):
    """What the samples of a colour mean."""

    GREY = "grey"
    RGB = "RGB"
    PALETTE = "palette"
    CMYK = "CMYK"
    YCBCR = "YCbCr"
    YCBCR_PLAIN = "YCbCr without JPEG, not sampled down"
    CIELAB = "CIE L*a*b*"
    ICCLAB = "ICC L*a*b*"
    LOGLUV = "LogLuv"


class Numbers(StrEnum):
    """What a sample is."""

    UNSIGNED = "unsigned integers"
    SIGNED = "signed integers"
    FLOAT = "floating point"


_SPACES: Final[Mapping[int, Space]] = {
    0: Space.GREY,
    1: Space.GREY,
    2: Space.RGB,
    3: Space.PALETTE,
    5: Space.CMYK,
    6: Space.YCBCR,
    8: Space.CIELAB,
    9: Space.ICCLAB,
    32845: Space.LOGLUV,
}
_BANDS: Final[Mapping[Space, int]] = {
    Space.GREY: 1,
    Space.PALETTE: 1,
    Space.CMYK: 4,
}
"""Bands of colour; three where it is not named."""

_NUMBERS: Final = {1: Numbers.UNSIGNED, 2: Numbers.SIGNED, 3: Numbers.FLOAT, 4: Numbers.UNSIGNED}

_WHOLE: Final = frozenset({8, 16})
_DEPTHS: Final[Mapping[tuple[Space, Numbers], frozenset[int]]] = {
    (Space.GREY, Numbers.UNSIGNED): frozenset({1, 2, 4, 8, 16, 32}),
    (Space.GREY, Numbers.SIGNED): frozenset({8, 16, 32}),
    (Space.GREY, Numbers.FLOAT): frozenset({16, 32}),
    (Space.RGB, Numbers.UNSIGNED): frozenset({8, 16, 32}),
    (Space.RGB, Numbers.SIGNED): frozenset({8, 16, 32}),
    (Space.RGB, Numbers.FLOAT): frozenset({16, 32}),
    (Space.PALETTE, Numbers.UNSIGNED): frozenset({1, 2, 4, 8, 16}),
    (Space.CMYK, Numbers.UNSIGNED): _WHOLE,
    (Space.YCBCR, Numbers.UNSIGNED): frozenset({8}),
    (Space.YCBCR_PLAIN, Numbers.UNSIGNED): _WHOLE,
    (Space.CIELAB, Numbers.UNSIGNED): _WHOLE,
    (Space.CIELAB, Numbers.SIGNED): _WHOLE,
    (Space.CIELAB, Numbers.FLOAT): frozenset({32}),
    (Space.ICCLAB, Numbers.UNSIGNED): _WHOLE,
    (Space.LOGLUV, Numbers.UNSIGNED): frozenset({16}),
    (Space.LOGLUV, Numbers.SIGNED): frozenset({16}),
    (Space.LOGLUV, Numbers.FLOAT): frozenset({16, 32}),
}
"""Bits of a sample that are decoded rightly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TiffPicture:
    """One picture of a TIFF, all of whose bytes are there, and how its samples are to be read.

    Attributes:
        directory: What describes it.
        width: Columns.
        height: Rows.
        space: What its colours are given in.
        numbers: What a sample is.
        bits: Of a sample.
        inverted: Whether libvips hands out grey of which 0 is white as it is stored.
        extra: How many samples follow those of colour.
        alpha: Which of them is alpha, counted from 0; None without one.
        premultiplied: Whether the colours are multiplied by alpha.
        tile: Width and height of its tiles; None for strips.
        strip_rows: Rows of a strip; None for tiles.
    """

    directory: Directory
    width: int
    height: int
    space: Space
    numbers: Numbers
    bits: int
    inverted: bool
    extra: int
    alpha: int | None
    premultiplied: bool
    tile: tuple[int, int] | None
    strip_rows: int | None

    @property
    def block_pixels(self) -> int:
        """Of a strip or tile, which may reach beyond the picture."""
        width, height = self.tile or (self.width, self.strip_rows or self.height)
        return width * height

    @property
    def is_apart(self) -> bool:
        """Whether each band is stored apart from the others."""
        return _is_apart(self.directory)

    @property
    def is_jpeg(self) -> bool:
        """Whether each strip or tile is a JPEG."""
        return _is_jpeg(self.directory)

    @property
    def metadata_bytes(self) -> int:
        """Of the values that libtiff reads whole, whatever the picture's sides are."""
        entries = self.directory.entries
        return sum(entries[tag].length for tag in _HELD if tag in entries)

    def blocks(self) -> Iterator[tuple[int, int]]:
        """Yield where each strip or tile begins, and how many bytes it has as far as is known."""
        places = self.directory.integers(_TILES) or self.directory.integers(_STRIPS)
        lengths = self.directory.integers(_TILE_BYTES) or self.directory.integers(_STRIP_BYTES)
        end = self.directory.tiff.size
        for number, at in enumerate(places):
            yield at, lengths[number] if number < len(lengths) else end - at

    def alone(self) -> tuple[bytes, bytes]:
        """Return what makes this the only picture of the file: see :func:`restated`.

        Extra samples are called unspecified, so that libvips hands them out as they are, and the
        integers of CIE L*a*b* are called RGB: it knows another kind of 8 bits, and no alpha.
        See also :func:`_is_raw_grey`.
        """
        shorts: dict[int, tuple[int, ...]] = {}
        if self.extra:
            shorts[_EXTRA] = (0,) * self.extra
        if self.directory.integer(_SAMPLES, 1) == 1:
            shorts[_PLANES] = (1,)
        if _PHOTOMETRIC not in self.directory.entries:
            shorts[_PHOTOMETRIC] = (_photometric(self.directory),)
        if _is_raw_grey(self.directory, self.space, 1 + self.extra):
            shorts[_PHOTOMETRIC] = (_ICCLAB,)
        if self.space is Space.CIELAB and self.numbers is not Numbers.FLOAT:
            samples = self.directory.integer(_SAMPLES, 1)
            shorts |= {_PHOTOMETRIC: (2,), _SAMPLE_FORMAT: (1,) * samples}
        wrong = {tag for tag in _VALUES if not _is_known(self.directory, tag)}
        return restated(self.directory, _UNDERSTOOD - wrong, shorts)


def _is_known(directory: Directory, tag: int) -> bool:
    """Tell whether an entry has a value that TIFF knows."""
    try:
        return directory.integer(tag, 0) in _VALUES[tag]
    except CorruptPhotoError:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class TiffLevel:
    """A smaller copy of the photo.

    Attributes:
        width: Columns.
        height: Rows.
        at: Where its directory is in the file.
    """

    width: int
    height: int
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TiffPhoto:
    """The photo of a TIFF.

    Attributes:
        picture: At its full size.
        levels: Smaller copies that the file has, largest first.
        n_pages: How many pictures there are that are no smaller copies.
    """

    picture: TiffPicture
    levels: tuple[TiffLevel, ...]
    n_pages: int


def find_picture(tiff: Tiff, max_pages: int) -> TiffPhoto:
    """Return the photo: the first picture that is no smaller copy of another.

    Raises:
        OverLimitError: There are more than ``max_pages`` to look at.
        UnsupportedFormatError: Its samples are not decoded here.
        CorruptPhotoError: Its directory contradicts itself.
        TruncatedPhotoError: The file ends before its samples do.
    """
    chain = list(tiff.chain(tiff.first, max_pages + 1))
    if len(chain) > max_pages:
        raise OverLimitError("max_frames", actual=len(chain), maximum=max_pages)
    if not chain:
        raise CorruptPhotoError("Expected a picture in a TIFF but it has none")
    below = [inner for outer in chain[:1] for inner in _below(tiff, outer)]
    pages = [directory for directory in chain if not _is_reduced(directory)]
    photo = next(
        iter(pages or [inner for inner in below if not _is_reduced(inner)] or chain),
    )
    picture = picture_of(photo)
    reduced = [directory for directory in (*below, *chain) if directory is not photo]
    return TiffPhoto(
        picture=picture, levels=tuple(_levels(picture, reduced)), n_pages=max(1, len(pages))
    )


def _below(tiff: Tiff, directory: Directory) -> Iterator[Directory]:
    for at in directory.integers(_SUBIFDS)[:_MAX_SUBIFDS]:
        try:
            yield tiff.directory(at)
        except CorruptPhotoError:
            # What the photo can do without.
            continue


def _is_reduced(directory: Directory) -> bool:
    """Tell whether it says that it is a smaller copy, or a mask, of another picture."""
    kind = directory.integer(_SUBFILE, 0)
    return bool(kind & (_REDUCED | _MASK)) or directory.integer(_OLD_SUBFILE, 0) == 2


def _levels(picture: TiffPicture, reduced: list[Directory]) -> Iterator[TiffLevel]:
    """Yield which of ``reduced`` are the photo again, at the shape and with the samples it has.

    A side is off by the rounding of a division at most.
    """
    found = []
    for directory in reduced[:_MAX_LEVELS]:
        if not directory.integer(_SUBFILE, 0) & _REDUCED:
            continue
        try:
            level = picture_of(directory)
        except (CorruptPhotoError, UnsupportedFormatError):
            continue
        times = max(1, round(picture.width / level.width))
        if (
            times > 1
            and abs(level.width - picture.width / times) <= 1
            and abs(level.height - picture.height / times) <= 1
            and _samples(level) == _samples(picture)
        ):
            found.append(TiffLevel(width=level.width, height=level.height, at=directory.at))
    yield from sorted(found, key=lambda level: -level.width * level.height)


def _samples(picture: TiffPicture) -> tuple[object, ...]:
    return picture.space, picture.numbers, picture.bits, picture.alpha


def picture_of(directory: Directory) -> TiffPicture:
    """Return what ``directory`` describes.

    Raises:
        UnsupportedFormatError: Its samples are not decoded here.
        CorruptPhotoError: It contradicts itself.
        TruncatedPhotoError: The file ends before its samples do.
    """
    width, height = directory.integer(_WIDTH, 0), directory.integer(_HEIGHT, 0)
    if width < 1 or height < 1:
        raise CorruptPhotoError(f"Expected a TIFF with sides but received {width} x {height}")
    _check_compression(directory)
    space = _space(directory)
    numbers, bits = _sample_kind(directory, space)
    samples = directory.integer(_SAMPLES, 1)
    colours = _BANDS.get(space, 3)
    if samples < colours:
        raise CorruptPhotoError(f"Expected {colours} samples of {space} but a TIFF has {samples}")
    alpha, premultiplied = _alpha(directory, samples - colours)
    is_raw_grey = _is_raw_grey(directory, space, samples)
    tile = None
    if _TILE_WIDTH in directory.entries:
        tile = directory.integer(_TILE_WIDTH, 0), directory.integer(_TILE_HEIGHT, 0)
    _check_blocks(directory, (width, height), tile)
    return TiffPicture(
        directory=directory,
        width=width,
        height=height,
        space=space,
        numbers=numbers,
        bits=bits,
        inverted=is_raw_grey and _photometric(directory) == 0,
        extra=samples - colours,
        alpha=alpha,
        premultiplied=premultiplied,
        tile=tile,
        strip_rows=None if tile else _strip_rows(directory, height),
    )


def _check_compression(directory: Directory) -> None:
    compression = directory.integer(_COMPRESSION, 1)
    if compression not in _COMPRESSIONS:
        accepted = ", ".join(dict.fromkeys(_COMPRESSIONS.values()))
        name = _NAMED.get(compression, f"number {compression}")
        raise UnsupportedFormatError(
            f"Expected a TIFF of a compression in {accepted} but received {name}"
        )


def _photometric(directory: Directory) -> int:
    """Return the PhotometricInterpretation; where it is missing, what the rest makes likely."""
    if _PHOTOMETRIC in directory.entries:
        return directory.integer(_PHOTOMETRIC, 1)
    if directory.integer(_COMPRESSION, 1) in _FAX:
        return 0
    return 1 if directory.integer(_SAMPLES, 1) < 3 else 2


def _space(directory: Directory) -> Space:
    photometric = _photometric(directory)
    if photometric not in _SPACES:
        accepted = ", ".join(_SPACES.values())
        raise UnsupportedFormatError(
            f"Expected a TIFF of colours in {accepted} but received PhotometricInterpretation "
            f"{photometric}"
        )
    space = _SPACES[photometric]
    if space is Space.CMYK and directory.integer(_INK_SET, 1) != 1:
        raise UnsupportedFormatError("Expected a TIFF of CMYK but received other inks")
    if space is Space.YCBCR and not _is_jpeg(directory):
        chroma = directory.integers(_CHROMA) or _DEFAULT_CHROMA
        if chroma[:2] == (1, 1):
            return Space.YCBCR_PLAIN
        if _is_apart(directory):
            raise UnsupportedFormatError(
                "Expected a TIFF of YCbCr in one plane but received sampled-down planes"
            )
    return space


def _is_jpeg(directory: Directory) -> bool:
    return directory.integer(_COMPRESSION, 1) == 7


def _sample_kind(directory: Directory, space: Space) -> tuple[Numbers, int]:
    """Return what a sample is, and of how many bits."""
    depths, formats = directory.integers(_BITS) or (1,), directory.integers(_SAMPLE_FORMAT) or (1,)
    numbers = _NUMBERS.get(formats[0])
    if (
        len(set(depths)) > 1
        or len(set(formats)) > 1
        or numbers is None
        or depths[0] not in _DEPTHS.get((space, numbers), ())
        or (_is_jpeg(directory) and depths[0] != 8)
        # libvips turns unsigned integers only.
        or (_photometric(directory) == 0 and numbers is not Numbers.UNSIGNED)
        # libvips mixes up planes of them.
        or (depths[0] == 16 and numbers is Numbers.FLOAT and _is_apart(directory))
    ):
        raise UnsupportedFormatError(
            f"Expected a TIFF of {space} with samples that are decoded here but received "
            f"BitsPerSample {depths[:8]} of SampleFormat {formats[:8]}"
        )
    return numbers, depths[0]


def _alpha(directory: Directory, extra: int) -> tuple[int | None, bool]:
    """Return which extra sample is alpha, and whether the colours are multiplied by it.

    0 is unspecified: a mask of an editor's. A single one of which nothing is said is alpha, as
    other readers have it.
    """
    if extra == 0:
        return None, False
    kinds = directory.integers(_EXTRA)
    if not kinds:
        return (0, False) if extra == 1 else (None, False)
    for place, kind in enumerate(kinds[:extra]):
        if kind in {1, 2}:
            return place, kind == 1
    return None, False


def _is_raw_grey(directory: Directory, space: Space, samples: int) -> bool:
    """Tell whether it is grey beside other samples, each apart.

    libvips 8.18 mixes up its planes, unless it is told of colours that it hands out as they are.
    """
    return space is Space.GREY and samples > 1 and _is_apart(directory)


def _is_apart(directory: Directory) -> bool:
    """Tell whether each band is stored apart from the others."""
    planes, samples = directory.integer(_PLANES, 1), directory.integer(_SAMPLES, 1)
    return planes == _APART and samples > 1


def _strip_rows(directory: Directory, height: int) -> int:
    return min(height, directory.integer(_ROWS_PER_STRIP, height) or height)


def _check_blocks(
    directory: Directory, size: tuple[int, int], tile: tuple[int, int] | None
) -> None:
    """Check that every strip or tile is there, and within the file.

    Raises:
        CorruptPhotoError: There are fewer than the picture has.
        TruncatedPhotoError: The file ends before one does.
    """
    width, height = size
    places, lengths = directory.integers(_STRIPS), directory.integers(_STRIP_BYTES)
    if tile is None:
        count = _divided(height, _strip_rows(directory, height))
    else:
        count = _divided(width, tile[0]) * _divided(height, tile[1])
        # libtiff takes either name for either.
        places = directory.integers(_TILES) or places
        lengths = directory.integers(_TILE_BYTES) or lengths
    if _is_apart(directory):
        count *= directory.integer(_SAMPLES, 1)
        if tile is not None:
            raise UnsupportedFormatError(
                "Expected a TIFF of tiles that hold all bands but received a tile for each band"
            )
    if len(places) < count:
        raise CorruptPhotoError(
            f"Expected {count} strips or tiles of a TIFF but received {len(places)}"
        )
    # Where lengths are missing, or 0, libtiff estimates them.
    known = dict(enumerate(lengths))
    end = directory.tiff.size
    for number, at in enumerate(places[:count]):
        if at + max(1, known.get(number, 1)) > end:
            raise TruncatedPhotoError(
                f"Expected strip or tile {number + 1} of {count} of a TIFF at byte {at:,} but the "
                f"photo ends at {end:,}"
            )


def _divided(side: int, by: int) -> int:
    if by < 1:
        raise CorruptPhotoError(f"Expected a TIFF with strips or tiles but their side is {by}")
    return -(-side // by)
