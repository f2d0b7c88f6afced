"""The rule of the manifest, tried in every order of a photo's changes and of who asks for it."""

import pytest

from tests.model.scenarios import FOUND_BY, LONG, QUICK, switched_back
from tests.model.search import search


@pytest.mark.parametrize("name", QUICK)
def test_every_order_ends_well(name: str) -> None:
    """The destination holds the photo's renditions, no others, and the manifest names them."""
    outcome = search(QUICK[name])
    assert outcome.wrong == {}
    assert outcome.ends


@pytest.mark.parametrize("piece", FOUND_BY)
def test_every_piece_of_the_rule_is_needed(piece: str) -> None:
    """Without it the search finds an order that ends wrong."""
    with switched_back(piece):
        outcome = search((QUICK | LONG)[FOUND_BY[piece]], frozenset({piece}))
    assert outcome.wrong
