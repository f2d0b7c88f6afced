"""How the image starts: modules from one file, and what is left out of others' packages."""

import ast
import gc
import importlib
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Final

import pytest

from image.bundle import compile_module
from image.start import Bundle

_ROOT: Final = Path(__file__).parents[2]
_PACKAGES: Final = Path(importlib.import_module("botocore").__file__ or "").parents[1]
_SOURCES: Final = {
    "bundled_there": '"""A package."""\n\nfrom . import part\n',
    "bundled_there.part": (
        '"""A module."""\n\n\ndef fail():\n    """Fail."""\n    raise ValueError("here")\n'
    ),
    "bundled_later": "import bundled_there\nLOADED = True\n",
}


@pytest.fixture
def modules(tmp_path: Path) -> Iterator[dict[str, tuple[str, str | None, CodeType | None]]]:
    """A bundle of three modules; the last one comes without code."""
    made: dict[str, tuple[str, str | None, CodeType | None]] = {}
    for name, source in _SOURCES.items():
        package = name == "bundled_there"
        file = tmp_path.joinpath(*name.split("."), *(["__init__"] if package else []))
        file = file.with_suffix(".py")
        file.parent.mkdir(exist_ok=True)
        file.write_text(source, encoding="utf-8")
        code = None if name == "bundled_later" else compile_module(name, str(file))
        made[name] = str(file), str(file.parent) if package else None, code
    yield made
    for name in _SOURCES:
        sys.modules.pop(name, None)


@pytest.fixture
def bundle(
    modules: dict[str, tuple[str, str | None, CodeType | None]], monkeypatch: pytest.MonkeyPatch
) -> Bundle:
    """The bundle, before Python's own finders."""
    made = Bundle(modules, last="bundled_there")
    monkeypatch.setattr(sys, "meta_path", [made, *sys.meta_path])
    return made


@pytest.mark.usefixtures("bundle")
def test_a_module_looks_as_if_it_came_from_its_file(tmp_path: Path) -> None:
    """Packages, submodules, paths and tracebacks are those of the files they were made from."""
    there = importlib.import_module("bundled_there")

    assert there.__file__ == str(tmp_path / "bundled_there" / "__init__.py")
    assert there.__path__ == [str(tmp_path / "bundled_there")]
    assert there.part.__package__ == "bundled_there"
    with pytest.raises(ValueError, match="here") as error:
        there.part.fail()
    frame = traceback.extract_tb(error.value.__traceback__)[-1]
    assert (frame.filename, frame.lineno) == (str(tmp_path / "bundled_there" / "part.py"), 6)
    assert frame.line == 'raise ValueError("here")'


@pytest.mark.usefixtures("bundle")
def test_a_module_without_code_waits_until_somebody_looks_into_it() -> None:
    """It is there at once, and what it does at import happens at the first look."""
    later = importlib.import_module("bundled_later")

    assert "bundled_there" not in sys.modules
    assert later.LOADED
    assert "bundled_there" in sys.modules


def test_a_module_that_is_not_bundled_is_left_to_python(bundle: Bundle) -> None:
    """The bundle finds its own modules and no other."""
    assert bundle.find_spec("bundled_elsewhere") is None


@pytest.mark.usefixtures("bundle")
def test_the_collector_is_on_again_when_the_handler_is_loaded() -> None:
    """Kept off while modules load, it runs from the first event on and never looks at them."""
    gc.disable()
    before = gc.get_freeze_count()
    try:
        importlib.import_module("bundled_there.part")
        assert gc.isenabled()
        assert gc.get_freeze_count() > before
    finally:
        gc.enable()
        gc.unfreeze()


@pytest.mark.parametrize(("name", "expected"), [("others", None), ("handler.ours", "Doc.")])
def test_only_our_docstrings_are_kept(tmp_path: Path, name: str, expected: str | None) -> None:
    """A docstring goes, the function it stands in works as before, and ours stay."""
    file = tmp_path / "module.py"
    file.write_text('def f():\n    """Doc."""\n\ndef g():\n    "Doc."\n    return 1\n', "utf-8")
    found: dict[str, object] = {}

    exec(compile_module(name, str(file)), found)  # noqa: S102 - the module above

    f, g = found["f"], found["g"]
    assert callable(f)
    assert callable(g)
    assert (f(), g(), f.__doc__, g.__doc__) == (None, 1, expected, expected)


def _imported_from(file: Path, module: str) -> set[str]:
    return {
        alias.name
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module == module
        for alias in node.names
    }


def test_what_stands_in_for_botocores_docstrings_has_every_name_in_use() -> None:
    """A botocore that imports more of its documentation generator is caught here."""
    names: set[str] = set()
    for file in (_PACKAGES / "botocore").glob("**/*.py"):
        if "docs" in file.relative_to(_PACKAGES).parts:
            continue
        names |= _imported_from(file, "botocore.docs.docstring")
        others = ast.walk(ast.parse(file.read_text("utf-8")))
        modules = {node.module or "" for node in others if isinstance(node, ast.ImportFrom)}
        kept = {"botocore.docs.docstring", "botocore.docs.utils"}
        assert {name for name in modules if name.startswith("botocore.docs")} <= kept, file

    stand_in = _ROOT / "image/replaced/botocore/docs/docstring.py"
    space: dict[str, object] = {}
    exec(stand_in.read_text("utf-8"), space)  # noqa: S102 - our own module
    assert names
    assert names <= space.keys()


def test_urllib3_needs_nothing_of_http2_at_import() -> None:
    """Of the package that is emptied in the image, only the module that stays is imported."""
    names = {
        name
        for file in (_PACKAGES / "urllib3").glob("*.py")
        for node in ast.parse(file.read_text("utf-8")).body
        if isinstance(node, ast.ImportFrom) and node.module == "http2"
        for name in (alias.name for alias in node.names)
    }

    assert names == {"probe"}
