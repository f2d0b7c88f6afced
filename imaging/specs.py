"""What is asked of a photo: one :class:`RenditionSpec` per rendition."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from typing import Final
from urllib.parse import quote, urlencode

from imaging.errors import ConfigError
from imaging.formats import OutputFormat

__all__ = [
    "MAX_TAGGING_BYTES",
    "MAX_TAGS",
    "NAME_PATTERN",
    "SOURCE_FORMAT",
    "Colour",
    "Fit",
    "Hdr",
    "Metadata",
    "Position",
    "RenditionSpec",
    "StorageClass",
    "Truncated",
    "Watermark",
    "tagging",
]

NAME_PATTERN: Final = "[a-z0-9][a-z0-9_-]{0,63}"
"""Lower case, so that names stay distinct where keys are compared without case; and without the
``/`` and ``.`` that separate a name from the rest of a destination key. A name leaves most of the
1,024 bytes of that to the photo's."""

SOURCE_FORMAT: Final = "source"
"""The ``format`` that stands for the photo's own, or for the closest that can be made."""

MAX_DIMENSION: Final = max(output.row.max_side for output in OutputFormat)
"""The longest side that any output format allows."""

MIN_SHARPEN: Final = 0.1
MAX_SHARPEN: Final = 10
"""libvips' maximum for the mask of ``sharpen``; below the minimum the mask is a single pixel."""

HDR_SIDE: Final = 1024
"""Pixels of the longer side. In a smaller rendition a gain map costs more than it shows."""

MAX_MARGIN: Final = 0.25
"""Of the shorter side: half of it stays for a watermark."""

# To be increased whenever the same spec makes other pixels than before, also by a new default:
# stored renditions are then stale.
_PIPELINE_VERSION: Final = 1


class Fit(StrEnum):
    """How a photo meets the ``width`` x ``height`` box, in CSS's and sharp's words."""

    INSIDE = "inside"
    """Whole, as large as fits; one side may be shorter than asked."""
    COVER = "cover"
    """Fills the box; what exceeds it is cropped, as ``position`` says."""
    CONTAIN = "contain"
    """Whole, as large as fits, centred on the background; exactly the box."""
    FILL = "fill"
    """Stretched to exactly the box."""


class Position(StrEnum):
    """Which part of the photo ``cover`` keeps."""

    CENTRE = "centre"
    NORTH = "north"
    NORTHEAST = "northeast"
    EAST = "east"
    SOUTHEAST = "southeast"
    SOUTH = "south"
    SOUTHWEST = "southwest"
    WEST = "west"
    NORTHWEST = "northwest"
    ATTENTION = "attention"
    """The part that draws the eye: edges, saturated colours, skin (libvips' smartcrop)."""
    ENTROPY = "entropy"
    """The part with the most detail (libvips' smartcrop)."""
    FOCAL_POINT = "focal-point"
    """Around the point that the photo's owner names; the centre where none is named."""


class Colour(StrEnum):
    """Which colours a rendition is in; grey stays grey."""

    SRGB = "srgb"
    """sRGB, without a profile: every program assumes that."""
    DISPLAY_P3 = "display-p3"
    """Display P3, with a compact profile of it."""
    SOURCE = "source"
    """The photo's own, with its profile, where browsers show them; sRGB for CMYK and Lab."""


class Hdr(StrEnum):
    """What becomes of a gain map, by which a JPEG shows HDR on a display that can."""

    KEEP = "keep"
    """It is resized and cropped as the rendition is, and stored with it."""
    SDR = "sdr"
    """It is left out."""


class Metadata(StrEnum):
    """Which metadata of its photo a rendition has; the orientation is applied in any case."""

    NONE = "none"
    """Nothing."""
    COPYRIGHT = "copyright"
    """EXIF Copyright and Artist; of XMP and IPTC whose the photo is, and how it was made."""
    SAFE = "safe"
    """Those, and camera, lens, exposure and time; no position and no serial number."""
    ALL = "all"
    """All that the photo has, position and serial numbers included, except what would no longer be
    true: the embedded thumbnail, and XMP that describes other parts of the file."""


class StorageClass(StrEnum):
    """Where a rendition is kept, in S3's words: those from which it can be read at once."""

    STANDARD = "STANDARD"
    STANDARD_IA = "STANDARD_IA"
    ONEZONE_IA = "ONEZONE_IA"
    INTELLIGENT_TIERING = "INTELLIGENT_TIERING"
    GLACIER_IR = "GLACIER_IR"


MAX_TAGS: Final = 10
"""S3's; of one object."""
MAX_TAGGING_BYTES: Final = 4096
"""Of an object's tags as they are sent. S3 takes 8 KB of headers: 2 KB are for user metadata, and
2 KB are left for the signature, credentials and all others.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
"""
_TAG: Final = re.compile(r"[\w +\-=.:/@]*")
_MAX_DISPOSITION_BYTES: Final = 512


def tagging(tags: Iterable[tuple[str, str]]) -> str:
    """Return ``tags`` as a header has them: URL-encoded, in ASCII."""
    return urlencode(list(tags), quote_via=quote)


class Truncated(StrEnum):
    """What becomes of a truncated JPEG."""

    REFUSE = "refuse"
    """It is rejected as ``truncated``."""
    RENDER = "render"
    """The rows that were received are rendered, with a warning, if they are half or more; the rest
    is grey. A progressive JPEG is rejected: its first scan reaches the last row, and nothing shows
    how much detail followed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watermark:
    """What is laid on a finished rendition.

    Attributes:
        image: Where its PNG is: a file beside the configuration, or ``s3://bucket/key``.
        position: Where it lies; any but those that look at the photo.
        width: Its share of the rendition's width; less where it would be too high.
        opacity: Of its opaque pixels, above 0 to 1.
        margin: Between it and the edges, as a share of the rendition's shorter side.
        digest: The picture's SHA-256, in hexadecimal; empty until it was read.
        size: The picture's width and height.

    Raises:
        ConfigError: A value is out of its range.
    """

    image: str
    position: Position = Position.SOUTHEAST
    width: float = 0.2
    opacity: float = 1.0
    margin: float = 0.02
    digest: str = ""
    size: tuple[int, int] = (1, 1)

    def __post_init__(self) -> None:
        searched = {Position.ATTENTION, Position.ENTROPY, Position.FOCAL_POINT}
        rules = (
            ("image", bool(self.image), "a file's name, or s3://bucket/key", self.image),
            ("position", self.position not in searched, "a fixed position", self.position.value),
            ("width", 0 < self.width <= 1, "a number above 0, 1 at most", self.width),
            ("opacity", 0 < self.opacity <= 1, "a number above 0, 1 at most", self.opacity),
            ("margin", 0 <= self.margin <= MAX_MARGIN, f"from 0 to {MAX_MARGIN}", self.margin),
        )
        for key, is_valid, expected, received in rules:
            if not is_valid:
                message = f"watermark.{key}: expected {expected} but received {received!r}"
                raise ConfigError(message, key="watermark")

    @property
    def pixels(self) -> dict[str, object]:
        """What decides what it looks like, as plain data; not where its picture was read."""
        plain = asdict(self)
        del plain["image"]
        return plain


@dataclass(frozen=True, slots=True, kw_only=True)
class RenditionSpec:
    """One named rendition.

    Attributes:
        name: Names the rendition in destination keys and logs; matches :data:`NAME_PATTERN`.
        keys: Patterns (:mod:`imaging.patterns`) of the photos' keys that it is for; none for all.
        exclude: Patterns of the keys that it is not for.
        width: Columns at most; None leaves them free.
        height: Rows at most; None leaves them free. Neither: the photo's own size.
        fit: How the photo meets the box; ``contain`` and ``fill`` want both sides.
        position: Which part ``cover`` keeps; the other fits crop nothing.
        sharpen: Standard deviation, in pixels, of the mask that the rendition is sharpened with;
            None for not at all.
        linear: Resize in linear light. The photo is then decoded at its full size and held whole,
            because a decoder that shrinks averages stored values.
        formats: What to encode to, each once; None for the photo's own format, where that can be
            made (GIF becomes PNG, unless it stays animated; TIFF and HEIC become JPEG, or PNG where
            they have alpha).
        quality: 1 to 100, for every format or for each that is named; the table's default
            elsewhere.
        max_bytes: Encoded bytes at most: a rendition that is larger is encoded again at the best
            quality that fits, or at the lowest one if none fits; None for no maximum.
        without_enlargement: Never make a pixel that the photo does not have: a photo smaller than
            the box keeps its size. ``cover`` then crops to what the photo covers of the box, and
            ``contain`` still fills the box with background.
        background: Red, green and blue, 0 to 255, under transparent pixels where the format has no
            alpha, and around the photo with ``contain``.
        animated: Keep every frame of an animated GIF or WebP, in those formats that can; the first
            otherwise.
        progressive: JPEG: the whole picture appears at once, coarse at first, and takes fewer bytes
            for more work.
        metadata: Which metadata of its photo the rendition has.
        colour: Which colours it is in.
        storage_class: Where it is kept; None for the bucket's default.
        tags: Its tags, each a key and a value.
        copy_tags: It has the photo's tags too, as far as S3 takes so many.
        content_disposition: The header of that name; None for none.
        hdr: What becomes of a gain map; None to keep it in a JPEG whose longer side has
            :data:`HDR_SIDE` pixels or more.
        watermark: What is laid on it, last of all; None for nothing.
        credentials: Pixels of its longer side from which on it carries its photo's content
            credentials; None for never. Set for all specs that can be so large.

    Raises:
        ConfigError: A value is out of its range; the message names the key, what was expected and
            what was received.
    """

    name: str
    keys: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    width: int | None = None
    height: int | None = None
    fit: Fit = Fit.INSIDE
    position: Position = Position.CENTRE
    sharpen: float | None = None
    linear: bool = False
    formats: tuple[OutputFormat | None, ...] = (OutputFormat.JPEG,)
    quality: int | Mapping[OutputFormat, int] | None = None
    max_bytes: int | None = None
    without_enlargement: bool = True
    background: tuple[int, int, int] = (255, 255, 255)
    animated: bool = False
    progressive: bool = False
    metadata: Metadata = Metadata.COPYRIGHT
    colour: Colour = Colour.SRGB
    hdr: Hdr | None = None
    storage_class: StorageClass | None = None
    tags: tuple[tuple[str, str], ...] = ()
    copy_tags: bool = False
    content_disposition: str | None = None
    watermark: Watermark | None = None
    credentials: int | None = None

    def __post_init__(self) -> None:
        for key, is_valid, expected, received in self._rules():
            if not is_valid:
                message = f"{key}: expected {expected} but received {received!r}"
                raise ConfigError(message, key=key.partition(".")[0])

    def _rules(self) -> Iterator[tuple[str, bool, str, object]]:
        """Yield for each rule its key, whether it is kept, what it wants, and what there is."""
        name = re.fullmatch(NAME_PATTERN, self.name) is not None
        yield "name", name, f"text that matches {NAME_PATTERN}", self.name
        longest = min([output.row.max_side for output in self.formats if output] or [MAX_DIMENSION])
        for key, side in (("width", self.width), ("height", self.height)):
            in_range = side is None or 1 <= side <= longest
            yield key, in_range, f"an integer from 1 to {longest}", side
        boxed = self.fit not in {Fit.CONTAIN, Fit.FILL} or None not in {self.width, self.height}
        yield "fit", boxed, f"both width and height for {self.fit.value!r}", "one of them"
        expected = "fit to be 'cover', which alone crops"
        cropped = self.position is Position.CENTRE or self.fit is Fit.COVER
        yield "position", cropped, expected, self.fit.value
        sharpened = self.sharpen is None or MIN_SHARPEN <= self.sharpen <= MAX_SHARPEN
        yield "sharpen", sharpened, f"a number from {MIN_SHARPEN} to {MAX_SHARPEN}", self.sharpen
        # Twice the same format would be twice the same destination key.
        once = len(set(self.formats)) == len(self.formats) > 0
        listed = [output.value if output else SOURCE_FORMAT for output in self.formats]
        yield "format", once, "one format or more, each once", listed
        interlaced = not self.progressive or any(
            output is None or output.row.is_progressive for output in self.formats
        )
        animated = not self.animated or any(
            output is None or output.row.is_animated for output in self.formats
        )
        yield "animated", animated, "format to name webp, gif or source", listed
        bare = [output.value for output in self.formats if output and not output.row.has_profile]
        tagged = self.colour is Colour.SRGB or not bare
        expected = f"'srgb' for {' and '.join(bare)}, which holds no profile"
        yield "colour", tagged, expected, self.colour.value
        yield "progressive", interlaced, "format to name jpeg", listed
        mapped = self.hdr is not Hdr.KEEP or any(
            output is None or output.row.has_gain_map for output in self.formats
        )
        expected = "format to name jpeg, which alone is stored with a gain map"
        yield "hdr", mapped, expected, listed
        yield from self._quality_rules()
        yield from self._object_rules()
        background = all(0 <= value <= 255 for value in self.background)
        expected = "three integers from 0 to 255"
        yield "background", background, expected, list(self.background)

    def _object_rules(self) -> Iterator[tuple[str, bool, str, object]]:
        # Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
        tagged = len(self.tags) <= MAX_TAGS and all(
            1 <= len(key) <= 128
            and len(value) <= 256
            and _TAG.fullmatch(key)
            and _TAG.fullmatch(value)
            and not key.lower().startswith("aws:")
            for key, value in self.tags
        )
        expected = f"at most {MAX_TAGS} tags of letters, digits, spaces and + - = . _ : / @"
        yield "tags", tagged, expected, dict(self.tags)
        length = len(tagging(self.tags))
        expected = f"tags of {MAX_TAGGING_BYTES:,} bytes in all, URL-encoded"
        yield "tags", length <= MAX_TAGGING_BYTES, expected, length
        said = self.content_disposition
        printable = said is None or (said.isascii() and said.isprintable() and said.strip() == said)
        expected = "a header's text in ASCII, such as 'inline' or 'attachment'"
        yield "content_disposition", printable and said != "", expected, said
        fits = said is None or len(said) <= _MAX_DISPOSITION_BYTES
        expected = f"at most {_MAX_DISPOSITION_BYTES} bytes"
        yield "content_disposition", fits, expected, len(said or "")

    def _quality_rules(self) -> Iterator[tuple[str, bool, str, object]]:
        each = self.quality if isinstance(self.quality, Mapping) else {None: self.quality}
        for output, quality in each.items():
            key = f"quality.{output}" if output else "quality"
            in_range = quality is None or 1 <= quality <= 100
            yield key, in_range, "an integer from 1 to 100", quality
            asked = not output or None in self.formats or output in self.formats
            yield key, asked, "a format that format names", output and output.value
        in_range = self.max_bytes is None or self.max_bytes >= 1
        yield "max_bytes", in_range, "an integer of 1 or more", self.max_bytes
        lossless = [
            output.value for output in self.formats if output and not output.row.default_quality
        ]
        lowerable = self.max_bytes is None or not lossless
        yield "max_bytes", lowerable, "formats that have a quality", lossless

    @property
    def is_for_all(self) -> bool:
        """Whether it is for every photo, whatever its key."""
        return not self.keys and not self.exclude

    def is_for(self, key: str) -> bool:
        """Tell whether it is for the photo at ``key``."""
        if self.is_for_all:
            return True
        # Imported on first use: most configurations have no patterns.
        from imaging.patterns import matches

        return (not self.keys or matches(self.keys, key)) and not matches(self.exclude, key)

    def carrying(self, side: int) -> "RenditionSpec":
        """Return it so that it carries content credentials from ``side`` pixels on, if it can be.

        One that is always smaller stays as it is, and so does its digest.
        """
        bounded = self.width is not None and self.height is not None
        # One side alone bounds the other by nothing but the photo.
        if bounded and max(self.width or 0, self.height or 0) < side:
            return self
        return replace(self, credentials=side)

    def quality_of(self, output: OutputFormat) -> int | None:
        """Return ``Q`` for ``output``; None where the format has none."""
        default = output.row.default_quality
        if default is None:
            return None
        if isinstance(self.quality, Mapping):
            return self.quality.get(output, default)
        return default if self.quality is None else self.quality

    def only(self, output: OutputFormat) -> "RenditionSpec":
        """Return the spec of ``output`` alone, which makes the same pixels.

        Options for other formats are left out, and which photos it is for.
        """
        row = output.row
        return replace(
            self,
            keys=(),
            exclude=(),
            formats=(output,),
            quality=self.quality_of(output),
            max_bytes=self.max_bytes if row.default_quality else None,
            animated=self.animated and row.is_animated,
            progressive=self.progressive and row.is_progressive,
            colour=self.colour if row.has_profile else Colour.SRGB,
            hdr=None if self.hdr is Hdr.KEEP and not row.has_gain_map else self.hdr,
        )

    def outcomes(self) -> Iterator[tuple[OutputFormat | None, OutputFormat]]:
        """Yield each of ``formats`` with what it can come out as: the photo's own as any format."""
        for wanted in self.formats:
            for output in OutputFormat if wanted is None else (wanted,):
                yield wanted, output

    def digest(self, output: OutputFormat) -> str:
        """Return 16 hexadecimal digits that change whenever the object of ``output`` would.

        What the spec says of other formats does not count, and a field that has its default is left
        out: neither another format nor a new option makes stored renditions stale.
        """
        spec = self.only(output)
        said = {
            field.name: value.pixels if isinstance(value, Watermark) else value
            for field in fields(spec)
            if (value := getattr(spec, field.name)) != field.default
        }
        # Imported on first use: it loads OpenSSL, and workers compute no digest.
        import hashlib

        text = json.dumps([_PIPELINE_VERSION, said], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]
