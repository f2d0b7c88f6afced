"""Carries out a plan: decode once, hold one base, derive and encode each rendition."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyvips

from imaging import steps
from imaging.bridge import OpenPhoto, encode, encode_pass, encoded, hand_on
from imaging.colour import convert, keeps_values, untagged_grey
from imaging.deadline import NEVER, Deadline
from imaging.errors import PhotoWarning, TruncatedPhotoError
from imaging.fitting import fit
from imaging.formats import InputFormat, OutputFormat
from imaging.geometry import Box, is_sideways
from imaging.header import ImageHeader
from imaging.plan import Load, PlannedRendition, RenditionPlan
from imaging.rendition import Appearance, Rendition
from imaging.savers import saver
from imaging.specs import Colour
from imaging.streams import ByteSink

if TYPE_CHECKING:
    from imaging.animation import Frames
    from imaging.gainmap import EncodedGainMap, GainMap

__all__ = ["OpenSink", "render"]

# They hold grey as three bands, for which a profile of grey would be wrong.
_WITHOUT_GREY: Final = frozenset({OutputFormat.WEBP, OutputFormat.AVIF})

OpenSink = Callable[[PlannedRendition], ByteSink]
Watch = Callable[[pyvips.Image], pyvips.Image]


def _load_options(format_: InputFormat, load: Load, fail_on: str) -> dict[str, object]:
    """Return the loader's options."""
    options: dict[str, object] = {"access": "sequential", "fail_on": fail_on}
    match format_:
        case InputFormat.JPEG:
            options["shrink"] = load.shrink
        case InputFormat.WEBP:
            options["scale"] = load.scale
        case InputFormat.TIFF:
            options |= {"page": load.page, "subifd": load.subifd}
        case InputFormat.PNG | InputFormat.GIF | InputFormat.AVIF | InputFormat.HEIC:
            pass
    return options


def _pixels(
    header: ImageHeader, load: Load, size: tuple[int, int], photo: OpenPhoto, *, fail_on: str
) -> pyvips.Image:
    """Return the photo in ``size``, as stored, in its own colours; to be evaluated once, in order.

    *Order*: the resize comes first, so that colour and orientation touch the few pixels that stay.
    """
    image = photo.load(**_load_options(photo.format, load, fail_on))
    match photo.format:
        # Nobody waits for a decoder who never sees such a photo.
        case InputFormat.HEIC:
            from imaging.decoders import heic

            image = heic.decode(photo.encoded(), image)
        case InputFormat.AVIF:
            from imaging.decoders import avif

            image = avif.decode(photo.encoded(), image)
        case _:
            pass
    with photo.decoding():
        if load.shrink > 1:
            image = steps.fill_out(image, header, load.shrink)
        return steps.resize(image, *size)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Base:
    """What all renditions are made of, upright and in memory: the photo's bytes are done with.

    Attributes:
        pictures: One for each colour that is asked for.
        gain_maps: The photo's, for each colour in which a rendition is to have it and it holds.
        warnings: What is to be said of the photo.
    """

    pictures: Mapping[Colour, pyvips.Image]
    gain_maps: "Mapping[Colour, GainMap]"
    warnings: tuple[PhotoWarning, ...]


def _read_gain_map(
    plan: RenditionPlan, photo: OpenPhoto
) -> "tuple[dict[Colour, GainMap], tuple[PhotoWarning, ...]]":
    """Return the photo's gain map for each colour in which it is wanted and holds.

    Factors for red, green and blue hold in the colours that they were made in; one factor for all
    holds in any.

    *Cost*: where it is wanted, the photo is downloaded whole before it is decoded.
    """
    wanted = {rendition.spec.colour for rendition in plan.renditions if rendition.keeps_gain_map}
    if not wanted:
        return {}, ()
    # Nobody waits for it who never sees an Ultra HDR photo.
    from imaging.gainmap import read_gain_map

    gain_map = read_gain_map(photo.encoded(), plan.header.orientation)
    if gain_map is None:
        # The file may break off: a decoder that reads as it goes notices.
        photo.rewind()
        return {}, (
            PhotoWarning(
                code="gain-map-dropped",
                message="Expected a gain map behind the photo but received none that can be read",
            ),
        )
    held = {
        colour: gain_map
        for colour in wanted
        if not gain_map.is_coloured or keeps_values(photo.load(), plan.header, colour)
    }
    dropped = tuple(
        PhotoWarning(
            code="gain-map-dropped",
            message=(
                "Expected a gain map of one band, or no conversion of the photo, but received "
                f"one of three bands with colour {colour.value!r}"
            ),
        )
        for colour in sorted(wanted - set(held))
    )
    return held, dropped


def _decode(plan: RenditionPlan, base: tuple[int, int], photo: OpenPhoto, watch: Watch) -> _Base:
    """Return the base.

    *Cost*: a photo that breaks off is read and decoded twice if it may be rendered all the same.

    Raises:
        CorruptPhotoError: The pixels cannot be decoded to their end.
        SourceError: The bytes cannot be read to their end.
    """
    size = base[::-1] if is_sideways(plan.header.orientation) else base
    gain_maps, warnings = _read_gain_map(plan, photo)
    bases: dict[Colour, pyvips.Image] = {}
    try:
        # The level that accepts what merely warns: phones write such.
        bases = _decode_stored(plan, size, photo, watch, fail_on="truncated")
    except TruncatedPhotoError:
        if not plan.renders_truncated:
            raise
    if not bases:
        # Not while the error is handled: it holds the first decode and its memory.
        photo.rewind()
        bases = _decode_stored(plan, size, photo, watch, fail_on="none")
        warnings = (*warnings, _half_there(next(iter(bases.values()))))
    if plan.header.orientation > 1:
        bases = {colour: steps.upright(base).copy_memory() for colour, base in bases.items()}
    return _Base(pictures=bases, gain_maps=gain_maps, warnings=warnings)


def _half_there(image: pyvips.Image) -> PhotoWarning:
    """Return what is to be said of a photo that breaks off.

    Raises:
        TruncatedPhotoError: Less than half of its rows are there.
    """
    rows = steps.rows_above_flat_end(image)
    there = f"{100 * rows // image.height} % of its rows"
    if 2 * rows < image.height:
        raise TruncatedPhotoError(f"Expected at least half of the photo but received {there}")
    return PhotoWarning(code="truncated", message=f"The photo breaks off; it has {there}")


def _decode_stored(
    plan: RenditionPlan, size: tuple[int, int], photo: OpenPhoto, watch: Watch, *, fail_on: str
) -> dict[Colour, pyvips.Image]:
    """Return the base in each colour, as it lies in the file, in memory: the bytes are done with.

    *Cost*: a second colour takes a second base, and one more for both in the photo's own colours.

    Raises:
        CorruptPhotoError: The pixels cannot be decoded to their end.
        SourceError: The bytes cannot be read to their end.
    """
    image = watch(_pixels(plan.header, plan.load, size, photo, fail_on=fail_on))
    with photo.decoding():
        # A sequential image is evaluated once; everything after this reads from memory.
        if len(plan.colours) > 1:
            image = image.copy_memory()
        bases = {
            colour: convert(image, plan.header, colour).copy_memory() for colour in plan.colours
        }
    photo.drain()
    return bases


class _Pictures:
    """The pictures of one photo: each resized once, however many are made or encoded from it.

    *Cost*: those that are looked at, are a parent, or are encoded more than once stay in memory
    until the end.
    """

    def __init__(self, plan: RenditionPlan, bases: Mapping[Colour, pyvips.Image]) -> None:
        still = [planned for planned in plan.renditions if planned.frames == 1]
        # Where one spec has both, the one that stands still knows the parent.
        self._planned = {planned.spec.name: planned for planned in (*plan.renditions, *still)}
        self._parents = {planned.parent for planned in still}
        self._encoded = Counter(planned.spec.name for planned in still)
        self._bases = bases
        self._resized: dict[str, pyvips.Image] = {}
        self._cropped: dict[str, pyvips.Image] = {}
        self._crops: dict[str, Box | None] = {}

    def whole(self, name: str) -> pyvips.Image:
        """Return the picture of the spec ``name`` before it is cropped."""
        if name not in self._resized:
            planned = self._planned[name]
            placement = planned.placement
            parent = (
                self._bases[planned.spec.colour]
                if planned.parent is None
                else self.whole(planned.parent)
            )
            image = _resize(parent, planned)
            if name in self._parents or placement.search is not None:
                image = image.copy_memory()
            self._resized[name] = image
        return self._resized[name]

    def cropped(self, name: str) -> pyvips.Image:
        """Return the picture of the spec ``name``, before the format has a say."""
        if name not in self._cropped:
            planned = self._planned[name]
            resized = self.whole(name)
            self._crops[name] = steps.find_crop(resized, planned.placement)
            image = _crop(resized, planned, self._crops[name])
            self._cropped[name] = image.copy_memory() if self._encoded[name] > 1 else image
        return self._cropped[name]

    def crop(self, name: str) -> Box | None:
        """Return what was kept of the resized picture of ``name``; None where all of it was."""
        return self._crops.get(name)


def _resize(image: pyvips.Image, planned: PlannedRendition) -> pyvips.Image:
    """Return the picture in the planned size, uncropped."""
    size = planned.placement.width, planned.placement.height
    if planned.spec.linear:
        # Few ask for it.
        from imaging.light import resize_linear

        return resize_linear(image, *size)
    return steps.resize(image, *size)


def _crop(image: pyvips.Image, planned: PlannedRendition, box: Box | None) -> pyvips.Image:
    """Return what is kept of a resized picture, sharpened where that is asked."""
    if box is not None:
        image = steps.crop(image, box)
    if planned.spec.sharpen is not None:
        image = steps.sharpen(image, planned.spec.sharpen)
    return image


def _finish(image: pyvips.Image, rendition: PlannedRendition) -> pyvips.Image:
    """Return what is encoded: flattened where the format has no alpha, and padded."""
    spec, placement = rendition.spec, rendition.placement
    if rendition.format in _WITHOUT_GREY:
        image = untagged_grey(image)
    if not rendition.format.has_alpha:
        image = steps.flatten(image, spec.background)
    if placement.canvas is not None:
        image = steps.pad(image, placement, spec.background)
    return image


def _moving(
    frames: "Frames", rendition: PlannedRendition, header: ImageHeader, watch: Watch
) -> pyvips.Image:
    """Return every frame of ``rendition``, finished, as one strip.

    *Cost*: its frames, in memory beside those of the base.
    """
    placement, colour = rendition.placement, rendition.spec.colour
    resized = [_resize(convert(frame, header, colour), rendition) for frame in frames.images]
    # What is kept of the first is kept of all: a picture that moves must not jump as well.
    box = steps.find_crop(resized[0], placement)
    finished = (_finish(_crop(frame, rendition, box), rendition) for frame in resized)
    return frames.with_images([watch(frame).copy_memory() for frame in finished]).strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Encoded:
    """What became of a picture: its bytes, its ``Q``, and what is to be said of it."""

    size: int
    quality: int | None
    gain_map_size: int | None = None
    warnings: tuple[PhotoWarning, ...] = ()


def _encode(
    image: pyvips.Image,
    gain_map: "EncodedGainMap | None",
    rendition: PlannedRendition,
    open_sink: OpenSink,
    watch: Watch,
) -> _Encoded:
    keep, quality, max_bytes = steps.kept(image), rendition.quality, rendition.max_bytes

    def whole(quality: int) -> bytearray:
        data = encoded(watch(image), *saver(rendition, quality, keep=keep))
        if gain_map is None:
            return data
        from imaging.gainmap import with_gain_map

        return with_gain_map(data, gain_map)

    if gain_map is not None and quality is not None and max_bytes is None:
        data = whole(quality)
        hand_on(data, open_sink(rendition))
        return _Encoded(size=len(data), quality=quality, gain_map_size=gain_map.size)
    if quality is None or max_bytes is None:
        name, options = saver(rendition, quality, keep=keep)
        size = encode(watch(image), name, options, open_sink(rendition))
        return _Encoded(size=size, quality=quality)
    # It may be evaluated several times.
    image = image.copy_memory()
    fitted = fit(
        whole,
        quality=quality,
        max_bytes=max_bytes,
    )
    hand_on(fitted.data, open_sink(rendition))
    missed = PhotoWarning(
        code="over-max-bytes",
        message=(
            f"Expected {rendition.spec.name}.{rendition.format.extension} of at most "
            f"{max_bytes:,} bytes but it has {len(fitted.data):,} at quality {fitted.quality}"
        ),
    )
    return _Encoded(
        size=len(fitted.data),
        quality=fitted.quality,
        gain_map_size=None if gain_map is None else gain_map.size,
        warnings=() if fitted.fits else (missed,),
    )


def _gain_map_of(
    rendition: PlannedRendition, base: _Base, pictures: _Pictures, header: ImageHeader
) -> "EncodedGainMap | None":
    """Return the gain map that is stored with ``rendition``; None where it is to have none."""
    gain_map = base.gain_maps.get(rendition.spec.colour)
    if gain_map is None or not rendition.keeps_gain_map:
        return None
    from imaging.gainmap import encode_gain_map

    crop = pictures.crop(rendition.spec.name)
    return encode_gain_map(gain_map, rendition.placement, crop, header.upright)


def _transcode(
    image: pyvips.Image,
    rendition: PlannedRendition,
    photo: OpenPhoto,
    open_sink: OpenSink,
    watch: Watch,
) -> _Encoded:
    """Encode an image that is lazy on the photo, while it is decoded."""
    name, options = saver(rendition, rendition.quality, keep=steps.kept(image))
    size = encode_pass(photo, watch(image), name, options, open_sink(rendition))
    return _Encoded(size=size, quality=rendition.quality)


def render(
    plan: RenditionPlan,
    photo: OpenPhoto,
    open_sink: OpenSink,
    deadline: Deadline = NEVER,
) -> Iterator[Rendition]:
    """Make each planned rendition and commit it to the sink that ``open_sink`` gives for it.

    No sink is opened before the whole photo was read and decoded without an error, except for
    renditions with a pass of their own: theirs is committed only after that.

    Yields:
        Each rendition as it is committed, in the plan's order.

    Raises:
        RejectedPhotoError: The photo cannot be decoded; nothing was committed.
        SourceError: Its bytes cannot be read; nothing was committed.
        SinkError: A rendition could not be handed on; it was aborted, earlier ones stand.
        OutOfTimeError: ``deadline`` passed; what was under way was aborted, earlier ones stand.
    """
    with deadline.stopping() as watch:
        yield from _render(plan, photo, open_sink, watch)


def _render(
    plan: RenditionPlan,
    photo: OpenPhoto,
    open_sink: OpenSink,
    watch: Watch,
) -> Iterator[Rendition]:
    frames: Frames | None = None
    base = _Base(pictures={}, gain_maps={}, warnings=())
    if plan.frames > 1:
        # Most photos stand still, and start without it.
        from imaging.animation import decode_frames

        frames = decode_frames(plan, photo, watch)
        first = {colour: convert(frames.images[0], plan.header, colour) for colour in plan.colours}
        base = _Base(pictures=first, gain_maps={}, warnings=())
    elif plan.base is not None:
        base = _decode(plan, plan.base, photo, watch)
    was_decoded = plan.base is not None
    pictures = _Pictures(plan, base.pictures)
    appearance: Appearance | None = None
    for rendition in plan.renditions:
        started = time.perf_counter()
        shown = None
        if frames is not None and rendition.frames > 1:
            image = _moving(frames, rendition, plan.header, watch)
        elif rendition.own_pass is None:
            image = _finish(pictures.cropped(rendition.spec.name), rendition)
        else:
            if was_decoded:
                photo.rewind()
            was_decoded = True
            size = rendition.placement.width, rendition.placement.height
            image = _pixels(plan.header, rendition.own_pass, size, photo, fail_on="truncated")
            with photo.decoding():
                image = convert(image, plan.header, rendition.spec.colour)
            image = _crop(image, rendition, rendition.placement.crop)
            image = _finish(image, rendition)
        image = steps.keep_metadata(image, plan.header, rendition.spec.metadata)
        if rendition.own_pass is None:
            gain_map = _gain_map_of(rendition, base, pictures, plan.header)
            outcome = _encode(image, gain_map, rendition, open_sink, watch)
        else:
            outcome = _transcode(image, rendition, photo, open_sink, watch)
        if rendition.spec.name == plan.appearance_of and appearance is None:
            # Imported on first use: its libraries serve sidecars only.
            from imaging.appearance import appearance_of

            appearance = appearance_of(pictures.whole(rendition.spec.name), plan.header.upright)
            shown = appearance
        yield Rendition(
            planned=rendition,
            width=rendition.placement.output[0],
            height=rendition.placement.output[1],
            size=outcome.size,
            quality=outcome.quality,
            gain_map_size=outcome.gain_map_size,
            warnings=(*base.warnings, *outcome.warnings),
            elapsed_ms=(time.perf_counter() - started) * 1000,
            appearance=shown,
        )
