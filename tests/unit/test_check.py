"""`renditions check`: a wrong configuration is named, a right one is compared."""

from pathlib import Path
from typing import Final

import pytest

from handler.changes import changes, is_stale, renewed
from handler.cli import main
from imaging.config import Config, parse_config

_A: Final = '[[renditions]]\nname = "a"\n'


def _config(text: str) -> Config:
    return parse_config(text, file="test.toml")


@pytest.mark.parametrize(
    ("text", "line", "key", "expected", "received"),
    [
        (f"{_A}width = 0", 3, "width", "an integer from 1 to 65500", "0"),
        (f'{_A}width = "wide"', 3, "width", "an integer", "'wide'"),
        (f"{_A}\n# wide\nwidht = 3", 5, "widht", "one of the keys name, keys, exclude,", "'widht'"),
        (f'{_A}fit = "crop"', 3, "fit", 'one of "inside", "cover"', "'crop'"),
        (f"{_A}width = 9\n{_A}width = 8", 5, "name", "unique names", "it twice"),
        (f"{_A}quality = {{ jpeg = 101 }}", 3, "quality", "an integer from 1 to 100", "101"),
        (f'{_A}format = ["jpeg",\n"jxl"]', 3, "format", 'one of "jpeg", "webp"', "['jpeg', 'jxl']"),
        (f'{_A}keys = ["a/**"]\nexclude = "a/**"', 3, "keys", "patterns of a key", "['a/**']"),
        (f"{_A}[limits]\nmax_pixels = -1", 4, "max_pixels", "an integer of 1 or more", "-1"),
        ('truncated = "keep"\n' + _A, 1, "truncated", 'one of "refuse", "render"', "'keep'"),
    ],
)
def test_a_wrong_configuration_is_named(
    text: str,
    line: int,
    key: str,
    expected: str,
    received: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The command ends with 2, and says file, line, key, what was expected and what received."""
    file = tmp_path / "mine.toml"
    file.write_text(text)
    assert main(["check", str(file)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"bad-config: {file}:{line}: ")
    assert f"{key}" in said.split("expected", 1)[0]
    assert f"expected {expected}" in said
    assert f"received {received}" in said


def test_what_changes_is_a_line_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Added, removed and changed renditions, and what stands beside them."""
    before, after = tmp_path / "before.toml", tmp_path / "after.toml"
    before.write_text(f'{_A}width = 9\n[[renditions]]\nname = "b"\n')
    after.write_text(
        'truncated = "render"\n'
        f'{_A}width = 8\nformat = ["avif", "source"]\nprogressive = true\n'
        '[[renditions]]\nname = "c"\nkeys = "c/**"\nquality = { jpeg = 70 }\n'
        "[sidecar]\n[limits]\nmax_bytes = 1\n"
    )
    assert main(["check", str(after), "--against", str(before)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{after}: well-formed, 2 renditions",
        f"Against {before}:",
        '  ~ rendition "a": width: 9 -> 8',
        '  ~ rendition "a": format: the default -> [avif, source]',
        '  ~ rendition "a": progressive: the default -> true',
        '  + rendition "c": keys [c/**], quality {jpeg = 70}',
        '  - rendition "b"',
        "  ~ truncated: refuse -> render",
        "  ~ sidecar: false -> true",
        "  ~ limits: max_bytes: 536870912 -> 1",
        "Photos that were rejected are tried again.",
    ]
    assert main(["check", str(after), "--against", str(after)]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [f"Nothing changes against {after}."]


@pytest.mark.parametrize(
    ("after", "stale", "made"),
    [
        (f"{_A}width = 9", {}, {}),
        (f"{_A}width = 8", {"x", "y"}, {"x": ["a"], "y": ["a"]}),
        (f'{_A}width = 9\nformat = ["jpeg", "webp"]', {"x", "y"}, {"x": ["a"], "y": ["a"]}),
        (f'{_A}width = 9\n[[renditions]]\nname = "b"\nkeys = "x"', {"x"}, {"x": ["b"]}),
        (f'{_A}width = 9\nexclude = "y"', {"y"}, {}),
        (f"{_A}width = 9\n[sidecar]", {"x", "y"}, {"x": ["a"], "y": ["a"]}),
        (
            f'{_A}width = 9\nkeys = "x"\n{_A}width = 8\nexclude = "x"',
            {"y"},
            {"y": ["a"]},
        ),
    ],
)
def test_what_becomes_stale(after: str, stale: set[str], made: dict[str, list[str]]) -> None:
    """Only the photos for which another set is asked, and of those only what is not there."""
    one, other = _config(f"{_A}width = 9"), _config(after)
    assert {key for key in ("x", "y") if is_stale(one, other, key)} == set(stale)
    names = {key: [spec.name for spec in renewed(one, other, key)] for key in ("x", "y")}
    assert {key: named for key, named in names.items() if named} == made
    assert bool(changes(one, other)) is bool(stale)
