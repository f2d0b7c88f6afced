"""docs/runbook.md: something to do for each code and each alarm."""

import re
from pathlib import Path
from typing import Final

from handler.errors import Disposition
from handler.report import JobReport
from handler.settings import Function
from handler.told.metrics import photo_line

_ROOT: Final = Path(__file__).parents[2]
_PAGE: Final = (_ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
_REFERENCE: Final = (_ROOT / "docs" / "reference.md").read_text(encoding="utf-8")


def test_every_code_has_something_to_do() -> None:
    """Each code of the reference's table of dispositions is in the runbook's table of codes."""
    section = _REFERENCE.split("## What became of a record\n")[1].split("\n\nA report")[0]
    codes = {
        code
        for row in section.splitlines()[3:]
        for code in re.findall(r"`([a-z-]+)`", row.rsplit("|", 2)[1])
    }

    rows = re.findall(r"^\| (`[^|]*) \|", _PAGE, re.MULTILINE)
    listed = {code for row in rows for code in re.findall(r"`([a-z-]+)`", row)}
    assert {"corrupt", "over-limit", "store-failed", "poison"} <= codes
    assert codes - listed == set()


def test_queries_name_fields_that_are_in_the_line() -> None:
    """Each field that a query names is one that a line can have."""
    source = Path(photo_line.__code__.co_filename).read_text(encoding="utf-8")
    fields = set(re.findall(r'"([A-Za-z]+)"', source)) | {
        f"{stage}_ms" for stage in ("wait", "decode", "encode", "upload")
    }
    own = {"photos", "cold", "latency", "age", "gigabytes", "megapixels", "folder", "slowest"}
    own |= {"p50", "p99", "wait", "decode", "encode", "upload", "rejected", "ERROR", "beach"}
    words = {"filter", "stats", "sort", "display", "limit", "parse", "by", "as", "and", "desc"}
    words |= {"count", "max", "avg", "pct", "sum", "bin", "ispresent", "timestamp", "jpg", "h", "e"}
    queries = re.findall(r"^```\n(filter.*?)^```", _PAGE, re.MULTILINE | re.DOTALL)
    assert len(queries) >= 7
    for query in queries:
        for name in re.findall(r"\b[A-Za-z_]\w*", re.sub(r"/\(.*?\)\\//", "", query)):
            assert name in fields | own | words, (name, query)


def test_a_line_has_what_the_page_lists() -> None:
    """Metrics and dispositions are in the page under the names that the line has."""
    line = photo_line(
        JobReport(bucket="b", key="k", disposition=Disposition.WRITTEN),
        function=Function(name="f"),
        request_id="r",
        cold=False,
        peak_bytes=1,
        now_s=1.0,
    )

    for name in ("Disposition", "Code", "Photos", "Latency", "ColdStarts", "RenditionBytes"):
        assert name in line
        assert f"`{name}`" in _PAGE
