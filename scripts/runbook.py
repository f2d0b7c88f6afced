"""The commands of docs/runbook.md, with a stack's names in them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

PAGE = Path(__file__).parent.parent / "docs" / "runbook.md"
_NAME = re.compile(r"<([A-Z]\w+)>")


def sections(page: Path = PAGE) -> dict[str, list[str]]:
    """Returns the commands below each heading of "The commands", as the page has them."""
    text = page.read_text(encoding="utf-8").split("\n## The commands\n")[1].split("\n## ")[0]
    found = {}
    for part in text.split("\n### ")[1:]:
        heading, _, body = part.partition("\n")
        (block,) = re.findall(r"^```console\n(.*?)^```", body, re.MULTILINE | re.DOTALL)
        found[heading] = [line.removeprefix("$ ") for line in block.splitlines()]
    return found


def names(command: str) -> list[str]:
    """Returns which outputs of the stack a command wants."""
    return _NAME.findall(command)


def filled(command: str, outputs: Mapping[str, str]) -> str | None:
    """Returns a command with the stack's names in it; None if it is for another kind of stack."""
    text, _, trigger = command.partition("  # ")
    if trigger and (trigger == "sqs") != ("QueueUrl" in outputs):
        return None
    return _NAME.sub(lambda found: outputs[found[1]], text)


def commands(heading: str, outputs: Mapping[str, str]) -> list[str]:
    """Returns the commands below a heading that are for such a stack."""
    given = (filled(command, outputs) for command in sections()[heading])
    return [command for command in given if command is not None]
