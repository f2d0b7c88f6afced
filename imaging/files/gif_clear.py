"""A GIF with more frames, which draw nothing, so that libnsgif shows it as browsers do; pure.

libnsgif paints the place of an opaque frame that is cleared in a colour of the screen's table,
takes the screen of some sizes for that of its first frame, and mixes up the rows of an interlaced
frame that reaches below the screen; libvips leaves the alpha out where no frame has a transparent
colour.

A frame of one transparent pixel changes nothing by being drawn. As the first it makes the screen as
large as itself; behind another one it leaves its place clear when it is cleared.

Source: https://github.com/libvips/libvips, libvips/foreign/libnsgif/gif.c, ``nsgif__restore_bg``.
"""

import struct
from dataclasses import dataclass

from imaging.files.gif import Blocks, Frame, walk

__all__ = ["Cleared", "with_clear_places"]

_CLEAR, _STAYS = 2, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleared:
    """A GIF with more frames than the photo has.

    Attributes:
        data: Its bytes.
        page_height: Rows of its screen, of which the photo's are the first.
        pages: Which of its frames are those of the photo, in order.
    """

    data: bytes
    page_height: int
    pages: tuple[int, ...]


def with_clear_places(data: bytes, blocks: Blocks) -> Cleared:
    """Return ``data`` with a frame in front, and one behind each opaque frame that is cleared.

    *Cost*: the file once more; 24 bytes for each frame that is added.
    """
    found = list(walk(data))
    pieces = [data[: found[0].begin], _empty(0, 0, blocks.width, blocks.reach, _STAYS)]
    page = 1
    pages = []
    # Where what was not copied yet begins.
    rest = found[0].begin
    for block in found:
        frame = block.frame
        if frame is None:
            continue
        pages.append(page)
        page += 1
        if frame.clears and not frame.is_transparent:
            flags = data[frame.disposal_at] & 0b11100011 | _STAYS << 2
            pieces += [data[rest : frame.disposal_at], bytes([flags])]
            pieces.append(data[frame.disposal_at + 1 : block.end])
            pieces.append(_empty_at(frame))
            rest = block.end
            page += 1
    pieces.append(data[rest:])
    return Cleared(data=b"".join(pieces), page_height=blocks.reach, pages=tuple(pages))


def _empty_at(frame: Frame) -> bytes:
    width, height = frame.right - frame.left, frame.bottom - frame.top
    return _empty(frame.left, frame.top, width, height, _CLEAR)


def _empty(left: int, top: int, width: int, height: int, disposal: int) -> bytes:
    """Return a frame of which one pixel is there, which is transparent."""
    control = b"\x21\xf9\x04" + struct.pack("<BHBB", disposal << 2 | 1, 0, 0, 0)
    # The sizes of codes and block; begin, colour 0, end, in 3 bits each.
    pixel = b"\x02\x02\x44\x01\0"
    return control + b"\x2c" + struct.pack("<HHHHB", left, top, width, height, 0) + pixel
