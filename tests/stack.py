"""deploy/template.yaml as CloudFormation sees it: SAM's resources expanded, parameters applied."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest import mock

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TEMPLATE = Path(__file__).parent.parent / "deploy" / "template.yaml"
REGION = "us-east-1"
ACCOUNT = "000000000000"
PSEUDO = {
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::StackName": "stack",
}
_NO_VALUE = object()


def template_with(parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return the template after SAM's transform, which reads the parameters' values."""
    with mock.patch.dict(os.environ, {"AWS_DEFAULT_REGION": REGION}):
        expanded: dict[str, Any] = transform(
            yaml_parse(TEMPLATE.read_text(encoding="utf-8")),
            dict(parameters),
            SimpleNamespace(load=dict),
        )
    return expanded


class Resolved:
    """The resources of a template under certain parameters, with every function resolved.

    What only a deployment would know, such as a queue's ARN, reads ``<Queue.Arn>``.
    """

    def __init__(self, template: dict[str, Any], parameters: Mapping[str, str]) -> None:
        self._template = template
        self._parameters = {
            name: str(declared.get("Default", ""))
            for name, declared in self._template.get("Parameters", {}).items()
        } | dict(parameters)
        self.resources: dict[str, dict[str, Any]] = {
            name: {**resource, "Properties": self._resolved(resource.get("Properties", {}))}
            for name, resource in self._template["Resources"].items()
            if "Condition" not in resource or self._holds(resource["Condition"])
        }

    @property
    def outputs(self) -> dict[str, str]:
        """Return the outputs that these parameters give."""
        return {
            name: self._resolved(output["Value"])
            for name, output in self._template.get("Outputs", {}).items()
            if "Condition" not in output or self._holds(output["Condition"])
        }

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """Return the properties of each resource of a type, by its logical name."""
        return {
            name: resource["Properties"]
            for name, resource in self.resources.items()
            if resource["Type"] == kind
        }

    def _holds(self, name: str) -> bool:
        return bool(self._resolved(self._template["Conditions"][name]))

    def _ref(self, name: str) -> Any:  # noqa: ANN401 - whatever the parameter is
        if name == "AWS::NoValue":
            return _NO_VALUE
        value = PSEUDO.get(name, self._parameters.get(name, f"<{name}>"))
        declared = self._template.get("Parameters", {}).get(name, {})
        return value.split(",") if declared.get("Type") == "CommaDelimitedList" else value

    def _sub(self, of: str | list[Any]) -> str:
        text, extra = (of, {}) if isinstance(of, str) else (of[0], self._resolved(of[1]))
        for name in _names_in(text):
            value = extra[name] if name in extra else self._ref(name)
            text = text.replace(f"${{{name}}}", str(value))
        return text

    def _resolved(self, value: Any) -> Any:  # noqa: ANN401 - any template value
        if isinstance(value, list):
            return [one for one in map(self._resolved, value) if one is not _NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            function = self._functions.get(name)
            # `Condition` is also the name of a statement's member.
            if function is not None and not (name == "Condition" and isinstance(argument, dict)):
                return function(argument)
            if name.startswith("Fn::"):
                raise NotImplementedError(name)
        resolved = {key: self._resolved(one) for key, one in value.items()}
        return {key: one for key, one in resolved.items() if one is not _NO_VALUE}

    @property
    def _functions(self) -> dict[str, Callable[[Any], Any]]:
        return {
            "Ref": self._ref,
            "Condition": self._holds,
            "Fn::GetAtt": lambda names: f"<{'.'.join(names)}>",
            "Fn::If": lambda of: self._resolved(of[1 if self._holds(of[0]) else 2]),
            "Fn::Equals": lambda of: self._resolved(of[0]) == self._resolved(of[1]),
            "Fn::Not": lambda of: not self._resolved(of[0]),
            "Fn::And": lambda of: all(map(self._resolved, of)),
            "Fn::Or": lambda of: any(map(self._resolved, of)),
            "Fn::FindInMap": self._find_in_map,
            "Fn::Join": lambda of: of[0].join(self._resolved(of[1])),
            "Fn::Sub": self._sub,
            "Fn::Split": lambda of: self._resolved(of[1]).split(of[0]),
            "Fn::Select": self._select,
        }

    def _select(self, of: list[Any]) -> str:
        values = self._resolved(of[1])
        # Of a name that only a deployment would know, the parts are not there yet.
        known = int(of[0]) < len(values) and not any("<" in value for value in values)
        return str(values[int(of[0])]) if known else f"<{of[0]} of {values}>"

    def _find_in_map(self, of: list[Any]) -> Any:  # noqa: ANN401 - whatever the map holds
        name, first, second = map(self._resolved, of)
        return self._template["Mappings"][name][first][second]


class Stack(Resolved):
    """The resources of deploy/template.yaml."""

    def __init__(self, **parameters: str) -> None:
        given = {"ImageUri": f"registry/image@sha256:{0:064x}", **parameters}
        super().__init__(template_with(given), given)


def _names_in(text: str) -> list[str]:
    return [part.split("}", 1)[0] for part in text.split("${")[1:]]
