"""Carries out a plan: decode once, make and encode one rendition after the other."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

import pyvips

from imaging import steps
from imaging.bridge.source import OpenPhoto
from imaging.bridge.target import hand_on
from imaging.colour import convert
from imaging.encoding import Encoded, encode_rendition, encode_while_decoding
from imaging.pictures import Base, Pictures, decode_at, decode_base
from imaging.plan import (
    Animated,
    FromBase,
    FromParent,
    Load,
    OwnPass,
    PlannedRendition,
    RenditionPlan,
)
from imaging.rendition import Appearance, OpenSink, Rendition
from imaging.signatures import Sign

if TYPE_CHECKING:
    from imaging.animation import Frames
    from imaging.credentials.carrying import Carrying
    from imaging.gainmap import EncodedGainMap
    from imaging.watermark import Marks

__all__ = ["render"]


def render(
    plan: RenditionPlan,
    photo: OpenPhoto,
    open_sink: OpenSink,
    marks: "Marks | None",
    sign: Sign,
) -> Iterator[Rendition]:
    """Make and commit each planned rendition: :meth:`imaging.photo.Photo.render`.

    Args:
        plan: The plan.
        photo: The photo, of which the header was read.
        open_sink: Gives each rendition's sink.
        marks: Those that the plan names; None where it names none.
        sign: Signs what each rendition that keeps credentials says, once its sink is open.
    """
    with photo.refusing():
        carrying = _carrying(plan, photo, sign)
        yield from _render(plan, _Work(plan, photo, open_sink, marks, carrying))


def _carrying(plan: RenditionPlan, photo: OpenPhoto, sign: Sign) -> "Carrying | None":
    if plan.signer is None:
        return None
    # Imported on first use: most photos have no credentials.
    from imaging.credentials.carrying import Carrying

    return Carrying(photo.hold(), plan.header, plan.signer, sign)


def _render(plan: RenditionPlan, work: "_Work") -> Iterator[Rendition]:
    appearance: Appearance | None = None
    for rendition in plan.renditions:
        started = time.perf_counter()
        resized, encoded = work.make(rendition)
        shown = None
        if rendition.spec.name == plan.appearance_of and appearance is None:
            shown = appearance = _appearance(resized, plan)
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
            carried=encoded.carried,
        )


class _Work:
    """A photo that is decoded once, and what its renditions share.

    Attributes:
        base: What the still renditions are made from.
    """

    def __init__(
        self,
        plan: RenditionPlan,
        photo: OpenPhoto,
        open_sink: OpenSink,
        marks: "Marks | None",
        carrying: "Carrying | None",
    ) -> None:
        self._header = plan.header
        self._carrying = carrying
        self._marks = marks
        self._photo = photo
        self._open_sink = open_sink
        self._frames: Frames | None = None
        self.base = Base(pictures={}, gain_maps={}, warnings=())
        if plan.frames > 1:
            # Imported on first use: most photos are still.
            from imaging.animation import decode_frames

            self._frames = decode_frames(plan, photo)
            first = self._frames.images[0]
            colours = {colour: convert(first, plan.header, colour) for colour in plan.colours}
            self.base = Base(pictures=colours, gain_maps={}, warnings=())
        elif plan.base is not None:
            self.base = decode_base(plan, plan.base, photo)
        self._pictures = Pictures(plan, self.base.pictures)

    def make(self, rendition: PlannedRendition) -> tuple[pyvips.Image, Encoded]:
        """Make and commit one rendition.

        Returns its pixels before they were cropped, and what became of it.
        """
        match rendition.way:
            case FromBase() | FromParent() as way:
                image = self._pictures.finished(way)
                image = steps.take(steps.FORMAT_STEPS, image, rendition, None)
                image = self._marked(image, rendition)
                encoded = self._encode(image, rendition, self._gain_map(rendition, way))
                return self._pictures.resized(way), encoded
            case OwnPass(load=load):
                resized = self._decode_again(rendition, load)
                image = steps.take(steps.STEPS, resized, rendition, rendition.placement.crop)
                image = self._marked(image, rendition)
                image = steps.keep_metadata(image, self._header, rendition.spec.metadata)

                def encode(open_sink: OpenSink) -> Encoded:
                    return encode_while_decoding(image, rendition, self._photo, open_sink)

                return resized, self._committed(rendition, encode)
            case Animated():
                assert self._frames is not None  # noqa: S101 - the plan counts them
                resized, strip = self._frames.made_into(rendition, self._header, self._marked)
                return resized, self._encode(strip, rendition, None)
            case _:
                assert_never(rendition.way)

    def _marked(self, image: pyvips.Image, rendition: PlannedRendition) -> pyvips.Image:
        """Return a finished picture, or a frame of one, with its watermark."""
        return image if self._marks is None else self._marks.laid_on(image, rendition)

    def _encode(
        self, image: pyvips.Image, rendition: PlannedRendition, gain_map: "EncodedGainMap | None"
    ) -> Encoded:
        image = steps.keep_metadata(image, self._header, rendition.spec.metadata)
        return self._committed(
            rendition, lambda open_sink: encode_rendition(image, gain_map, rendition, open_sink)
        )

    def _committed(
        self, rendition: PlannedRendition, encode: Callable[[OpenSink], Encoded]
    ) -> Encoded:
        """Have ``encode`` commit a rendition; one that keeps credentials is signed before."""
        if self._carrying is None or not rendition.keeps_credentials:
            return encode(self._open_sink)
        # Loaded already.
        from imaging.credentials.carrying import Held

        held = Held()
        encoded = encode(lambda _: held)
        sink = self._open_sink(rendition)
        data, carried, warnings = self._carrying.signed(held.data, rendition)
        hand_on(data, sink)
        return replace(
            encoded,
            size=len(data),
            carried=carried,
            warnings=(*encoded.warnings, *warnings),
        )

    def _decode_again(self, rendition: PlannedRendition, load: Load) -> pyvips.Image:
        """Return the photo in the size and the colours of ``rendition``, lazy."""
        self._photo.rewind_if_read()
        size = rendition.placement.width, rendition.placement.height
        image = decode_at(self._header, load, size, self._photo)
        with self._photo.decoding():
            return convert(image, self._header, rendition.spec.colour)

    def _gain_map(
        self, rendition: PlannedRendition, way: FromBase | FromParent
    ) -> "EncodedGainMap | None":
        """Return the gain map that is stored with ``rendition``; None where it is to have none."""
        gain_map = self.base.gain_maps.get(rendition.spec.colour)
        if gain_map is None or not rendition.keeps_gain_map:
            return None
        # Loaded already: the gain map was read.
        from imaging.gainmap import encode_gain_map

        crop = self._pictures.crop(way)
        shade = None if self._marks is None else self._marks.shade(rendition)
        return encode_gain_map(gain_map, rendition.placement, crop, self._header.upright, shade)


def _appearance(resized: pyvips.Image, plan: RenditionPlan) -> Appearance:
    # Imported on first use: its libraries serve sidecars only.
    from imaging.appearance import appearance_of

    return appearance_of(resized, plan.header.upright)
