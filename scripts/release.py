"""A release: what has to be so before it, and what is written of it.

`python -m scripts.release check VERSION` ends with 1, and says why, unless the checkout is that
release. `python -m scripts.release describe VERSION FILE...` writes, beside the files, the
provenance statement (in-toto, SLSA 1.0, unsigned) and SHA256SUMS.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handler.argument_types import readable_file
from handler.release import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ROOT = Path(__file__).parent.parent
PROVENANCE = "provenance.intoto.json"
SUMS = "SHA256SUMS"
# What decides what is built, besides the sources.
_PINS = ("requirements/build.lock", "requirements/image.lock", "requirements/base.lock")


def _git(*arguments: str) -> str:
    answer = subprocess.run(
        ["git", *arguments], check=True, cwd=ROOT, capture_output=True, text=True
    )
    return answer.stdout.strip()


def problems(version: str, *, changelog: str, changed: str, tags: Iterable[str]) -> list[str]:
    """Returns what keeps the checkout from being the release `version`.

    Args:
        version: The release that is asked for.
        changelog: The text of CHANGELOG.md.
        changed: What `git status --porcelain` prints.
        tags: The tags that there are.
    """
    found = []
    if version != VERSION:
        found.append(f"handler/release.py: expected {version} but received {VERSION}")
    dated = rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$"
    if not re.search(dated, changelog, re.MULTILINE):
        found.append(f"CHANGELOG.md: expected '## [{version}] - YYYY-MM-DD' but received none")
    if changed:
        found.append(f"the checkout has changes that are not committed:\n{changed}")
    if f"v{version}" in tags:
        found.append(f"the tag v{version} is there already; a release is made once")
    return found


def sha256(path: Path) -> str:
    """Returns a file's digest in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def provenance(version: str, revision: str, files: Sequence[Path]) -> dict[str, Any]:
    """Returns what says of which sources and pins the files were made.

    Source: https://slsa.dev/spec/v1.0/provenance
    """
    pins = [ROOT / pin for pin in _PINS if (ROOT / pin).is_file()]
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": file.name, "digest": {"sha256": sha256(file)}} for file in files],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "urn:renditions:make-release:1",
                "externalParameters": {"version": version},
                "resolvedDependencies": [
                    {"name": "sources", "digest": {"gitCommit": revision}},
                    *(
                        {
                            "name": str(pin.relative_to(ROOT)),
                            "digest": {"sha256": sha256(pin)},
                        }
                        for pin in pins
                    ),
                ],
            },
            # Whoever runs make release: no service vouches for it.
            "runDetails": {"builder": {"id": "urn:renditions:make-release"}},
        },
    }


def describe(version: str, revision: str, files: Sequence[Path]) -> None:
    """Writes the provenance statement and the checksums beside the first of the files."""
    folder = files[0].parent
    statement = folder / PROVENANCE
    statement.write_text(json.dumps(provenance(version, revision, files), indent=2) + "\n")
    lines = [f"{sha256(file)}  {file.name}" for file in (*files, statement)]
    (folder / SUMS).write_text("\n".join(lines) + "\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.release", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("check", "describe"):
        commands.add_parser(name).add_argument("version")
    commands.choices["describe"].add_argument("files", nargs="+", type=readable_file)
    options = parser.parse_args(arguments)
    if options.command == "describe":
        describe(options.version, _git("rev-parse", "HEAD"), options.files)
        return 0
    found = problems(
        options.version,
        changelog=(ROOT / "CHANGELOG.md").read_text(),
        changed=_git("status", "--porcelain"),
        tags=_git("tag", "--list").splitlines(),
    )
    for problem in found:
        print(f"release: {problem}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
