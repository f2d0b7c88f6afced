"""Whether all of a GIF is there, and what its blocks say of its frames; pure.

Source: GIF89a, https://www.w3.org/Graphics/GIF/spec-gif89a.txt.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Final

from imaging.errors import TruncatedPhotoError

__all__ = ["Block", "Blocks", "Frame", "application", "read_blocks", "screen_size", "walk"]

_SCREEN_BYTES: Final = 13
_IMAGE: Final = 0x2C
_EXTENSION: Final = 0x21
_IMAGE_BYTES: Final = 10
_APPLICATION: Final = b"\x21\xff\x0b"
_HAS_TABLE: Final = 0x80
_INTERLACED: Final = 0x40
_CONTROL: Final = b"\xf9"
_CLEAR: Final = 2
_RESTORES: Final = frozenset({3, 4})
"""Disposals of a frame in whose place the frame before comes back; old writers say 4."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Where a frame is drawn, and what becomes of it.

    Attributes:
        left: Its first column on the screen.
        top: Its first row.
        right: The column behind its last.
        bottom: The row behind its last.
        disposal: 2 clears its place before the next frame, 3 brings back what was there before.
        is_transparent: Whether a colour of its table stands for what lies below.
        is_interlaced: Whether every eighth row comes first.
        disposal_at: Where its disposal stands in the file; 0 where nothing says it.
    """

    left: int
    top: int
    right: int
    bottom: int
    disposal: int
    is_transparent: bool
    is_interlaced: bool
    disposal_at: int

    @property
    def clears(self) -> bool:
        """Whether its place is clear before the next frame is drawn."""
        return self.disposal == _CLEAR

    def covers(self, place: "_Place") -> bool:
        """Tell whether ``place`` lies within the frame."""
        left, top, right, bottom = place
        if left >= right or top >= bottom:
            return True
        return (
            self.left <= left and self.top <= top and right <= self.right and bottom <= self.bottom
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A part of the file.

    Attributes:
        begin: Its first byte.
        end: The byte behind its last; beyond the file's end where it is cut.
        frame: The frame that it holds; None for an extension.
    """

    begin: int
    end: int
    frame: Frame | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocks:
    """What the blocks of a GIF say.

    Attributes:
        frames: How many there are.
        largest: Columns times rows of the largest frame, which need not lie within the screen.
        restores: Whether a decoder has to keep the picture before a frame.
        metadata_bytes: Comments, text, and what applications add.
        width: Columns of the screen, which the first frame may widen.
        height: Rows of it.
        first: The column and the row behind the first frame's last.
        reach: The row behind the last of the screen and of every interlaced frame.
        is_bare: Whether a place that no frame covers shows while no frame says that it is
            transparent, or once a frame was cleared that does not.
    """

    frames: int
    largest: int
    restores: bool
    metadata_bytes: int
    width: int
    height: int
    first: tuple[int, int]
    reach: int
    is_bare: bool


_Place = tuple[int, int, int, int]
"""First column and row, and those behind the last."""

_NOWHERE: Final = (0, 0, 0, 0)


@dataclass(slots=True)
class _Screen:
    """Frames as they are drawn one after the other, by their places alone.

    As long as every frame is opaque and each picture was covered, what is clear before a frame is
    drawn is one rectangle: the whole screen at first, then at most that of one cleared frame.

    Attributes:
        size: Columns and rows.
        first: The column and the row behind the first frame's last.
        clear: What is clear before the next frame.
        shows_clear: Whether a clear place was shown.
        has_transparent: Whether a frame has a transparent colour.
        was_cleared: Whether there is a frame behind an opaque one that is cleared.
    """

    size: tuple[int, int]
    first: tuple[int, int] = (0, 0)
    clear: _Place = field(default=_NOWHERE)
    shows_clear: bool = False
    has_transparent: bool = False
    was_cleared: bool = False
    _before: Frame | None = None

    def draw(self, frame: Frame) -> None:
        before = self._before
        if before is None:
            self.first = frame.right, frame.bottom
            self.size = max(self.size[0], frame.right), max(self.size[1], frame.bottom)
            self.clear = (0, 0, *self.size)
        elif before.clears:
            self.was_cleared |= not before.is_transparent
            right, bottom = min(before.right, self.size[0]), min(before.bottom, self.size[1])
            self.clear = (before.left, before.top, right, bottom)
        elif before.disposal not in _RESTORES:
            self.clear = _NOWHERE
        self.shows_clear |= not frame.covers(self.clear)
        self.has_transparent |= frame.is_transparent
        self._before = frame

    @property
    def is_bare(self) -> bool:
        return self.was_cleared if self.has_transparent else self.shows_clear


def screen_size(data: bytes) -> tuple[int, int]:
    """Return how many columns and rows the file says that it has, before any frame widens it."""
    return int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")


def walk(data: bytes) -> Iterator[Block]:
    """Yield each block of ``data`` up to the first that means nothing: decoders stop there.

    *Cost*: a step for each sub-block, which has up to 255 bytes.
    """
    at = _SCREEN_BYTES + _table_bytes(data, 10)
    control_at = disposal = 0
    is_transparent = False
    while at < len(data):
        begin = at
        if data[at] == _EXTENSION:
            at = _behind_sub_blocks(data, begin + 2)
            if data[begin + 1 : begin + 2] == _CONTROL and begin + 3 < len(data):
                control_at = begin + 3
                disposal = data[control_at] >> 2 & 7
                # A second one takes nothing back.
                is_transparent |= bool(data[control_at] & 1)
            yield Block(begin=begin, end=at, frame=None)
        elif data[at] == _IMAGE:
            # The code size follows the table.
            at += _IMAGE_BYTES + _table_bytes(data, at + _IMAGE_BYTES - 1) + 1
            at = _behind_sub_blocks(data, at)
            left, top, width, height = (
                int.from_bytes(data[place : place + 2], "little")
                for place in range(begin + 1, begin + 9, 2)
            )
            frame = Frame(
                left=left,
                top=top,
                right=left + width,
                bottom=top + height,
                disposal=disposal,
                is_transparent=is_transparent,
                is_interlaced=bool(int.from_bytes(data[begin + 9 : begin + 10]) & _INTERLACED),
                disposal_at=control_at,
            )
            yield Block(begin=begin, end=at, frame=frame)
            control_at = disposal = 0
            is_transparent = False
        else:
            break


def read_blocks(data: bytes) -> Blocks:
    """Return what the blocks say, if no frame is cut: a decoder leaves the rest of one empty.

    What lacks its end mark alone is whole, and with it what is cut exactly between two frames; so
    is what has bytes between its blocks that mean nothing.

    *Cost*: as :func:`walk`.

    Raises:
        TruncatedPhotoError: The bytes end within a block.
    """
    end = _SCREEN_BYTES + _table_bytes(data, 10)
    frames = largest = metadata_bytes = reach = 0
    restores = False
    screen = _Screen(screen_size(data))
    for block in walk(data):
        begin, end, frame = block.begin, block.end, block.frame
        if frame is not None:
            frames += 1
            pixels = (frame.right - frame.left) * (frame.bottom - frame.top)
            largest = max(largest, pixels)
            restores |= frame.disposal in _RESTORES
            reach = max(reach, frame.bottom if frame.is_interlaced else 0)
            screen.draw(frame)
        elif data[begin + 1 : begin + 2] != _CONTROL:
            metadata_bytes += end - begin
    if end > len(data) or (end == len(data) and not frames):
        raise TruncatedPhotoError(
            f"Expected a whole gif photo but its {len(data):,} bytes end too soon"
        )
    width, height = screen.size
    return Blocks(
        frames=frames,
        largest=largest,
        restores=restores,
        metadata_bytes=metadata_bytes,
        width=width,
        height=height,
        first=screen.first,
        reach=max(height, reach),
        is_bare=screen.is_bare,
    )


def application(data: bytes, name: bytes) -> bytes | None:
    """Return what stands before the first frame for the application ``name``; None without it.

    Args:
        data: The GIF.
        name: Eight bytes, and three that authenticate them.
    """
    wanted = _APPLICATION + name
    for block in takewhile(lambda block: block.frame is None, walk(data)):
        if data.startswith(wanted, block.begin):
            return b"".join(_sub_blocks(data[block.begin + len(wanted) : block.end]))
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
