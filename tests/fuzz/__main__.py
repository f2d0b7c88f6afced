"""``make fuzz``: mutants in workers with a memory limit and a clock; prints what became of them."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.fuzz.mutants import mutant, write_photos
from tests.fuzz.run import Finding, run

_WORKERS = 2


def _save(finding: Finding, photos: list[bytes], folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{finding.kind}-{finding.number}.bin"
    path.write_bytes(mutant(finding.number, photos))
    return path


def main() -> int:
    """Return 0 if nothing was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutants", type=int, default=5000)
    parser.add_argument("--first", type=int, default=0, help="the number of the first")
    parser.add_argument("--minutes", type=float, default=30, help="stop after that long")
    parser.add_argument("--keep", type=Path, default=Path("out/fuzz"), help="where findings go")
    arguments = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photos = write_photos(folder)
        print(f"{arguments.mutants} mutants of {len(photos)} photos, {_WORKERS} workers")
        report = run(
            folder,
            first=arguments.first,
            count=arguments.mutants,
            workers=_WORKERS,
            deadline_s=arguments.minutes * 60,
        )
        for finding in report.findings:
            print(f"{finding.kind}: {finding.detail}: {_save(finding, photos, arguments.keep)}")
    kinds = Counter(finding.kind for finding in report.findings)
    print(f"\n{report.done} mutants in {time.monotonic() - started:.0f} s")
    for code, count in report.codes.most_common():
        print(f"  {count:6} {code}")
    print(
        f"slowest {report.slowest_s:.2f} s (mutant {report.slowest}); "
        f"largest worker {report.peak_bytes / 2**20:.0f} MiB resident"
    )
    print("found: " + (", ".join(f"{count} {kind}" for kind, count in kinds.items()) or "nothing"))
    return 1 if kinds or report.done < arguments.mutants else 0


if __name__ == "__main__":
    sys.exit(main())
