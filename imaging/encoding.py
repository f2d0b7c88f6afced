"""Encodes one finished picture into its sink."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyvips

from imaging import steps
from imaging.allocator import give_back
from imaging.bridge.source import OpenPhoto
from imaging.bridge.target import encode, encode_pass, encoded, hand_on
from imaging.encoders import encoder_of
from imaging.errors import PhotoWarning
from imaging.fitting import fit
from imaging.plan import PlannedRendition
from imaging.rendition import OpenSink
from imaging.signatures import Carried

if TYPE_CHECKING:
    from imaging.gainmap import EncodedGainMap

__all__ = ["Encoded", "encode_rendition", "encode_while_decoding"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """What became of a picture.

    Attributes:
        size: Its bytes.
        quality: The ``Q`` that it was encoded with; None where the format has none.
        gain_map_size: Bytes of them that are the gain map; None without one.
        warnings: Warnings of it.
        carried: That it has its photo's content credentials; None where it has none.
    """

    size: int
    quality: int | None
    gain_map_size: int | None = None
    warnings: tuple[PhotoWarning, ...] = ()
    carried: Carried | None = None


def _options(
    image: pyvips.Image, rendition: PlannedRendition, quality: int | None
) -> dict[str, object]:
    """Return the saver's options."""
    options = encoder_of(rendition.format).options(rendition) | {"keep": steps.kept(image)}
    return options if quality is None else options | {"Q": quality}


def encode_rendition(
    image: pyvips.Image,
    gain_map: "EncodedGainMap | None",
    rendition: PlannedRendition,
    open_sink: OpenSink,
) -> Encoded:
    """Encode an image, in memory or lazy on one that is, and commit it.

    Raises:
        SinkError: A rendition could not be written; it was aborted.
    """
    saver, quality, max_bytes = rendition.format.row.saver, rendition.quality, rendition.max_bytes

    def whole(quality: int) -> bytearray:
        data = encoded(image, saver, _options(image, rendition, quality))
        if gain_map is None:
            return data
        # Loaded already: the gain map was read.
        from imaging.gainmap import with_gain_map

        return with_gain_map(data, gain_map)

    gain_map_size = None if gain_map is None else gain_map.size
    if quality is None or (max_bytes is None and gain_map is None):
        options = _options(image, rendition, quality)
        size = encode(image, saver, options, open_sink(rendition))
        return Encoded(size=size, quality=quality)
    if max_bytes is None:
        data = whole(quality)
        hand_on(data, open_sink(rendition))
        return Encoded(size=len(data), quality=quality, gain_map_size=gain_map_size)
    # It may be evaluated several times.
    image = image.copy_memory()

    def again(quality: int) -> bytearray:
        give_back()
        return whole(quality)

    fitted = fit(again, quality=quality, max_bytes=max_bytes)
    hand_on(fitted.data, open_sink(rendition))
    missed = PhotoWarning(
        code="over-max-bytes",
        message=(
            f"Expected {rendition.spec.name}.{rendition.format.extension} of at most "
            f"{max_bytes:,} bytes but it has {len(fitted.data):,} at quality {fitted.quality}"
        ),
    )
    return Encoded(
        size=len(fitted.data),
        quality=fitted.quality,
        gain_map_size=gain_map_size,
        warnings=() if fitted.fits else (missed,),
    )


def encode_while_decoding(
    image: pyvips.Image,
    rendition: PlannedRendition,
    photo: OpenPhoto,
    open_sink: OpenSink,
) -> Encoded:
    """Encode an image that is lazy on the photo, and commit it once the photo was read whole.

    Raises:
        CorruptPhotoError: The photo cannot be decoded to its end; the rendition was aborted.
        SourceError: Its bytes cannot be read; the rendition was aborted.
        SinkError: The rendition could not be written; it was aborted.
    """
    options = _options(image, rendition, rendition.quality)
    saver = rendition.format.row.saver
    size = encode_pass(photo, image, saver, options, open_sink(rendition))
    return Encoded(size=size, quality=rendition.quality)
