"""Whether all of a GIF is there, and what its blocks say that its decoder will hold; pure.

Source: GIF89a, https://www.w3.org/Graphics/GIF/spec-gif89a.txt.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from imaging.errors import TruncatedPhotoError

__all__ = ["Blocks", "application", "read_blocks"]

_SCREEN_BYTES: Final = 13
_IMAGE: Final = 0x2C
_EXTENSION: Final = 0x21
_IMAGE_BYTES: Final = 10
_APPLICATION: Final = b"\x21\xff\x0b"
_HAS_TABLE: Final = 0x80
_CONTROL: Final = 0xF9
_RESTORE: Final = 3
"""The disposal of a frame in whose place the frame before comes back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocks:
    """What the blocks of a GIF say.

    Attributes:
        frames: How many there are.
        largest: Columns times rows of the largest frame, which need not lie within the screen.
        restores: Whether a decoder has to keep the picture before a frame.
        metadata_bytes: Comments, text, and what applications add.
    """

    frames: int
    largest: int
    restores: bool
    metadata_bytes: int


def read_blocks(data: bytes) -> Blocks:
    """Return what the blocks say, if no frame is cut: a decoder leaves the rest of one empty.

    What lacks its end mark alone is whole, and with it what is cut exactly between two frames; so
    is what has bytes between its blocks that mean nothing: decoders stop there.

    *Cost*: a step for each sub-block, which has up to 255 bytes.

    Raises:
        TruncatedPhotoError: The bytes end within a block.
    """
    at = _SCREEN_BYTES + _table_bytes(data, 10)
    frames = largest = metadata_bytes = 0
    restores = False
    while at < len(data):
        begin, kind = at, data[at : at + 2]
        if data[at] == _IMAGE:
            frames += 1
            sides = data[at + 5 : at + 9]
            pixels = int.from_bytes(sides[:2], "little") * int.from_bytes(sides[2:], "little")
            largest = max(largest, pixels)
            # The code size follows the table.
            at += _IMAGE_BYTES + _table_bytes(data, at + _IMAGE_BYTES - 1) + 1
        elif data[at] == _EXTENSION:
            at += 2
        else:
            break
        at = _behind_sub_blocks(data, at)
        if kind == bytes((_EXTENSION, _CONTROL)):
            restores |= int.from_bytes(data[begin + 3 : begin + 4], "little") >> 2 & 7 == _RESTORE
        elif data[begin] == _EXTENSION:
            metadata_bytes += at - begin
    if at > len(data) or (at == len(data) and not frames):
        raise TruncatedPhotoError(
            f"Expected a whole gif photo but its {len(data):,} bytes end too soon"
        )
    return Blocks(frames=frames, largest=largest, restores=restores, metadata_bytes=metadata_bytes)


def application(data: bytes, name: bytes) -> bytes | None:
    """Return what stands before the first frame for the application ``name``; None without it.

    Args:
        data: The GIF.
        name: Eight bytes, and three that authenticate them.
    """
    at = _SCREEN_BYTES + _table_bytes(data, 10)
    while at < len(data) and data[at] == _EXTENSION:
        end = _behind_sub_blocks(data, at + 2)
        if data.startswith(_APPLICATION + name, at):
            return b"".join(_sub_blocks(data[at + 3 + len(name) : end]))
        at = end
    return None


def _sub_blocks(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data) and data[at]:
        yield data[at + 1 : at + 1 + data[at]]
        at += 1 + data[at]


def _table_bytes(data: bytes, at: int) -> int:
    """Return how long the colour table is of which the flags at ``at`` tell."""
    flags = data[at] if at < len(data) else 0
    return 3 << (flags & 7) + 1 if flags & _HAS_TABLE else 0


def _behind_sub_blocks(data: bytes, at: int) -> int:
    """Return where the sub-blocks that begin at ``at`` end; beyond the end where they do not."""
    while at < len(data):
        if data[at] == 0:
            return at + 1
        at += data[at] + 1
    return len(data) + 1
