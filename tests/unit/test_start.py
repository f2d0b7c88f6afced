"""How the image starts: modules from one file, and what is left out of others' packages."""

import ast
import gc
import importlib
import json
import marshal
import os
import posix
import re
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from image.bundle import Bundle as Stored
from image.bundle import Module, compile_module, ranges, split
from image.start import Bundle, read_ahead

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
def modules(tmp_path: Path) -> Iterator[dict[str, Module]]:
    """A bundle of three modules; the last one comes without code."""
    made: dict[str, Module] = {}
    for name, source in _SOURCES.items():
        package = name == "bundled_there"
        file = tmp_path.joinpath(*name.split("."), *(["__init__"] if package else []))
        file = file.with_suffix(".py")
        file.parent.mkdir(exist_ok=True)
        file.write_text(source, encoding="utf-8")
        code: CodeType | bytes | None = compile_module(name, str(file))
        if name == "bundled_later":
            code = None
        elif not package:
            code = marshal.dumps(code)
        made[name] = str(file), str(file.parent) if package else None, code
    yield made
    for name in _SOURCES:
        sys.modules.pop(name, None)


@pytest.fixture
def bundle(
    modules: dict[str, Module],
    monkeypatch: pytest.MonkeyPatch,
) -> Bundle:
    """The bundle, before Python's own finders."""
    made = Bundle(modules, {}, {}, last="bundled_there")
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


def _loaded_anew(
    name: str,
    codes: dict[tuple[str, str], CodeType],
    patterns: dict[tuple[str | bytes, int], tuple[Any, ...]],
) -> ModuleType:
    """Return a copy of a module of the standard library, loaded from a bundle; ours stays."""
    file = importlib.import_module(name).__file__ or ""
    bundle = Bundle({name: (file, None, compile_module(name, file))}, codes, patterns, last="")
    spec = bundle.find_spec(name)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    bundle.exec_module(module)
    return module


def test_a_named_tuple_is_made_of_what_the_build_compiled() -> None:
    """Source that the build knows is not compiled again: here, what it knows is another tuple."""
    source = "lambda _cls, one, two: _tuple_new(_cls, (one, two))"
    turned = compile(source.replace("(one, two)", "(two, one)"), "<string>", "eval")

    made = _loaded_anew("collections", {(source, "eval"): turned}, {})

    assert made.namedtuple("Known", ["one", "two"])(1, 2) == (2, 1)
    assert made.namedtuple("Unknown", ["one"])(1) == (1,)


def test_a_dataclass_is_made_of_what_the_build_compiled() -> None:
    """The source of a class's methods is looked up; of a class unknown to the build, compiled."""
    found: dict[tuple[str, str], CodeType] = {}

    class Looked(dict[tuple[str, str], CodeType]):
        def get(self, source: Any, default: Any = None) -> Any:  # noqa: ANN401 - as a dict has it
            found[source] = compile(source[0], "<string>", source[1])
            return super().get(source, default)

    for codes in (Looked(), found):

        class Point:
            x: int

        made = _loaded_anew("dataclasses", codes, {}).dataclass(frozen=True)(Point)
        assert made(3) == made(3)
        assert made(3).x == 3
    assert any("__init__" in source for source, _ in found)


def test_an_annotation_in_quotes_is_what_the_build_compiled() -> None:
    """What it knows of ``int`` here is ``str``; what it does not know is what it says."""
    known = {("int", "eval"): compile("str", "<string>", "eval")}

    refer = _loaded_anew("typing", known, {}).ForwardRef

    assert eval(refer("int").__forward_code__) is str  # noqa: S307 - the code above
    assert eval(refer("bytes").__forward_code__) is bytes  # noqa: S307 - the code above


def test_a_pattern_is_what_the_build_compiled() -> None:
    """A pattern and flags that the build knows are not parsed: here, what it knows is another."""
    words: list[tuple[Any, ...]] = []
    module = _loaded_anew("re._compiler", {}, {})
    sre = vars(module)["_sre"]

    class Recorder:
        @staticmethod
        def compile(*made: Any) -> object:  # noqa: ANN401 - as `_sre` has it
            words.append(made)
            return sre.compile(*made)

    vars(module)["_sre"] = Recorder
    module.compile("(?P<other>b+)", 0)

    known = _loaded_anew("re._compiler", {}, {("a+", re.IGNORECASE.value): words[0]})

    assert known.compile("a+", re.IGNORECASE).match("bb")["other"] == "bb"
    assert known.compile("a+", 0).match("aa")
    assert known.compile(b"a+", re.IGNORECASE).match(b"AA")


def test_pages_near_each_other_are_fetched_together() -> None:
    """Few long ranges: a gap of 32 pages costs less than another request to the disk."""
    assert ranges([3, 2, 2, 30, 100], 4096) == [(2 * 4096, 29 * 4096), (100 * 4096, 4096)]
    assert ranges([], 4096) == []


def test_the_blocks_are_fetched_and_the_files_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each range is asked for once, of a file that does not stay open."""
    asked: list[tuple[int, ...]] = []
    monkeypatch.setattr(posix, "posix_fadvise", lambda *call: asked.append(call))
    library = tmp_path / "library.so"
    library.write_bytes(b"code")

    read_ahead([(str(library), [(0, 4096), (8192, 4096)])])

    ((file, *first), (_, *second)) = asked
    assert (first, second) == (
        [0, 4096, posix.POSIX_FADV_WILLNEED],
        [8192, 4096, posix.POSIX_FADV_WILLNEED],
    )
    with pytest.raises(OSError, match="Bad file descriptor"):
        posix.fstat(file)


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


_COMMAND: Final = "/usr/bin/python3 -ISBu /var/runtime/start.pyc"
_TAKEN: Final = """
import json, os, pathlib, sys
sys.path.insert(0, {root!r})
before = len(os.environ)
from image.start import Environment
taken = None
if sys.argv[1] == "--environment":
    taken = Environment(*map(int, sys.argv[2:5])).take()
    del sys.argv[1:5]
children = pathlib.Path(f"/proc/self/task/{{os.getpid()}}/children").read_text()
open_ones = [int(name) for name in os.listdir("/proc/self/fd") if int(name) > 6]
print(json.dumps([sys.argv[1:], before, taken, children, open_ones]))
"""


def _started(
    tmp_path: Path, environment: Mapping[bytes, bytes], **replaced: str
) -> tuple[list[str], int, dict[str, str] | None, str, list[int]]:
    """Return what a process in Python's place finds when start.sh starts it.

    Its arguments; how many variables it was started with; what it took; its children and the
    descriptors that are left then.
    """
    stand_in = tmp_path / "start.py"
    stand_in.write_text(_TAKEN.format(root=str(_ROOT)))
    script = (_ROOT / "image/start.sh").read_text("ascii")
    assert _COMMAND in script
    script = script.replace(_COMMAND, f"{sys.executable} -IB {stand_in}")
    for old, new in replaced.items():
        assert old in script
        script = script.replace(old, new)
    here = tmp_path / "start.sh"
    here.write_text(script, "ascii")
    done = subprocess.run(
        ["/bin/sh", here, "the.handler"], env=environment, stdout=subprocess.PIPE, check=True
    )
    found: tuple[list[str], int, dict[str, str] | None, str, list[int]] = json.loads(done.stdout)
    return found


@given(
    st.dictionaries(
        # What the kernel takes, whatever a shell makes of it: names with dots, bytes that are no
        # text, values of several lines.
        st.one_of(
            st.from_regex(rb"[A-Za-z_]\w*", fullmatch=True),
            st.binary(min_size=1, max_size=9).filter(lambda name: not {0, 61} & {*name}),
        ),
        st.binary(max_size=40).map(lambda value: value.replace(b"\0", b"")),
        max_size=5,
    )
)
@example({b"a.b": b"1", b"2": b"=", b"-": b"'\n\"", b"\xff": b"\xfe", b"LC_ALL": b"C"})
@example({b"LARGE_%d" % number: b"x" * 100_000 for number in range(8)})
@settings(max_examples=15)
def test_the_environment_comes_through_the_shell(
    tmp_path_factory: pytest.TempPathFactory, environment: dict[bytes, bytes]
) -> None:
    """Every name and value is taken, of any size, by a process that had none; nothing is left."""
    handed_on = {b"LC_ALL", b"LD_LIBRARY_PATH", b"MALLOC_ARENA_MAX"} & environment.keys()
    found = _started(tmp_path_factory.mktemp("started"), environment)
    arguments, before, taken, children, left = found
    assert arguments == ["the.handler"]
    assert before <= len(handed_on) + 1  # Python's own LC_CTYPE
    assert taken == {os.fsdecode(name): os.fsdecode(each) for name, each in environment.items()}
    assert children == ""
    # That of the folder that is listed, where it is any.
    assert len(left) <= 1


@pytest.mark.parametrize("missing", ["/proc/self", "/proc/$!"])
def test_without_proc_python_starts_as_it_is(tmp_path: Path, missing: str) -> None:
    """With the environment, and with no process beside it."""
    found = _started(tmp_path, {b"ONE": b"1", b"TWO": b"2"}, **{missing: "/nowhere"})
    arguments, before, taken, children, left = found
    assert (arguments, taken, children) == (["the.handler"], None, "")
    assert before >= 2
    assert len(left) <= 1


def test_who_holds_the_environment_ends_with_whom_it_is_for(tmp_path: Path) -> None:
    """Where Python ends before it took it, no process stays that has it."""
    stand_in = tmp_path / "start.py"
    stand_in.write_text("import sys; print(sys.argv[4])")
    script = (_ROOT / "image/start.sh").read_text("ascii")
    script = script.replace(_COMMAND, f"{sys.executable} -IB {stand_in}")
    done = subprocess.run(
        ["/bin/sh", "-c", script], env={}, stdout=subprocess.PIPE, check=True, text=True
    )
    holder = Path("/proc", done.stdout.strip())
    for _ in range(1000):
        if not holder.exists() or " Z " in (holder / "stat").read_text():
            return
        time.sleep(0.01)
    pytest.fail(f"{holder} is still there")


def test_what_both_import_is_stored_once_in_our_order() -> None:
    """And so is the code of what they compile; the rest of each is its own."""
    code = compile("", "", "exec")
    here: Module = ("file", None, code)
    ours: Stored = dict.fromkeys(("first", "own", "second"), here), {("1", "eval"): code}, {}
    theirs: Stored = dict.fromkeys(("second", "other", "first"), here), {}, {("x", 0): (1,)}
    both, rest, their_rest = split(ours, theirs)
    assert [list(part) for part in both] == [["first", "second"], [], []]
    assert [list(part) for part in rest] == [["own"], [("1", "eval")], []]
    assert [list(part) for part in their_rest] == [["other"], [], [("x", 0)]]


def test_what_waits_is_not_imported(bundle: Bundle) -> None:
    """All that is served is imported but for it; what is served later is found as well."""
    bundle.import_all()
    assert {"bundled_there", "bundled_there.part"} <= sys.modules.keys()
    assert "bundled_later" not in sys.modules
    bundle.extend({"bundled_too": ("file", None, compile("LOADED = 2", "", "exec"))}, {}, {})
    assert importlib.import_module("bundled_too").LOADED == 2
    del sys.modules["bundled_too"]
