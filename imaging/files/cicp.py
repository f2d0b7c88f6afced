"""Colour by numbers instead of a profile: those of ITU-T H.273."""

from dataclasses import dataclass

__all__ = ["Cicp"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cicp:
    """Coding-independent code points.

    Attributes:
        primaries: 1 is BT.709 (sRGB's), 9 BT.2020, 12 Display P3's; 2 is unspecified.
        transfer: 13 is sRGB's curve, 16 PQ, 18 HLG, 8 linear; 2 is unspecified.
    """

    primaries: int
    transfer: int
