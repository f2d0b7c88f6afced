"""deploy/terraform: the same permissions as everywhere, and text that Terraform takes."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.roles import role_of_the_page

_FOLDER: Final = Path(__file__).parents[2] / "deploy" / "terraform"
_MAIN: Final = (_FOLDER / "main.tf").read_text(encoding="utf-8")
_FEATURES: Final = (
    "events by SQS",
    "`REJECTED_PREFIX`",
    "photos in SSE-KMS",
    "renditions in SSE-KMS",
)


def test_the_role_is_that_of_the_page() -> None:
    """Statement by statement the same actions, on conditions where the page has some."""
    policy = _MAIN.split('data "aws_iam_policy_document" "function" {')[1].split("\nresource ")[0]
    parts = re.split(r"^ *sid +=", policy, flags=re.MULTILINE)[1:]
    found = {}
    for part in parts:
        (sid,) = re.findall(r'^ "(\w+)"', part)
        (listed,) = re.findall(r"actions\s+= \[(.*?)\]", part, re.DOTALL)
        has_condition = "kms:ViaService" in part
        found[sid] = (frozenset(re.findall(r'"([\w:]+)"', listed)), has_condition)

    assert found == {
        sid: (one.actions, bool(one.condition)) for sid, one in role_of_the_page(_FEATURES).items()
    }


@pytest.mark.skipif(shutil.which("terraform") is None, reason="there is no terraform")
def test_terraform_would_write_it_so() -> None:
    """`fmt` changes nothing. `make terraform-check` validates too, and wants a provider."""
    done = subprocess.run(
        ["terraform", "fmt", "-check"], cwd=_FOLDER, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (0, "")
