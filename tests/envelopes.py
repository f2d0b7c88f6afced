"""Mutated events: what a stranger, a bug or a storm may put into any envelope that is taken here.

``python -m tests.envelopes --count 20000 --seed 1`` hands so many to the function's own code, S3
answering that no object is there, and says what came of them. Each mutant follows from its seed and
number.
"""

from __future__ import annotations

import argparse
import base64
import copy
import json
import logging
import random
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from handler.errors import Disposition, EventError, InvocationError
from handler.events.shapes import is_http, open_envelope
from handler.http.respond import respond
from handler.items import process_items
from handler.photo.process import process
from handler.s3.client import make_client
from handler.s3.requests import Requests
from handler.settings import Function, JobAttributes, read_settings
from handler.told.metrics import PhotoLog
from tests.doors import WORKERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handler.objects import ObjectEvent
    from handler.report import JobReport
    from imaging.specs import RenditionSpec

__all__ = ["Trial", "mutant", "try_mutants"]

GOOD: Final = "a good one.jpg"
"""The key of the record that stands beside each mutated one."""

_EVENTS: Final = Path(__file__).parent / "events"
_HUGE: Final = 10**5_000
_NASTY: Final[tuple[object, ...]] = (
    None,
    True,
    False,
    0,
    -1,
    _HUGE,
    -_HUGE,
    float("nan"),
    float("inf"),
    1e308,
    "",
    " ",
    "null",
    "12",
    "-1",
    "9" * 5_000,
    "٣",
    "ZZZZ",
    "F" * 3_000,
    "\ud800",
    "a\udfffb.jpg",
    "%ED%A0%80",
    "%ff",
    "+%2B%25",
    "a\r\nb: c",
    "\x00",
    "../..",
    "é" * 600,
    "鳥" * 400,
    "{",
    "{}",
    "[]",
    '{"Records": [{}]}',
    '{"Type": "Notification", "Message": "\\ud800"}',
    "[" * 5_000,
    "2026-07-14T09:26:53.589Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "2026-07-14",
    [],
    [[]],
    [None],
    {},
    {"a": None},
    {"S": []},
    {"Records": []},
    {"requestPayload": {"requestPayload": {"requestPayload": {"requestPayload": {}}}}},
)


def _deep() -> object:
    value: object = None
    for _ in range(200):
        value = {"requestPayload": [value]}
    return value


@cache
def _files() -> tuple[tuple[str, Any], ...]:
    return tuple(
        (path.name, json.loads(path.read_text())) for path in sorted(_EVENTS.glob("*.json"))
    )


def _places(value: object, depth: int = 20) -> list[tuple[Any, ...]]:
    """Return the path of each value inside ``value``, down to ``depth``."""
    if not depth:
        return []
    children: Any = ()
    if isinstance(value, dict):
        children = value.items()
    elif isinstance(value, list):
        children = enumerate(value)
    return [(key, *rest) for key, child in children for rest in [(), *_places(child, depth - 1)]]


def _mutated(value: Any, dice: random.Random) -> Any:  # noqa: ANN401 - JSON
    """Return ``value`` with one to three of its parts replaced, removed, or written elsewhere."""
    value = copy.deepcopy(value)
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        places = _places(value)
        if not places:
            return value
        *path, last = dice.choice(places)
        parent = value
        for key in path:
            parent = parent[key]
        inside = _unpacked(parent[last]) if dice.random() < 0.5 else None
        if inside is not None:
            text, pack = inside
            parent[last] = pack(_mutated(text, dice))
        elif dice.random() < 0.15:
            del parent[last]
        elif isinstance(parent[last], str) and dice.random() < 0.2:
            at = dice.randrange(len(parent[last]) + 1)
            parent[last] = parent[last][:at] + dice.choice(["", "\ud800", "\x00", "%", "\n", "}"])
        else:
            parent[last] = copy.deepcopy(dice.choice((*_NASTY, _deep())))
    return value


def _unpacked(value: object) -> tuple[Any, Any] | None:
    """Return the JSON inside a text, plain or in base64, and what packs another like it."""
    if not isinstance(value, str):
        return None
    try:
        return json.loads(value), _packed
    except (ValueError, RecursionError):
        pass
    try:
        read = json.loads(base64.b64decode(value, validate=True))
    except (ValueError, RecursionError):
        return None
    if not isinstance(read, dict):
        return None
    return read, lambda other: base64.b64encode(_packed(other).encode()).decode()


def _packed(value: object) -> str:
    try:
        return json.dumps(value)
    except ValueError:
        # Python writes no number of thousands of digits; others do.
        return f'{{"bucket": {"9" * 5_000}, "key": 1}}'


def _good(record: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a record like ``record`` about another photo, under IDs of its own."""
    text = json.dumps(record, ensure_ascii=False)
    record = json.loads(text)
    job = {"bucket": "photos", "key": GOOD}
    notification = {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventName": "ObjectCreated:Put",
                "s3": {"bucket": {"name": "photos"}, "object": {"key": GOOD.replace(" ", "+")}},
            }
        ]
    }
    match record:
        case {"s3": _}:
            return notification["Records"][0]
        case {"body": _}:
            record |= {"messageId": "good", "body": json.dumps(notification)}
            if "SequenceNumber" in record["attributes"]:
                record["attributes"]["MessageGroupId"] = "good"
        case {"kinesis": kinesis}:
            data = base64.b64encode(json.dumps(job).encode()).decode()
            kinesis |= {"sequenceNumber": "good", "data": data}
        case {"data": _}:
            data = base64.b64encode(json.dumps(job).encode()).decode()
            record |= {"eventID": "good", "data": data}
        case {"dynamodb": change}:
            record |= {"eventID": "good", "eventName": "INSERT"}
            change["SequenceNumber"] = "good"
            change["NewImage"] = {name: {"S": value} for name, value in job.items()}
        case {"s3Key": _}:
            record |= {"taskId": "good", "s3Key": GOOD.replace(" ", "+"), "s3VersionId": None}
        case _:
            return None
    return record


def mutant(seed: int, number: int) -> tuple[str, Any, bool]:
    """Return the name of the file it was made of, the event, and whether a good record is in it."""
    dice = random.Random(f"{seed}/{number}")
    name, event = dice.choice(_files())
    holders = {"Records", "tasks"} & set(event) if isinstance(event, dict) else set()
    records: list[Any] = event if isinstance(event, list) else []
    if holders:
        records = event[holders.pop()]
    good = _good(records[0]) if records else None
    if good is None or dice.random() < 0.1:
        return name, _mutated(event, dice), False
    mutants = [_mutated(dice.choice(records), dice) for _ in range(dice.choice((1, 1, 2, 3)))]
    mutants.insert(dice.randrange(len(mutants) + 1), good)
    if isinstance(event, list):
        return name, mutants, True
    (holder,) = {"Records", "tasks"} & set(event)
    return name, event | {holder: mutants}, True


@dataclass(slots=True, kw_only=True)
class Trial:
    """What came of mutants: counts by outcome, and a sentence for each that came out wrong."""

    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


class _EmptyStore:
    """botocore's client before an S3 that holds nothing; requests are made and checked."""

    def __init__(self) -> None:
        self._client = make_client()

    def __getattr__(self, operation: str) -> Any:  # noqa: ANN401 - a method of botocore's
        model = self._client.meta.service_model.operation_model(
            self._client.meta.method_to_api_mapping[operation]
        )

        def call(**arguments: Any) -> Any:  # noqa: ANN401 - as botocore's
            # Raises what botocore raises of an argument that cannot be sent.
            self._client._convert_to_request_dict(
                arguments, model, "https://s3.invalid", context={"client_region": "us-east-1"}
            )
            if operation.startswith(("put_", "delete_")):
                return {"ETag": '"e"'}
            answer: Any = {
                "Error": {"Code": "NoSuchKey"},
                "ResponseMetadata": {"HTTPStatusCode": 404},
            }
            raise ClientError(answer, model.name)

        return call


class _Function:
    """The function's own code before the empty store."""

    def __init__(self) -> None:
        self._settings = read_settings(
            {"DESTINATION_BUCKET": "renditions", "SOURCE_BUCKET": "photos"}
        )
        self._requests = Requests(_EmptyStore())
        self._executor = ThreadPoolExecutor(max_workers=2)
        self.lines: list[str] = []
        self.reports: list[JobReport] = []
        self._log = PhotoLog(Function(), self.lines.append)

    def _make(self, event: ObjectEvent, specs: Sequence[RenditionSpec] | None = None) -> JobReport:
        return process(
            event, self._settings, self._requests, self._executor, WORKERS.open_photo, specs
        )

    def _done(self, report: JobReport) -> None:
        self.reports.append(report)
        self._log.photo(report, "request")

    def answer(self, event: Any) -> tuple[str, str]:  # noqa: ANN401 - JSON
        """Return what comes out, in a word, and as the text that Lambda would send."""
        self.lines.clear()
        self.reports.clear()
        if is_http(event):
            answer = respond(event, self._settings, self._requests, self._make, self._done)
            return f"HTTP {answer['statusCode']}", json.dumps(answer, ensure_ascii=False)
        try:
            envelope = open_envelope(event, JobAttributes())
            answer = envelope.answer(process_items(envelope, self._make, self._done))
        except (EventError, InvocationError) as error:
            return type(error).__name__, str(error)
        return "answered", json.dumps(answer, ensure_ascii=False)


def try_mutants(seed: int, numbers: Sequence[int]) -> Trial:
    """Hand each mutant to the function's own code, and hold what comes out to its promises.

    - What is raised is EventError or InvocationError, and nothing else.
    - An answer, a message and a line of the log can be sent: UTF-8 holds them.
    - The record beside the mutated one is worked on.
    - An HTTP request is answered, and never by 500.
    """
    function, trial = _Function(), Trial()
    for number in numbers:
        name, event, has_good = mutant(seed, number)
        try:
            outcome, sent = function.answer(event)
            "".join([sent, *function.lines]).encode()
        except Exception as error:  # noqa: BLE001 - what must not happen, told of with its number
            trial.wrong.append(f"{number} ({name}): raised {error!r}")
            continue
        reports = function.reports
        trial.outcomes[outcome] += 1
        trial.outcomes.update(f"{one.disposition} {one.code}" for one in reports)
        if len(function.lines) != len(reports):
            trial.wrong.append(f"{number} ({name}): lines of the log are missing")
        if outcome == "HTTP 500" or any(one.code == "internal" for one in reports):
            trial.wrong.append(f"{number} ({name}): nobody foresaw {outcome} {sent[:200]}")
        good = [one.disposition for one in reports if one.key == GOOD]
        # S3 says that it is gone, which is an answer: nothing is left to do.
        if has_good and good != [Disposition.SUPERSEDED]:
            trial.wrong.append(f"{number} ({name}): the good record: {good}, {outcome} {sent}")
    return trial


def main() -> int:
    """Try mutants, and print what came of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    # Each record that cannot be read is an error there.
    logging.disable()
    trial = try_mutants(arguments.seed, range(arguments.count))
    for outcome, count in trial.outcomes.most_common():
        sys.stdout.write(f"{count:7,}  {outcome}\n")
    for wrong in trial.wrong[:20]:
        sys.stdout.write(f"wrong: {wrong}\n")
    sys.stdout.write(f"{arguments.count:,} events, {len(trial.wrong)} wrong\n")
    return 1 if trial.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
