"""How large the pictures are that a HEIC's or AVIF's codec holds, by the codec's own words; pure.

An item says how large it is, and its codec says so again, in parameter sets that its decoder
believes. They stand in the item's properties or before its pixels.
"""

from collections.abc import Iterator
from typing import Final

from imaging.errors import OverLimitError
from imaging.files.av1 import SETUP_BYTES, read_sequences
from imaging.files.heif import CODED, Container, Item, size_of
from imaging.files.hevc import read_sides

__all__ = ["check_coded", "coded_pixels"]

_BLOCK: Final = 128
"""What a codec rounds sides up to at most: AV1's superblock."""


def coded_pixels(container: Container, of: int | None = None) -> int:
    """Return the pixels of the largest coded part of :meth:`Container.picture`, 0 for none.

    That is what its item says, or its codec in the item's properties, where that is more; what the
    codec says before the pixels is :func:`check_coded`'s to read.

    Args:
        container: The file's directory.
        of: The number of the picture; None for the primary one.

    Raises:
        OverLimitError: A coded picture is larger than its item.
    """
    return max((check_coded(item, b"") for item in _coded(container, of)), default=0)


def check_coded(item: Item, data: bytes) -> int:
    """Hold what the codec of a coded picture says of its sides against what its item says.

    Args:
        item: The picture.
        data: Its bytes, which are gone through from unit to unit.

    Returns:
        Its pixels, as the item says or as the codec does, where that is more.

    Raises:
        OverLimitError: The codec says more than it may round up to.
    """
    pixels = _pixels(item, data)
    width, height = size_of(item) or (0, 0)
    allowed = -(-width // _BLOCK) * -(-height // _BLOCK) * _BLOCK**2
    if pixels > allowed:
        raise OverLimitError(
            f"coded pixels of item {item.id}, which says that it has {width} x {height},",
            actual=pixels,
            maximum=allowed,
        )
    return max(pixels, width * height)


def _coded(container: Container, of: int | None) -> Iterator[Item]:
    return (item for item in container.picture(of) if item.kind in CODED)


def _pixels(item: Item, data: bytes) -> int:
    """Return the pixels of the largest picture that the codec says it has."""
    if item.kind == b"av01":
        setup = (item.property(b"av1C") or b"")[SETUP_BYTES:]
        sequences = (*read_sequences(setup), *read_sequences(data))
        return max((each.width * each.height for each in sequences), default=0)
    sides = read_sides(item.property(b"hvcC") or b"", data)
    return max((width * height for width, height in sides), default=0)
