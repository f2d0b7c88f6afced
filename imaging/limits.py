"""The largest photo that is accepted, checked from its header before a pixel is decoded."""

from dataclasses import dataclass, fields

from imaging.errors import OverLimitError
from imaging.header import ImageHeader

__all__ = ["Limits", "Memory"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """The memory that one photo may take, together with all else that the process holds.

    Attributes:
        bytes: Of this process.
        processes: How many share the function's memory evenly.
    """

    bytes: int
    processes: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The largest photo that is accepted.

    Attributes:
        max_width: Stored columns. JPEG's own maximum is 65,535.
        max_height: Stored rows, of one page.
        max_pixels: Columns times rows, of all frames that are decoded; 300 million admits a
            200 MP phone.
        max_bands: Channels, alpha included; CMYK with alpha has 5.
        max_bytes: Encoded size.
        max_frames: Pages or animation frames in the file, decoded or not.
        max_metadata_bytes: EXIF, XMP, ICC profile, comments and text in all, unpacked; of a JPEG or
            PNG whatever comes before the pixels.
        max_profile_bytes: The ICC profile.
        max_scans: Scans of a JPEG; cameras and editors write ten of a progressive one.
        max_tiles: Coded pictures that a HEIC or AVIF is put together from; 300 megapixels in tiles
            of 256 x 256 are 4,578.
        max_gain_map_pixels: Of a gain map, where a rendition keeps it; 200 megapixels of a phone's
            have one of 12.5.
        max_header_s: CPU seconds that a worker takes before the first pixel; a camera's file takes
            a hundredth of one.
    """

    max_width: int = 100_000
    max_height: int = 100_000
    max_pixels: int = 300_000_000
    max_bands: int = 5
    max_bytes: int = 512 << 20
    max_frames: int = 2_000
    max_metadata_bytes: int = 16 << 20
    max_profile_bytes: int = 4 << 20
    max_scans: int = 100
    max_tiles: int = 5_000
    max_gain_map_pixels: int = 16 << 20
    max_header_s: int = 1

    @classmethod
    def names(cls) -> tuple[str, ...]:
        return tuple(field.name for field in fields(cls))

    def check(self, limit: str, actual: int) -> None:
        """Raise OverLimitError when ``actual`` is more than the limit of that name."""
        maximum: int = getattr(self, limit)
        if actual > maximum:
            raise OverLimitError(limit, actual=actual, maximum=maximum)

    def check_header(self, header: ImageHeader, *, frames: int = 1) -> None:
        """Raise OverLimitError for the first limit that ``header`` exceeds.

        ``frames`` are to be decoded, and count together.
        """
        self.check("max_frames", header.n_pages)
        self.check("max_profile_bytes", header.profile_bytes)
        self.check("max_metadata_bytes", header.metadata_bytes)
        self.check("max_width", header.width)
        self.check("max_height", header.height)
        self.check("max_pixels", header.width * header.height * frames)
        self.check("max_pixels", header.coded_pixels)
        self.check("max_tiles", header.n_tiles)
        self.check("max_bands", header.bands)
