"""`make audit`: what pip-audit's report means."""

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.audit import ecosystem, libraries, main, verdict
from scripts.inventory import WITHIN_LIBVIPS

_CLEAN = {"name": "boto3", "version": "1.0", "vulns": []}
_SKIPPED = {"name": "pyvips", "skip_reason": "not found"}
_VULNERABLE = {
    "name": "pillow",
    "version": "1.0",
    "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"]}],
}


@pytest.mark.parametrize(
    ("dependencies", "status", "says"),
    [
        ([_CLEAN], 0, "1 packages audited, 0 vulnerabilities"),
        ([_CLEAN, _VULNERABLE], 1, "pillow 1.0: PYSEC-1 (fixed in 1.1)"),
        ([_CLEAN, _SKIPPED], 0, "NOT audited: pyvips"),
        ([_SKIPPED], 0, "NOT audited: the advisories cannot be reached from here"),
    ],
)
def test_verdict(dependencies: list[dict[str, Any]], status: int, says: str) -> None:
    """A vulnerability fails; what could not be looked up is said, and never passes for sound."""
    code, lines = verdict({"dependencies": dependencies})

    assert code == status
    assert says in lines


def test_no_report() -> None:
    """Where pip-audit gave up, nothing was audited."""
    assert verdict(None) == (0, ["NOT audited: the advisories cannot be reached from here"])


@pytest.mark.parametrize(
    ("printed", "complained", "status"),
    [
        (json.dumps({"dependencies": [_CLEAN]}), "No known vulnerabilities found", 0),
        (json.dumps({"dependencies": [_VULNERABLE]}), "Found 1 known vulnerability", 1),
        ("", "requests.exceptions.ConnectionError: Max retries exceeded", 0),
        ("", "ERROR:pip_audit._cli:invalid requirements input: image.lock", 2),
    ],
    ids=["clean", "vulnerable", "offline", "broken"],
)
def test_status(
    printed: str,
    complained: str,
    status: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No network is no failure, and says so; a pip-audit that cannot do its work is one."""
    program = tmp_path / "pip-audit"
    program.write_text(f"#!/bin/sh\necho '{complained}' >&2\necho '{printed}'\nexit 1\n")
    program.chmod(0o755)

    assert main([str(program), "image.lock", "renditions-test:none"]) == status

    said = capsys.readouterr()
    offline = "NOT audited: the advisories cannot be reached from here"
    assert (offline in said.out) is (complained.startswith("requests"))
    assert (complained in said.err) is (status == 2)


_IMAGE = {
    "debian": [
        {"Package": "libheif1", "Version": "1.23.6-2", "Source": "libheif"},
        {"Package": "libheif-plugin-dav1d", "Version": "1.23.6-2", "Source": "libheif"},
        {"Package": "libde265-0", "Version": "1.0.15-1", "Source": "libde265"},
        {"Package": "dav1d", "Version": "1.5.1-1"},
        {"Package": "libc6", "Version": "2.41-12", "Source": "glibc"},
    ],
    "libraries": [["pyvips_binary.libs", "libvips", "8.18.7"]],
    "linked": {"aom": "3.15.1", "mozjpeg": None},
}
_LINKED = ", ".join(WITHIN_LIBVIPS)


def _advisory(name: str, *, fixed: str | None) -> dict[str, Any]:
    events = [{"introduced": "0"}, *([{"fixed": fixed}] if fixed else [])]
    package = {"name": "libheif", "ecosystem": "Debian:13"}
    return {"id": name, "affected": [{"package": package, "ranges": [{"events": events}]}]}


def test_libraries_are_named_with_their_versions_and_asked_about_once_each() -> None:
    """Debian's by their source; what nobody was asked about is listed."""
    asked: list[tuple[str, str]] = []

    def ask(source: str, version: str) -> list[dict[str, Any]]:
        asked.append((source, version))
        return []

    status, lines = libraries(_IMAGE, ask)
    assert status == 0
    assert asked == [("libheif", "1.23.6-2"), ("libde265", "1.0.15-1"), ("dav1d", "1.5.1-1")]
    assert "libheif-plugin-dav1d 1.23.6-2 (Debian)" in lines
    assert "libvips 8.18.7 (pyvips_binary)" in lines
    assert "aom 3.15.1 (in libvips)" in lines
    assert "mozjpeg of unknown version (in libvips)" in lines
    assert lines[-1] == f"NOT audited: libvips, {_LINKED}, 1 other packages of Debian"


@pytest.mark.parametrize(
    ("source", "version", "release"),
    [
        ("libde265", "1.1.3-1+b1", "Debian:14"),
        ("libde265", "1.0.15-1+deb13u2", "Debian:13"),
        ("libheif", "1.23.6-2~deb13u1", "Debian:13"),
    ],
)
def test_a_library_is_asked_about_where_it_is_from(source: str, version: str, release: str) -> None:
    """An advisory that is fixed in the base's older version says nothing of the next Debian's."""
    assert ecosystem(source, version) == release


@pytest.mark.parametrize(("fixed", "status"), [("1.23.7-1", 1), (None, 0)])
def test_what_debian_has_fixed_fails(fixed: str | None, status: int) -> None:
    """A rebuild would bring it; what nobody has fixed yet is said."""

    def ask(source: str, version: str) -> list[dict[str, Any]]:
        del version
        return [_advisory("CVE-1", fixed=fixed)] if source == "libheif" else []

    found, lines = libraries(_IMAGE, ask)
    assert found == status
    assert f"libheif: CVE-1 (fixed in {fixed or 'no version yet'})" in lines


def test_without_network_or_image_it_is_said() -> None:
    """Nothing passes for audited that was not."""

    def ask(source: str, version: str) -> list[dict[str, Any]]:
        raise OSError(source, version)

    status, lines = libraries(_IMAGE, ask)
    assert status == 0
    assert lines[-1] == (
        f"NOT audited: libheif, libde265, dav1d, libvips, {_LINKED}, 1 other packages of Debian"
    )
    assert libraries(None, ask)[1][0].startswith("NOT audited: the image's libraries")
