"""The command says what it will do, and does it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from importlib.metadata import distributions
from pathlib import Path
from tempfile import gettempdir

import pytest
import pyvips

from handler import cli
from handler.cli import main
from imaging.plan import RenditionPlan
from imaging.rendition import OpenSink, Rendition
from imaging.worker import client
from imaging.worker.spawning import Launch
from tests.wall.taken_over import photo_that_runs

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

    render = client._PhotoElsewhere.render

    def recorded(
        photo: client._PhotoElsewhere, plan: RenditionPlan, open_sink: OpenSink
    ) -> Iterator[Rendition]:
        plans.append(plan)
        return render(photo, plan, open_sink)

    monkeypatch.setattr(client._PhotoElsewhere, "render", recorded)
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
    assert [json.loads(json.dumps(asdict(plan))) for plan in carried_out] == [printed]


def test_a_photo_that_crashes_its_decoder_is_a_line_of_the_report(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The others of its folder are made, several at once, and the lines stand in order."""
    monkeypatch.setattr(cli, "Launch", partial(Launch, modules=("tests.wall.taken_over",)))
    folder, report = tmp_path / "in", tmp_path / "report.jsonl"
    folder.mkdir()
    config = tmp_path / "renditions.toml"
    config.write_text(SMALL)
    for name in ("a.jpg", "c.jpg", "d.jpg"):
        pyvips.Image.black(300, 200, bands=3).jpegsave(str(folder / name))
    (folder / "b.jpg").write_bytes(photo_that_runs("crash"))
    arguments = [f"--out={tmp_path / 'out'}", f"--report={report}", f"--config={config}"]
    assert main(["render", str(folder), "--jobs=3", *arguments]) == 1
    lines = [json.loads(line) for line in report.read_text().splitlines()]
    assert [(Path(line["input"]).name, line["code"]) for line in lines] == [
        ("a.jpg", None),
        ("b.jpg", "crashed"),
        ("c.jpg", None),
        ("d.jpg", None),
    ]
    assert all((tmp_path / "out" / name / "small.jpg").exists() for name in ("a.jpg", "d.jpg"))


@pytest.mark.skipif(
    not any(found.name == "renditions" for found in distributions()), reason="not installed"
)
def test_the_command_works_in_any_folder(tmp_path: Path) -> None:
    """An editable installation finds ``imaging`` by a hook, which its workers have not."""
    pyvips.Image.black(300, 200, bands=3).jpegsave(str(tmp_path / "a.jpg"))
    (tmp_path / "renditions.toml").write_text(SMALL)
    environment = {name: os.environ[name] for name in os.environ if name != "PYTHONPATH"}
    subprocess.run(
        [
            # As an installed command starts: nothing of this checkout is on the path.
            *(sys.executable, "-P", "-c", "from handler.cli import main; raise SystemExit(main())"),
            *("render", "a.jpg", "--out=out", "--config=renditions.toml"),
        ],
        cwd=tmp_path,
        env=environment,
        check=True,
    )
    assert (tmp_path / "out" / "a.jpg" / "small.jpg").exists()


@pytest.mark.parametrize("received", ["0", "-1", "x", "1.5"])
@pytest.mark.parametrize(
    ("command", "option"),
    [
        (["render", "a.jpg", f"--out={gettempdir()}"], "--jobs"),
        (["backfill", "photos"], "--processes"),
        *(
            (command, option)
            for command in (["backfill", "photos"], ["check", "a.toml"])
            for option in ("--sample", "--at-once", "--memory")
        ),
    ],
)
def test_what_is_counted_is_one_or_more(
    command: list[str], option: str, received: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Anything else is a mistake in the command, which names the argument and what it received."""
    with pytest.raises(SystemExit):
        main([*command, f"{option}={received}"])
    said = capsys.readouterr().err
    assert f"argument {option}: expected 1 or more but received {received!r}" in said


def test_a_folder_that_cannot_be_listed_is_a_line_of_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The photos in it are not passed over in silence; the others are made."""
    for name in ("a", "locked"):
        (tmp_path / "in" / name).mkdir(parents=True)
        pyvips.Image.black(64, 48, bands=3).jpegsave(str(tmp_path / "in" / name / "a.jpg"))
    (tmp_path / "config").write_text(SMALL, "utf-8")
    locked, scandir = tmp_path / "in" / "locked", os.scandir

    def refuse(place: str | os.PathLike[str]) -> Iterator[os.DirEntry[str]]:
        if Path(place) == locked:
            raise PermissionError(13, "Permission denied", str(place))
        return scandir(place)

    # Root lists any folder.
    monkeypatch.setattr(os, "scandir", refuse)
    out, report = tmp_path / "out", tmp_path / "report.jsonl"
    options = ["--out", str(out), "--config", str(tmp_path / "config"), "--report", str(report)]
    assert main(["render", str(tmp_path / "in"), *options]) == 1
    lines = map(json.loads, report.read_text("utf-8").splitlines())
    assert [(line["input"], line["code"]) for line in lines] == [
        (str(tmp_path / "in" / "a" / "a.jpg"), None),
        (str(locked), "source-failed"),
    ]
    assert "1 of 2 photos" in capsys.readouterr().out
    assert [path.name for path in out.rglob("*.jpg")] == ["a.jpg", "small.jpg"]
