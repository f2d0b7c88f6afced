"""Mutated events: what a stranger, a bug or a storm may put into any envelope that is taken here.

``python -m tests.envelopes --count 20000 --seed 1`` hands so many to the function's own code, and
says what came of them. The function is configured in one of five ways; under most keys S3 has a
photo, under others something else or nothing; for one mutant in ten S3 fails. Each mutant follows
from its seed and number.
"""

from __future__ import annotations

import argparse
import base64
import copy
import hashlib
import itertools
import json
import logging
import random
import re
import sys
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

from handler.errors import Disposition, EventError, InvocationError, RequestError
from handler.events.shapes import is_http, open_envelope
from handler.http.messages import read_request
from handler.http.respond import respond
from handler.http.signing import signature
from handler.items import process_items
from handler.photo.process import process
from handler.s3.requests import Requests
from handler.settings import Function as LambdaFunction
from handler.settings import JobAttributes, read_settings
from handler.told.metrics import PhotoLog
from handler.told.outcome import tell
from imaging.deadline import NEVER, Deadline
from tests.doors import WORKERS
from tests.photos import jpeg
from tests.servers.memory import MemoryS3, client_error
from tests.servers.strict import StrictS3

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handler.objects import ObjectEvent
    from handler.report import JobReport
    from handler.settings import Settings
    from imaging.specs import RenditionSpec

__all__ = ["Trial", "mutant", "try_mutants"]

GOOD: Final = "a good one.jpg"
"""The key of the record that stands beside each mutated one."""

_EVENTS: Final = Path(__file__).parent / "events"
_REFERENCE: Final = Path(__file__).parents[1] / "docs" / "reference.md"
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
_KEYS: Final = (
    *(".", "..", "/", "//", "./a.jpg", "../a.jpg", "a/./b.jpg", "a/../b.jpg", "a//b.jpg", "/a.jpg"),
    *("a.jpg ", " a.jpg", "a.jpg/", "a/", "a%2Fb.jpg", "a%252Fb.jpg", "a+b.jpg", "a%2Bb.jpg"),
    *("a%00b.jpg", "a%0D%0Ab: c", "a?b#c.jpg", "a&b=c;d.jpg", "%C3%A9.jpg", "%E9.jpg", "%", "%zz"),
    # One letter in two ways, which are two keys to S3.
    *("\u00e9.jpg", "e\u0301.jpg", "\u200f.jpg", "\ufeffa.jpg", "\U0001f4f7.jpg", "\x7f.jpg"),
    *("a.jpg/large.jpg", "a.jpg/photo.json", "photo.json", "rejected/a.jpg.json", "photos/a.jpg"),
    *("in.2/a.jpg", "in.2/in.2/a.jpg", "a.jpg.jpg", "a", ".jpg", "a.", "a..jpg"),
    *("k" * length for length in (900, 1_007, 1_008, 1_014, 1_015, 1_023, 1_024, 1_025)),
    *("\u0444" * length for length in (300, 499, 512, 513)),
    *("\U0001f4f7" * length for length in (200, 256)),
)
_NAMES: Final = ("large", "small", "small", "photo", "..", "")
_OF_KEYS: Final = ("key", "s3Key", "rawPath", "path")
_HEADERS: Final = (
    *(
        "*/*",
        "image/*;q=0",
        "image/avif;q=0.0001,image/webp;q=nan",
        "image/webp;q=inf",
        "text/html",
    ),
    *("image/jpeg;q=1;q=0", ",;=,", "image/" + "a" * 9_000, "\u00e9", "a\r\nb: c", '"e1"', "W/*"),
    *("https://example.org", "https://evil.example", "null", "", ".lambda-url.", "[::1]:443"),
)
_NOW: Final = 1_800_000_000
"""What time it is for an HTTP request, in seconds: each answer follows from the seed."""
_EXPIRES: Final = (
    "",
    "0",
    "-1",
    "+9",
    " 9",
    "1e9",
    "\u0663",
    "9" * 12,
    "9" * 13,
    "9" * 5_000,
    "\ud800",
)


def _deep() -> object:
    value: object = None
    for _ in range(200):
        value = {"requestPayload": [value]}
    return value


@cache
def _files() -> tuple[tuple[str, Any], ...]:
    return tuple(
        (path.name, json.loads(_about_our_photo(path.read_text())))
        for path in sorted(_EVENTS.glob("*.json"))
    )


def _about_our_photo(text: str) -> str:
    """Return an event with the size and the ETag of what is there."""
    for etag in ("d41d8cd98f00b204e9800998ecf8427e", "b1946ac92492d2347c6235b4d2611184"):
        text = text.replace(etag, _ETAG)
    return text.replace("8653307", str(len(_PHOTO)))


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
        elif last in _OF_KEYS and isinstance(parent[last], str) and dice.random() < 0.8:
            parent[last] = _other_key(parent[last], dice)
        elif path and path[-1] == "headers" and dice.random() < 0.8:
            parent[last] = dice.choice(_HEADERS)
        elif dice.random() < 0.15:
            del parent[last]
        elif isinstance(parent[last], str) and dice.random() < 0.2:
            at = dice.randrange(len(parent[last]) + 1)
            parent[last] = parent[last][:at] + dice.choice(["", "\ud800", "\x00", "%", "\n", "}"])
        else:
            parent[last] = copy.deepcopy(dice.choice((*_NASTY, _deep())))
    return value


def _other_key(text: str, dice: random.Random) -> str:
    """Return another key instead of ``text``; behind a rendition's name where that is a path."""
    key = dice.choice(_KEYS)
    if not text.startswith("/"):
        return key
    return "".join((dice.choice(("", "/prod", "/prod/prod")), "/", dice.choice(_NAMES), "/", key))


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


_PHOTO: Final = jpeg(32, 24)
_ETAG: Final = hashlib.md5(_PHOTO, usedforsecurity=False).hexdigest()
_BODIES: Final = (_PHOTO, _PHOTO, _PHOTO, b"no photo", b"", None, None)
"""What is under a key of the photos' buckets, by chance; None for nothing."""
_SECRETS: Final = ("999988887777", "role/secret", "somebody else's.jpg", "renditions-of-ours")
_FAULTS: Final = (
    *((403, code) for code in ("AccessDenied", "InvalidObjectState", "KMS.DisabledException")),
    *((400, code) for code in ("InvalidRequest", "MetadataTooLarge", "KMS.NotFound", "", "New")),
    *((404, "NoSuchBucket"), (405, "MethodNotAllowed"), (409, "OperationAborted")),
    *((412, "PreconditionFailed"), (416, "InvalidRange"), (301, "PermanentRedirect")),
    *((500, "InternalError"), (501, "NotImplemented"), (503, "SlowDown"), (599, "New")),
)
_OF_S3: Final = {"store-refused", "store-failed", "store-contended", "quarantine-failed"}
"""Codes of which S3 is never the cause where nothing is wrong with it."""
_BESIDES: Final = {
    *(("retry", "not-begun"), ("retry", "unknown-event"), ("rejected", "unknown-event")),
    # Where S3 contradicts itself.
    *(("retry", f"store-{code}") for code in ("contended", "missing", "archived")),
}


@cache
def _documented() -> set[tuple[str, str | None]]:
    """Return each disposition with the codes that docs/reference.md has for it."""
    rows = re.findall(
        r"^\| `(\w+)` \|[^|]*\|([^|]*)\|$", _REFERENCE.read_text("utf-8"), re.MULTILINE
    )
    known = {str(one) for one in Disposition}
    codes = {name: re.findall("`([a-z-]+)`", cell) for name, cell in rows if name in known}
    failures = ("rejected", "retry", "superseded")
    return {
        *((name, code) for name, listed in codes.items() for code in listed),
        *((name, None) for name in codes if name not in failures),
        *_BESIDES,
    }


class _Photos(MemoryS3):
    """An S3 with something under most keys, and with errors of which nobody may hear more.

    Attributes:
        fault: The status and code of every second answer; None for none.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.fault: tuple[int, str] | None = None
        self._asked = itertools.count()
        self._sources = {"photos", *settings.source_buckets}
        for bucket in (*self._sources, settings.destination_bucket):
            self.create_bucket(bucket)

    def head_object(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - botocore's
        return super().head_object(**self._seen("HeadObject", request))

    def get_object(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - botocore's
        return super().get_object(**self._seen("GetObject", request))

    def put_object(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - botocore's
        return super().put_object(**self._seen("PutObject", request))

    def _seen(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        if self.fault is not None and next(self._asked) % 2:
            status, code = self.fault
            # A HEAD has no body to name the code in.
            code = str(status) if operation == "HeadObject" else code
            said = f"arn:aws:iam::{_SECRETS[0]}:{_SECRETS[1]} on {_SECRETS[2]}"
            raise client_error(operation, status, code, said)
        bucket, key = request["Bucket"], request["Key"]
        if bucket in self._sources and not self.versions(bucket, key):
            by_chance = _BODIES[zlib.crc32(key.encode()) % len(_BODIES)]
            body = _PHOTO if key == GOOD else by_chance
            if body is not None:
                super().put_object(Bucket=bucket, Key=key, Body=body)
        return request


_TOML: Final = """
[[renditions]]
name = "large"
width = 16
format = ["avif", "webp", "jpeg"]

[[renditions]]
name = "small"
width = 8
format = "source"
"""
_SETTINGS: Final[tuple[dict[str, str], ...]] = (
    {},
    {"URL_SIGNING_KEYS": "00" * 16, "SOURCE_BUCKET": "photos"},
    {"HTTP_BASE_PATH": "/prod", "HTTP_FALLBACK_KEY": GOOD, "CORS_ORIGINS": "https://example.org"},
    {"DESTINATION_KEY_TEMPLATE": "{bucket}/{key}/{name}.{ext}", "SOURCE_BUCKET": "photos,in.2"},
    {
        "DESTINATION_KEY_TEMPLATE": "{prefix}{stem}.{source_ext}/{name}.{ext}",
        "FORMER_KEY_TEMPLATES": "{key}/{name}.{ext}",
        "REJECTED_PREFIX": "rejected/",
    },
)


class _Function:
    """The function's own code before an S3 that is strict about what it is sent."""

    def __init__(self, variables: dict[str, str]) -> None:
        self.settings = read_settings(
            {"DESTINATION_BUCKET": _SECRETS[3], "SOURCE_BUCKET": "photos", "RENDITIONS_TOML": _TOML}
            | variables
        )
        self.photos = _Photos(self.settings)
        self._client = StrictS3(self.photos)
        self._executor = ThreadPoolExecutor(max_workers=2)
        self.lines: list[str] = []
        self.reports: list[JobReport] = []
        self._log = PhotoLog(LambdaFunction(), self.lines.append)

    def _done(self, report: JobReport) -> None:
        self.reports.append(report)
        self._log.photo(report, "request")

    def answer(self, event: Any) -> tuple[str, str]:  # noqa: ANN401 - JSON
        """Return what comes out, in a word, and as the text that Lambda would send."""
        self.lines.clear()
        self.reports.clear()
        requests = Requests(self._client, _Hurried() if self.photos.fault is not None else NEVER)

        def make(event: ObjectEvent, specs: Sequence[RenditionSpec] | None = None) -> JobReport:
            return process(
                event, self.settings, requests, self._executor, WORKERS.open_photo, specs
            )

        if is_http(event):
            with mock.patch("handler.http.respond.time", SimpleNamespace(time=lambda: _NOW)):
                answer = respond(event, self.settings, requests, make, self._done)
            return f"HTTP {answer['statusCode']}", json.dumps(answer, ensure_ascii=False)
        try:
            envelope = open_envelope(event, JobAttributes())
            reports = process_items(
                envelope, lambda one: tell(make(one), self.settings, requests), self._done
            )
            answer = envelope.answer(reports)
        except (EventError, InvocationError) as error:
            return type(error).__name__, str(error)
        return "answered", json.dumps(answer, ensure_ascii=False)


class _Hurried(Deadline):
    """Nobody waits for an S3 that will fail again."""

    def wait(self, seconds: float) -> None:
        """Do not."""


def _signed(event: Any, settings: Settings, dice: random.Random) -> Any:  # noqa: ANN401 - JSON
    """Return an HTTP request with a signature of ours over whatever it asks for."""
    expires = dice.choice((*_EXPIRES, str(_NOW + dice.choice((0, 1, 5, 10**6)))))
    try:
        path = read_request(event).path.removeprefix(settings.http_base_path)
        name, _, key = path.removeprefix("/").partition("/")
        made = signature(settings.url_signing_keys[0], name, key, expires)
    except (RequestError, UnicodeEncodeError):
        return event
    query = {
        "expires": expires,
        "signature": dice.choice((made, made, made, "", made[:-1], "\ud800")),
    }
    return {**event, "queryStringParameters": query}


def try_mutants(seed: int, numbers: Sequence[int]) -> Trial:
    """Hand each mutant to the function's own code, and hold what comes out to its promises.

    - What is raised is EventError or InvocationError, and nothing else.
    - An answer, a message and a line of the log can be sent: UTF-8 holds them.
    - Each record has a disposition and a code that docs/reference.md has together.
    - The record beside the mutated one is worked on.
    - An HTTP request is answered, and never by 500; its headers are headers, and no answer has S3's
      words in it, a bucket of ours, or a key that was not asked for.
    """
    functions, trial = [_Function(variables) for variables in _SETTINGS], Trial()
    for number in numbers:
        dice = random.Random(f"{seed}/{number}/around")
        name, event, has_good = mutant(seed, number)
        function = dice.choice(functions)
        function.photos.fault = dice.choice(_FAULTS) if dice.random() < 0.1 else None
        if is_http(event) and function.settings.url_signing_keys and dice.random() < 0.8:
            event = _signed(event, function.settings, dice)
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
        unknown = {(str(one.disposition), one.code) for one in reports} - _documented()
        if unknown:
            trial.wrong.append(f"{number} ({name}): documented nowhere: {unknown}")
        blamed = {one.code for one in reports} & _OF_S3
        if function.photos.fault is None and blamed:
            trial.wrong.append(
                f"{number} ({name}): S3 refused what was made: {blamed} {sent[:200]}"
            )
        if outcome.startswith("HTTP"):
            trial.wrong += [f"{number} ({name}): {what}" for what in _wrong_in_answer(sent)]
        good = {one.disposition for one in reports if one.key == GOOD}
        is_done = bool(good) and good <= {Disposition.WRITTEN, Disposition.UNCHANGED}
        if has_good and function.photos.fault is None and not is_done:
            trial.wrong.append(f"{number} ({name}): the good record: {good}, {outcome} {sent}")
    return trial


def _wrong_in_answer(sent: str) -> list[str]:
    """Return what an answer to an HTTP request has in it and must not have."""
    answer = json.loads(sent)
    values = answer.get("headers", answer.get("multiValueHeaders")).values()
    texts = [text for value in values for text in ([value] if isinstance(value, str) else value)]
    wrong = [f"a header {text!r}" for text in texts if not (text.isascii() and text.isprintable())]
    if answer["statusCode"] == 302:
        # The URL of a rendition that is too large names its place.
        return wrong
    shown = answer["body"] + "".join(texts)
    return wrong + [f"{word!r} in {shown}" for word in _SECRETS if word in shown]


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
