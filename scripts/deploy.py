"""Deploys the stack of deploy/template.yaml, or deletes it.

`python -m scripts.deploy STACK [NAME=VALUE ...]`: a parameter that is not named keeps the value
that the stack has, or gets the template's default. `--destroy` deletes the stack; its buckets stay.
Region and credentials are those that the AWS tools use.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError, WaiterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TEMPLATE = Path(__file__).parent.parent / "deploy" / "template.yaml"
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
POLL_S = 5


class DeployError(Exception):
    """The stack is not what was asked for; the message says why."""


def parse_parameters(arguments: Sequence[str]) -> dict[str, str]:
    """Returns the parameters of `NAME=VALUE` arguments.

    Raises:
        DeployError: One is not of that form.
    """
    wrong = [argument for argument in arguments if "=" not in argument]
    if wrong:
        message = f"Expected NAME=VALUE but received {wrong[0]!r}"
        raise DeployError(message)
    return dict(argument.split("=", 1) for argument in arguments)


def find_stack(cloudformation: Any, stack: str) -> dict[str, Any] | None:  # noqa: ANN401 - boto3's
    """Returns what CloudFormation says of a stack; None if there is none."""
    try:
        found: dict[str, Any] = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    # Left by a change set that was never executed.
    return None if found["StackStatus"] == "REVIEW_IN_PROGRESS" else found


def deploy(
    cloudformation: Any,  # noqa: ANN401 - boto3's
    stack: str,
    template: str,
    parameters: Mapping[str, str],
) -> dict[str, str]:
    """Creates or updates the stack, waits for it, and returns its outputs.

    Raises:
        DeployError: It could not be; CloudFormation has rolled it back.
    """
    existing = find_stack(cloudformation, stack)
    kept = {one["ParameterKey"] for one in (existing or {}).get("Parameters", [])} - set(parameters)
    name = f"{stack}-{time.time_ns():x}"
    kind = "CREATE" if existing is None else "UPDATE"
    started = time.time()
    cloudformation.create_change_set(
        StackName=stack,
        ChangeSetName=name,
        ChangeSetType=kind,
        TemplateBody=template,
        Capabilities=CAPABILITIES,
        Parameters=[
            *({"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()),
            *({"ParameterKey": key, "UsePreviousValue": True} for key in sorted(kept)),
        ],
    )
    waiting = {"Delay": POLL_S, "MaxAttempts": 60}
    try:
        cloudformation.get_waiter("change_set_create_complete").wait(
            StackName=stack, ChangeSetName=name, WaiterConfig=waiting
        )
    except WaiterError as error:
        reason = str(error.last_response.get("StatusReason", error))
        if "didn't contain changes" in reason or "No updates" in reason:
            cloudformation.delete_change_set(StackName=stack, ChangeSetName=name)
            return outputs(cloudformation, stack)
        raise DeployError(reason) from error
    cloudformation.execute_change_set(StackName=stack, ChangeSetName=name)
    _wait(cloudformation, stack, f"stack_{kind.lower()}_complete", started)
    return outputs(cloudformation, stack)


def destroy(cloudformation: Any, stack: str) -> None:  # noqa: ANN401 - boto3's
    """Deletes the stack and waits until it is gone. Its buckets stay, with all that is in them.

    Raises:
        DeployError: Something of it would not go.
    """
    started = time.time()
    cloudformation.delete_stack(StackName=stack)
    _wait(cloudformation, stack, "stack_delete_complete", started)


def _wait(cloudformation: Any, stack: str, state: str, started: float) -> None:  # noqa: ANN401
    waiting = {"Delay": POLL_S, "MaxAttempts": 3600 // POLL_S}
    try:
        cloudformation.get_waiter(state).wait(StackName=stack, WaiterConfig=waiting)
    except WaiterError as error:
        message = "\n".join([f"{stack}: {error}", *_failures(cloudformation, stack, started)])
        raise DeployError(message) from error


def _failures(cloudformation: Any, stack: str, started: float) -> list[str]:  # noqa: ANN401
    """Returns why resources failed since a time, first cause first."""
    events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    return [
        f"  {event['LogicalResourceId']} ({event['ResourceType']}): "
        f"{event.get('ResourceStatusReason', event['ResourceStatus'])}"
        for event in reversed(events)
        if event["ResourceStatus"].endswith("FAILED") and event["Timestamp"].timestamp() >= started
    ]


def outputs(cloudformation: Any, stack: str) -> dict[str, str]:  # noqa: ANN401 - boto3's
    """Returns the stack's outputs.

    Raises:
        DeployError: There is no such stack.
    """
    found = find_stack(cloudformation, stack)
    if found is None:
        message = f"There is no stack {stack}"
        raise DeployError(message)
    return {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.deploy", description=__doc__)
    parser.add_argument("stack")
    parser.add_argument("parameters", nargs="*", metavar="NAME=VALUE")
    parser.add_argument("--destroy", action="store_true", help="delete the stack; its buckets stay")
    parser.add_argument("--template", type=Path, default=TEMPLATE, help="default: %(default)s")
    options = parser.parse_args(arguments)
    try:
        cloudformation = boto3.client("cloudformation")
        if options.destroy:
            kept = outputs(cloudformation, options.stack)
            destroy(cloudformation, options.stack)
            print(f"{options.stack} is gone. Its buckets stay, if it made them, with what is in")
            print(f"them: {kept['SourceBucket']}, {kept['DestinationBucket']}")
            return 0
        made = deploy(
            cloudformation,
            options.stack,
            options.template.read_text(encoding="utf-8"),
            parse_parameters(options.parameters),
        )
    except (DeployError, BotoCoreError, ClientError) as error:
        print(f"deploy: {error}", file=sys.stderr)
        return 1
    width = max(map(len, made))
    for name, value in made.items():
        print(f"{name:<{width}}  {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
