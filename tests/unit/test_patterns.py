"""Which keys a pattern matches, and whether patterns share one."""

from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from imaging.patterns import matches, witness

PATTERNS = st.text("ab/*?", min_size=1, max_size=5)
SETS = st.lists(PATTERNS, min_size=1, max_size=2)
KEYS = ["".join(letters) for length in range(1, 6) for letters in product("ab/", repeat=length)]


@pytest.mark.parametrize(
    ("pattern", "taken", "refused"),
    [
        ("avatars/**", ["avatars/a.jpg", "avatars/1/a.jpg"], ["avatar/a.jpg", "x/avatars/a.jpg"]),
        ("products/*.png", ["products/a.png", "products/.png"], ["products/1/a.png"]),
        ("**/*.png", ["a.png", "x/a.png", "x/y/a.png"], ["a.png.jpg", "apng"]),
        ("**.png", ["a.png", "x/a.png"], ["a.jpg"]),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b"], ["a/xb", "ab"]),
        ("?.jpg", ["a.jpg", "ü.jpg"], ["aa.jpg", "/.jpg", ".jpg"]),
        ("a[1].(jpg)", ["a[1].(jpg)"], ["a1.jpg"]),
        ("a\nb*", ["a\nb\n"], ["a\nb/c"]),
    ],
)
def test_what_a_pattern_matches(pattern: str, taken: list[str], refused: list[str]) -> None:
    """A star stays within a folder, two cross any; everything else is itself."""
    assert [key for key in taken if not matches([pattern], key)] == []
    assert [key for key in refused if matches([pattern], key)] == []


@example(["*"], ["**"], [], "")
@given(SETS, SETS, st.lists(PATTERNS, max_size=2), st.sampled_from(["", "a", "a/"]))
def test_a_shared_key_is_found_if_there_is_one(
    one: list[str], other: list[str], unwanted: list[str], prefix: str
) -> None:
    """The key matches as asked; where none is found, no key of up to five characters does."""

    def is_shared(key: str) -> bool:
        both = matches(one, key) and matches(other, key)
        return both and not matches(unwanted, key) and key.startswith(prefix)

    found = witness([one, other], unwanted, prefix=prefix)
    if found is None:
        assert not any(map(is_shared, KEYS))
    else:
        assert is_shared(found)
