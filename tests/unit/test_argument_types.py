"""What an argument may be is tried before any work begins, and its error names both."""

import argparse
import ast
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from handler.argument_types import readable_file, writable_file, writable_folder
from handler.backfill.arguments import state_file
from handler.cli import main

_ROOT: Final = Path(__file__).parents[2]
_PHOTOS: Final = {"paths", "path"}
"""Arguments that are photos: one that cannot be read is a line of the report, as any bad one."""
_WRITTEN: Final = [
    ("render", "--report"),
    ("render", "--out"),
    ("backfill", "--state"),
]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with a file, a folder and a link to nowhere."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("kept", "utf-8")
    (tmp_path / "folder").mkdir()
    (tmp_path / "nowhere").symlink_to("missing/file")
    return tmp_path


def _entries(place: Path) -> list[str]:
    return sorted(path.relative_to(place).as_posix() for path in place.rglob("*"))


@pytest.mark.parametrize(("command", "option"), _WRITTEN)
@pytest.mark.parametrize(
    "received",
    [
        # Not even root can make a file there.
        "/sys/new",
        "file/new",
        "n" * 300,
        "nowhere",
    ],
)
def test_what_cannot_be_written_is_a_mistake_in_the_command(
    command: str, option: str, received: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It names the argument, what was expected and what was received; nothing was begun."""
    before = _entries(place)
    given = {"render": ["a.jpg", "--out=out"], "backfill": ["photos"]}[command]
    with pytest.raises(SystemExit) as end:
        main([command, *given, f"{option}={received}"])
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert f"argument {option}: expected a f" in said
    assert f"but received {received!r}: " in said or option == "--state"
    assert _entries(place) == before


@pytest.mark.parametrize("option", ["--report", "--out", "--config"])
@pytest.mark.parametrize("received", ["file", "folder", "missing/new", "new"])
def test_each_option_of_render_takes_what_it_can_use(
    option: str, received: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A report is a file in a folder that is there, the output a folder, the configuration a file.

    What gets past the arguments fails on a configuration that is none.
    """
    taken = {
        "--report": {"file", "new"},
        "--out": {"folder", "missing/new", "new"},
        "--config": {"file"},
    }[option]
    given = {"--out": "out", "--config": "file"} | {option: received}
    command = ["render", "a.jpg", *(f"{name}={value}" for name, value in given.items())]
    before = _entries(place)
    if received in taken:
        assert main(command) == 2
        assert capsys.readouterr().err.startswith("bad-config: file:")
    else:
        with pytest.raises(SystemExit):
            main(command)
        assert f"argument {option}: expected a f" in capsys.readouterr().err
    assert _entries(place) == before
    assert (place / "file").read_text("utf-8") == "kept"


@pytest.mark.parametrize("blocked", ["a.json", ".a.json.new", "a.failed.jsonl"])
def test_a_state_is_all_the_files_of_a_run(place: Path, blocked: str) -> None:
    """The next state and the list of failures are written beside it, hours later."""
    assert state_file("a.json") == Path("a.json")
    (place / blocked).mkdir()
    with pytest.raises(argparse.ArgumentTypeError, match=rf"received '{blocked}': Is a directory"):
        state_file("a.json")


def test_the_usual_place_of_a_state_is_tried_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where nothing can be written in the current folder, the error is that of --state."""
    monkeypatch.chdir("/dev/fd")
    monkeypatch.setenv("DESTINATION_BUCKET", "renditions")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    assert main(["backfill", "photos"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("bad-config: --state: expected a file that can be written but received")


def test_a_pipe_is_not_opened_to_try_it(place: Path) -> None:
    """Its reader would see the end of what was never written; without one, to open it waits."""
    os.mkfifo(place / "pipe")
    assert writable_file("pipe") == Path("pipe")


@pytest.mark.parametrize("kind", [readable_file, writable_file, writable_folder, state_file])
def test_a_path_that_no_system_has(kind: Callable[[str], Path]) -> None:
    """A NUL byte ends in the same error."""
    with pytest.raises(argparse.ArgumentTypeError, match=r"received 'a.x00b'"):
        kind("a\0b")


def test_every_path_of_a_command_is_tried() -> None:
    """No argument of the command, the scripts and the demo is a path of which nothing is known."""
    modules = [
        path for part in ("handler", "scripts", "demo") for path in (_ROOT / part).rglob("*.py")
    ]
    untried, tried = set(), 0
    for module in modules:
        for call in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
                continue
            if call.func.attr != "add_argument":
                continue
            kinds = {ast.unparse(one.value) for one in call.keywords if one.arg == "type"}
            tried += bool(kinds & {"readable_file", "writable_file", "writable_folder"})
            if "Path" in kinds:
                untried.add(ast.literal_eval(call.args[0]))
    assert untried == _PHOTOS
    assert tried >= 8


def test_what_is_no_bucket_is_a_mistake_in_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    """An access point's ARN has photos, and stands in no event and no manifest."""
    given = "arn:aws:s3:eu-west-1:123456789012:accesspoint/photos"
    with pytest.raises(SystemExit):
        main(["backfill", given])
    said = capsys.readouterr().err
    assert f"argument BUCKET: expected a bucket's name but received {given!r}" in said
