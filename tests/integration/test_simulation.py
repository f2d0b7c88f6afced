"""A short bad day in each run of the tests; ``make simulate`` has a long one."""

import pytest

from tests.simulation import simulate


@pytest.mark.parametrize("seed", [1, 2])
def test_a_bad_day_ends_well(seed: int) -> None:
    """Whatever came twice, late, broken or not at all: the destination is what the photos are."""
    simulation, wrong = simulate(events=150, keys=12, seed=seed)
    assert wrong == []
    assert simulation.counts["written"]
    assert simulation.counts["retry"] + simulation.counts["killed"]
