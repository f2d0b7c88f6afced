"""What a manifest says of a photo stays true of the whole set when a part of it is made anew."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.photo.about import about_left, about_with
from handler.photo.manifest import Kept, Manifest
from handler.photo.rule import Addition, merged
from handler.version import SourceVersion

_VERSION = SourceVersion(bucket="b", etag="e")
_NAMES = st.sampled_from("abcd")
_MADE = st.dictionaries(_NAMES, st.tuples(st.booleans(), st.integers(1, 9)))
"""Of each rendition, by its name: whether it carries credentials on, and its bytes."""


def _provenance(made: dict[str, tuple[bool, int]], *, is_valid: bool) -> dict[str, Any]:
    """Return what is said of a photo of which these are the whole set."""
    carried = sorted(name for name, (carries, _) in made.items() if carries)
    found = {"valid": is_valid, "carried": carried} if carried else {}
    return {"credentials": "present", **found, "source_types": [], "data_mining": None}


def _row(name: str, size: int) -> dict[str, Any]:
    return {"name": name, "key": f"{name}.jpg", "bytes": size}


def _sorted(about: Any) -> Any:  # noqa: ANN401 - JSON
    """Return it with what is in no order in one."""
    if about is not None and "carried" in about["provenance"]:
        about["provenance"]["carried"].sort()
    return about


@given(first=_MADE, changes=st.lists(st.tuples(_MADE, st.sets(_NAMES))), is_valid=st.booleans())
def test_of_sets(
    first: dict[str, tuple[bool, int]],
    changes: list[tuple[dict[str, tuple[bool, int]], set[str]]],
    *,
    is_valid: bool,
) -> None:
    """Whatever jobs make anew, and leave out, one after another."""
    there, about = first, {"provenance": _provenance(first, is_valid=is_valid)}
    for made, dropped in changes:
        stay = there.keys() - made.keys() - dropped
        there = {name: there[name] for name in stay} | made
        part = {"provenance": _provenance(made, is_valid=is_valid)} if made else None
        left = about_left(about, stay.__contains__)
        about = _sorted(about_with(left, part))
        assert about == {"provenance": _provenance(there, is_valid=is_valid)}


@given(first=_MADE, requests=st.lists(_MADE), is_valid=st.booleans(), has_sidecar=st.booleans())
def test_of_what_is_asked_for(
    first: dict[str, tuple[bool, int]],
    requests: list[dict[str, tuple[bool, int]]],
    *,
    is_valid: bool,
    has_sidecar: bool,
) -> None:
    """A sidecar lists the set, each rendition of it as it is now, and no others."""
    about: dict[str, Any] = {"provenance": _provenance(first, is_valid=is_valid)}
    if has_sidecar:
        about |= {"version": 1, "renditions": [_row(name, first[name][1]) for name in first]}
    manifest, there = Manifest(version=_VERSION, about=about), first
    for made in requests:
        there = there | made
        addition = Addition(
            version=_VERSION,
            names=tuple(made),
            kept=tuple(Kept(key=f"{name}.jpg", etag=str(made[name])) for name in made),
            about={"provenance": _provenance(made, is_valid=is_valid)},
            listed=tuple(_row(name, made[name][1]) for name in made),
        )
        manifest = merged(manifest, addition)
        expected: dict[str, Any] = {"provenance": _provenance(there, is_valid=is_valid)}
        if has_sidecar:
            expected |= {"version": 1, "renditions": [_row(name, there[name][1]) for name in first]}
        assert _sorted(manifest.about) == expected


def test_a_sidecar_lists_nothing_that_nobody_describes() -> None:
    """What stands under the key of such a row is another rendition by now."""
    about = {"version": 1, "renditions": [_row("a", 1), _row("b", 2)]}
    before = Manifest(version=_VERSION, about=about)
    after = merged(
        before, Addition(version=_VERSION, names=("a",), kept=(Kept(key="a.jpg", etag="1"),))
    )
    assert after.about == {"version": 1, "renditions": [_row("b", 2)]}


@pytest.mark.parametrize("odd", [None, 1, "a", [], [[]], [{}], {}, {"key": []}, {"carried": 1}])
def test_what_somebody_wrote_by_hand_stops_nobody(odd: Any) -> None:  # noqa: ANN401 - JSON
    """Whatever is said, in whatever form: it is left out, or stays as it is."""
    part = {"provenance": _provenance({"a": (True, 1)}, is_valid=True)}
    for about in (
        {"provenance": odd},
        {"provenance": {"carried": odd}},
        {"provenance": {"carried": [odd]}},
        {"renditions": odd},
        {"renditions": [odd]},
    ):
        addition = Addition(
            version=_VERSION, names=("a",), kept=(), about=part, listed=(_row("a", 1),)
        )
        after = merged(Manifest(version=_VERSION, about=about), addition).about
        assert after is not None
        assert after["provenance"]["carried"][-1] == "a"
        assert about_with(about_left(about, "a".__eq__), part) is not None
