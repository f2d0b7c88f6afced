"""What the header says, read without decoding a pixel."""

from dataclasses import dataclass, field
from typing import Final

from imaging.files.cicp import Cicp
from imaging.files.credentials import Credentials
from imaging.files.exif import ExifFields
from imaging.files.icc import Gamma
from imaging.files.rights import Rights, source_type_term
from imaging.formats import InputFormat, Reading
from imaging.geometry import is_sideways
from imaging.specs import Colour

__all__ = ["ImageHeader", "Level", "RawSource"]

# ITU-T H.273, table 3: PQ and HLG.
_HDR_TRANSFERS: Final = frozenset({16, 18})

_SAMPLE_BYTES: Final = {"uchar": 1, "char": 1, "ushort": 2, "short": 2, "double": 8}
_OTHER_SAMPLE_BYTES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A smaller copy of the photo that the file carries itself (a TIFF pyramid's).

    Attributes:
        width: Columns.
        height: Rows.
        at: Where its directory is in the file.
    """

    width: int
    height: int
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RawSource:
    """The camera raw whose preview the photo is.

    Attributes:
        kind: The maker's name for such a file.
        width: Columns of the sensor's picture; 0 where the raw does not say.
        height: Rows of it.
    """

    kind: str
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageHeader:
    """One photo's header.

    Attributes:
        format: What the bytes are.
        loader: libvips' name of the loader.
        width: Stored columns, before orientation.
        height: Stored rows of one page, before orientation.
        bands: Channels, alpha included.
        band_format: libvips' name of a channel's type: ``uchar``, ``ushort``, ``float``, ...
        interpretation: libvips' name of the colour space: ``srgb``, ``cmyk``, ``b-w``, ...
        has_alpha: Whether the last band is alpha.
        has_profile: Whether an ICC profile is embedded that fits the bands.
        has_foreign_profile: Whether one is embedded that does not fit them, and is ignored.
        has_gain_map: Whether the header says that a gain map follows, as in an Ultra HDR JPEG.
        cicp: Colour by numbers, where an AVIF or HEIC has no ICC profile.
        gamma: PNG: colours by an exponent, which stand for a profile.
        orientation: The EXIF orientation, 1 to 8.
        n_pages: Pages or frames in the file.
        interlaced: Progressive JPEG or interlaced PNG: decoding holds the whole picture. TIFF: a
            strip or tile is a progressive JPEG, and is held whole.
        size: Encoded bytes.
        exif: The EXIF fields that are known here.
        rights: Whose it is and how it was made, as XMP and IPTC say; None where they do not.
        credentials: What its content credentials (C2PA) say, unverified; None where it has none.
        levels: Smaller copies in the file, largest first.
        chroma: JPEG, AVIF: how chroma is sampled, such as ``4:2:0``; empty where nothing says so.
        tile: TIFF: width and height of its tiles; None for strips.
        strip_rows: TIFF: rows of a strip; None where it does not say, and without strips.
        n_tiles: HEIC, AVIF: coded pictures that it is put together from.
        coded_pixels: Of the largest picture that its decoder holds beside the photo: a tile, a
            strip, the frame before; 0 for none.
        gain_map_pixels: Of its gain map, or the most that it may have; 0 for none.
        raw: The camera raw whose preview the photo is; None for any other photo.
        lossless: WebP: whether it was compressed without loss.
        metadata_bytes: What the decoder holds beside pixels: EXIF, XMP, profile, comments, text.
        profile_bytes: The ICC profile's, whether it fits or not.
    """

    format: InputFormat
    loader: str
    width: int
    height: int
    bands: int
    band_format: str
    interpretation: str
    has_alpha: bool
    has_profile: bool
    orientation: int
    n_pages: int
    interlaced: bool
    size: int
    exif: ExifFields = field(default_factory=dict)
    levels: tuple[Level, ...] = ()
    has_foreign_profile: bool = False
    cicp: Cicp | None = None
    chroma: str = ""
    tile: tuple[int, int] | None = None
    strip_rows: int | None = None
    lossless: bool = False
    metadata_bytes: int = 0
    profile_bytes: int = 0
    has_gain_map: bool = False
    raw: RawSource | None = None
    gamma: Gamma | None = None
    rights: Rights | None = None
    credentials: Credentials | None = None
    n_tiles: int = 1
    coded_pixels: int = 0
    gain_map_pixels: int = 0

    @property
    def hdr(self) -> bool:
        """Whether it holds more light than SDR: by a gain map, or in PQ or HLG."""
        return self.has_gain_map or self.is_tone_mapped

    @property
    def is_tone_mapped(self) -> bool:
        """Whether its own pixels are brighter than SDR, in PQ or HLG: they are darkened to show."""
        return self.cicp is not None and self.cicp.transfer in _HDR_TRANSFERS

    @property
    def source_types(self) -> tuple[str, ...]:
        """How it was made, as IPTC's terms, by its XMP and by its credentials; each once."""
        said = list(self.credentials.source_types) if self.credentials is not None else []
        if self.rights is not None and self.rights.digital_source_type:
            said.insert(0, source_type_term(self.rights.digital_source_type))
        return tuple(dict.fromkeys(said))

    @property
    def is_animated(self) -> bool:
        """Whether its pages are frames, which follow each other in time."""
        return self.n_pages > 1 and self.format.row.has_frames

    @property
    def own_colours(self) -> frozenset[Colour]:
        """The colours in which its pixels stay as they are decoded."""
        if self.band_format != "uchar" or self.interpretation not in {"srgb", "b-w"}:
            return frozenset()
        if self.cicp is not None:
            return frozenset()
        return frozenset({Colour.SOURCE} if self.has_profile else {Colour.SOURCE, Colour.SRGB})

    @property
    def has_parts(self) -> bool:
        """Whether a part of its bytes is a part of the picture, in rows or in tiles."""
        row = self.format.row
        in_order = row.reading is Reading.FORWARD or self.tile is not None
        return row.can_be_truncated and in_order and not self.interlaced

    @property
    def sample_bytes(self) -> int:
        """Bytes of one channel of one pixel."""
        return _SAMPLE_BYTES.get(self.band_format, _OTHER_SAMPLE_BYTES)

    @property
    def picture_bytes(self) -> int:
        """Bytes of one decoded page, at its full size."""
        return self.width * self.height * self.bands * self.sample_bytes

    @property
    def upright(self) -> tuple[int, int]:
        """Width and height once the orientation is applied."""
        if is_sideways(self.orientation):
            return self.height, self.width
        return self.width, self.height
