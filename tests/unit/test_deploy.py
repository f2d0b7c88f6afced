"""`make deploy`: what is in the way is said, with what to do; what is not wanted is not done."""

from __future__ import annotations

import io
import itertools
import json
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, Final

import boto3
import pytest
from botocore.exceptions import ClientError, WaiterError
from moto import mock_aws

from scripts import deploy, push, referrers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_ID = "arn:aws:cloudformation:eu-central-1:123456789012:stack/photos/1"
_TEMPLATE = json.dumps({"Parameters": {"SourceBucket": {}, "MemorySize": {}}})
_DONE = [("photos", "CREATE_IN_PROGRESS", ""), ("Queue", "CREATE_COMPLETE", "")]


class FakeCloudFormation:
    """As much of CloudFormation as one stack needs; tells one event of its life at each look."""

    def __init__(self, status: str | None, life: Sequence[tuple[str, str, str]] = ()) -> None:
        """Starts with a stack in a state, or None; `life` is what an execution will tell."""
        self.status: str | None = None
        self.asked: list[str] = []
        self.parameters: list[dict[str, Any]] = []
        self.tags: list[dict[str, str]] | None = None
        self.had = ["SourceBucket", "Dropped"]
        self.reason = ""
        self._life = life
        self._told: list[dict[str, Any]] = []
        self._coming: Iterator[tuple[str, str, str]] = iter(())
        self._numbers = itertools.count()
        self._tell("photos", "REVIEW_IN_PROGRESS", "")
        self.status = status

    def _tell(self, name: str, status: str, reason: str) -> None:
        is_stack = name == "photos"
        self._told.insert(
            0,
            {
                "EventId": str(next(self._numbers)),
                "LogicalResourceId": name,
                "PhysicalResourceId": _ID if is_stack else name,
                "ResourceType": "AWS::CloudFormation::Stack" if is_stack else "AWS::SQS::Queue",
                "ResourceStatus": status,
                "ResourceStatusReason": reason,
            },
        )
        if is_stack:
            self.status = status

    def describe_stacks(self, **_: str) -> dict[str, Any]:
        if self.status in {None, "DELETE_COMPLETE"}:
            message = "Stack with id photos does not exist"
            raise ClientError({"Error": {"Message": message}}, "DescribeStacks")
        stack = {
            "StackId": _ID,
            "StackStatus": self.status,
            "Parameters": [{"ParameterKey": name} for name in self.had],
            "Outputs": [{"OutputKey": "SourceBucket", "OutputValue": "in"}],
        }
        return {"Stacks": [stack]}

    def create_change_set(
        self,
        *,
        ChangeSetType: str,  # noqa: N803 - boto3's
        Parameters: list[dict[str, Any]],  # noqa: N803 - boto3's
        Tags: list[dict[str, str]] | None = None,  # noqa: N803 - boto3's
        **_: object,
    ) -> dict[str, str]:
        self.asked.append(f"create {ChangeSetType}")
        self.parameters, self.tags = Parameters, Tags
        return {"StackId": _ID}

    def get_waiter(self, _: str) -> FakeCloudFormation:
        return self

    def wait(self, **_: object) -> None:
        if self.reason:
            raise WaiterError("ChangeSet", "failed", {"StatusReason": self.reason})

    def describe_change_set(self, NextToken: str = "", **_: str) -> dict[str, Any]:  # noqa: N803 - boto3's
        change = {"Action": "Modify", "LogicalResourceId": "Queue", "ResourceType": "AWS::S3"}
        if not NextToken:
            return {"Changes": [{"ResourceChange": change}], "NextToken": "more"}
        return {"Changes": [{"ResourceChange": change | {"Replacement": "Conditional"}}]}

    def delete_change_set(self, **_: str) -> None:
        self.asked.append("delete change set")

    def execute_change_set(self, **_: str) -> None:
        self.asked.append("execute")
        self._coming = iter(self._life)

    def delete_stack(self, **_: str) -> None:
        self.asked.append("delete stack")
        self._coming = iter([("photos", "DELETE_COMPLETE", "")])

    def get_paginator(self, _: str) -> FakeCloudFormation:
        return self

    def paginate(self, **_: str) -> Iterator[dict[str, Any]]:
        for event in itertools.islice(self._coming, 1):
            self._tell(*event)
        yield {"StackEvents": self._told[:1]}
        yield {"StackEvents": self._told[1:]}


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deploy, "POLL_S", 0)


def test_a_deployment_is_told_as_it_goes() -> None:
    """Each event once, in order, until the stack itself is complete; older ones are not told."""
    cloud = FakeCloudFormation(None, [*_DONE, ("photos", "CREATE_COMPLETE", "")])
    said: list[str] = []

    made = deploy.deploy(cloud, "photos", _TEMPLATE, {"SourceBucket": "in"}, say=said.append)

    assert made == {"SourceBucket": "in"}
    assert [line.split() for line in said] == [
        ["CREATE_IN_PROGRESS", "photos"],
        ["CREATE_COMPLETE", "Queue"],
        ["CREATE_COMPLETE", "photos"],
    ]


def test_a_first_deployment_that_failed_is_cleared_away() -> None:
    """CloudFormation can only delete such a stack: that is done, and the stack is made anew."""
    cloud = FakeCloudFormation("ROLLBACK_COMPLETE", [("photos", "CREATE_COMPLETE", "")])

    deploy.deploy(cloud, "photos", _TEMPLATE, {"SourceBucket": "in"})

    assert cloud.asked == ["delete stack", "create CREATE", "execute"]


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --stack-name photos"),
        ("DELETE_FAILED", "make destroy STACK=photos"),
        ("UPDATE_IN_PROGRESS", "somebody else"),
    ],
)
def test_a_stack_that_cannot_be_updated_is_left_alone(status: str, advice: str) -> None:
    """The message says how to leave that state."""
    cloud = FakeCloudFormation(status)

    with pytest.raises(deploy.DeployError, match=advice):
        deploy.deploy(cloud, "photos", _TEMPLATE, {})

    assert cloud.asked == []


def test_a_parameter_that_the_template_has_dropped_is_dropped() -> None:
    """CloudFormation would refuse to keep its value; the others keep theirs."""
    cloud = FakeCloudFormation("UPDATE_COMPLETE", [("photos", "UPDATE_COMPLETE", "")])

    deploy.deploy(cloud, "photos", _TEMPLATE, {"MemorySize": "512"})

    assert cloud.parameters == [
        {"ParameterKey": "MemorySize", "ParameterValue": "512"},
        {"ParameterKey": "SourceBucket", "UsePreviousValue": True},
    ]


def test_a_parameter_that_there_is_not_is_named() -> None:
    """Before CloudFormation is asked for anything; the message lists those that there are."""
    cloud = FakeCloudFormation(None)

    with pytest.raises(deploy.DeployError, match="Memory: expected one of SourceBucket"):
        deploy.deploy(cloud, "photos", _TEMPLATE, {"Memory": "512"})

    assert cloud.asked == []


def test_what_is_not_wanted_is_not_done() -> None:
    """Every change is shown, replacements as such; a no leaves nothing behind."""
    cloud = FakeCloudFormation("CREATE_COMPLETE")
    shown: list[str] = []

    def refuse(changes: Sequence[str]) -> bool:
        shown.extend(changes)
        return False

    with pytest.raises(deploy.DeployError, match="nothing was changed"):
        deploy.deploy(cloud, "photos", _TEMPLATE, {}, confirm=refuse)

    assert shown == ["Modify  Queue (AWS::S3)", "Modify  Queue (AWS::S3), REPLACED"]
    assert cloud.asked == ["create UPDATE", "delete change set"]


@pytest.mark.parametrize("tags", [{"team": "photos"}, {}, None])
def test_tags_are_of_the_stack_and_stay(tags: dict[str, str] | None) -> None:
    """Those that are named replace the stack's; where none is, it keeps those that it has."""
    cloud = FakeCloudFormation("CREATE_COMPLETE", [("photos", "UPDATE_COMPLETE", "")])

    deploy.deploy(cloud, "photos", _TEMPLATE, {}, tags=tags)

    assert cloud.tags == ([{"Key": "team", "Value": "photos"}] if tags else None)


@pytest.mark.parametrize("answer", ["", "y"])
def test_a_stack_is_deleted_after_a_yes(answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its queues go with all that is in them: on a terminal, that is asked for first."""
    cloud = FakeCloudFormation("CREATE_COMPLETE")
    monkeypatch.setenv("CONFIRM", "")
    monkeypatch.setattr(boto3, "Session", lambda **_: SimpleNamespace(client=lambda _: cloud))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: answer)

    assert deploy.main(["photos", "--destroy"]) == (0 if answer else 1)

    assert cloud.asked == (["delete stack"] if answer else [])


def test_no_change_is_no_failure() -> None:
    """A second deployment of the same is done at once, and asks nobody."""
    cloud = FakeCloudFormation("CREATE_COMPLETE")
    cloud.reason = "The submitted information didn't contain changes."

    made = deploy.deploy(cloud, "photos", _TEMPLATE, {}, confirm=lambda _: False)

    assert made == {"SourceBucket": "in"}
    assert "execute" not in cloud.asked


def test_a_failure_names_its_causes_first_cause_first() -> None:
    """What CloudFormation says of each resource that failed is in the message."""
    cloud = FakeCloudFormation(
        None,
        [
            ("Queue", "CREATE_FAILED", "no such key"),
            ("Other", "CREATE_FAILED", "cancelled"),
            ("photos", "ROLLBACK_IN_PROGRESS", "Queue"),
            ("photos", "ROLLBACK_COMPLETE", ""),
        ],
    )

    with pytest.raises(deploy.DeployError) as raised:
        deploy.deploy(cloud, "photos", _TEMPLATE, {})

    assert str(raised.value).splitlines() == [
        "photos is ROLLBACK_COMPLETE, not CREATE_COMPLETE",
        "  Queue (AWS::SQS::Queue): no such key",
        "  Other (AWS::SQS::Queue): cancelled",
    ]


def test_a_bucket_that_is_there_already_is_noticed_before_a_stack_is_made() -> None:
    """A deleted stack leaves its buckets: the message says how to use them again."""
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="kept")
        made = {"SourceBucket": "kept", "DestinationBucket": "new"}

        (problem,) = deploy.find_bucket_problems(s3, made)
        none = deploy.find_bucket_problems(s3, made | {"CreateSourceBucket": "false"})

    assert "'kept' is there already" in problem
    assert "CreateSourceBucket=false" in problem
    assert none == []


def test_without_a_region_the_command_says_how_to_name_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty variable is none; boto3 would make a host's name of it."""
    for name in ("AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_REGION", "")

    assert deploy.main(["photos"]) == 1

    assert "export AWS_REGION=" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("confirm", "answer", "wanted"), [("1", "", "yes"), ("", "y", "yes"), ("", "", "no")]
)
def test_a_person_or_the_environment_says_yes(
    confirm: str, answer: str, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`CONFIRM=1` for a pipeline, a yes for a terminal; anything else is a no."""
    monkeypatch.setenv("CONFIRM", confirm)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: answer)

    assert deploy._confirm(["Add Queue"]) is (wanted == "yes")


def test_nobody_to_ask_is_no_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal and without `CONFIRM=1` nothing is changed."""
    monkeypatch.delenv("CONFIRM", raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))

    with pytest.raises(deploy.DeployError, match="CONFIRM=1"):
        deploy._confirm([])


class Registry(BaseHTTPRequestHandler):
    """A registry with one image; as ECR does, it sends who asks for a blob on to a store."""

    config: ClassVar[dict[str, str]] = {}
    asked: ClassVar[list[tuple[str, str | None]]] = []

    def do_GET(self) -> None:
        """Answers, and notes with which credentials it was asked."""
        self.asked.append((self.path, self.headers["Authorization"]))
        answers = {
            f"/v2/renditions/manifests/{_DIGEST}": {"config": {"digest": "sha256:of-it"}},
            "/store/of-it": self.config,
        }
        if self.path == "/v2/renditions/blobs/sha256:of-it":
            self.send_response(307)
            self.send_header("Location", "/store/of-it")
            self.end_headers()
            return
        found = answers.get(self.path)
        self.send_response(404 if found is None else 200)
        self.send_header("Content-Type", push.MANIFESTS[0])
        self.end_headers()
        self.wfile.write(json.dumps(found).encode())

    def log_message(self, *_: object) -> None:
        """Says nothing."""


_DIGEST: Final = f"sha256:{'0' * 64}"


@pytest.fixture
def registry() -> Iterator[str]:
    """The host of such a registry."""
    Registry.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Registry) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("built_for", "named"), [("amd64", "x86_64"), ("arm64", "arm64")])
def test_the_processor_is_the_image_s(registry: str, built_for: str, named: str) -> None:
    """An image of one processor does not start on the other: the registry says which it is."""
    Registry.config["architecture"] = built_for
    uri = f"{registry}/renditions@{_DIGEST}"

    made = deploy.with_its_processor({"ImageUri": uri, "Timeout": "30"})

    assert made == {"ImageUri": uri, "Timeout": "30", "Architecture": named}


def test_a_registry_that_does_not_answer_is_named() -> None:
    """Whoever deploys behind a proxy may not reach it, and can name the processor."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    uri = f"127.0.0.1:{port}/renditions@{_DIGEST}"

    with pytest.raises(deploy.DeployError, match=rf"127\.0\.0\.1:{port}.*PARAMS=Architecture="):
        deploy.with_its_processor({"ImageUri": uri})


def test_credentials_stay_with_the_registry(registry: str) -> None:
    """A blob's store takes none beside those in its URL."""
    repository = referrers.Repository(f"http://{registry}", "renditions", {"Authorization": "ours"})

    repository.blob("sha256:of-it")

    assert Registry.asked == [("/v2/renditions/blobs/sha256:of-it", "ours"), ("/store/of-it", None)]


def test_a_processor_that_is_named_is_taken(registry: str) -> None:
    """Nothing is asked then, for who may deploy and not read images; else the message names it."""
    given = {"ImageUri": f"{registry}/none@{_DIGEST}"}
    with pytest.raises(deploy.DeployError, match="PARAMS=Architecture=x86_64 or arm64"):
        deploy.with_its_processor(given)
    Registry.asked.clear()

    given["Architecture"] = "arm64"
    assert deploy.with_its_processor(given) == given
    assert not Registry.asked


@pytest.mark.parametrize("uri", ["registry/renditions:latest", "registry/renditions@sha256:12"])
def test_an_image_is_named_by_its_digest(uri: str) -> None:
    """A tag may come to name another image; what was pushed has a digest."""
    with pytest.raises(deploy.DeployError, match="make push"):
        deploy.check_image(uri)

    deploy.check_image(f"registry/renditions@sha256:{'0' * 64}")
