"""A short bad day in each run of the tests; ``make simulate`` has a long one."""

import pytest

from tests.photos import jpeg
from tests.simulation import begun, settled, simulate
from tests.simulation.pieces import PIECES, switched_back


@pytest.mark.parametrize("seed", [1, 2])
def test_a_bad_day_ends_well(seed: int) -> None:
    """Whoever asked, in whatever order, whatever failed: the destination is what the photos are."""
    simulation, wrong = simulate(steps=600, keys=40, seed=seed)
    assert wrong == []
    assert simulation.came["written"]
    assert simulation.came["killed"]


def test_the_renditions_of_an_archived_photo_are_not_left_over() -> None:
    """Nor where its bucket is one of two that want the place, and its manifest was lost."""
    with begun(keys=20, seed=1, has_faults=False) as simulation:
        key = "sets/0016 photo.jpg"
        bucket = simulation._bucket(key)
        simulation._put(bucket, key, jpeg(32, 24))
        assert settled(simulation) == []
        simulation._move_away(bucket, key)
        simulation._delete_manifest(bucket, key)
        assert settled(simulation) == []
        assert simulation.came["rejected"] == 1


@pytest.mark.parametrize("piece", PIECES)
def test_a_piece_of_the_rule_is_missed(piece: str) -> None:
    """Switched back, one at a time, it is found within 2,000 steps.

    Most are by the first seed. The rarest is by one in four or five, so that of thirty some find it
    whatever a change of the function makes of their histories.

    Three are none of them, since none of those drew what each needs: that an announcement is of a
    version; that who announces takes the place; that a deletion announces what it makes.
    test_truth.py lets it happen.
    """
    with switched_back(piece):
        assert any(simulate(steps=2_000, keys=40, seed=seed)[1] for seed in range(1, 31))
