"""What a manifest says of the photo to an app, once a part of its renditions was made anew; pure.

docs/sidecar.md and docs/provenance.md say what that is. Where a photo comes from is the same,
whatever is made of it. Which renditions carry its credentials on, and how each is listed, is known
of those that stay from before, and of the others from who made them. What is read here is what
somebody may have written into the manifest by hand: what has another form is left out.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final

__all__ = ["About", "about_left", "about_with", "about_with_made"]

About = Mapping[str, Any]
"""Plain data: a sidecar, or where the photo comes from alone."""

_OF_RENDITIONS: Final = frozenset({"valid", "carried"})
"""What ``provenance`` says of renditions; the rest is of the photo."""


def about_left(about: About | None, stays: Callable[[str], bool]) -> About | None:
    """Return where the photo comes from, as ``about`` says it, of renditions that stay alone.

    Args:
        about: A sidecar, or not; None for nothing.
        stays: Tells of a rendition's name whether it does.
    """
    provenance = _provenance(about)
    if provenance is None:
        return None
    names = provenance.get("carried")
    carried = [name for name in _items(names) if isinstance(name, str) and stays(name)]
    if carried:
        return {"provenance": {**provenance, "carried": carried}}
    photo = {name: said for name, said in provenance.items() if name not in _OF_RENDITIONS}
    return {"provenance": photo}


def about_with(left: About | None, made: About | None) -> About | None:
    """Return where the photo comes from: ``left`` of what stays, ``made`` of what was made."""
    before, now = _provenance(left), _provenance(made)
    if before is None or now is None:
        return left if now is None else made
    carried = dict.fromkeys((*before.get("carried", ()), *now.get("carried", ())))
    return {"provenance": {**before, **now, **({"carried": list(carried)} if carried else {})}}


def about_with_made(
    before: About | None,
    made: About | None,
    *,
    names: Collection[str],
    keys: Collection[str],
    listed: Iterable[Mapping[str, Any]],
) -> About | None:
    """Return what is said where some renditions were stored beside, or over, what is there.

    A sidecar lists the renditions of the set, and no others.

    Args:
        before: What was said.
        made: What a manifest of these alone would say.
        names: Theirs.
        keys: Where they are.
        listed: How a sidecar lists them; what it listed under ``keys`` goes where that is missing.
    """
    provenance = about_with(about_left(before, lambda name: name not in names), made)
    if before is None:
        return provenance
    now = {row["key"]: row for row in listed}
    rows = [
        now.get(row["key"], row)
        for row in _items(before.get("renditions"))
        if isinstance(row, dict) and isinstance(row.get("key"), str)
        if row["key"] in now or row["key"] not in keys
    ]
    after = {**before, **(provenance or {})}
    return {**after, "renditions": rows} if "renditions" in before else after


def _provenance(about: About | None) -> dict[str, Any] | None:
    found = None if about is None else about.get("provenance")
    return found if isinstance(found, dict) else None


def _items(found: object) -> list[Any]:
    return found if isinstance(found, list) else []
