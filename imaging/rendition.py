"""What was made of a photo: values, without pyvips."""

from collections.abc import Callable
from dataclasses import dataclass

from imaging.errors import PhotoWarning
from imaging.plan import PlannedRendition
from imaging.signatures import Carried
from imaging.streams import ByteSink

__all__ = ["Appearance", "OpenSink", "Rendition"]

OpenSink = Callable[[PlannedRendition], ByteSink]
"""Gives the sink of a rendition; again for one whose sink was aborted and that is made anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Appearance:
    """What a photo looks like, in a few bytes.

    Attributes:
        dominant_colour: ``#rrggbb``: the mean of the most frequent of 512 coarse colours.
        thumbhash: A ThumbHash, base64: https://evanw.github.io/thumbhash/
        palette: Up to five colours, the most frequent first, as ``#rrggbb``.
        blurhash: A BlurHash, 4 x 3 waves: https://blurha.sh
        perceptual_hash: A dHash of rows and columns, 32 hexadecimal digits: similar pictures
            differ in few of its 128 bits.
    """

    dominant_colour: str
    palette: tuple[str, ...]
    blurhash: str
    thumbhash: str
    perceptual_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendition:
    """One rendition that was made and committed.

    Attributes:
        planned: What it was to be.
        width: Columns.
        height: Rows, of one frame.
        size: Encoded bytes.
        quality: The ``Q`` that it was encoded with; None where the format has none.
        gain_map_size: Bytes of them that are the gain map; None without one.
        warnings: Warnings of it; those of the photo are repeated in each of its renditions.
        elapsed_ms: Milliseconds of wall time to derive and encode it.
        carried: That it has its photo's content credentials; None where it has none.
        appearance: The photo's, with one of its renditions, if the plan asks for it.
    """

    planned: PlannedRendition
    width: int
    height: int
    size: int
    quality: int | None
    gain_map_size: int | None
    warnings: tuple[PhotoWarning, ...]
    elapsed_ms: float
    appearance: Appearance | None = None
    carried: Carried | None = None
