"""Deploys the stack of deploy/template.yaml, or deletes it.

`python -m scripts.deploy STACK [NAME=VALUE ...]`: a parameter that is not named keeps the value
that the stack has, or gets the template's default. What would change is shown, and is done after a
yes on the terminal, or with `CONFIRM=1` in the environment; so is `--destroy`, which deletes the
stack, and whose buckets stay. Region and credentials are those that the AWS tools use.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
    WaiterError,
)
from samtranslator.yaml_helper import yaml_parse

from handler.argument_types import readable_file
from scripts import revision
from scripts.push import PushError, architecture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

TEMPLATE = Path(__file__).parent.parent / "deploy" / "template.yaml"
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
POLL_S = 5
TIMEOUT_S = 3600

_ADVICE: Final[dict[type[BotoCoreError], str]] = {
    NoRegionError: "name a region: export AWS_REGION=eu-central-1, or aws configure",
    NoCredentialsError: "sign in: aws sso login or aws configure, or export AWS_PROFILE",
}
_STUCK: Final = {
    "UPDATE_ROLLBACK_FAILED": "aws cloudformation continue-update-rollback --stack-name {stack}",
    "DELETE_FAILED": "make destroy STACK={stack}",
}
"""The states that CloudFormation does not leave by itself -> the command that does."""


class DeployError(Exception):
    """The stack is not what was asked for; the message says why."""


def parse_parameters(arguments: Sequence[str]) -> dict[str, str]:
    """Returns the parameters of `NAME=VALUE` arguments; `NAME=@FILE` takes the text of a file.

    Raises:
        DeployError: One is not of that form, or its file cannot be read.
    """
    wrong = [argument for argument in arguments if "=" not in argument]
    if wrong:
        message = f"Expected NAME=VALUE but received {wrong[0]!r}"
        raise DeployError(message)
    given = dict(argument.split("=", 1) for argument in arguments)
    try:
        return {
            name: Path(value[1:]).read_text(encoding="utf-8") if value.startswith("@") else value
            for name, value in given.items()
        }
    except (OSError, UnicodeDecodeError) as error:
        message = f"Expected a readable file after NAME=@: {error}"
        raise DeployError(message) from error


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


def check_image(uri: str) -> None:
    """Checks that an image is named by its digest: a tag may name another image tomorrow.

    Raises:
        DeployError: It is named otherwise.
    """
    if not re.fullmatch(r".+/.+@sha256:[0-9a-f]{64}", uri):
        message = f"ImageUri: expected REPOSITORY@sha256:... of make push but received {uri!r}"
        raise DeployError(message)


def with_its_processor(parameters: Mapping[str, str]) -> dict[str, str]:
    """Returns the parameters with the processor that the image was built for, unless they name one.

    On another one the function would not start, and nothing would say so before.

    *Cost*: two requests to the registry.

    Raises:
        DeployError: The registry does not say.
    """
    if "Architecture" in parameters:
        return dict(parameters)
    try:
        return {**parameters, "Architecture": architecture(parameters["ImageUri"])}
    except (PushError, ClientError) as error:
        message = f"Expected to read from the registry what the image was built for: {error}. "
        message += "Name it: PARAMS=Architecture=x86_64 or arm64"
        raise DeployError(message) from error


def find_bucket_problems(s3: Any, parameters: Mapping[str, str]) -> list[str]:  # noqa: ANN401 - boto3's
    """Returns, for each bucket that a new stack would make and cannot, what to do about it.

    *Cost*: a HeadBucket for each bucket to be made.
    """
    problems = []
    for role in ("Source", "Destination"):
        bucket, choice = parameters.get(f"{role}Bucket"), f"Create{role}Bucket"
        if bucket is None or parameters.get(choice, "true") == "false":
            continue
        try:
            s3.head_bucket(Bucket=bucket)
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status == 404:
                continue
            problems.append(
                f"{role}Bucket: expected a name that is free but received {bucket!r}, for which S3 "
                f"answers {status}: it is another account's or region's. Choose another"
            )
        else:
            problems.append(
                f"{role}Bucket: {bucket!r} is there already; a deleted stack leaves its buckets. "
                f"{choice}=false uses it; docs/deploy.md says what a bucket of photos needs"
            )
    return problems


def packed(template: str) -> str:
    """Returns a template as JSON, without what is for its readers: comments and layout.

    CloudFormation takes 51,200 bytes in a request, and JSON as well as YAML. More would have to be
    uploaded to a bucket first, which a first deployment does not have.
    """
    return json.dumps(yaml_parse(template), separators=(",", ":"))


def deploy(
    cloudformation: Any,  # noqa: ANN401 - boto3's
    stack: str,
    template: str,
    parameters: Mapping[str, str],
    *,
    tags: Mapping[str, str] | None = None,
    confirm: Callable[[Sequence[str]], bool] = lambda _: True,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, str]:
    """Creates or updates the stack, waits for it, and returns its outputs.

    Args:
        cloudformation: The client.
        stack: The stack's name.
        template: Its text.
        parameters: Those that are given; one that is not keeps its value.
        tags: Of the stack and all that it makes; None leaves those that it has.
        confirm: Gets a line for each change; what it refuses is not done.
        say: Gets a line for each step on the way.

    Raises:
        DeployError: It could not be, and is as it was before; or it was not wanted.
    """
    existing = _usable(cloudformation, stack, say)
    known = yaml_parse(template).get("Parameters", {})
    unknown = sorted(set(parameters) - set(known))
    if unknown:
        message = f"{unknown[0]}: expected one of {', '.join(known)}"
        raise DeployError(message)
    had = {
        one["ParameterKey"]: one.get("ParameterValue", "")
        for one in (existing or {}).get("Parameters", [])
    }
    if revision.NAME in known:
        made = revision.revision(yaml_parse(template), {**had, **parameters})
        parameters = {revision.NAME: made, **parameters}
    # CloudFormation refuses a value for a parameter that the new template has no more.
    kept = (had.keys() & set(known)) - set(parameters)
    name = f"{stack}-{time.time_ns():x}"
    kind = "CREATE" if existing is None else "UPDATE"
    change_set = cloudformation.create_change_set(
        StackName=stack,
        ChangeSetName=name,
        ChangeSetType=kind,
        TemplateBody=packed(template),
        Capabilities=CAPABILITIES,
        **({"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]} if tags else {}),
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
    if not confirm(list(_changes(cloudformation, stack, name))):
        cloudformation.delete_change_set(StackName=stack, ChangeSetName=name)
        message = f"{stack}: not wanted, and nothing was changed"
        raise DeployError(message)
    stack_id = change_set["StackId"]
    seen = {event["EventId"] for event in _events(cloudformation, stack_id, frozenset())}
    cloudformation.execute_change_set(StackName=stack, ChangeSetName=name)
    _follow(cloudformation, stack_id, f"{kind}_COMPLETE", seen, say)
    return outputs(cloudformation, stack)


def _usable(
    cloudformation: Any,  # noqa: ANN401 - boto3's
    stack: str,
    say: Callable[[str], None],
) -> dict[str, Any] | None:
    """Returns the stack that is to be updated, or None if it is to be created.

    Raises:
        DeployError: It is in a state that has to be left first.
    """
    existing = find_stack(cloudformation, stack)
    status = "" if existing is None else existing["StackStatus"]
    if status in {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED"}:
        # It was never made: nothing is in it, and CloudFormation can only delete it.
        say(f"{stack}: its first deployment failed; what is left of it is deleted")
        destroy(cloudformation, stack, say=say)
        return None
    if status in _STUCK:
        message = f"{stack} is {status}. Leave it with: {_STUCK[status].format(stack=stack)}"
        raise DeployError(message)
    if status.endswith("_IN_PROGRESS"):
        message = f"{stack} is {status}: somebody else is at it. Try again when they are done"
        raise DeployError(message)
    return existing


def _changes(cloudformation: Any, stack: str, name: str) -> Iterator[str]:  # noqa: ANN401 - boto3's
    """Yields a line for each change of a change set."""
    request = {"StackName": stack, "ChangeSetName": name}
    while True:
        answer = cloudformation.describe_change_set(**request)
        for change in answer.get("Changes", []):
            one = change["ResourceChange"]
            replaced = one.get("Replacement", "False") != "False"
            yield (
                f"{one['Action']:<7} {one['LogicalResourceId']} ({one['ResourceType']})"
                f"{', REPLACED' if replaced else ''}"
            )
        if "NextToken" not in answer:
            return
        request["NextToken"] = answer["NextToken"]


def destroy(
    cloudformation: Any,  # noqa: ANN401 - boto3's
    stack: str,
    *,
    say: Callable[[str], None] = lambda _: None,
) -> None:
    """Deletes the stack and waits until it is gone. Its buckets stay, with all that is in them.

    Raises:
        DeployError: Something of it would not go.
    """
    found = find_stack(cloudformation, stack)
    if found is None:
        return
    # By its ID, since a stack that is gone has no name.
    stack_id = found["StackId"]
    seen = {event["EventId"] for event in _events(cloudformation, stack_id, frozenset())}
    cloudformation.delete_stack(StackName=stack)
    _follow(cloudformation, stack_id, "DELETE_COMPLETE", seen, say)


def _follow(
    cloudformation: Any,  # noqa: ANN401 - boto3's
    stack_id: str,
    wanted: str,
    seen: set[str],
    say: Callable[[str], None],
) -> None:
    """Waits until CloudFormation is done with the stack, and hands each new event to `say`.

    It is done when an event of the stack itself says so: its status may still be the one before.

    Args:
        cloudformation: The client.
        stack_id: The stack's ARN.
        wanted: The status that is the good end.
        seen: The IDs of the events that there were before; new ones are added.
        say: Gets a line for each event.

    Raises:
        DeployError: It ended otherwise, or takes too long.
    """
    failed: list[str] = []
    for _ in range(TIMEOUT_S // max(POLL_S, 1)):
        for event in _events(cloudformation, stack_id, frozenset(seen)):
            seen.add(event["EventId"])
            status, name = event["ResourceStatus"], event["LogicalResourceId"]
            reason = event.get("ResourceStatusReason", "")
            say(f"{status:<28} {name}  {reason}".rstrip())
            if status.endswith("FAILED"):
                failed.append(f"  {name} ({event['ResourceType']}): {reason or status}")
            is_over = event["PhysicalResourceId"] == stack_id and not status.endswith("IN_PROGRESS")
            if is_over and status == wanted:
                return
            if is_over:
                raise DeployError("\n".join([f"{name} is {status}, not {wanted}", *failed]))
        time.sleep(POLL_S)
    message = f"{stack_id}: not {wanted} after {TIMEOUT_S // 60} minutes; CloudFormation goes on"
    raise DeployError(message)


def _events(
    cloudformation: Any,  # noqa: ANN401 - boto3's
    stack_id: str,
    seen: frozenset[str],
) -> list[dict[str, Any]]:
    """Returns the events that are not among those seen, oldest first."""
    new: list[dict[str, Any]] = []
    for page in cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack_id):
        for event in page["StackEvents"]:
            if event["EventId"] in seen:
                return new[::-1]
            new.append(event)
    return new[::-1]


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


def _confirm(changes: Sequence[str]) -> bool:
    """Shows the changes and returns whether they are wanted.

    Raises:
        DeployError: There is nobody to ask.
    """
    print(*changes, sep="\n")
    if os.environ.get("CONFIRM") == "1":
        return True
    if not sys.stdin.isatty():
        message = "nothing was changed: there is no terminal to ask on, and CONFIRM=1 is not set"
        raise DeployError(message)
    return input("Do this? [y/N] ").strip().lower() in {"y", "yes"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.deploy", description=__doc__)
    parser.add_argument("stack")
    parser.add_argument("parameters", nargs="*", metavar="NAME=VALUE")
    parser.add_argument("--tag", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--destroy", action="store_true", help="delete the stack; its buckets stay")
    parser.add_argument(
        "--template", type=readable_file, default=TEMPLATE, help="default: %(default)s"
    )
    options = parser.parse_args(arguments)
    try:
        return _run(options)
    except BotoCoreError as error:
        advice = next((text for kind, text in _ADVICE.items() if isinstance(error, kind)), "")
        print(f"deploy: {error} {advice}".rstrip(), file=sys.stderr)
    except (DeployError, ClientError) as error:
        print(f"deploy: {error}", file=sys.stderr)
    return 1


def _run(options: argparse.Namespace) -> int:
    # An empty one is none; boto3 would make a host name of it.
    session = boto3.Session(region_name=os.environ.get("AWS_REGION") or None)
    cloudformation = session.client("cloudformation")
    if options.destroy:
        kept = outputs(cloudformation, options.stack)
        if not _confirm([f"Delete  {options.stack}, with the messages in its queues and its log"]):
            message = f"{options.stack}: not wanted, and nothing was changed"
            raise DeployError(message)
        destroy(cloudformation, options.stack, say=print)
        # A stack whose first deployment failed has no outputs, and its buckets went with it.
        buckets = [kept[name] for name in ("SourceBucket", "DestinationBucket") if name in kept]
        print(f"{options.stack} is gone.")
        if buckets:
            print(f"Its buckets stay, if it made them, with what is in them: {', '.join(buckets)}")
        return 0
    parameters = parse_parameters(options.parameters)
    if "ImageUri" in parameters:
        check_image(parameters["ImageUri"])
        parameters = with_its_processor(parameters)
    if find_stack(cloudformation, options.stack) is None:
        problems = find_bucket_problems(session.client("s3"), parameters)
        if problems:
            raise DeployError("\n".join(problems))
    made = deploy(
        cloudformation,
        options.stack,
        options.template.read_text(encoding="utf-8"),
        parameters,
        tags=parse_parameters(options.tag),
        confirm=_confirm,
        say=print,
    )
    width = max(map(len, made))
    for name, value in made.items():
        print(f"{name:<{width}}  {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
