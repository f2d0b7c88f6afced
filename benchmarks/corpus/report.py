"""What became of a corpus: a Markdown summary, and a page of the pairs that differ."""

import base64
import html
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyvips

__all__ = ["DIFFERS", "Line", "difference", "page", "records", "summary"]

DIFFERS: Final = 4.0
"""Of 255, on average, from which on a pair is one to look at."""

_SIDE: Final = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What became of one file.

    Attributes:
        name: Of the file, within the folder.
        kind: Its extension.
        size: Its bytes.
        here: What this project answered.
        other: What sharp answered, or Pillow where sharp does not render it.
        by: Which of the two.
        difference: Of 255, at 160 pixels on white; None where there is no pair.
        pictures: The two PNGs.
    """

    name: str
    kind: str
    size: int
    here: dict[str, Any]
    other: dict[str, Any]
    by: str
    difference: float | None = None
    pictures: tuple[Path, Path] | None = field(default=None)

    @property
    def differs(self) -> bool:
        return self.difference is not None and self.difference > DIFFERS

    @property
    def is_missing(self) -> bool:
        """Whether sharp alone renders it."""
        return self.here["code"] is not None and self.by == "sharp" and self.other["code"] is None


def _shown(path: Path) -> pyvips.Image:
    image = pyvips.Image.new_from_file(str(path)).colourspace("srgb").cast("uchar")
    if image.hasalpha():
        image = image.flatten(background=[255.0, 255.0, 255.0])
    scale = min(1.0, _SIDE / max(image.width, image.height))
    return image.resize(scale) if scale < 1 else image


def difference(one: Path, other: Path) -> float:
    """Return the mean difference of two pictures; 255 of those of other shapes."""
    first, second = _shown(one), _shown(other)
    # A pixel more or less is rounding.
    if abs(first.width - second.width) > 1 or abs(first.height - second.height) > 1:
        return 255.0
    width, height = min(first.width, second.width), min(first.height, second.height)
    cut = [each.crop(0, 0, width, height).cast("short") for each in (first, second)]
    return float((cut[0] - cut[1]).abs().avg())


def records(lines: Sequence[Line]) -> str:
    """Return a line of JSON for each file, for who asks further."""
    return "".join(
        json.dumps(
            {
                "name": line.name,
                "here": line.here,
                line.by: line.other,
                "difference": line.difference,
            }
        )
        + "\n"
        for line in lines
    )


def summary(lines: Sequence[Line]) -> str:
    """Return tables in Markdown: by kind of file, by code, what differs, and what is missing."""
    codes = Counter(line.here["code"] or "written" for line in lines)
    text = [
        f"{len(lines)} files: {codes['written']} written, {codes['internal']} internal.",
        f"{codes['crashed']} ended a process.",
        "",
        "| code | files |",
        "|---|---|",
        *(f"| `{code}` | {count} |" for code, count in codes.most_common()),
        "",
        "| kind | files | written | by sharp | by Pillow only | differ |",
        "|---|---|---|---|---|---|",
    ]
    for kind, _ in Counter(line.kind for line in lines).most_common():
        some = [line for line in lines if line.kind == kind]
        written = sum(line.here["code"] is None for line in some)
        sharp = sum(line.by == "sharp" and line.other["code"] is None for line in some)
        pillow = sum(line.by == "pillow" and line.other["code"] is None for line in some)
        differ = sum(line.differs for line in some)
        text.append(f"| {kind} | {len(some)} | {written} | {sharp} | {pillow} | {differ} |")
    text += ["", "| differs | of 255 | from |", "|---|---|---|"]
    text += [
        f"| {line.name} | {line.difference:.1f} | {line.by} |"
        for line in sorted(lines, key=lambda line: -(line.difference or 0))
        if line.differs
    ]
    text += ["", "| by sharp only | code | message |", "|---|---|---|"]
    text += [
        f"| {line.name} | `{line.here['code']}` | {line.here.get('message', '')} |"
        for line in lines
        if line.is_missing
    ]
    text += [
        "",
        "| camera raw | says it is | preview | bytes read of the file's |",
        "|---|---|---|---|",
    ]
    text += [
        f"| {line.name} | {raw} | {line.here['width']} x {line.here['height']} "
        f"| {line.here['read']:,} of {line.size:,} |"
        for line in lines
        if (raw := line.here.get("raw"))
    ]
    bad = [line for line in lines if line.here["code"] in {"internal", "crashed"}]
    text += ["", *(f"- **{line.name}**: {line.here.get('message')}" for line in bad)]
    return "\n".join(text) + "\n"


def _image(path: Path) -> str:
    data = base64.b64encode(path.read_bytes()).decode()
    return f'<img alt="" src="data:image/png;base64,{data}">'


def page(lines: Sequence[Line]) -> str:
    """Return a page of HTML that stands alone: the pairs that differ, the worst first."""
    rows = []
    for line in sorted(lines, key=lambda line: -(line.difference or 0)):
        if line.differs and line.pictures is not None:
            here, other = map(_image, line.pictures)
            said = f"{line.difference:.1f}, from {line.by}"
            rows.append(
                f"<figure>{here}{other}<figcaption><b>{html.escape(line.name)}</b> {said}"
                "</figcaption></figure>"
            )
    style = "img{max-width:320px;background:#ccc;margin:4px}figure{margin:1em}"
    return (
        f'<!doctype html><meta charset="utf-8"><title>Corpus</title><style>{style}</style>'
        f"<h1>Here, and there: {len(rows)} pairs</h1>{''.join(rows)}\n"
    )
