"""Which tiles of a HEIF picture are decoded, for tests that count them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imaging.decoders.libheif import Picture, Samples

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

__all__ = ["watch_tiles"]


def watch_tiles(monkeypatch: pytest.MonkeyPatch, see: Callable[[int, int], None]) -> None:
    """Let ``see`` take the column and the row of each tile, of pictures opened from now on.

    A thread of libvips may still be at work for the test before, whose photo failed: its picture's
    do not count.
    """
    begin, decode = Picture.__init__, Picture.tile
    opened: list[Picture] = []

    def init(picture: Picture, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - whatever it takes
        opened.append(picture)
        begin(picture, *arguments, **named)

    def tile(picture: Picture, column: int, row: int) -> Samples:
        if any(each is picture for each in opened):
            see(column, row)
        return decode(picture, column, row)

    monkeypatch.setattr(Picture, "__init__", init)
    monkeypatch.setattr(Picture, "tile", tile)
