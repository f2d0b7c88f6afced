"""Frozen dataclasses to JSON and back: strict, by their fields and types.

Only plain data crosses the wall. A value that comes back has exactly the fields of its class, each
of its type: anything else is the other side's mistake, or its intent.
"""

import json
import math
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Final, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

__all__ = ["MisfitError", "from_json", "to_json"]

_Value = TypeVar("_Value")

_NAME: Final = "is"
"""The key under which a dataclass says which one it is: a union may hold several."""

_MAX_INTEGER: Final = 1 << 53
"""JSON's numbers are exact up to here."""


class MisfitError(Exception):
    """The JSON is none of a value of the expected type."""


def to_json(value: object) -> bytes:
    """Return ``value``, a dataclass, as JSON."""
    return json.dumps(_plain(value), separators=(",", ":"), allow_nan=False).encode()


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    assert is_dataclass(value)  # noqa: S101 - what else the values are made of
    plain: dict[str, object] = {_NAME: type(value).__name__}
    return plain | {each.name: _plain(getattr(value, each.name)) for each in fields(value)}


def from_json(expected: type[_Value], text: bytes | bytearray | memoryview) -> _Value:
    """Return the value of the class ``expected`` that ``text`` holds.

    Raises:
        MisfitError: It holds none: no JSON, a field too many or too few, or one of another type.
    """
    try:
        plain = json.loads(bytes(text), parse_constant=_refuse)
        return cast("_Value", _value(expected, plain))
    except (ValueError, TypeError, RecursionError) as error:
        # The last two by a class's own rules, and by lists in lists in lists.
        raise MisfitError(f"expected a {expected.__name__} but {error}") from error


def _refuse(constant: str) -> object:
    raise MisfitError(f"received {constant}, which is no number")


@cache
def _types(cls: type) -> dict[str, Any]:
    hints = get_type_hints(cls)
    return {each.name: hints[each.name] for each in fields(cls) if each.init}


def _value(expected: Any, plain: object) -> object:  # noqa: ANN401 - a type, or what typing makes of several
    origin = get_origin(expected)
    if origin is not None:
        return _composed(origin, get_args(expected), plain)
    if is_dataclass(expected):
        return _dataclass(cast("type", expected), plain)
    if isinstance(plain, str) and issubclass(expected, StrEnum):
        return expected(plain)
    return _scalar(expected, plain)


def _composed(origin: Any, parts: tuple[Any, ...], plain: object) -> object:  # noqa: ANN401 - as above
    if origin in {Union, types.UnionType}:
        return _one_of(parts, plain)
    if origin is Literal:
        return _literal(parts, plain)
    if origin is tuple:
        return _tuple(parts, plain)
    assert issubclass(origin, Mapping)  # noqa: S101 - what else the values are made of
    return _mapping(parts, plain)


def _scalar(expected: type, plain: object) -> object:
    if expected is float and type(plain) is int:
        plain = float(plain)
    # Not isinstance, for which a bool is an int.
    if type(plain) is not expected:
        raise MisfitError(f"expected {expected} but received {type(plain).__name__}")
    if isinstance(plain, int) and abs(plain) > _MAX_INTEGER:
        raise MisfitError(f"received an integer of {plain.bit_length()} bits")
    if isinstance(plain, float) and not math.isfinite(plain):
        raise MisfitError("received a number without end")
    return plain


def _one_of(choices: tuple[Any, ...], plain: object) -> object:
    for choice in choices:
        try:
            return _value(choice, plain)
        except (MisfitError, ValueError):
            continue
    raise MisfitError(f"expected one of {choices} but received {type(plain).__name__}")


def _literal(choices: tuple[Any, ...], plain: object) -> object:
    if type(plain) not in {type(choice) for choice in choices} or plain not in choices:
        raise MisfitError(f"expected one of {choices} but received another {type(plain).__name__}")
    return plain


def _tuple(items: tuple[Any, ...], plain: object) -> object:
    if not isinstance(plain, list):
        raise MisfitError(f"expected a list but received {type(plain).__name__}")
    if items[-1] is Ellipsis:
        return tuple(_value(items[0], each) for each in plain)
    if len(items) != len(plain):
        raise MisfitError(f"expected a list of {len(items)} but received {len(plain)}")
    return tuple(_value(item, each) for item, each in zip(items, plain, strict=True))


def _mapping(items: tuple[Any, ...], plain: object) -> object:
    if not isinstance(plain, dict):
        raise MisfitError(f"expected an object but received {type(plain).__name__}")
    key, item = items
    return {_value(key, name): _value(item, each) for name, each in plain.items()}


def _dataclass(cls: type, plain: object) -> object:
    if not isinstance(plain, dict):
        raise MisfitError(f"expected an object but received {type(plain).__name__}")
    wanted = _types(cls)
    if plain.keys() != {_NAME, *wanted} or plain[_NAME] != cls.__name__:
        raise MisfitError(f"expected a {cls.__name__} with {', '.join(wanted)}")
    return cls(**{name: _value(each, plain[name]) for name, each in wanted.items()})
