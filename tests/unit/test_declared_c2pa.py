"""The declarations of c2pa-rs's C interface, and what of it the function calls."""

import importlib.util
from pathlib import Path

from imaging.credentials import _c2pa, library
from scripts.declare_c2pa import PATH, write


def test_the_declarations_are_what_cffi_makes_of_them(tmp_path: Path) -> None:
    """`python -m scripts.declare_c2pa` would change nothing."""
    fresh = tmp_path / "fresh.py"
    write(fresh)
    assert fresh.read_text("utf-8") == PATH.read_text("utf-8")


def test_every_function_that_is_declared_is_there() -> None:
    """The library that is installed has it."""
    loaded = library.preload()
    names = [name for name in dir(loaded) if name.startswith("c2pa_")]
    assert len(names) == 21
    assert all(getattr(loaded, name) != _c2pa.ffi.NULL for name in names)


def test_the_package_s_own_python_is_not_imported() -> None:
    """Only its folder is looked up: what that Python imports is not in the image."""
    found = importlib.util.find_spec("c2pa")
    assert found is not None
    assert found.origin is not None
    assert (Path(found.origin).parent / "libs" / "libc2pa_c.so").exists()
    assert "import c2pa" not in Path(library.__file__).read_text("utf-8")
