"""The pictures of one photo before they are encoded: decoded once, each resized once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import pyvips

from imaging import steps
from imaging.bridge.source import OpenPhoto
from imaging.colour import convert, keeps_values
from imaging.decoders import decoder_of
from imaging.errors import PhotoWarning, TruncatedPhotoError
from imaging.formats import InputFormat
from imaging.geometry import Box, is_sideways
from imaging.header import ImageHeader
from imaging.plan import FromBase, FromParent, Load, PlannedRendition, RenditionPlan
from imaging.specs import Colour

if TYPE_CHECKING:
    from imaging.gainmap import GainMap

__all__ = ["Base", "Pictures", "decode_at", "decode_base", "resize_as_planned"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What the renditions are made from, upright and in memory: the photo's bytes were read.

    Attributes:
        pictures: One for each colour that is asked for.
        gain_maps: The photo's, for each colour in which a rendition needs it and it is right.
        warnings: Warnings of the photo.
    """

    pictures: Mapping[Colour, pyvips.Image]
    gain_maps: "Mapping[Colour, GainMap]"
    warnings: tuple[PhotoWarning, ...]


def decode_at(
    header: ImageHeader, load: Load, size: tuple[int, int], photo: OpenPhoto
) -> pyvips.Image:
    """Return the photo in ``size``, as stored, in its own colours; to be evaluated once, in order.

    *Order*: the resize comes first, so that colour and orientation touch the few pixels that stay.

    Raises:
        CorruptPhotoError: The photo cannot be decoded.
        SourceError: The bytes cannot be read.
    """
    image = decoder_of(photo.format).decode(photo, header, load)
    with photo.decoding():
        return steps.resize(image, *size)


def decode_base(plan: RenditionPlan, base: tuple[int, int], photo: OpenPhoto) -> Base:
    """Return the base.

    *Cost*: a truncated photo is read and decoded twice if it may be rendered all the same.

    Raises:
        CorruptPhotoError: The pixels cannot be decoded to their end.
        SourceError: The bytes cannot be read to their end.
    """
    size = base[::-1] if is_sideways(plan.header.orientation) else base
    # A JPEG's decoder reads on from what is read here; a HEIC has its gain map behind its tiles.
    is_first = photo.format is InputFormat.JPEG
    gain_maps, warnings = _read_gain_maps(plan, photo) if is_first else ({}, ())
    bases: dict[Colour, pyvips.Image] = {}
    try:
        bases = _decode_stored(plan, plan.load, size, photo)
    except TruncatedPhotoError:
        if not plan.renders_truncated:
            raise
    if not bases:
        # Not while the error is handled: it holds the first decode and its memory.
        photo.rewind()
        bases = _decode_stored(plan, replace(plan.load, fail_on="none"), size, photo)
        warnings = (*warnings, _truncation(plan, photo, next(iter(bases.values()))))
    if not is_first:
        gain_maps, said = _read_gain_maps(plan, photo)
        warnings = (*said, *warnings)
    if plan.header.orientation > 1:
        bases = {colour: steps.upright(base).copy_memory() for colour, base in bases.items()}
    return Base(pictures=bases, gain_maps=gain_maps, warnings=warnings)


def _decode_stored(
    plan: RenditionPlan, load: Load, size: tuple[int, int], photo: OpenPhoto
) -> dict[Colour, pyvips.Image]:
    """Return the base in each colour, as it lies in the file, in memory.

    *Cost*: with several colours a base for each, and one more in the photo's own colours.

    Raises:
        CorruptPhotoError: The pixels cannot be decoded to their end.
        SourceError: The bytes cannot be read to their end.
    """
    image = decode_at(plan.header, load, size, photo)
    with photo.decoding():
        # A sequential image is evaluated once; everything after this reads from memory.
        if len(plan.colours) > 1:
            image = image.copy_memory()
        bases = {
            colour: convert(image, plan.header, colour).copy_memory() for colour in plan.colours
        }
    photo.drain()
    return bases


def _truncation(plan: RenditionPlan, photo: OpenPhoto, image: pyvips.Image) -> PhotoWarning:
    """Return the warning of a truncated photo.

    Raises:
        TruncatedPhotoError: Less than half of its rows, or of its tiles, were received.
    """
    if plan.header.tile is None:
        there, count, parts = steps.rows_above_flat_end(image), image.height, "rows"
    else:
        from imaging.decoders.heif_picture import tiles_received

        there, count = tiles_received(photo)
        parts = "tiles"
    received = f"{100 * there // count} % of its {parts}"
    if 2 * there < count:
        raise TruncatedPhotoError(f"Expected at least half of the photo but received {received}")
    return PhotoWarning(code="truncated", message=f"The photo is truncated; it has {received}")


def _read_gain_maps(
    plan: RenditionPlan, photo: OpenPhoto
) -> "tuple[dict[Colour, GainMap], tuple[PhotoWarning, ...]]":
    """Return the photo's gain map for each colour in which it is wanted and right.

    Factors for red, green and blue are right only in the colours that they were made for; one
    factor for all three is right in any.

    *Cost*: where it is wanted, a JPEG is downloaded whole before it is decoded.
    """
    wanted = {rendition.spec.colour for rendition in plan.renditions if rendition.keeps_gain_map}
    if not wanted:
        return {}, ()
    # Imported on first use: most photos have no gain map.
    from imaging.gainmap import gain_map_of_item, read_gain_map

    gain_map = None
    told: Callable[[], pyvips.Image] = photo.load
    if photo.format is InputFormat.JPEG:
        gain_map = read_gain_map(
            photo.encoded(),
            plan.header.orientation,
            scale=plan.gain_map_scale,
            limits=photo.limits,
        )
        if gain_map is None:
            # The file may be truncated: a decoder that reads as it goes notices.
            photo.rewind()
    else:
        from imaging.decoders.heif_picture import described, gain_map_of

        told = partial(described, photo)
        found = gain_map_of(photo)
        if found is not None:
            gain_map = gain_map_of_item(*found, plan.header)
    if gain_map is None:
        return {}, (
            PhotoWarning(
                code="gain-map-dropped",
                message="Expected a gain map with the photo but received none that can be read",
            ),
        )
    held = {
        colour: gain_map
        for colour in wanted
        if not gain_map.is_coloured or keeps_values(told(), plan.header, colour)
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


def resize_as_planned(image: pyvips.Image, planned: PlannedRendition) -> pyvips.Image:
    """Return the picture in the planned size, uncropped.

    *Shape*: uchar, any bands in, the same out.
    """
    size = planned.placement.width, planned.placement.height
    if not planned.spec.linear:
        return steps.resize(image, *size)
    # Imported on first use: few specs ask for it.
    from imaging.light import resize_linear

    return resize_linear(image, *size)


class Pictures:
    """The pictures of one photo: each resized once, however many are made or encoded from it.

    *Cost*: the pictures that the plan keeps are in memory until the end.
    """

    def __init__(self, plan: RenditionPlan, bases: Mapping[Colour, pyvips.Image]) -> None:
        self._planned: dict[str, PlannedRendition] = {
            planned.way.picture: planned
            for planned in plan.renditions
            if isinstance(planned.way, FromBase | FromParent)
        }
        self._bases = bases
        self._resized: dict[str, pyvips.Image] = {}
        self._finished: dict[str, pyvips.Image] = {}
        self._crops: dict[str, Box | None] = {}

    def resized(self, way: FromBase | FromParent) -> pyvips.Image:
        """Return a picture before it is cropped."""
        if way.picture not in self._resized:
            planned = self._planned[way.picture]
            image = resize_as_planned(self._made_from(way, planned), planned)
            self._resized[way.picture] = image.copy_memory() if way.keeps_resized else image
        return self._resized[way.picture]

    def _made_from(self, way: FromBase | FromParent, planned: PlannedRendition) -> pyvips.Image:
        if isinstance(way, FromBase):
            return self._bases[planned.spec.colour]
        parent = self._planned[way.parent].way
        assert isinstance(parent, FromBase | FromParent)  # noqa: S101 - as __init__ chose them
        return self.resized(parent)

    def finished(self, way: FromBase | FromParent) -> pyvips.Image:
        """Return a picture, cropped and sharpened, before its format matters."""
        if way.picture not in self._finished:
            planned = self._planned[way.picture]
            resized = self.resized(way)
            box = self._crops[way.picture] = steps.find_crop(resized, planned.placement)
            image = steps.take(steps.PICTURE_STEPS, resized, planned, box)
            self._finished[way.picture] = image.copy_memory() if way.keeps_finished else image
        return self._finished[way.picture]

    def crop(self, way: FromBase | FromParent) -> Box | None:
        """Return what was kept of a resized picture; None where all of it was."""
        return self._crops.get(way.picture)
