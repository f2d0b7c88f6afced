"""Has files rendered by processes that may die or hang, and go on with the next file."""

import json
import selectors
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

__all__ = ["by_python", "by_sharp"]

_HANG_S: Final = 60
_SHARP: Final = Path(__file__).parent.parent / "ways" / "each.mjs"
_BATCH: Final = 100


def by_python(way: str, pairs: Sequence[tuple[Path, Path]]) -> Iterator[dict[str, Any]]:
    """Yield what :mod:`benchmarks.corpus.one` answers of each file; ``crashed`` where it died."""
    process: subprocess.Popen[str] | None = None
    for pair in pairs:
        if process is None:
            process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.corpus.one", way],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        print(json.dumps([str(one) for one in pair]), file=process.stdin, flush=True)
        line = _line(process)
        if line:
            yield json.loads(line)
            continue
        process.kill()
        status = process.wait()
        process = None
        reason = "hung" if status == -signal.SIGKILL else f"ended with {status}"
        yield {"code": "crashed", "message": reason}
    if process is not None:
        process.communicate()


def _line(process: subprocess.Popen[str]) -> str:
    """Return the next line; empty where the process ended, or did not answer in time."""
    stdout = process.stdout
    assert stdout is not None  # noqa: S101 - it is a pipe
    with selectors.DefaultSelector() as selector:
        selector.register(stdout, selectors.EVENT_READ)
        return stdout.readline() if selector.select(_HANG_S) else ""


def by_sharp(paths: Sequence[Path], folder: Path) -> Iterator[tuple[dict[str, Any], Path]]:
    """Yield what sharp says of each file, and where its PNG is; ``crashed`` where it died."""
    at = 0
    while at < len(paths):
        batch = paths[at : at + _BATCH]
        out = folder / str(at)
        out.mkdir()
        made = subprocess.run(
            ["node", _SHARP, out, *batch], check=False, stdout=subprocess.PIPE, text=True
        )
        lines = made.stdout.splitlines()
        for number, line in enumerate(lines):
            answer = json.loads(line)
            answer["code"] = "error" if "error" in answer else None
            yield answer, out / f"{number}.png"
        at += len(lines)
        if len(lines) < len(batch):
            yield {"code": "crashed", "error": f"ended with {made.returncode}"}, out / "none"
            at += 1
