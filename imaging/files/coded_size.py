"""How large the pictures are that a HEIC's or AVIF's codec holds, by the codec's own words; pure.

An item says how large it is, and its codec says so again, in parameter sets that its decoder
believes. They stand in the item's properties or before its pixels.
"""

from collections.abc import Iterator
from typing import Final

from imaging.errors import OverLimitError, TruncatedPhotoError
from imaging.files.av1 import SETUP_BYTES, read_sequences
from imaging.files.heif import Container, Item, Read, size_of
from imaging.files.hevc import read_sides

__all__ = ["check_coded"]

_BLOCK: Final = 128
"""What a codec rounds sides up to at most: AV1's superblock."""


def check_coded(container: Container, read: Read, of: int | None = None) -> int:
    """Hold what the codecs of :meth:`Container.picture` say against what its items say.

    *Cost*: the picture's bytes are gone through, from unit to unit.

    Args:
        container: The file's directory.
        read: Reads the file.
        of: The number of the picture; None for the primary one.

    Returns:
        The pixels of the largest coded picture; 0 where no codec says anything.

    Raises:
        OverLimitError: A coded picture is larger than its item.
    """
    largest = 0
    for item in _coded(container, of):
        try:
            data = container.bytes_of(item, read)
        except TruncatedPhotoError:
            # A tile that is not there is not decoded.
            continue
        pixels = _pixels(item, data)
        width, height = size_of(item) or (0, 0)
        allowed = -(-width // _BLOCK) * -(-height // _BLOCK) * _BLOCK**2
        if pixels > allowed:
            raise OverLimitError(
                f"coded pixels of item {item.id}, which says that it has {width} x {height},",
                actual=pixels,
                maximum=allowed,
            )
        largest = max(largest, pixels)
    return largest


def _coded(container: Container, of: int | None) -> Iterator[Item]:
    return (item for item in container.picture(of) if item.kind in {b"hvc1", b"av01"})


def _pixels(item: Item, data: bytes) -> int:
    """Return the pixels of the largest picture that the codec says it has."""
    if item.kind == b"av01":
        setup = (item.property(b"av1C") or b"")[SETUP_BYTES:]
        sequences = (*read_sequences(setup), *read_sequences(data))
        return max((each.width * each.height for each in sequences), default=0)
    sides = read_sides(item.property(b"hvcC") or b"", data)
    return max((width * height for width, height in sides), default=0)
