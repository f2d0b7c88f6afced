"""Game day: the deployed stack is broken, and the runbook's own commands make it whole again.

Each command is taken from docs/runbook.md with the stack's outputs in it, as `make status` prints
it, and run as it stands: `aws` by botocore's models, `make` and `renditions` by what they run.

The emulator would give an invocation any warm environment of the function, of whatever version and
with the settings of that. So here each invocation has an environment of its own.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest
from samtranslator.yaml_helper import yaml_parse

from handler import cli
from scripts import deploy, redrive, runbook
from scripts.revision import revision
from scripts.status import waiting
from tests import photos
from tests.commands import run_aws
from tests.container import engine
from tests.container.emulator import s3_event
from tests.container.stack import emulated_aws, emulated_template, retry_after
from tests.stack import TEMPLATE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import boto3

_WAIT_S: Final = 300
_RETRY_S: Final = 20
"""Longer than a photo takes, its environment's start included: it would be sent again meanwhile."""
_PHOTO: Final = photos.jpeg(640, 480)
_NAMES: Final = {"large", "medium", "small", "square", "xlarge"}

_FOLLOWED: Final[set[str]] = set()
"""The commands of the runbook that were run, as `make status` prints them."""

whole_day = pytest.mark.skipif(
    os.environ.get("GAMEDAY") != "1", reason="it takes minutes: make gameday"
)


class Operator:
    """Somebody with the runbook, and one stack."""

    def __init__(self, aws: boto3.Session, stack: str, made: Mapping[str, str]) -> None:
        self.aws = aws
        self.made = {**made, "Stack": stack}
        self.s3 = aws.client("s3")

    def follow(self, heading: str, **words: str) -> list[Any]:
        """Run each command below a heading, with the words in capitals filled in."""
        return [self._follow(command, words) for command in runbook.commands(heading, self.made)]

    def follow_one(self, heading: str, program: str, **words: str) -> Any:  # noqa: ANN401 - any answer
        """Run the one command below a heading that begins so."""
        (command,) = (
            one for one in runbook.commands(heading, self.made) if one.startswith(program)
        )
        return self._follow(command, words)

    def _follow(self, command: str, words: Mapping[str, str]) -> Any:  # noqa: ANN401 - any answer
        done = self.run(self._said(command, words))
        _FOLLOWED.add(command)
        return done

    def _said(self, command: str, words: Mapping[str, str]) -> str:
        return re.sub(r"\b[A-Z]+\b", lambda found: words.get(found[0], found[0]), command)

    def run(self, command: str) -> Any:  # noqa: ANN401 - any answer
        """Run one command."""
        match shlex.split(command):
            case ["aws", *_]:
                return run_aws(self.aws, command)
            case ["make", "deploy", stack, *given]:
                return self._deploy(stack.removeprefix("STACK="), given)
            case ["make", "redrive", stack]:
                return redrive.main([stack.removeprefix("STACK=")])
            case [".venv/bin/renditions", *arguments]:
                return cli.main(arguments)
        raise ValueError(command)

    def _deploy(self, stack: str, given: list[str]) -> dict[str, str]:
        """Do what `make deploy` does, with the transform that CloudFormation itself would do."""
        named = dict(one.split("=", 1) for one in given)
        changed = dict(one.split("=", 1) for one in named.get("PARAMS", "").split())
        if "IMAGE_URI" in named:
            changed["ImageUri"] = named["IMAGE_URI"]
        cloudformation = self.aws.client("cloudformation")
        described = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["Parameters"]
        had = {one["ParameterKey"]: one["ParameterValue"] for one in described}
        changed["Revision"] = revision(yaml_parse(TEMPLATE.read_text("utf-8")), had | changed)
        return deploy.deploy(cloudformation, stack, emulated_template(had | changed), changed)

    # What happens in the account, and what is looked at

    def upload(self, name: str, body: bytes = _PHOTO) -> str:
        """Store a photo; returns its key."""
        key = f"in/{name}.jpg"
        self.s3.put_object(Bucket=self.made["SourceBucket"], Key=key, Body=body)
        return key

    @contextmanager
    def without_events(self) -> Iterator[None]:
        """Within: the source bucket tells nobody of its photos."""
        bucket = self.made["SourceBucket"]
        told: Any = self.s3.get_bucket_notification_configuration(Bucket=bucket)
        told.pop("ResponseMetadata")
        self.s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
        yield
        self.s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=told)

    def renditions(self, key: str) -> set[str]:
        """Return the names of a photo's renditions, and `photo` of its manifest."""
        listed = self.s3.list_objects_v2(
            Bucket=self.made["DestinationBucket"], Prefix=f"out/{key}/"
        )
        return {one["Key"].split("/")[-1].split(".")[0] for one in listed.get("Contents", ())}

    def empty_destination(self) -> None:
        """Delete everything in the destination."""
        bucket = self.made["DestinationBucket"]
        for one in self.s3.list_objects_v2(Bucket=bucket).get("Contents", ()):
            self.s3.delete_object(Bucket=bucket, Key=one["Key"])

    def until(self, what: str, is_so: Callable[[], bool]) -> None:
        """Wait for something."""
        deadline = time.monotonic() + _WAIT_S
        while not is_so():
            assert time.monotonic() < deadline, what
            time.sleep(0.5)

    def until_whole(self, key: str) -> None:
        """Wait for all renditions of a photo, and its manifest."""
        self.until(f"{key} has {_NAMES}", lambda: self.renditions(key) == _NAMES | {"photo"})

    def failed(self) -> int:
        """Return how many messages the failure queue has."""
        return waiting(self.aws.client("sqs"), self.made["FailureQueueUrl"])

    def until_idle(self) -> None:
        """Wait for a queue without messages, those at work included."""
        if url := self.made.get("QueueUrl"):
            sqs = self.aws.client("sqs")
            self.until("nothing waits", lambda: waiting(sqs, url) == 0)

    def until_given_up(self, count: int = 1) -> None:
        """Wait for so many messages in the failure queue."""
        self.until(f"{count} given up", lambda: self.failed() == count)


def _give_up_soon(operator: Operator) -> None:
    """Two attempts instead of five: one that does not start takes the emulator half a minute."""
    sqs, url = operator.aws.client("sqs"), operator.made["FailureQueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    policy = {"deadLetterTargetArn": arn["QueueArn"], "maxReceiveCount": 2}
    sqs.set_queue_attributes(
        QueueUrl=operator.made["QueueUrl"], Attributes={"RedrivePolicy": json.dumps(policy)}
    )


@pytest.fixture(scope="module")
def aws() -> Iterator[boto3.Session]:
    """The emulator, which ends an environment after each invocation."""
    with emulated_aws(LAMBDA_KEEPALIVE_MS="0") as session:
        yield session


@pytest.fixture
def hire(
    aws: boto3.Session, deployed: Callable[[str], dict[str, str]], request: pytest.FixtureRequest
) -> Callable[[str], Operator]:
    """Somebody for the stack of one of the WAYS, which is whole and has nothing to do."""

    def somebody(way: str) -> Operator:
        operator = Operator(aws, way, deployed(way))
        if "QueueUrl" in operator.made:
            retry_after(aws, operator.made, _RETRY_S)
            _give_up_soon(operator)
        operator.until_whole(operator.upload(f"before-{request.node.name}"))
        operator.until_idle()
        assert operator.failed() == 0
        return operator

    return somebody


@whole_day
def test_the_destination_is_gone(hire: Callable[[str], Operator]) -> None:
    """Photos are given up; once the bucket is there again, redrive does them all."""
    operator = hire("queue")
    bucket = operator.made["DestinationBucket"]
    operator.empty_destination()
    operator.s3.delete_bucket(Bucket=bucket)
    keys = [operator.upload(f"while-gone-{number}") for number in range(3)]
    operator.until_given_up(3)
    operator.s3.create_bucket(Bucket=bucket)

    assert operator.follow("Redrive") == [0]

    for key in keys:
        operator.until_whole(key)
    assert operator.failed() == 0


@whole_day
def test_what_is_no_event_stays_in_the_failure_queue(
    hire: Callable[[str], Operator], capsys: pytest.CaptureFixture[str]
) -> None:
    """Redrive names it and does the rest; looking at the queue shows it."""
    operator = hire("queue")
    sqs = operator.aws.client("sqs")
    job = {"bucket": operator.made["SourceBucket"], "key": operator.upload("beside")}
    for body in ("no event of any kind", json.dumps(job)):
        sqs.send_message(QueueUrl=operator.made["FailureQueueUrl"], MessageBody=body)

    (seen,) = operator.follow("Look at what was given up")
    time.sleep(6)
    (status,) = operator.follow("Redrive")

    assert "no event of any kind" in {one["Body"] for one in seen["Messages"]}
    assert status == 1
    assert "no event of any kind" in capsys.readouterr().err
    operator.until_whole(job["key"])
    assert operator.failed() == 1
    sqs.purge_queue(QueueUrl=operator.made["FailureQueueUrl"])


@whole_day
def test_a_version_with_a_wrong_setting(hire: Callable[[str], Operator]) -> None:
    """The alias goes back to the version before; what was given up meanwhile is redriven."""
    operator = hire("queue")
    client = operator.aws.client("lambda")
    function = operator.made["FunctionName"]
    good = client.get_alias(FunctionName=function, Name="live")["FunctionVersion"]
    variables = client.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
    wrong = variables | {"DESTINATION_BUCKET": "misspelt"}
    client.update_function_configuration(FunctionName=function, Environment={"Variables": wrong})
    bad = client.publish_version(FunctionName=function)["Version"]
    client.update_function_configuration(
        FunctionName=function, Environment={"Variables": variables}
    )
    client.update_alias(FunctionName=function, Name="live", FunctionVersion=bad)
    key = operator.upload("with-a-wrong-setting")
    operator.until_given_up()

    listed = operator.follow_one("Roll back", "aws lambda list-versions")
    assert good in {one["Version"] for one in listed["Versions"]}
    operator.follow_one("Roll back", "aws lambda update-alias", VERSION=good)
    operator.follow("Redrive")

    operator.until_whole(key)


def test_somebody_has_stopped_it(hire: Callable[[str], Operator]) -> None:
    """Stopped by the runbook, photos wait; going on does them, and none was given up."""
    operator = hire("queue")
    operator.follow("Stop")
    key = operator.upload("while-stopped")
    time.sleep(5)
    assert operator.renditions(key) == set()

    operator.follow("Go on")

    operator.until_whole(key)
    assert operator.failed() == 0


def test_renditions_were_deleted(
    hire: Callable[[str], Operator], capsys: pytest.CaptureFixture[str]
) -> None:
    """The history shows what is missing, and the manifest's key; redoing makes all anew."""
    operator = hire("queue")
    key = operator.upload("deleted-by-somebody")
    operator.until_whole(key)
    for name in ("small", "large"):
        operator.s3.delete_object(
            Bucket=operator.made["DestinationBucket"], Key=f"out/{key}/{name}.jpg"
        )
    capsys.readouterr()

    operator.follow("One photo's history", KEY=key)
    told = capsys.readouterr().out
    assert f"out/{key}/small.jpg: missing" in told
    (manifest,) = re.findall(r"manifest +s3://[^/]+/(\S+)", told)
    operator.follow("Redo one photo", KEY=key, MANIFEST=manifest)

    operator.until_whole(key)


@whole_day
def test_events_were_lost(
    hire: Callable[[str], Operator], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Photos that came without an event are found and done; those that were done are not."""
    operator = hire("queue")
    with operator.without_events():
        keys = [operator.upload(f"without-event-{number}") for number in range(3)]
    monkeypatch.chdir(tmp_path)

    assert operator.follow("Redo what is missing") == [0]

    for key in keys:
        operator.until_whole(key)


@whole_day
def test_a_manifest_was_overwritten(
    hire: Callable[[str], Operator], capsys: pytest.CaptureFixture[str]
) -> None:
    """The history calls it unreadable; redoing writes it anew, and the renditions with it."""
    operator = hire("queue")
    key = operator.upload("whose-manifest-is-overwritten")
    operator.until_whole(key)
    manifest = f"out/{key}/photo.json"
    bucket = operator.made["DestinationBucket"]
    operator.s3.put_object(Bucket=bucket, Key=manifest, Body=b"somebody's")
    capsys.readouterr()

    operator.follow("One photo's history", KEY=key)
    assert "unreadable: " in capsys.readouterr().out
    operator.follow("Redo one photo", KEY=key, MANIFEST=manifest)

    operator.until_whole(key)
    operator.follow("One photo's history", KEY=key)
    assert "made, of version" in capsys.readouterr().out


@whole_day
def test_the_function_has_too_little_memory(
    hire: Callable[[str], Operator], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A photo is refused by what it wants; with more memory, what is missing is made."""
    operator = hire("queue")
    operator.follow("Raise memory", MB="256")
    # Progressive: it wants 269 MB.
    path = tmp_path / "large.jpg"
    photos.write_jpeg(path, 6000, 4000, progressive=True, subsample="off")
    key = operator.upload("large", path.read_bytes())
    operator.until_idle()
    answer = operator.follow_one("Redo one photo", "aws lambda invoke", KEY=key)
    (record,) = json.loads(answer["Payload"].read())["records"]
    assert (record["disposition"], record["code"]) == ("rejected", "needs-more-memory")
    assert not operator.renditions(key) & _NAMES
    monkeypatch.chdir(tmp_path)

    operator.follow("Raise memory", MB="512")
    operator.follow("Redo what is missing")

    operator.until_whole(key)


@whole_day
def test_photos_were_given_up_without_a_queue(hire: Callable[[str], Operator]) -> None:
    """Lambda's records of failures are sent to the function itself, and leave the failure queue.

    The emulator keeps no such record of an invocation by alias: what Lambda writes is put there.
    """
    operator = hire("notification")
    sqs = operator.aws.client("sqs")
    bucket = operator.made["SourceBucket"]
    with operator.without_events():
        keys = [operator.upload(f"given-up-{number}") for number in range(2)]
    for key in keys:
        record = {
            "version": "1.0",
            "requestContext": {"condition": "RetriesExhausted", "approximateInvokeCount": 3},
            "requestPayload": s3_event(bucket, [key], operator.s3),
            "responsePayload": {"errorType": "InvocationError", "errorMessage": "sink-failed"},
        }
        sqs.send_message(QueueUrl=operator.made["FailureQueueUrl"], MessageBody=json.dumps(record))
    assert [operator.renditions(key) for key in keys] == [set(), set()]

    assert operator.follow("Redrive") == [0]

    for key in keys:
        operator.until_whole(key)
    assert operator.failed() == 0


@whole_day
def test_the_image_before_it_is_deployed_again(
    hire: Callable[[str], Operator], emulated: str
) -> None:
    """The stack's alias then runs that image, and a photo is made by it."""
    operator = hire("queue")
    client = operator.aws.client("lambda")
    before = f"{emulated}-before"
    with engine.connected() as docker:
        docker.images.get(emulated).tag(before)

    operator.follow_one("Roll back", "make deploy", IMAGE=before)

    running = client.get_function(FunctionName=operator.made["FunctionName"], Qualifier="live")
    assert running["Code"]["ImageUri"] == before
    retry_after(operator.aws, operator.made, _RETRY_S)
    operator.until_whole(operator.upload("by-the-image-before"))


@whole_day
def test_too_few_run_at_once(hire: Callable[[str], Operator]) -> None:
    """With a reserve the queue's mapping is bounded, and leaves some of it free.

    The emulator does not set the reserve itself; tests/unit/test_template.py has it.
    """
    operator = hire("queue")
    client = operator.aws.client("lambda")
    operator.follow("Let more run at once", NUMBER="5")

    mapping = client.get_event_source_mapping(UUID=operator.made["QueueMapping"])

    assert mapping["ScalingConfig"]["MaximumConcurrency"] == 4


@whole_day
def test_a_stack_without_a_queue_is_stopped_and_goes_on(
    hire: Callable[[str], Operator], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may run no invocation, then as many as before; a photo without an event is found.

    That Lambda keeps the events meanwhile is Lambda's: the emulator begins them by the alias all
    the same.
    """
    operator = hire("notification")
    client, name = operator.aws.client("lambda"), operator.made["FunctionName"]
    operator.follow("Stop")
    stopped = client.get_function_concurrency(FunctionName=name)
    assert stopped["ReservedConcurrentExecutions"] == 0

    operator.follow("Go on")

    assert "ReservedConcurrentExecutions" not in client.get_function_concurrency(FunctionName=name)
    with operator.without_events():
        key = operator.upload("without-event")
    monkeypatch.chdir(tmp_path)
    assert operator.follow("Redo what is missing") == [0]
    assert operator.renditions(key) == _NAMES | {"photo"}


@whole_day
def test_every_command_was_followed(deployed: Callable[[str], dict[str, str]]) -> None:
    """Each command of the runbook was run by the tests before this one, on one of the stacks."""
    stacks = [{**deployed(way), "Stack": way} for way in ("queue", "notification")]
    commands = [command for listed in runbook.sections().values() for command in listed]

    never = [
        one for one in commands if not {runbook.filled(one, made) for made in stacks} & _FOLLOWED
    ]

    assert not never
