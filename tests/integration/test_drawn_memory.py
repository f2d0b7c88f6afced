"""A few of ``make drawn-memory``'s cases: the estimate was fitted to none of them."""

import re
from typing import Final

import pytest

from benchmarks.drawn import Drawn, draw
from benchmarks.drawn_memory import function_bytes, measure
from tests import photos

_SEED: Final = 1814
_CASES: Final = 8
_MOST_PIXELS: Final = 2_000_000


def pixels(drawn: Drawn) -> int:
    """Return columns times rows of a photo, which its name tells."""
    sides = re.search(r"(\d+)x(\d+)", drawn.photo)
    assert sides is not None
    return int(sides[1]) * int(sides[2])


def test_estimates_hold_for_what_they_were_not_fitted_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of small photos, each through the wall: one is below its peak at most, and by little."""
    monkeypatch.setenv("MALLOC_ARENA_MAX", "2")
    cases = [case for case in draw(_SEED, 200) if pixels(case) < _MOST_PIXELS][:_CASES]
    assert len(cases) == _CASES
    measured = list(measure(cases, function_bytes()))
    assert sum(one.is_below for one in measured) <= 1
    for one in measured:
        assert one.peak <= 1.1 * one.estimate, one
        assert one.estimate <= 2 * one.peak, one


def test_what_is_encoded_several_times_holds_the_memory_of_one_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What malloc keeps of one encoder is given back before the next one begins."""
    monkeypatch.setenv("MALLOC_ARENA_MAX", "2")
    toml = '[[renditions]]\nname = "r"\nformat = "avif"\nmax_bytes = 100000\n'
    photo = Drawn(photo="", extension="jpg", make=lambda: photos.jpeg(2400, 1800), toml=toml)
    (measured,) = measure([photo], function_bytes())
    assert measured.peak <= measured.estimate
