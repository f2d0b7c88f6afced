"""The embedded metric format's JSON schema, and what CloudWatch would make of a line.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jsonschema import Draft7Validator

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_VOLUMES = [
    (prefix + unit).capitalize()
    for unit in ("bytes", "bits")
    for prefix in ("", "kilo", "mega", "giga", "tera")
]
_UNITS = [
    *("Seconds", "Microseconds", "Milliseconds", "Percent", "Count", "None"),
    *_VOLUMES,
    *(f"{unit}/Second" for unit in (*_VOLUMES, "Count")),
]
_NAME = {"type": "string", "pattern": "^(.*)$", "minLength": 1, "maxLength": 1024}

# The page's schema, with its limits on dimensions and metrics, which the page states in words, and
# strict about members that it does not name.
SCHEMA = {
    "type": "object",
    "required": ["_aws"],
    "properties": {
        "_aws": {
            "type": "object",
            "required": ["Timestamp", "CloudWatchMetrics"],
            "additionalProperties": False,
            "properties": {
                "Timestamp": {"type": "integer"},
                "CloudWatchMetrics": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["Namespace", "Dimensions", "Metrics"],
                        "additionalProperties": False,
                        "properties": {
                            "Namespace": _NAME,
                            "Dimensions": {
                                "type": "array",
                                "minItems": 1,
                                "items": {
                                    "type": "array",
                                    "maxItems": 30,
                                    "items": {
                                        "type": "string",
                                        "pattern": "^(.*)$",
                                        "minLength": 1,
                                        "maxLength": 250,
                                    },
                                },
                            },
                            "Metrics": {
                                "type": "array",
                                "maxItems": 100,
                                "items": {
                                    "type": "object",
                                    "required": ["Name"],
                                    "additionalProperties": False,
                                    "properties": {
                                        "Name": _NAME,
                                        "Unit": {"enum": _UNITS},
                                        "StorageResolution": {"enum": [1, 60]},
                                    },
                                },
                            },
                        },
                    },
                },
            },
        }
    },
}
MAX_EVENT_BYTES = 256 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One value that CloudWatch takes out of a line."""

    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]]
    value: float
    unit: str


def metrics_of(line: str) -> Iterator[Metric]:
    """Yield each metric of ``line``, as often as it has sets of dimensions.

    Raises:
        jsonschema.ValidationError: The line is not of the schema.
        AssertionError: It is, and CloudWatch would refuse it all the same: a reference has no
            target, or a target is of the wrong type.
    """
    assert len(line.encode()) <= MAX_EVENT_BYTES
    document: dict[str, Any] = json.loads(line)
    Draft7Validator(SCHEMA).validate(document)
    for directive in document["_aws"]["CloudWatchMetrics"]:
        for names in directive["Dimensions"]:
            for name in names:
                assert isinstance(document[name], str), name
                assert 1 <= len(document[name]) <= 1024, name
            for metric in directive["Metrics"]:
                value = document[metric["Name"]]
                assert isinstance(value, int | float), metric
                assert not isinstance(value, bool), metric
                yield Metric(
                    namespace=directive["Namespace"],
                    name=metric["Name"],
                    dimensions=frozenset((name, document[name]) for name in names),
                    value=float(value),
                    unit=metric["Unit"],
                )


def lines_of(output: str) -> Iterable[str]:
    """Return the lines of a log that hold metrics."""
    return [line for line in output.splitlines() if line.startswith("{") and '"_aws":' in line]
