"""What another configuration changes: for a person to read, and for each photo; pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from imaging.config import Config
from imaging.formats import OutputFormat
from imaging.specs import SOURCE_FORMAT, RenditionSpec, Watermark

__all__ = ["changes", "is_stale", "renewed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """A rendition before and after; None where there is none."""

    before: RenditionSpec | None
    after: RenditionSpec | None


def changes(before: Config, after: Config) -> list[str]:
    """Return a line for each difference, in the order of ``after``."""
    lines = [line for pair in _pairs(before, after) for line in _lines_of(pair)]
    for name in ("truncated", "sidecar"):
        one, other = getattr(before, name), getattr(after, name)
        if one != other:
            lines.append(f"~ {name}: {_shown(one)} -> {_shown(other)}")
    lines += [
        f"~ limits: {field.name}: {_shown(one)} -> {_shown(other)}"
        for field in fields(after.limits)
        if (one := getattr(before.limits, field.name))
        != (other := getattr(after.limits, field.name))
    ]
    return lines


def _pairs(before: Config, after: Config) -> Iterator[_Pair]:
    """Yield the renditions of one name together, namesakes in their order."""
    left = list(before.renditions)
    for spec in after.renditions:
        same = next((one for one in left if one.name == spec.name), None)
        if same is not None:
            left.remove(same)
        yield _Pair(before=same, after=spec)
    for spec in left:
        yield _Pair(before=spec, after=None)


def _lines_of(pair: _Pair) -> Iterator[str]:
    if pair.before is None:
        assert pair.after is not None  # noqa: S101 - a pair has one at least
        said = ", ".join(f"{key} {_shown(value)}" for key, value in _options(pair.after).items())
        yield f'+ rendition "{pair.after.name}"' + (f": {said}" if said else "")
    elif pair.after is None:
        yield f'- rendition "{pair.before.name}"'
    else:
        one, other = _options(pair.before), _options(pair.after)
        for key in dict.fromkeys((*one, *other)):
            if one.get(key) != other.get(key):
                change = f"{_shown(one.get(key))} -> {_shown(other.get(key))}"
                yield f'~ rendition "{pair.after.name}": {key}: {change}'


def _options(spec: RenditionSpec) -> Mapping[str, Any]:
    """Return what a rendition says that is not the default, without its name."""
    return {
        "format" if field.name == "formats" else field.name: value
        for field in fields(spec)
        if field.name != "name" and (value := getattr(spec, field.name)) != field.default
    }


def _shown(value: object) -> str:
    match value:
        case None:
            return "the default"
        case bool():
            return str(value).lower()
        case StrEnum():
            return value.value
        case tuple():
            return f"[{', '.join(SOURCE_FORMAT if one is None else _shown(one) for one in value)}]"
        case Watermark():
            # Another picture of the same name is another watermark.
            picture = f"{value.image} ({value.digest[:8]})"
            said = {"image": picture, "position": value.position, "width": value.width}
            return _shown({**said, "opacity": value.opacity, "margin": value.margin})
        case Mapping():
            return f"{{{', '.join(f'{_shown(k)} = {_shown(v)}' for k, v in value.items())}}}"
    return str(value)


def _digests(spec: RenditionSpec) -> frozenset[tuple[OutputFormat | None, str]]:
    return frozenset((wanted, spec.digest(output)) for wanted, output in spec.outcomes())


def _set_of(config: Config, key: str) -> frozenset[tuple[OutputFormat | None, str]]:
    return frozenset().union(*map(_digests, config.specs_of(key)))


def is_stale(before: Config, after: Config, key: str) -> bool:
    """Tell whether the photo at ``key`` has to be looked at again."""
    was, wanted = _set_of(before, key), _set_of(after, key)
    # A photo that nothing is for has no sidecar either.
    return was != wanted or (bool(wanted) and before.sidecar != after.sidecar)


def renewed(before: Config, after: Config, key: str) -> tuple[RenditionSpec, ...]:
    """Return what has to be made of the photo at ``key``; the rest stays as it is.

    A sidecar is of the whole set: with one, all of it is made again.
    """
    if not is_stale(before, after, key):
        return ()
    specs = after.specs_of(key)
    if after.sidecar:
        return specs
    there = _set_of(before, key)
    # The photo's own format is known only when the photo is read.
    return tuple(spec for spec in specs if None in spec.formats or not _digests(spec) <= there)
