"""The command says what it will do, and does it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pyvips

from handler.cli import main
from imaging.pipeline import render
from imaging.plan import RenditionPlan
from imaging.rendition import Rendition

FULL = '[[renditions]]\nname = "full"\n'
SMALL = '[[renditions]]\nname = "small"\nwidth = 160\n'
SQUARE = (
    '[[renditions]]\nname = "square"\nwidth = 320\nheight = 100\n'
    'fit = "cover"\nposition = "focal-point"\n'
)


@pytest.fixture
def carried_out(monkeypatch: pytest.MonkeyPatch) -> list[RenditionPlan]:
    """The plans that were carried out, one for each photo."""
    plans: list[RenditionPlan] = []

    def recorded(plan: RenditionPlan, *arguments: Any) -> Iterator[Rendition]:  # noqa: ANN401 - render's
        plans.append(plan)
        return render(plan, *arguments)

    monkeypatch.setattr("imaging.rendering.render", recorded)
    return plans


@pytest.mark.parametrize(
    ("toml", "options"),
    [
        pytest.param(FULL, [], id="full"),
        pytest.param("[sidecar]\n" + FULL, [], id="sidecar"),
        pytest.param("[sidecar]\n" + FULL + SMALL, [], id="sidecar-and-a-small-one"),
        pytest.param('truncated = "render"\n' + FULL + SMALL, [], id="truncated"),
        pytest.param(SQUARE, ["--focal-point", "0.9,0.1"], id="focal-point"),
        pytest.param(
            'truncated = "render"\n[sidecar]\n' + FULL + SQUARE,
            ["--focal-point", "nowhere"],
            id="all",
        ),
    ],
)
def test_the_plan_that_is_printed_is_carried_out(
    toml: str,
    options: list[str],
    carried_out: list[RenditionPlan],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Estimate, base and passes are the same, whatever the file and the command line ask."""
    photo, config = tmp_path / "a.jpg", tmp_path / "renditions.toml"
    pyvips.Image.black(5000, 4000, bands=3).jpegsave(str(photo))
    config.write_text(toml, "utf-8")
    asked = [str(photo), "--config", str(config), *options]
    assert main(["plan", *asked]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert main(["render", "--out", str(tmp_path / "out"), *asked]) == 0
    assert [json.loads(json.dumps(plan.as_dict())) for plan in carried_out] == [printed]
