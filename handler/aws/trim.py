"""The trimmed models, made from botocore's own: ``python -m handler.aws.trim FILE`` stores them.

The image is built with that file; where there is none, the models are trimmed when they are needed,
so that a checkout runs the same way, 150 ms later.
"""

import marshal
import sys
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import botocore
from botocore.exceptions import DataNotFoundError
from botocore.loaders import Loader

from handler.aws.operations import OPERATIONS

__all__ = ["main", "stored_models", "trim_models"]

_MODEL: Final = "service-2"
_RULES: Final = "endpoint-rule-set-1"
_PAGINATORS: Final = "paginators-1"
_SHARED: Final = ("partitions", "sdk-default-configuration", "_retry")
_MARSHAL_VERSION: Final = 4
"""The newest that every Python from 3.4 on reads."""


def _references(shape: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield each reference of ``shape`` to another: members, or what a list or map is made of."""
    yield from shape.get("members", {}).values()
    yield from (shape[part] for part in ("member", "key", "value") if part in shape)


def _undocumented(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``value`` without what is for readers. Not for a mapping whose keys are names."""
    return {key: item for key, item in value.items() if not key.startswith("documentation")}


def _trim_shape(shape: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``shape`` without documentation and the values of enumerations.

    botocore validates no enumeration: it sends what it is given.
    """
    kept = _undocumented(shape)
    kept.pop("enum", None)
    if "members" in kept:
        kept["members"] = {name: _undocumented(member) for name, member in kept["members"].items()}
    for part in ("member", "key", "value"):
        if part in kept:
            kept[part] = _undocumented(kept[part])
    return kept


def _trim_operation(operation: Mapping[str, Any]) -> dict[str, Any]:
    kept = _undocumented(operation)
    for part in ("input", "output"):
        if part in kept:
            kept[part] = _undocumented(kept[part])
    if "errors" in kept:
        kept["errors"] = [_undocumented(error) for error in kept["errors"]]
    return kept


def _trim_service(model: Mapping[str, Any], operations: tuple[str, ...]) -> dict[str, Any]:
    """Return ``model`` with ``operations`` and the shapes that they, or any error, lead to.

    Every error of the service stays: an answer may carry one that its operation does not declare,
    and the client has a class for it.
    """
    kept = {name: _trim_operation(model["operations"][name]) for name in operations}
    shapes = model["shapes"]
    waiting = [name for name, shape in shapes.items() if shape.get("exception")]
    for operation in kept.values():
        waiting += [operation[part]["shape"] for part in ("input", "output") if part in operation]
    reached: dict[str, Any] = {}
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached[name] = _trim_shape(shapes[name])
            waiting += [reference["shape"] for reference in _references(shapes[name])]
    return _undocumented(model) | {
        "operations": kept,
        # In botocore's order, so that the same input makes the same file.
        "shapes": {name: reached[name] for name in shapes if name in reached},
    }


def _trim_paginators(paginators: Mapping[str, Any], operations: tuple[str, ...]) -> dict[str, Any]:
    pagination = paginators["pagination"]
    return {"pagination": {name: pagination[name] for name in operations if name in pagination}}


def _trim_rules(rules: Mapping[str, Any]) -> dict[str, Any]:
    parameters = {name: _undocumented(value) for name, value in rules["parameters"].items()}
    return {**rules, "parameters": parameters}


def _trim_endpoints(endpoints: Mapping[str, Any]) -> dict[str, Any]:
    partitions = [
        {
            **partition,
            "services": {
                name: service
                for name, service in partition["services"].items()
                if name in OPERATIONS
            },
        }
        for partition in endpoints["partitions"]
    ]
    return {**endpoints, "partitions": partitions}


def _plain(value: Any, seen: dict[str, str]) -> Any:  # noqa: ANN401 - whatever JSON can say
    """Return ``value`` of plain dicts and lists, equal strings made one object, stored once."""
    if isinstance(value, dict):
        return {_plain(key, seen): _plain(item, seen) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, seen) for item in value]
    return seen.setdefault(value, value) if isinstance(value, str) else value


def trim_models() -> dict[str, Any]:
    """Return what :class:`handler.aws.loader.ModelLoader` serves, from the botocore installed here.

    Raises:
        KeyError: botocore's model has no operation of a name that ``OPERATIONS`` lists.
    """
    loader = Loader(include_default_search_paths=False)
    loader.search_paths.append(Loader.BUILTIN_DATA_PATH)
    services: dict[str, dict[str, Any]] = {}
    for service, operations in OPERATIONS.items():
        kept = {
            _MODEL: _trim_service(loader.load_service_model(service, _MODEL), operations),
            _RULES: _trim_rules(loader.load_service_model(service, _RULES)),
        }
        try:
            paginators = loader.load_service_model(service, _PAGINATORS)
        except DataNotFoundError:
            paginators = {"pagination": {}}
        kept[_PAGINATORS] = _trim_paginators(paginators, operations)
        services[service] = kept
    shared = {name: loader.load_data(name) for name in _SHARED}
    shared["endpoints"] = _trim_endpoints(loader.load_data("endpoints"))
    models: dict[str, Any] = _plain({"services": services, "shared": shared}, {})
    return {"botocore": botocore.__version__, "operations": dict(OPERATIONS), **models}


def stored_models() -> bytes:
    """Return the trimmed models as they are stored.

    Compressed: 21 kB to read at start instead of 143, for a millisecond.
    """
    return zlib.compress(marshal.dumps(trim_models(), _MARSHAL_VERSION), 9)


def main(arguments: list[str]) -> int:
    """Store the trimmed models in the file that the one argument names."""
    Path(*arguments).write_bytes(stored_models())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
