"""The contact sheet: every rendition of one photo on one page."""

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Renditions of {title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem; color: #222; background: #f6f6f4 }}
main {{ display: grid; grid-template-columns: minmax(0, 2fr) minmax(0, 3fr); gap: 1.5rem;
  align-items: start }}
section {{ display: flex; flex-wrap: wrap; gap: 1.5rem; align-items: end }}
figure {{ margin: 0; padding: .75rem; max-width: 100%; box-sizing: border-box;
  background: #fff; box-shadow: 0 1px 3px #0003 }}
main > figure {{ position: sticky; top: 1.5rem }}
img {{ display: block; max-width: 100%; height: auto }}
figcaption {{ margin-top: .5rem }}
@media (max-width: 60rem) {{
  main {{ grid-template-columns: minmax(0, 1fr) }}
  main > figure {{ position: static }}
}}
</style>
<h1>{title}</h1>
<p>{summary}</p>
<main>
{original}
<section>
{figures}
</section>
</main>
</html>
"""
_FIGURE = """<figure>
<a href="{href}"><img src="{href}" width="{width}" height="{height}" alt="{name}"></a>
<figcaption><b>{name}</b> {width} x {height}<br>{size:,} bytes, {ms:.1f} ms</figcaption>
</figure>"""

_ORIGINAL = """<figure>
<a href="{href}"><img src="{href}" width="{width}" height="{height}" alt="the original"></a>
<figcaption><b>the original</b> {width} x {height}<br>{size:,} bytes</figcaption>
</figure>"""


def original_name(photo: Path) -> str:
    """Return the file that the original is shown from, in the folder of its renditions."""
    return f"original{photo.suffix.lower()}"


def contact_sheet(photo: Path, record: Mapping[str, Any], elapsed_ms: float) -> str:
    """Return the page for ``record``, one record of the function's answer.

    The pictures are linked as ``<photo's name>/<file>``, beside the page, the original among them.
    A browser that does not know its format shows its name.
    """
    original = _ORIGINAL.format(
        href=quote(f"{photo.name}/{original_name(photo)}"),
        width=record["width"],
        height=record["height"],
        size=record["size"],
    )
    figures = "\n".join(
        _FIGURE.format(
            href=quote(f"{photo.name}/{Path(made['key']).name}"),
            name=escape(made["name"]),
            width=made["width"],
            height=made["height"],
            size=made["size"],
            ms=made["elapsed_ms"],
        )
        for made in record["renditions"]
    )
    summary = (
        f"{len(record['renditions'])} renditions, {elapsed_ms:.0f} ms from event to answer, "
        "download and uploads included."
    )
    return _PAGE.format(
        title=escape(photo.name), summary=summary, original=original, figures=figures
    )
