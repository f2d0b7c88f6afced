"""`make audit`: what pip-audit's report means."""

from typing import Any

import pytest

from scripts.audit import verdict

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
