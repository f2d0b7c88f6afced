"""Carries out a plan: decode once, make and encode one rendition after the other."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

import pyvips

from imaging import steps
from imaging.bridge.source import OpenPhoto
from imaging.colour import convert
from imaging.deadline import NEVER, Deadline
from imaging.encoding import Encoded, OpenSink, encode_rendition, encode_while_decoding
from imaging.pictures import Base, Pictures, Watch, decode_at, decode_base
from imaging.plan import (
    Animated,
    FromBase,
    FromParent,
    OwnPass,
    PlannedRendition,
    RenditionPlan,
)
from imaging.rendition import Appearance, Rendition

if TYPE_CHECKING:
    from imaging.animation import Frames
    from imaging.gainmap import EncodedGainMap

__all__ = ["render"]


def render(
    plan: RenditionPlan, photo: OpenPhoto, open_sink: OpenSink, deadline: Deadline = NEVER
) -> Iterator[Rendition]:
    """Make and commit each planned rendition: :meth:`imaging.rendering.Photo.render`."""
    with deadline.stopping() as watch:
        work = _decode(plan, photo, watch)
        appearance: Appearance | None = None
        for rendition in plan.renditions:
            started = time.perf_counter()
            made, encoded = _make(work, rendition, open_sink)
            shown = None
            if rendition.spec.name == plan.appearance_of and appearance is None:
                shown = appearance = _appearance(made, plan)
            yield Rendition(
                planned=rendition,
                width=rendition.placement.output[0],
                height=rendition.placement.output[1],
                size=encoded.size,
                quality=encoded.quality,
                gain_map_size=encoded.gain_map_size,
                warnings=(*work.base.warnings, *encoded.warnings),
                elapsed_ms=(time.perf_counter() - started) * 1000,
                appearance=shown,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """A photo that was decoded, as far as its renditions share that.

    Attributes:
        plan: What is carried out.
        photo: Its bytes, for renditions with their own pass.
        watch: Called before an image is evaluated.
        base: What the still renditions are made from.
        pictures: Those that were made from it.
        frames: What the animated ones are made from; None without any.
    """

    plan: RenditionPlan
    photo: OpenPhoto
    watch: Watch
    base: Base
    pictures: Pictures
    frames: "Frames | None"


def _decode(plan: RenditionPlan, photo: OpenPhoto, watch: Watch) -> _Work:
    frames: Frames | None = None
    base = Base(pictures={}, gain_maps={}, warnings=())
    if plan.frames > 1:
        # Imported on first use: most photos are still.
        from imaging.animation import decode_frames

        frames = decode_frames(plan, photo, watch)
        first = {colour: convert(frames.images[0], plan.header, colour) for colour in plan.colours}
        base = Base(pictures=first, gain_maps={}, warnings=())
    elif plan.base is not None:
        base = decode_base(plan, plan.base, photo, watch)
    pictures = Pictures(plan, base.pictures)
    return _Work(plan=plan, photo=photo, watch=watch, base=base, pictures=pictures, frames=frames)


def _make(
    work: _Work, rendition: PlannedRendition, open_sink: OpenSink
) -> tuple[pyvips.Image, Encoded]:
    """Make and commit one rendition.

    Returns its pixels before they were cropped, and what became of it.
    """
    header, metadata = work.plan.header, rendition.spec.metadata
    match rendition.way:
        case FromBase() | FromParent() as way:
            image = work.pictures.finished(way)
            image = steps.take(steps.FORMAT_STEPS, image, rendition, None)
            image = steps.keep_metadata(image, header, metadata)
            gain_map = _gain_map(work, rendition, way)
            encoded = encode_rendition(image, gain_map, rendition, open_sink, work.watch)
            return work.pictures.resized(way), encoded
        case OwnPass() as way:
            resized = _decode_again(work, rendition, way)
            image = steps.take(steps.STEPS, resized, rendition, rendition.placement.crop)
            image = steps.keep_metadata(image, header, metadata)
            photo = work.photo
            return resized, encode_while_decoding(image, rendition, photo, open_sink, work.watch)
        case Animated():
            assert work.frames is not None  # noqa: S101 - the plan counts them
            resized, strip = work.frames.made_into(rendition, header, work.watch)
            image = steps.keep_metadata(strip, header, metadata)
            return resized, encode_rendition(image, None, rendition, open_sink, work.watch)
        case _:
            assert_never(rendition.way)


def _decode_again(work: _Work, rendition: PlannedRendition, way: OwnPass) -> pyvips.Image:
    """Return the photo in the size and the colours of ``rendition``, lazy."""
    placement = rendition.placement
    work.photo.rewind_if_read()
    size = placement.width, placement.height
    image = decode_at(work.plan, way.load, size, work.photo)
    with work.photo.decoding():
        return convert(image, work.plan.header, rendition.spec.colour)


def _gain_map(
    work: _Work, rendition: PlannedRendition, way: FromBase | FromParent
) -> "EncodedGainMap | None":
    """Return the gain map that is stored with ``rendition``; None where it is to have none."""
    gain_map = work.base.gain_maps.get(rendition.spec.colour)
    if gain_map is None or not rendition.keeps_gain_map:
        return None
    # Loaded already: the gain map was read.
    from imaging.gainmap import encode_gain_map

    crop = work.pictures.crop(way)
    return encode_gain_map(gain_map, rendition.placement, crop, work.plan.header.upright)


def _appearance(resized: pyvips.Image, plan: RenditionPlan) -> Appearance:
    # Imported on first use: its libraries serve sidecars only.
    from imaging.appearance import appearance_of

    return appearance_of(resized, plan.header.upright)
