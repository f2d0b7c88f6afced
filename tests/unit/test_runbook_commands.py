"""docs/runbook.md's commands: there for each alarm, whole, and such that AWS's tools know them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest

from handler import cli
from scripts import runbook, status
from scripts.redrive import is_understood, messages, sender
from tests.commands import call_from_command
from tests.stack import Stack, template_with

_ROOT: Final = Path(__file__).parents[2]
_EVENTS: Final = _ROOT / "tests" / "events"
_TEXT: Final = runbook.PAGE.read_text(encoding="utf-8")
_OUTPUTS: Final = {name: f"{name}-of-it" for name in template_with({})["Outputs"]} | {"Stack": "it"}
_DIRECT: Final = {
    name: value for name, value in _OUTPUTS.items() if name not in {"QueueUrl", "QueueMapping"}
}
_OF_A_PERSON: Final = {"VERSION": "7", "NUMBER": "20", "MB": "3008"}


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def _commands(outputs: dict[str, str]) -> list[str]:
    return [
        re.sub(r"\b[A-Z]{2,}\b", lambda found: _OF_A_PERSON.get(found[0], found[0]), command)
        for heading in runbook.sections()
        for command in runbook.commands(heading, outputs)
    ]


def test_every_alarm_has_commands() -> None:
    """Each heading that an alarm names says which commands it wants, and each of those is there."""
    stack = Stack(SourceBucket="a", DestinationBucket="b")
    anchors = set(map(_anchor, runbook.sections()))
    for alarm in stack.of_type("AWS::CloudWatch::Alarm").values():
        (heading,) = re.findall(r'docs/runbook\.md, "(.*)"', alarm["AlarmDescription"])
        part = _TEXT.split(f"\n### {heading}\n")[1].split("\n### ")[0]
        wanted = re.findall(r"\]\(#([\w-]+)\)", part.split("\nCommands: ")[1])
        assert wanted, heading
        assert set(wanted) <= anchors, heading


def test_what_has_to_be_there() -> None:
    """Stop, go on, roll back, redrive, redo, history, memory: nobody writes these at night."""
    assert set(runbook.sections()) >= {
        "Stop",
        "Go on",
        "Roll back",
        "Redrive",
        "Redo one photo",
        "One photo's history",
        "Raise memory",
    }


@pytest.mark.parametrize("outputs", [_OUTPUTS, _DIRECT], ids=["sqs", "direct"])
def test_every_name_is_an_output_of_such_a_stack(outputs: dict[str, str]) -> None:
    """So that none is left for a person to look up; each section has a command for either kind."""
    for heading in runbook.sections():
        for command in runbook.commands(heading, outputs):
            assert runbook.names(command) == [], command
        if heading not in {"Raise memory", "Let more run at once"}:
            assert runbook.commands(heading, outputs), heading


@pytest.mark.parametrize("command", sorted({*_commands(_OUTPUTS), *_commands(_DIRECT)}))
def test_every_command_is_one(command: str) -> None:
    """AWS's models know operation and options, the Makefile the target, the command its options."""
    match shlex.split(command):
        case ["aws", *_]:
            assert call_from_command(command)
        case ["make", target, *_]:
            makefile = (_ROOT / "Makefile").read_text(encoding="utf-8")
            assert re.search(rf"^{target}:", makefile, re.MULTILINE)
        case [".venv/bin/renditions", *arguments]:
            cli._parser().parse_args(arguments)
        case _:
            pytest.fail(command)


@pytest.mark.parametrize(
    "wrong",
    [
        "aws lambda update-alias --function-name f",
        "aws sqs receive-messages --queue-url u",
        "aws sqs receive-message --queue u",
    ],
)
def test_a_command_that_is_none_is_found(wrong: str) -> None:
    """A missing option, an operation and an option that there are not."""
    with pytest.raises(ValueError, match=r"wants|has no"):
        call_from_command(wrong)


def test_status_fills_in_what_the_stack_says() -> None:
    """Every heading is there, and no command of the other kind of stack."""
    for outputs, other in ((_OUTPUTS, "put-function-concurrency"), (_DIRECT, "QueueMapping")):
        text = "\n".join(status.advice(outputs))
        assert all(f"\n{heading}\n" in f"{text}\n" for heading in runbook.sections())
        assert other not in text
        assert not re.search(r"<[A-Z]\w+>", text)


@pytest.mark.parametrize(
    "name", ["failure-record", "s3-created", "eventbridge-created", "job", "sns", "s3-test-event"]
)
def test_what_a_failure_queue_holds_is_understood(name: str) -> None:
    """Events, jobs, and what Lambda writes of an event that failed."""
    assert is_understood((_EVENTS / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("body", ["no event", "{}", '{"requestPayload": 3}'])
def test_what_is_no_event_is_not_sent_again(body: str) -> None:
    """It would only come back."""
    assert not is_understood(body)


class _Session:
    """A session of which one client is used; keeps what is called with which arguments."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def client(self, service: str) -> Any:  # noqa: ANN401 - as boto3's
        def called(**arguments: Any) -> None:  # noqa: ANN401 - as boto3's
            self.calls.append((service, arguments))

        return SimpleNamespace(send_message=called, invoke=called)


def test_a_body_goes_where_the_stack_takes_it() -> None:
    """To the queue; of a stack without one to the alias, asynchronously, so that it is retried."""
    session = _Session()
    for outputs in (_OUTPUTS, _DIRECT):
        sender(session, outputs)("{}")

    assert session.calls == [
        ("sqs", {"QueueUrl": "QueueUrl-of-it", "MessageBody": "{}"}),
        (
            "lambda",
            {
                "FunctionName": "FunctionAlias-of-it",
                "InvocationType": "Event",
                "Payload": b"{}",
            },
        ),
    ]


class _Queue:
    """Hands out its messages again and again, as a queue does whose messages were not hidden.

    To a receive that does not wait it is empty: SQS asks only some of its servers then.
    """

    def __init__(self, *bodies: str) -> None:
        self._messages = [{"MessageId": body, "Body": body} for body in bodies]

    def receive_message(self, **asked: Any) -> dict[str, Any]:  # noqa: ANN401 - boto3's
        return {"Messages": self._messages} if asked.get("WaitTimeSeconds") else {}


def test_a_message_that_comes_again_is_not_taken_twice() -> None:
    """Else one that cannot be read would keep the command busy for ever."""
    assert [one["Body"] for one in messages(_Queue("a", "b"), "url")] == ["a", "b"]
