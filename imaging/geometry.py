"""Where every pixel goes: integer arithmetic on dimensions, without an image."""

from dataclasses import dataclass

from imaging.specs import Fit, RenditionSpec

__all__ = ["Box", "Placement", "is_sideways", "place", "scaled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A rectangle of whole pixels; ``left`` and ``top`` count from the top left corner."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """How one upright photo becomes one rendition: resize, then crop, then pad.

    Attributes:
        width: Columns after the resize.
        height: Rows after the resize.
        crop: The part of the resized photo that is kept; None for the whole.
        canvas: Where the photo lies on a larger background (``left`` and ``top`` are the photo's,
            ``width`` and ``height`` the canvas's); None for no padding.
    """

    width: int
    height: int
    crop: Box | None = None
    canvas: Box | None = None

    @property
    def output(self) -> tuple[int, int]:
        """Width and height of the finished rendition."""
        last = self.canvas or self.crop or self
        return last.width, last.height


def is_sideways(orientation: int) -> bool:
    """Tell whether EXIF ``orientation``, 1 to 8, swaps width and height (5 to 8 do)."""
    return orientation >= 5  # noqa: PLR2004 - EXIF 2.32, tag 0x0112


def scaled(side: int, numerator: int, denominator: int) -> int:
    """Return ``side * numerator / denominator``, rounded half up, at least 1.

    Rounds as libvips does (VIPS_RINT in ``resize.c``), so that dimensions agree with its own.
    """
    return max(1, (2 * side * numerator + denominator) // (2 * denominator))


def _scale(width: int, height: int, spec: RenditionSpec, *, cover: bool) -> tuple[int, int]:
    """Return the factor that ``spec`` asks for, as numerator and denominator."""
    factors = [
        (asked, side)
        for asked, side in ((spec.width, width), (spec.height, height))
        if asked is not None
    ] or [(1, 1)]
    # Compared as fractions: two floats may tie where the integers do not.
    chosen = factors[0]
    for factor in factors[1:]:
        larger = factor[0] * chosen[1] > chosen[0] * factor[1]
        if larger == cover:
            chosen = factor
    numerator, denominator = chosen
    if spec.without_enlargement and numerator > denominator:
        return 1, 1
    return numerator, denominator


def _centred(inner: int, outer: int) -> int:
    return (outer - inner) // 2


def place(width: int, height: int, spec: RenditionSpec) -> Placement:
    """Return how an upright photo of ``width`` x ``height`` becomes the rendition of ``spec``."""
    if spec.fit is Fit.FILL:
        asked = (spec.width or width, spec.height or height)
        if spec.without_enlargement:
            asked = (min(asked[0], width), min(asked[1], height))
        return Placement(width=asked[0], height=asked[1])

    factor = _scale(width, height, spec, cover=spec.fit is Fit.COVER)
    columns, rows = scaled(width, *factor), scaled(height, *factor)
    if spec.fit is Fit.COVER:
        kept = (min(spec.width or columns, columns), min(spec.height or rows, rows))
        crop = Box(
            left=_centred(kept[0], columns),
            top=_centred(kept[1], rows),
            width=kept[0],
            height=kept[1],
        )
        return Placement(width=columns, height=rows, crop=None if kept == (columns, rows) else crop)
    if spec.fit is Fit.CONTAIN:
        canvas = (spec.width or columns, spec.height or rows)
        box = Box(
            left=_centred(columns, canvas[0]),
            top=_centred(rows, canvas[1]),
            width=canvas[0],
            height=canvas[1],
        )
        padded = None if canvas == (columns, rows) else box
        return Placement(width=columns, height=rows, canvas=padded)
    return Placement(width=columns, height=rows)
