"""The bytes of a grid's tiles: that they have come and are whole, before a tile is decoded."""

from typing import TYPE_CHECKING

from imaging.files.heif_layout import parts_of_tiles
from imaging.files.heif_units import check_units

if TYPE_CHECKING:
    from imaging.files.heif import Container, Item, Read
    from imaging.files.heif_layout import Tiles

__all__ = ["Arrivals"]


class Arrivals:
    """What each tile of a grid is made of, each part waited for and checked once.

    *Thread*: one at a time.

    Args:
        container: The file's directory.
        read: Reads the file; it returns once the bytes have come.
        tiles: The grid.
        there: Of each tile, whether the file has all its bytes.
        last: The tile that is decoded last. Those that nobody asks for are checked before it.
    """

    def __init__(
        self,
        container: "Container",
        read: "Read",
        tiles: "Tiles",
        there: tuple[bool, ...],
        last: int,
    ) -> None:
        self._container = container
        self._read = read
        self._last = last
        self._unchecked: dict[int, tuple[Item, ...]] = {
            number: parts
            for number, parts in enumerate(parts_of_tiles(container, tiles))
            if there[number]
        }
        self._checked: set[int] = set()

    def wait_for(self, number: int) -> None:
        """Have all the bytes of a tile come, and its parts checked.

        Raises:
            CorruptPhotoError: It is damaged.
            OverLimitError: It is larger than the file says.
            SourceError: Its bytes cannot be read.
        """
        for due in tuple(self._unchecked) if number == self._last else (number,):
            parts = self._unchecked.pop(due, ())
            # Several tiles may share a part, such as their alpha.
            new = [part for part in parts if part.id not in self._checked]
            check_units(self._container, self._read, new)
            self._checked.update(part.id for part in new)
