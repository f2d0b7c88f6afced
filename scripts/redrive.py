"""Sends what is in a stack's failure queue to the function again.

`python -m scripts.redrive STACK`: each message's body goes to the stack's queue, or, of a stack
without one, to the function itself; a message is deleted once that was taken. The function
understands events, jobs, and Lambda's records of failures. Ends with 1 if a message is none of
these: it stays.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from handler.errors import EventError
from handler.events.payloads import read_payload
from scripts.deploy import DeployError, outputs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

HIDDEN_S = 300
"""What is not taken is seen again after this, and not by this run."""
WAIT_S = 5
"""A receive that does not wait asks only some of SQS's servers, and may be empty too early.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html
"""


def is_understood(body: str) -> bool:
    """Tells whether the function could read all of a message's body."""
    return not any(isinstance(one, EventError) for one in read_payload(body))


def messages(sqs: Any, url: str) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - boto3's
    """Yields each message of a queue once. *Cost*: a request for ten, and one that waits."""
    seen: set[str] = set()
    while True:
        answer = sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            VisibilityTimeout=HIDDEN_S,
            WaitTimeSeconds=WAIT_S,
        )
        fresh = [one for one in answer.get("Messages", ()) if one["MessageId"] not in seen]
        if not fresh:
            return
        seen |= {one["MessageId"] for one in fresh}
        yield from fresh


def sender(
    session: Any,  # noqa: ANN401 - boto3's
    made: Mapping[str, str],
) -> Callable[[str], object]:
    """Returns what hands a body to the function: by its queue, or directly."""
    if "QueueUrl" in made:
        sqs = session.client("sqs")
        return lambda body: sqs.send_message(QueueUrl=made["QueueUrl"], MessageBody=body)
    function = session.client("lambda")
    return lambda body: function.invoke(
        FunctionName=made["FunctionAlias"], InvocationType="Event", Payload=body.encode()
    )


def redrive(session: boto3.Session, made: Mapping[str, str]) -> tuple[int, list[str]]:
    """Sends all that is understood; returns how many, and the bodies of the others."""
    sqs, url = session.client("sqs"), made["FailureQueueUrl"]
    send = sender(session, made)
    sent, left = 0, []
    for message in messages(sqs, url):
        if is_understood(message["Body"]):
            send(message["Body"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            sent += 1
        else:
            left.append(message["Body"])
    return sent, left


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.redrive", description=__doc__)
    parser.add_argument("stack")
    stack = parser.parse_args(arguments).stack
    try:
        session = boto3.Session(region_name=os.environ.get("AWS_REGION") or None)
        sent, left = redrive(session, outputs(session.client("cloudformation"), stack))
    except (BotoCoreError, ClientError, DeployError) as error:
        print(f"redrive: {error}", file=sys.stderr)
        return 2
    print(f"{sent:,} sent again")
    for body in left:
        print(f"no event, and left where it is: {json.dumps(body[:200])}", file=sys.stderr)
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
