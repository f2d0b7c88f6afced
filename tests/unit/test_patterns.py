"""Which keys a pattern matches, and whether patterns share one."""

import re
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


@given(st.text("ab/*?é.[\n", min_size=1, max_size=7), st.text("ab/é.[\n", max_size=10))
def test_stars_mean_what_a_regular_expression_says(pattern: str, key: str) -> None:
    """The same keys match as by the expression that tries each way to share them."""
    means = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.findall(r"\*\*/|\*\*|\*|\?|.", pattern, re.DOTALL)
    expression = "".join(means.get(part, re.escape(part)) for part in parts)
    assert matches([pattern], key) == bool(re.fullmatch(expression, key, re.DOTALL))


@pytest.mark.parametrize("pattern", ["**/*-*-*-*-*.jpg", "**-**-**-**-**-**-**.jpg"])
def test_no_key_takes_forever(pattern: str) -> None:
    """A key of dashes alone, which a stranger chose, is told at once from one of five parts."""
    assert not matches([pattern], "a/" + "-" * 1000 + ".png")
    assert matches([pattern], "a/" + "-" * 1000 + ".jpg")


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
