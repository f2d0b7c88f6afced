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
        max_scans: Scans of a progressive JPEG; cameras and editors write ten.
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

    @classmethod
    def names(cls) -> tuple[str, ...]:
        return tuple(field.name for field in fields(cls))

    def _check(self, limit: str, actual: int) -> None:
        maximum: int = getattr(self, limit)
        if actual > maximum:
            raise OverLimitError(limit, actual=actual, maximum=maximum)

    def check_bytes(self, size: int) -> None:
        """Raise OverLimitError when ``size``, in bytes, is too large; before anything is read."""
        self._check("max_bytes", size)

    def check_scans(self, scans: int) -> None:
        """Raise OverLimitError when a progressive JPEG has more than so many ``scans``."""
        self._check("max_scans", scans)

    def check_header(self, header: ImageHeader, *, frames: int = 1) -> None:
        """Raise OverLimitError for the first limit that ``header`` exceeds.

        ``frames`` are to be decoded, and count together.
        """
        self._check("max_frames", header.n_pages)
        self._check("max_profile_bytes", header.profile_bytes)
        self._check("max_metadata_bytes", header.metadata_bytes)
        self._check("max_width", header.width)
        self._check("max_height", header.height)
        self._check("max_pixels", header.width * header.height * frames)
        self._check("max_bands", header.bands)
