"""CONTRIBUTING.md's table "Where a change goes", its rows of handler/: a half-done change fails."""

import ast
import importlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import pytest
from samtranslator.yaml_helper import yaml_parse

from handler.errors import RequestError
from handler.events import shapes
from handler.settings import JobAttributes, Settings
from handler.told.metrics import NAMESPACE, UNITS
from handler.variables import NAMES
from imaging.errors import RenditionsError
from imaging.limits import Limits
from tests.stack import TEMPLATE

_ROOT: Final = Path(__file__).parents[2]
_REFERENCE: Final = (_ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
_RUNBOOK: Final = (_ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
_CONTRIBUTING: Final = (_ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
_EVENTS: Final = _ROOT / "tests" / "events"
_MODULES: Final = sorted(
    path for path in (_ROOT / "handler").rglob("*.py") if path.name != "__init__.py"
)
_NEVER_REPORTED: Final = {"store-archived", "store-missing"}
"""No record ends with these: whoever asks S3 decides what they mean."""
_PER_INVOCATION: Final = {"_X_AMZN_TRACE_ID", "AWS_XRAY_DAEMON_ADDRESS"}
"""Lambda's own two that differ between invocations; handler/app.py reads them."""


def _sources() -> list[str]:
    """Return the modules that open an envelope."""
    return [
        path.stem
        for path in _MODULES
        if path.parent.name == "events" and path.stem != "shapes"
        if re.search(r"^def open_envelope\(", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]


def test_every_event_source_is_in_shapes_and_has_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all files in tests/events, at least one is opened by each module of a source."""
    opened: set[str] = set()

    def recorded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def record(*arguments: object) -> Any:  # noqa: ANN401 - as the function's
            opened.add(name)
            return function(*arguments)

        return record

    sources = _sources()
    for name in sources:
        module = importlib.import_module(f"handler.events.{name}")
        monkeypatch.setattr(module, "open_envelope", recorded(name, module.open_envelope))
    for file in _EVENTS.glob("*.json"):
        event = json.loads(file.read_text(encoding="utf-8"))
        if not shapes.is_http(event):
            shapes.open_envelope(event, JobAttributes())
    assert len(sources) > 5
    assert set(sources) - opened == set()


def _variables(path: Path) -> Iterator[str]:
    """Yield the environment variables that a module reads by name, or that it names at all."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from re.findall(r"^_?[A-Z]{2,}(?:_[A-Z]+)+$", node.value)


def test_every_event_source_has_its_row() -> None:
    """The table of docs/events.md names each, as its module is named."""
    rows = (_ROOT / "docs" / "events.md").read_text(encoding="utf-8").split("\n\n")[2].lower()
    listed = " ".join(row.split("|")[1] for row in rows.splitlines())
    assert [name for name in _sources() if name.replace("_", " ") not in listed] == []


def test_a_setting_is_read_in_one_place_and_has_its_row() -> None:
    """No other module asks the environment; each variable of our own is in docs/reference.md.

    A misspelt one is held against the same names.
    """
    readers = {
        path.name
        for path in _MODULES
        if re.search(r"\benviron(\.get\(|\[)|getenv", path.read_text(encoding="utf-8"))
    }
    assert readers == {"settings.py", "memory_limit.py", "app.py"}
    named = {name for path in _MODULES if path.name in readers for name in _variables(path)}
    assert "DESTINATION_BUCKET" in named
    ours = {name for name in named - _PER_INVOCATION if not name.startswith("AWS_")}
    ours |= {f"LIMIT_{name.upper()}" for name in Limits.names()}
    assert {name for name in ours if f"`{name}`" not in _REFERENCE} == set()
    assert ours == NAMES


def test_a_setting_that_nobody_reads_is_found() -> None:
    """Each field of Settings is read outside the module that makes it."""
    text = "".join(
        path.read_text(encoding="utf-8") for path in _MODULES if path.name != "settings.py"
    )
    unread = [
        one.name for one in fields(Settings) if not re.search(rf"settings\.{one.name}\b", text)
    ]
    assert unread == []


def _classes(kind: type[RenditionsError]) -> Iterator[type[RenditionsError]]:
    for each in kind.__subclasses__():
        yield each
        yield from _classes(each)


def test_a_code_is_of_one_class_and_is_documented() -> None:
    """Two errors that share a code could not be told apart; a class without one fails when read.

    A record's or an invocation's is in docs/reference.md, a request's in docs/http.md.
    """
    for path in _MODULES:
        if re.search(r"^class \w+Error\(", path.read_text(encoding="utf-8"), re.MULTILINE):
            importlib.import_module(".".join(path.relative_to(_ROOT).with_suffix("").parts))
    # The answer to a request may say the very thing that a photo's report says.
    codes = Counter(
        (issubclass(each, RequestError), each.__dict__["code"])
        for each in _classes(RenditionsError)
        if "code" in each.__dict__ and each.__module__.startswith(("handler.", "imaging."))
    )
    assert codes[False, "internal"] == 1
    assert [code for code, count in codes.items() if count > 1] == []
    http = (_ROOT / "docs" / "http.md").read_text(encoding="utf-8")
    documented = {True: http, False: _REFERENCE}
    missing = {code for of_request, code in codes if f"`{code}`" not in documented[of_request]}
    assert missing == _NEVER_REPORTED


def test_every_metric_is_in_the_runbook() -> None:
    """Those of the function as a whole, and the count of photos."""
    assert {name for name in (*UNITS, "Photos") if f"`{name}`" not in _RUNBOOK} == set()


def _alarms() -> dict[str, dict[str, Any]]:
    """Return the properties of every alarm of the template, whatever its conditions."""
    resources = yaml_parse(TEMPLATE.read_text(encoding="utf-8"))["Resources"]
    return {
        name: resource["Properties"]
        for name, resource in resources.items()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    }


def test_every_alarm_has_its_part_in_the_runbook() -> None:
    """Its description names the page and a heading, or a code of the page's table."""
    alarms = _alarms()
    assert len(alarms) > 5
    for name, alarm in alarms.items():
        found = re.search(r'docs/runbook\.md, "(.+)"', alarm["AlarmDescription"])
        assert found is not None, name
        assert f"### {found[1]}\n" in _RUNBOOK or f"`{found[1]}`" in _RUNBOOK, name


def test_an_alarm_watches_a_metric_that_there_is() -> None:
    """One of our own namespace names a metric of handler/told/metrics.py; another would be mute."""
    watched = {
        str(alarm["MetricName"])
        for alarm in _alarms().values()
        if alarm.get("Namespace") == NAMESPACE
    }
    assert watched
    assert watched - {*UNITS, "Photos"} == set()


def test_no_two_modules_share_a_name() -> None:
    """An import line tells every module apart; errors alone is one of each package."""
    names = Counter(path.stem for path in _MODULES)
    assert [name for name, count in names.items() if count > 1] == []
    imaging = {path.stem for path in (_ROOT / "imaging").glob("*.py")} - {"__init__"}
    assert set(names) & imaging == {"errors"}
    rooms = {path.name for path in (_ROOT / "handler").iterdir() if path.is_dir()}
    assert set(names) & rooms == set()


@pytest.mark.parametrize("change", ["event source", "setting", "error code", "metric", "alarm"])
def test_the_table_names_files_that_there_are(change: str) -> None:
    """Each row names files of the tree; what is in them a row's own test proves."""
    found = re.search(rf"^\| {change} \|(.+)$", _CONTRIBUTING, re.MULTILINE)
    assert found is not None
    paths = re.findall(r"`([a-z_/-]+(?:\.[a-z]+|/))`", found[1])
    assert len(paths) >= 2
    assert [path for path in paths if not (_ROOT / path).exists()] == []
    for test in re.findall(r"`(test_\w+)`", found[1]):
        assert any(
            f"def {test}(" in path.read_text(encoding="utf-8")
            for path in (_ROOT / "tests" / "unit").glob("test_*.py")
        ), test
