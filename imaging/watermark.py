"""Watermarks: the mark of a spec, scaled to its rendition, laid on it in the rendition's colours.

It comes last, on the finished picture: what others are made from has none, and every frame has one.

Imported by workers alone; a photo without one runs nothing of it.
"""

from collections.abc import Mapping
from contextlib import suppress
from functools import cache, lru_cache
from typing import Final

import pyvips

from imaging.colour import in_colours_of
from imaging.geometry import Box, place_mark
from imaging.light import light_of, resize_linear, stored_of
from imaging.plan import PlannedRendition
from imaging.specs import Watermark

__all__ = ["Marks"]

_MAX_SCALED: Final = 8
"""Marks in the size of a rendition that are kept; a photo has about as many renditions."""

_STRIP_ROWS: Final = 64


class Marks:
    """The marks of this process: each decoded once, however many photos have it.

    Args:
        encoded: Digest -> PNG.

    *Cost*: those that were used stay in memory, decoded.
    """

    def __init__(self, encoded: Mapping[str, bytes] | None = None) -> None:
        self._encoded = dict(encoded or {})
        self._decoded = cache(self._decode)
        self._scaled = lru_cache(maxsize=_MAX_SCALED)(self._scale)

    def add(self, digest: str, data: bytes) -> None:
        """Add a mark's PNG, or the next part of it."""
        self._encoded[digest] = self._encoded.get(digest, b"") + data

    def _decode(self, digest: str) -> pyvips.Image:
        """Return a mark. *Shape*: uchar, sRGB with alpha, not premultiplied, in memory."""
        image = pyvips.Image.pngload_buffer(self._encoded[digest], fail_on="error")
        if image.format == "ushort":
            space = "srgb" if image.bands > 2 else "b-w"
            image = (image >> 8).cast("uchar").copy(interpretation=space)
        if image.get_typeof("icc-profile-data"):
            # One that says nothing of its colours leaves sRGB: no photo is to fail for it.
            with suppress(pyvips.Error):
                image = image.icc_transform("srgb", embedded=True, depth=8)
        image = image.colourspace("srgb")
        if not image.hasalpha():
            image = image.bandjoin(255)
        # Nothing but its pixels: no profile, no text.
        pixels = image.cast("uchar").write_to_memory()
        bare = pyvips.Image.new_from_memory(pixels, image.width, image.height, 4, "uchar")
        return bare.copy(interpretation="srgb").copy_memory()

    def _scale(self, digest: str, width: int, height: int, linear: bool) -> pyvips.Image:  # noqa: FBT001 - a cache's key
        image = self._decoded(digest)
        if (image.width, image.height) == (width, height):
            return image
        if linear:
            return resize_linear(image, width, height).copy_memory()
        scale, vscale = width / image.width, height / image.height
        resized = image.premultiply().resize(scale, vscale=vscale).unpremultiply()
        return resized.rint().cast("uchar").copy(interpretation="srgb").copy_memory()

    def _placed(self, planned: PlannedRendition, watermark: Watermark) -> tuple[pyvips.Image, Box]:
        box = place_mark(planned.placement.output, watermark)
        linear = planned.spec.linear
        return self._scaled(watermark.digest, box.width, box.height, linear), box

    def laid_on(self, image: pyvips.Image, planned: PlannedRendition) -> pyvips.Image:
        """Return a finished picture, or a frame of one, with the mark of its spec.

        *Shape*: uchar, ``b-w`` or ``srgb``, any alpha in; the same out. Sequential-safe.
        """
        watermark = planned.spec.watermark
        if watermark is None:
            return image
        mark, box = self._placed(planned, watermark)
        # Each row goes two ways from here, and is made once.
        image = image.linecache(tile_height=_STRIP_ROWS, access="sequential", threaded=True)
        below = image.crop(box.left, box.top, box.width, box.height)
        covers = mark[3] * (watermark.opacity / 255)
        colours = in_colours_of(image, mark.extract_band(0, n=3))
        return image.insert(_over(below, colours, covers, planned.spec.linear), box.left, box.top)

    def shade(self, planned: PlannedRendition) -> pyvips.Image | None:
        """Return how much of a finished picture its mark covers; None without one.

        *Shape*: float, one band, 0 to 1, of the picture's size.
        """
        watermark = planned.spec.watermark
        if watermark is None:
            return None
        mark, box = self._placed(planned, watermark)
        covers = mark[3] * (watermark.opacity / 255)
        return covers.embed(box.left, box.top, *planned.placement.output)


def _over(
    below: pyvips.Image,
    colours: pyvips.Image,
    covers: pyvips.Image,
    linear: bool,  # noqa: FBT001 - a spec's
) -> pyvips.Image:
    """Return ``colours`` over ``below``: of stored values, or of light.

    Args:
        below: uchar, with alpha or without.
        colours: uchar, as many bands as ``below`` has beside alpha.
        covers: float, 0 to 1.
        linear: Whether light is mixed.
    """
    bands = colours.bands
    space = below.interpretation
    shown = below.extract_band(0, n=bands) if below.hasalpha() else below
    if linear:
        shown, colours = light_of(shown), light_of(colours)
    if below.hasalpha():
        beneath = below.extract_band(bands) / 255 * (1 - covers)
        whole = covers + beneath
        # Where both are transparent there is no colour.
        share = (whole > 0).ifthenelse(covers / whole, 0)
        mixed = colours * share + shown * (1 - share)
    else:
        whole = None
        mixed = colours * covers + shown * (1 - covers)
    mixed = stored_of(mixed.rint().cast("ushort")) if linear else mixed.rint().cast("uchar")
    if whole is not None:
        mixed = mixed.bandjoin((whole * 255).rint().cast("uchar"))
    return mixed.copy(interpretation=space)
