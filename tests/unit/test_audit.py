"""`make audit`: what pip-audit's report means."""

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.audit import main, verdict

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

    assert main([str(program), "image.lock"]) == status

    said = capsys.readouterr()
    assert ("NOT audited" in said.out) is (complained.startswith("requests"))
    assert (complained in said.err) is (status == 2)
