"""What a backfill hands its photos to."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from handler.backfill.listing import Photo

__all__ = ["Outcome", "Way"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one photo: its key, its disposition, and the code where it went wrong."""

    key: str
    disposition: str
    code: str | None = None
    message: str | None = None


Way = Callable[[Iterable[Photo]], Iterator[Outcome]]
"""Takes photos as it has room for them, and yields the outcome of each in any order.

When the photos end, also before their time, it waits for those that it took."""
