"""Asks for known vulnerabilities of what the image's lock names.

`python -m scripts.audit PIP_AUDIT LOCK`: ends with 1 if there is one, with 2 if pip-audit itself
fails. Where the advisories cannot be reached it ends with 0, and says that nothing was audited;
pip-audit would report that it found none.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any, Final

_UNREACHED: Final = "requests.exceptions."
"""Of pip-audit's traceback where there is no network at all."""


def verdict(report: dict[str, Any] | None) -> tuple[int, list[str]]:
    """Returns the exit status and what to print, for pip-audit's report; None if there is none."""
    dependencies = [] if report is None else report["dependencies"]
    skipped = [one["name"] for one in dependencies if "skip_reason" in one]
    audited = [one for one in dependencies if "skip_reason" not in one]
    found = [
        f"{one['name']} {one['version']}: {vulnerability['id']}"
        f" (fixed in {', '.join(vulnerability['fix_versions']) or 'no version yet'})"
        for one in audited
        for vulnerability in one["vulns"]
    ]
    if not audited:
        return 0, ["NOT audited: the advisories cannot be reached from here"]
    lines = [*found, f"{len(audited)} packages audited, {len(found)} vulnerabilities"]
    if skipped:
        lines.append(f"NOT audited: {', '.join(skipped)}")
    return (1 if found else 0), lines


def main(arguments: list[str]) -> int:
    """Runs the command and returns its exit status."""
    program, lock = arguments
    command = [program, "--disable-pip", "--require-hashes", "--progress-spinner", "off"]
    answer = subprocess.run(
        [*command, "--format", "json", "--requirement", lock],
        check=False,
        capture_output=True,
        text=True,
    )
    try:
        report = json.loads(answer.stdout)
    except ValueError:
        if _UNREACHED not in answer.stderr:
            print(answer.stderr, file=sys.stderr)
            return 2
        report = None
    status, lines = verdict(report)
    print("\n".join(lines))
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
