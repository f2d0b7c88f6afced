"""The reference's tables: what the code knows stands in them."""

import re
from pathlib import Path
from typing import Final

import pyvips

import handler.errors
import handler.http.choice
import imaging.errors
from benchmarks.readme import PAGE, renewed
from handler.backfill.prices import X86, Work, price_of
from handler.errors import Disposition, RequestError
from imaging.errors import RenditionsError
from scripts.cost import RENDITIONS, measured

_ROOT: Final = Path(__file__).parent.parent.parent
_README: Final = (_ROOT / "README.md").read_text()
_REFERENCE: Final = (_ROOT / "docs" / "reference.md").read_text()
_DOCS: Final = _README + "".join(path.read_text() for path in (_ROOT / "docs").glob("*.md"))


def _codes(kind: type[RenditionsError]) -> set[str]:
    own = {kind.code} if not kind.__subclasses__() else set()
    return own.union(*(_codes(each) for each in kind.__subclasses__()))


def test_the_figures_are_those_that_were_measured_last() -> None:
    """``python -m benchmarks.readme`` renews them."""
    page = PAGE.read_text(encoding="utf-8")
    assert renewed(page) == page


def test_the_front_page_is_short() -> None:
    """A stranger reads it in five minutes: what it is, why, how, what it costs and does not do."""
    assert len(_README.split()) <= 1200
    top = " ".join(_README.split("## Try it")[0].split())
    for said in ("never run in an AWS account", "single manifest", "Metadata is removed"):
        assert said in top


def test_the_front_page_says_what_was_measured() -> None:
    """CPU and memory of its table are those of the first row of docs/speed.md, costs cost.md's."""
    (row,) = re.findall(r"^\| 24 MP JPEG \| (.* / .*) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    cells = [cell.split(" / ") for cell in row.split(" | ")]
    by_peer = dict(zip(("this", "sharp", "Pillow"), cells, strict=False))
    (cpu,) = re.findall(r"^\| CPU, five JPEGs.*$", _README, re.MULTILINE)
    (memory,) = re.findall(r"^\| peak memory.*$", _README, re.MULTILINE)
    for process, _, peak in by_peer.values():
        assert f"| {process} ms" in cpu
        assert f"| {peak} MB |" in memory
    (large,) = re.findall(
        r"^\| 200 MP JPEG \| (.* / .*) \|$", PAGE.read_text("utf-8"), re.MULTILINE
    )
    _, sharp, pillow = (cell.split(" / ")[-1] for cell in large.split(" | ")[:3])
    assert (
        f"| 200 MP in a function of 256 MB | yes, {measured()['jpeg-200', 256]:.0f} s "
        f"| not tried; {pillow} MB as a process | not tried; {sharp} MB as a process |"
    ) in _README
    work = Work(
        photos=1e6,
        seconds=measured()["jpeg-24", 512],
        memory_mb=512,
        renditions=RENDITIONS,
        stored_bytes=0,
    )
    bill = price_of(work, X86)
    (cost,) = re.findall(r"about \$(\d+): \$(\d+) of compute, \$(\d+) of S3", _README)
    assert tuple(map(int, cost)) == (
        round(bill.total),
        round(bill.compute),
        round(bill.reads + bill.writes),
    )


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


def test_the_picture_is_in_colour() -> None:
    """It is the first that a stranger sees of what the function makes."""
    picture = pyvips.Image.new_from_file(str(_ROOT / "docs" / "contact-sheet.jpg"))

    assert (picture.width, picture.bands) == (1240, 3)
    chroma = picture.colourspace("lch").extract_band(1)
    assert chroma.avg() > 10
