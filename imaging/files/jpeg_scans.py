"""How many scans a JPEG's decoder goes through, counted while the bytes go by; pure.

Each scan of a progressive JPEG is a pass over the whole picture. Segments are skipped by their
lengths: metadata holds a scan's marker by chance.

Source: ITU-T T.81, B.1 and B.2; how libjpeg finds the next marker: it skips what is none.
"""

import re
from typing import Final

__all__ = ["ScanCounter"]

_MARKER: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
"""A marker but for restarts, which stand within a scan, as stuffed and filling bytes do."""

_TEM, _SOI, _EOI, _SOS = 0x01, 0xD8, 0xD9, 0xDA
_PROGRESSIVE: Final = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_SEQUENTIAL: Final = frozenset({0xC0, 0xC1, 0xC3, 0xC5, 0xC7, 0xC9, 0xCB, 0xCD, 0xCF})

_HEAD_BYTES: Final = 8
"""Behind a marker, as far as the number of a frame's components."""

_ALL: Final = 255


class ScanCounter:
    """Takes the bytes of a JPEG in order, in pieces of any length.

    *Cost*: a search through scans of a JPEG that has several; nothing behind the head of the scan
    of one that has all in one.

    Attributes:
        segments: So many have begun.
        scans: So many of them are scans.
        is_progressive: Whether the frame says so.
    """

    def __init__(self) -> None:
        self.segments = 0
        self.scans = 0
        self.is_progressive = False
        self._components = _ALL
        self._is_done = False
        self._skipped = 0
        self._rest = b""

    def take(self, piece: bytes | memoryview) -> None:
        """Go on with ``piece``."""
        if self._is_done:
            return
        if self._skipped >= len(piece):
            self._skipped -= len(piece)
            return
        data = self._rest + bytes(piece[self._skipped :])
        self._skipped, self._rest = 0, b""
        at = 0
        while not self._is_done:
            found = _MARKER.search(data, at)
            if found is None:
                self._rest = data[-1:] if data[at:].endswith(b"\xff") else b""
                return
            marker, begin = data[found.end() - 1], found.end()
            if marker in {_TEM, _SOI}:
                at = begin
                continue
            if marker != _EOI and len(data) - begin < _HEAD_BYTES:
                self._rest = data[found.start() :]
                return
            self._see(marker, data[begin : begin + _HEAD_BYTES])
            at = begin + max(2, int.from_bytes(data[begin : begin + 2], "big"))
            if at > len(data):
                self._skipped = at - len(data)
                return

    def _see(self, marker: int, head: bytes) -> None:
        """Note what a marker says, and the bytes behind it."""
        self.segments += 1
        if marker == _EOI:
            # What follows is another picture, a gain map or a preview.
            self._is_done = True
        elif marker in _PROGRESSIVE:
            self.is_progressive = True
        elif marker in _SEQUENTIAL:
            self._components = head[7]
        elif marker == _SOS:
            self.scans += 1
            # The decoder stops behind such a scan.
            self._is_done = not self.is_progressive and head[2] >= self._components
