"""The page of public collections adds up."""

import re
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).parent.parent.parent / "docs" / "corpus.md"


def test_the_totals_are_those_of_the_rows() -> None:
    """Files, projects and what was written."""
    text = PAGE.read_text("utf-8")
    rows = re.findall(r"^\| [\w.-]+/[\w.-]+ \| ([\d,]+) \| ([\d,]+) \|", text, re.MULTILINE)
    files, written = (sum(int(row[at].replace(",", "")) for row in rows) for at in (0, 1))
    assert f"of {files:,} files of {len(rows)} projects" in text
    assert f"{written:,} written" in text
