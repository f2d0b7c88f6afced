"""What a deployed stack is, which of its alarms ring, and the runbook's commands for it.

`python -m scripts.status STACK`: docs/runbook.md's commands with the stack's outputs in them.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from scripts import runbook
from scripts.deploy import DeployError, outputs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


def ringing(cloudwatch: Any, stack: str) -> Iterator[str]:  # noqa: ANN401 - boto3's
    """Yields a line for each alarm of the stack that is not well."""
    pages = cloudwatch.get_paginator("describe_alarms").paginate(AlarmNamePrefix=f"{stack}-")
    for page in pages:
        for alarm in page["MetricAlarms"]:
            if alarm["StateValue"] == "ALARM":
                yield f"{alarm['AlarmName']}: {alarm.get('AlarmDescription', '')}"


def waiting(sqs: Any, url: str) -> int:  # noqa: ANN401 - boto3's
    """Returns how many messages a queue has, those that somebody works on included."""
    attributes = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=attributes)
    return sum(map(int, answer["Attributes"].values()))


def advice(made: Mapping[str, str]) -> Iterator[str]:
    """Yields each heading of the runbook's commands, with those that are for this stack."""
    for heading in runbook.sections():
        yield f"\n{heading}"
        yield from (f"  {command}" for command in runbook.commands(heading, made))


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status: 0 if no alarm rings."""
    parser = argparse.ArgumentParser(prog="python -m scripts.status", description=__doc__)
    parser.add_argument("stack")
    stack = parser.parse_args(arguments).stack
    try:
        session = boto3.Session(region_name=os.environ.get("AWS_REGION") or None)
        made = outputs(session.client("cloudformation"), stack) | {"Stack": stack}
        alarms = list(ringing(session.client("cloudwatch"), stack))
        sqs = session.client("sqs")
        queues = {
            name: waiting(sqs, made[name])
            for name in ("QueueUrl", "FailureQueueUrl")
            if name in made
        }
    except (BotoCoreError, ClientError, DeployError) as error:
        print(f"status: {error}", file=sys.stderr)
        return 2
    width = max(map(len, made))
    for name, value in sorted(made.items()):
        count = f" ({queues[name]:,} messages)" if name in queues else ""
        print(f"{name:<{width}}  {value}{count}")
    print("\nalarms that ring:", *(alarms or ["none"]), sep="\n  ")
    print(*advice(made), sep="\n")
    return 1 if alarms else 0


if __name__ == "__main__":
    sys.exit(main())
