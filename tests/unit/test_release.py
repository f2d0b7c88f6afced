"""One version everywhere, and what a release is described by."""

import hashlib
import json
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

from handler import cli
from handler.photo.manifest import Manifest, manifest_from_object
from handler.release import PRODUCT, VERSION
from handler.s3.client import make_client
from handler.version import SourceVersion
from scripts.release import PROVENANCE, SUMS, describe, problems
from tests.photos import jpeg

_ROOT = Path(__file__).parents[2]
_CHANGELOG = f"# Changelog\n\n## [{VERSION}] - 2026-11-27\n\n### Added\n"


def test_the_command_says_which_release_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """`renditions --version` names it, and ends well."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])

    assert ended.value.code == 0
    assert capsys.readouterr().out == f"renditions {VERSION}\n"


def test_s3_is_told_which_release_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request's user agent names it: whose requests they are stands in S3's access log."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    client = make_client()

    assert client.meta.config.user_agent.endswith(PRODUCT)
    client.close()


def test_a_manifest_names_the_release_that_wrote_it() -> None:
    """Not the one that wrote the manifest before it, of which this one is an update."""
    manifest = Manifest(version=SourceVersion(sequencer="05"), about={"version": 1})
    body = manifest.body("a.jpg", "m").replace(VERSION.encode(), b"0.9.0")

    again = manifest_from_object(manifest.metadata(), body)

    assert json.loads(again.body("a.jpg", "n"))["release"] == VERSION
    assert again == manifest


def test_the_version_stands_in_one_place() -> None:
    """pyproject.toml reads it from the code, and the changelog has its section."""
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())

    assert "version" in project["project"]["dynamic"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {
        "attr": "handler.release.VERSION"
    }
    changelog = (_ROOT / "CHANGELOG.md").read_text()
    assert problems(VERSION, changelog=changelog, changed="", tags=[]) == []


@pytest.mark.parametrize(
    ("version", "changelog", "changed", "tags", "said"),
    [
        ("9.9.9", _CHANGELOG.replace(VERSION, "9.9.9"), "", [], "handler/release.py"),
        (VERSION, _CHANGELOG.replace("] - 2026-11-27", "]"), "", [], "CHANGELOG.md"),
        (VERSION, _CHANGELOG, " M README.md", [], "README.md"),
        (VERSION, _CHANGELOG, "", [f"v{VERSION}"], f"v{VERSION} is there already"),
    ],
    ids=["version", "changelog", "changes", "tag"],
)
def test_what_is_no_release(
    version: str, changelog: str, changed: str, tags: list[str], said: str
) -> None:
    """Each thing that is not as it has to be is named; nothing else is."""
    (problem,) = problems(version, changelog=changelog, changed=changed, tags=tags)

    assert said in problem


def test_files_are_described_by_their_digests(tmp_path: Path) -> None:
    """The statement and the sums name each file with its SHA-256; sha256sum finds them right."""
    files = [tmp_path / name for name in ("a.whl", "b.tar.gz")]
    for file in files:
        file.write_bytes(file.name.encode())

    describe(VERSION, "0" * 40, files)

    statement = json.loads((tmp_path / PROVENANCE).read_text())
    digests = {one["name"]: one["digest"]["sha256"] for one in statement["subject"]}
    assert digests == {
        name: hashlib.sha256(name.encode()).hexdigest() for name in ("a.whl", "b.tar.gz")
    }
    pins = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert {"sources", "requirements/image.lock"} <= {one["name"] for one in pins}
    subprocess.run(["sha256sum", "--check", "--quiet", SUMS], cwd=tmp_path, check=True)


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `renditions` command of the wheel, installed in an environment of its own.

    Its dependencies are those of this process; the checkout's packages are not among them.
    """
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    built = ["wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run(
        [*pip, *built, "--wheel-dir", folder, "."], cwd=_checkout(folder / "checkout"), check=True
    )
    (wheel,) = folder.glob("*.whl")
    assert wheel.name == f"renditions-{VERSION}-py3-none-any.whl"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    (packages,) = (folder / "venv").glob("lib/python3*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    installed = ["install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run([*pip, "--python", str(python), *installed], check=True)
    return python.parent / "renditions"


def _printed(*arguments: str | Path, cwd: Path) -> str:
    done = subprocess.run(arguments, check=True, capture_output=True, text=True, cwd=cwd)
    return done.stdout


def test_what_is_installed_is_the_wheel(command: Path, tmp_path: Path) -> None:
    """It finds renditions.toml where a checkout has it: beside the packages."""
    find = "from imaging.config import DEFAULT_CONFIG; print(DEFAULT_CONFIG)"

    (config,) = _printed(command.parent / "python", "-I", "-c", find, cwd=tmp_path).splitlines()

    assert Path(config).is_relative_to(command.parents[1])
    assert Path(config).read_bytes() == (_ROOT / "renditions.toml").read_bytes()


def test_the_installed_command_renders(command: Path, tmp_path: Path) -> None:
    """As after `pipx install`: it says its release, and makes the default renditions."""
    (tmp_path / "a.jpg").write_bytes(jpeg(320, 240))

    assert _printed(command, "--version", cwd=tmp_path) == f"renditions {VERSION}\n"
    _printed(command, "render", "a.jpg", "--out", "out", cwd=tmp_path)

    names = {
        one["name"] for one in tomllib.loads((_ROOT / "renditions.toml").read_text())["renditions"]
    }
    assert {one.stem for one in (tmp_path / "out" / "a.jpg").iterdir()} == names


def _checkout(folder: Path) -> Path:
    """Copies what a wheel is built from: building leaves files beside it."""
    names = ("LICENSE", "README.md", "pyproject.toml", "renditions.toml", "setup.py")
    folder.mkdir()
    for name in names:
        shutil.copy(_ROOT / name, folder)
    for name in ("handler", "imaging"):
        shutil.copytree(_ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder
