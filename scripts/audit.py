"""Asks for known vulnerabilities of what the image holds: packages, and the libraries in them.

`python -m scripts.audit PIP_AUDIT LOCK IMAGE`: ends with 1 if there is one, with 2 if pip-audit
itself fails. Where the advisories cannot be reached it ends with 0, and says that nothing was
audited; pip-audit would report that it found none.

pip-audit knows packages by their names, and not what is in them. So the libraries that Debian and
the wheels bring are read out of the image and named with their versions, as far as they say; of
Debian's that decode what strangers send, OSV is asked too. What nobody was asked about is listed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING, Any, Final

from scripts import inventory

if TYPE_CHECKING:
    from collections.abc import Callable

_UNREACHED: Final = "requests.exceptions."
"""Of pip-audit's traceback where there is no network at all."""


_OSV: Final = "https://api.osv.dev/v1/query"
_STABLE: Final = "Debian:13"
_NEXT: Final = "Debian:14"
_STABLE_LIBDE265: Final = "1.0."
"""Of the base; the image's own comes from the next Debian (Dockerfile), whose advisories count."""

_DECODING: Final = frozenset({"dav1d", "libde265", "libheif"})
"""Debian's sources of what decodes a stranger's bytes; libvips and its own come in a wheel."""

_TIMEOUT_S: Final = 20


def ecosystem(source: str, version: str) -> str:
    """Returns the release of Debian that a source package is of, as OSV names it."""
    of_next = source == "libde265" and not version.startswith(_STABLE_LIBDE265)
    return _NEXT if of_next else _STABLE


def ask_osv(source: str, version: str) -> list[dict[str, Any]]:
    """Returns the advisories that OSV has of a Debian source package.

    Raises:
        OSError: It cannot be reached.
    """
    package = {"name": source, "ecosystem": ecosystem(source, version)}
    question = {"package": package, "version": version}
    request = urllib.request.Request(
        _OSV, json.dumps(question).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - as above
        vulns: list[dict[str, Any]] = json.load(answer).get("vulns", [])
    return vulns


def _fixed_in(advisory: dict[str, Any], source: str, version: str) -> str | None:
    """Returns the version in which Debian fixed it; None while there is none."""
    events = (
        event
        for affected in advisory.get("affected", ())
        if affected.get("package", {}).get("name") == source
        and affected["package"].get("ecosystem") == ecosystem(source, version)
        for found in affected.get("ranges", ())
        for event in found.get("events", ())
    )
    return next((event["fixed"] for event in events if "fixed" in event), None)


def libraries(
    found: dict[str, Any] | None, ask: Callable[[str, str], list[dict[str, Any]]] = ask_osv
) -> tuple[int, list[str]]:
    """Returns the exit status and what to print of the libraries in the image.

    Args:
        found: What :func:`scripts.inventory.look` saw; None where there is no image.
        ask: Asks for the advisories of a Debian source package by its version.
    """
    if found is None:
        return 0, [
            "NOT audited: the image's libraries; there is no image here, make image makes it"
        ]
    lines = []
    fixable = 0
    asked: dict[tuple[str, str], list[dict[str, Any]] | None] = {}
    for one in found["debian"]:
        source = one.get("Source", one["Package"])
        if source not in _DECODING:
            continue
        key = source, one["Version"]
        if key not in asked:
            try:
                asked[key] = ask(*key)
            except OSError:
                asked[key] = None
        lines.append(f"{one['Package']} {one['Version']} (Debian)")
    for (source, version), advisories in asked.items():
        for advisory in advisories or ():
            fixed = _fixed_in(advisory, source, version)
            fixable += fixed is not None
            lines.append(f"{source}: {advisory['id']} (fixed in {fixed or 'no version yet'})")
    lines += [
        f"{name} {version or 'of unknown version'} ({folder.removesuffix('.libs')})"
        for folder, name, version in found["libraries"]
    ]
    lines += [
        f"{name} {found['linked'].get(name) or 'of unknown version'} (in libvips)"
        for name in inventory.WITHIN_LIBVIPS
    ]
    others = len(found["debian"]) - sum("(Debian)" in line for line in lines)
    unasked = [source for (source, _), advisories in asked.items() if advisories is None]
    unasked += [name for _, name, _ in found["libraries"]]
    unasked += inventory.WITHIN_LIBVIPS
    unasked.append(f"{others} other packages of Debian")
    lines.append(f"NOT audited: {', '.join(unasked)}")
    return (1 if fixable else 0), lines


def _looked_at(image: str) -> dict[str, Any] | None:
    try:
        return inventory.look(image)
    except (OSError, subprocess.CalledProcessError):
        return None


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
    program, lock, image = arguments
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
    of_libraries, more = libraries(_looked_at(image))
    print("\n".join([*lines, *more]))
    return max(status, of_libraries)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
