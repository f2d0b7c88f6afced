"""Animated photos: every frame decoded once, each on its own, and put together again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import pyvips

from imaging import steps
from imaging.bridge.source import OpenPhoto
from imaging.colour import convert
from imaging.decoders import frames_decoder_of
from imaging.fields import field_names
from imaging.geometry import is_sideways
from imaging.header import ImageHeader
from imaging.pictures import resize_as_planned
from imaging.plan import PlannedRendition, RenditionPlan

__all__ = ["Frames", "decode_frames"]

# Fields of the strip that are not true of a single frame.
_STRIP_FIELDS: Final = frozenset(
    {"page-height", "n-pages", "delay", "loop", "gif-delay", "gif-loop"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """The frames of one picture, in the order in which they are shown.

    Attributes:
        images: One for each frame, in memory, all of one size.
        delays_ms: For how long each is shown.
        loop: How often the animation is shown; 0 for ever.
    """

    images: tuple[pyvips.Image, ...]
    delays_ms: tuple[int, ...]
    loop: int

    def made_into(
        self,
        rendition: PlannedRendition,
        header: ImageHeader,
        finish: Callable[[pyvips.Image, PlannedRendition], pyvips.Image],
    ) -> tuple[pyvips.Image, pyvips.Image]:
        """Return the first frame of ``rendition``, uncropped, and all frames, finished, as a strip.

        ``finish`` comes after the last step of each.

        *Cost*: its frames, in memory beside those of the base.
        """
        colour = rendition.spec.colour
        resized = [
            resize_as_planned(convert(frame, header, colour), rendition) for frame in self.images
        ]
        # All frames are cropped as the first one: an animation must not jump.
        box = steps.find_crop(resized[0], rendition.placement)
        finished = (
            finish(steps.take(steps.STEPS, frame, rendition, box), rendition) for frame in resized
        )
        images = tuple(frame.copy_memory() for frame in finished)
        return resized[0], _strip(replace(self, images=images))


def _strip(frames: Frames) -> pyvips.Image:
    """Return the frames below each other, as libvips' savers want them."""
    first = frames.images[0]
    strip = pyvips.Image.arrayjoin(list(frames.images), across=1)
    strip = strip.copy(interpretation=first.interpretation)
    strip.set_type(pyvips.GValue.gint_type, "page-height", first.height)
    strip.set_type(pyvips.GValue.array_int_type, "delay", list(frames.delays_ms))
    strip.set_type(pyvips.GValue.gint_type, "loop", frames.loop)
    return strip


def _delays_ms(strip: pyvips.Image, pages: Sequence[int]) -> tuple[int, ...]:
    delays = strip.get("delay") if strip.get_typeof("delay") else []
    known = [int(delay) for delay in delays] if isinstance(delays, list) else []
    return tuple(known[page] if page < len(known) else 0 for page in pages)


def decode_frames(plan: RenditionPlan, photo: OpenPhoto) -> Frames:
    """Return every frame, upright, in the photo's own colours, at the size of the base.

    Each is resized on its own: resized as one strip, frames would bleed into their neighbours.

    *Cost*: one decode; one frame at its full size, and all frames at the base's. Evaluated as one
    lazy picture instead, 400 frames of 640 x 480 took 2.3 GB where this takes 150 MB.

    Raises:
        CorruptPhotoError: A frame cannot be decoded.
        SourceError: The bytes cannot be read to their end.
    """
    header, base = plan.header, plan.base
    assert base is not None  # noqa: S101 - no animated rendition has its own pass
    columns, rows = base[::-1] if is_sideways(header.orientation) else base
    images = []
    strip = frames_decoder_of(photo.format).frames(photo, header, plan.load)
    image = strip.image
    with photo.decoding():
        for page in strip.pages:
            frame = image.crop(0, page * strip.page_height, header.width, header.height)
            frame = steps.resize(frame, columns, rows)
            # Evaluated now: a sequential image gives its rows once, from the top.
            frame = steps.upright(frame.copy_memory())
            for field in _STRIP_FIELDS.intersection(field_names(frame)):
                frame.remove(field)
            images.append(frame)
    photo.drain()
    loop = image.get("loop") if image.get_typeof("loop") else 0
    return Frames(
        images=tuple(images),
        delays_ms=_delays_ms(image, strip.pages),
        loop=loop if isinstance(loop, int) else 0,
    )
