"""The reference's tables: what the code knows stands in them."""

import re
from pathlib import Path
from typing import Final

import handler.errors
import handler.http.choice
import imaging.errors
from benchmarks.readme import renewed
from handler.errors import Disposition, RequestError
from imaging.errors import RenditionsError

_ROOT: Final = Path(__file__).parent.parent.parent
_README: Final = (_ROOT / "README.md").read_text()
_REFERENCE: Final = (_ROOT / "docs" / "reference.md").read_text()
_DOCS: Final = _README + "".join(path.read_text() for path in (_ROOT / "docs").glob("*.md"))


def _codes(kind: type[RenditionsError]) -> set[str]:
    own = {kind.code} if not kind.__subclasses__() else set()
    return own.union(*(_codes(each) for each in kind.__subclasses__()))


def test_the_figures_are_those_that_were_measured_last() -> None:
    """``python -m benchmarks.readme`` renews them."""
    assert renewed(_README) == _README


def test_every_setting_is_in_the_reference() -> None:
    """Whatever name of an environment variable stands in settings.py; Lambda's own aside."""
    source = (_ROOT / "handler" / "settings.py").read_text()
    names = set(re.findall(r'"([A-Z]{2,}(?:_[A-Z]+)+)"', source))
    assert "DESTINATION_BUCKET" in names
    missing = [
        name for name in names if not name.startswith("AWS_") and f"`{name}`" not in _REFERENCE
    ]
    assert not missing


def test_every_code_is_in_the_docs() -> None:
    """Alarms and people look them up; a class that others refine has none of its own."""
    modules = {one.__module__ for one in RenditionsError.__subclasses__()}
    modules |= {one.__module__ for one in RequestError.__subclasses__()}
    assert {
        one.__name__ for one in (handler.errors, handler.http.choice, imaging.errors)
    } <= modules
    missing = [code for code in _codes(RenditionsError) if f"`{code}`" not in _DOCS]
    assert not missing


def test_every_disposition_is_in_the_reference() -> None:
    """What became of a record is the first thing that anybody asks."""
    assert not [one for one in Disposition if f"| `{one}` |" not in _REFERENCE]
