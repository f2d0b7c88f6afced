"""`python -m scripts.cost`, and docs/cost.md: what is said there is what is measured."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

import pytest

from handler.told.metrics import UNITS
from scripts import cost
from tests.stack import Stack

if TYPE_CHECKING:
    from pathlib import Path


def test_the_document_has_the_measured_figures() -> None:
    """The table is that of benchmarks/results; `make bench-function` renews both."""
    document = cost.DOCUMENT.read_text(encoding="utf-8")

    assert cost.renewed(document, cost.measured()) == document
    assert cost.table(cost.measured()) in document
    assert cost.beside_servers(cost.measured()) in document


def test_what_the_stack_costs_each_month() -> None:
    """Metrics and alarms are as many as the function and the template have."""
    document = " ".join(cost.DOCUMENT.read_text(encoding="utf-8").split())
    made = Stack(SourceBucket="a", DestinationBucket="b").resources.values()
    alarms = sum(one["Type"] == "AWS::CloudWatch::Alarm" for one in made)

    assert f"{len(UNITS)} of the function," in document
    assert f"$0.10 for each of {alarms} alarms" in document
    monthly = 0.30 * len(UNITS) + 0.10 * alarms + 3
    assert document.count(f"${monthly:.2f} a month") == 2


def test_what_a_server_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A photo's CPU at a task's price, twice for the time that it waits; two tasks a month."""
    monkeypatch.setattr(cost, "warm_cpu_s", lambda _: 3.6)
    monkeypatch.setattr(cost, "TASK_HOUR", {"x86_64": 0.05})

    rows = cost.beside_servers({("jpeg-24", 512): 1.0}).splitlines()

    # A thousand hours for a million photos, at half load two thousand.
    assert rows[-1] == "| imgproxy on Fargate, x86_64 | 3.60 | $100.00 | $2.00 | $89 |"
    assert rows[2].startswith("| this, Lambda of 512 MB, x86_64 | - | $8.33 |")


def test_the_document_shows_a_real_run(capsys: pytest.CaptureFixture[str]) -> None:
    """The command in the document prints what stands below it."""
    _, _, block = cost.DOCUMENT.read_text(encoding="utf-8").partition("```console\n$ ")
    command, _, printed = block.partition("```")[0].partition("\n")

    assert cost.main(shlex.split(command)[3:]) == 0

    assert capsys.readouterr().out == printed


def test_what_is_measured(tmp_path: Path) -> None:
    """The median of this function's runs counts, and neither another's nor one that failed."""
    results = tmp_path / "function.json"
    one = {"function": "renditions", "photo": "a", "memory_mb": 512, "wall_ms": [900, 300, 500]}
    failed = {"function": "renditions", "photo": "b", "memory_mb": 256, "failed": "502"}
    results.write_text(json.dumps([one, failed, one | {"function": "another", "wall_ms": [1]}]))

    assert cost.measured(results) == {("a", 512): 0.5}


def test_a_price_that_changed(capsys: pytest.CaptureFixture[str]) -> None:
    """A price that is given replaces the one in use."""
    assert cost.main(["--photos", "10", "--seconds", "1", "--price", "invocation=7"]) == 0
    assert "invocations        70.00" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--price", "tea=1"], "NAME=DOLLARS with a name of batch_job"),
        (["--price", "write"], "but received 'write'"),
        (["--price", "write=-1"], "but received 'write=-1'"),
        (["--photo", "jpeg-1"], "but received jpeg-1 at 1769"),
    ],
)
def test_what_cannot_be_reckoned_with(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is wrong is said, with what was expected."""
    assert cost.main(arguments) == 1
    assert said in capsys.readouterr().err
