"""How long a backfill will take and what it will cost, from a sample of its photos."""

import logging
import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from handler.backfill.listing import Photo
from handler.backfill.prices import Prices, Work, price_of
from imaging.errors import InternalError, error_from_exception
from imaging.in_memory import render_in_memory
from imaging.local import MemorySource
from imaging.photo import PhotoOpener
from imaging.planning import Asked

__all__ = ["Estimate", "Sample", "Survey", "measure", "survey"]

_log = logging.getLogger(__name__)

_SEED: Final = 1
"""The same bucket gives the same sample: an estimate can be made again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What there is: how many photos, their bytes, and some of them, drawn evenly from all."""

    photos: int
    size: int
    drawn: tuple[Photo, ...]


def survey(photos: Iterable[Photo], draw: int, tick: Callable[[int], None]) -> Survey:
    """Count ``photos`` and draw some.

    *Cost*: no more than ``draw`` of them in memory. ``tick`` is told the count at each.
    """
    chance = random.Random(_SEED)  # noqa: S311 - a sample, not a secret
    drawn: list[Photo] = []
    count = size = 0
    for photo in photos:
        count += 1
        size += photo.size
        # Reservoir sampling: each of the photos so far is in it with the same probability.
        if len(drawn) < draw:
            drawn.append(photo)
        elif (place := chance.randrange(count)) < draw:
            drawn[place] = photo
        tick(count)
    return Survey(photos=count, size=size, drawn=tuple(drawn))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What the drawn photos took on this machine, in the mean.

    Attributes:
        photos: How many were rendered; those that cannot be are left out.
        refused: How many cannot be.
        seconds: Per photo, download included.
        stored: Bytes of renditions per photo.
        renditions: Per photo.
    """

    photos: int
    refused: int
    seconds: float
    stored: float
    renditions: float


def measure(
    client: Any,  # noqa: ANN401 - botocore's
    bucket: str,
    drawn: Sequence[Photo],
    asked_of: Callable[[str], Asked],
    open_photo: PhotoOpener,
) -> Sample:
    """Render each of ``drawn`` into memory, as ``asked_of`` its key; nothing is stored.

    *Cost*: a GetObject for each, and its bytes in memory.
    """
    taken: list[float] = []
    sizes: list[int] = []
    refused = 0
    for photo in drawn:
        started = time.perf_counter()
        asked = asked_of(photo.key)
        if not asked.specs:
            taken.append(0.0)
            continue
        try:
            body = client.get_object(Bucket=bucket, Key=photo.key)["Body"].read()
            made = render_in_memory(open_photo, MemorySource(body), asked)
            sizes.extend(len(data) for data in made.data)
        except client.exceptions.ClientError:
            refused += 1
            continue
        except Exception as raised:  # noqa: BLE001 - one bad photo never ends the estimate
            error = error_from_exception(raised, "estimate")
            if isinstance(error, InternalError):
                _log.warning("%s: %s: %s (%s)", photo.key, error.code, error, error.detail)
            refused += 1
            continue
        taken.append(time.perf_counter() - started)
    count = len(taken)
    return Sample(
        photos=count,
        refused=refused,
        seconds=sum(taken) / count if count else 0.0,
        stored=sum(sizes) / count if count else 0.0,
        renditions=len(sizes) / count if count else 0.0,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What all photos will take: seconds, and dollars; None where this machine does the work."""

    seconds: float
    dollars: float | None


def estimate(
    photos: int,
    sample: Sample,
    *,
    at_once: int,
    memory_mb: int | None,
    prices: Prices,
) -> Estimate:
    """Return what ``photos`` will take.

    Args:
        photos: How many.
        sample: What some of them took.
        at_once: How many are worked on at the same time.
        memory_mb: The function's; None where this machine does the work.
        prices: What AWS asks.
    """
    seconds = photos * sample.seconds / at_once
    if memory_mb is None:
        return Estimate(seconds=seconds, dollars=None)
    work = Work(
        photos=photos,
        seconds=sample.seconds,
        memory_mb=memory_mb,
        renditions=sample.renditions,
        stored_bytes=sample.stored,
    )
    return Estimate(seconds=seconds, dollars=price_of(work, prices).total)
