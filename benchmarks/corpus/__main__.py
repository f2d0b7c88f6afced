"""``make corpus PHOTOS=folder``: renders every file here, by sharp and, for the rest, by Pillow.

Exits with 1 if a file ended a process, or in an error that nobody foresaw.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.corpus.processes import by_python, by_sharp
from benchmarks.corpus.report import Line, difference, page, records, summary


def _lines(folder: Path, paths: list[Path], work: Path) -> list[Line]:
    ours = [(path, work / f"here-{number}.png") for number, path in enumerate(paths)]
    here = list(by_python("here", ours))
    (work / "sharp").mkdir()
    sharp = list(by_sharp(paths, work / "sharp"))
    rest = [number for number, (answer, _) in enumerate(sharp) if answer["code"] is not None]
    theirs = [(paths[number], work / f"pillow-{number}.png") for number in rest]
    pillow = dict(zip(rest, zip(by_python("pillow", theirs), theirs, strict=True), strict=True))
    lines = []
    for number, path in enumerate(paths):
        other, picture = sharp[number]
        by = "sharp"
        if number in pillow:
            (other, (_, picture)), by = pillow[number], "pillow"
        pair = ours[number][1], picture
        both = here[number]["code"] is None and other["code"] is None
        lines.append(
            Line(
                name=path.relative_to(folder).as_posix(),
                kind=path.suffix.lower() or "none",
                size=path.stat().st_size,
                here=here[number],
                other=other,
                by=by,
                difference=difference(*pair) if both else None,
                pictures=pair if both else None,
            )
        )
    return lines


def main() -> int:
    """Write the summary and the page; return 1 where something died."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="of files, which may be of any kind")
    parser.add_argument("--out", type=Path, default=Path("out/corpus"), help="for the two results")
    arguments = parser.parse_args()
    paths = sorted(path for path in arguments.folder.rglob("*") if path.is_file())
    with tempfile.TemporaryDirectory() as name:
        lines = _lines(arguments.folder, paths, Path(name))
        arguments.out.mkdir(parents=True, exist_ok=True)
        text = summary(lines)
        (arguments.out / "summary.md").write_text(text, encoding="utf-8")
        (arguments.out / "lines.jsonl").write_text(records(lines), encoding="utf-8")
        (arguments.out / "index.html").write_text(page(lines), encoding="utf-8")
    print(text)
    return int(any(line.here["code"] in {"internal", "crashed"} for line in lines))


if __name__ == "__main__":
    sys.exit(main())
