"""The commands of docs/runbook.md, as a person at a terminal runs them; `aws` by botocore's models.

AWS's own command line is made from the same models: an operation or an option that they do not have
is an error here as it is there.
"""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from botocore import xform_name
from botocore.session import get_session

if TYPE_CHECKING:
    import boto3

_MODULES: Final = {"s3api": "s3"}
_OF_THE_COMMAND_LINE: Final = {"cli-binary-format", "query", "output"}


class Call(NamedTuple):
    """One call of AWS's."""

    service: str
    operation: str
    arguments: dict[str, Any]


def _value(kind: str, text: str) -> Any:  # noqa: ANN401 - of any type
    match kind:
        case "string":
            return text
        case "blob":
            return text.encode()
        case "integer" | "long":
            return int(text)
    return json.loads(text)


def call_from_command(command: str) -> Call:
    """Return what an `aws` command calls.

    Raises:
        ValueError: The service has no such operation, or that has no such option.
    """
    program, module, name, *rest = shlex.split(command)
    if program != "aws":
        raise ValueError(f"Expected aws but received {program!r}")
    service = _MODULES.get(module, module)
    model = get_session().get_service_model(service)
    operations = {xform_name(one, "-"): one for one in model.operation_names}
    if name not in operations:
        raise ValueError(f"{service} has no {name!r}")
    shape = model.operation_model(operations[name]).input_shape
    members, required = (shape.members, shape.required_members) if shape else ({}, [])
    options = {xform_name(one, "-"): (one, of) for one, of in members.items()}
    arguments: dict[str, Any] = {}
    while rest:
        option = rest.pop(0)
        if not option.startswith("--"):
            # What the answer's body is written to.
            if name == "invoke" and not rest:
                break
            raise ValueError(f"Expected an option but received {option!r}")
        option = option[2:]
        if option in _OF_THE_COMMAND_LINE:
            rest.pop(0)
            continue
        is_off = option.startswith("no-") and option not in options
        option = option[3:] if is_off else option
        if option not in options:
            raise ValueError(f"{service} {name} has no --{option}")
        member, of = options[option]
        if of.type_name == "boolean":
            arguments[member] = not is_off
        else:
            arguments[member] = _value(of.type_name, rest.pop(0))
    missing = set(required) - arguments.keys()
    if missing:
        raise ValueError(f"{service} {name} wants {missing}")
    return Call(service, xform_name(operations[name]), arguments)


def run_aws(session: boto3.Session, command: str) -> dict[str, Any]:
    """Run an `aws` command; returns the answer."""
    call = call_from_command(command)
    answer: dict[str, Any] = getattr(session.client(call.service), call.operation)(  # type: ignore[call-overload]
        **call.arguments
    )
    return answer
