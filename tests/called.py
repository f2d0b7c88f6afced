"""Which of AWS's operations the function's code names: no test that lists them can miss one."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Final

import botocore.session
from botocore import xform_name

from handler.aws.operations import OPERATIONS

_HANDLER: Final = Path(__file__).parent.parent / "handler"
# The first two are a person's commands, and the last asks for nothing.
_NOT_THE_FUNCTION: Final = {"backfill", "history", "aws"}


def called_operations(*services: str) -> set[str]:
    """Return the operations of these services that the code names, as methods or in text."""
    session = botocore.session.Session()
    methods = {
        xform_name(operation): operation
        for service in services or OPERATIONS
        for operation in session.get_service_model(service).operation_names
    }
    return {
        methods[name]
        for file in _HANDLER.rglob("*.py")
        if not {file.parent.name, file.stem} & _NOT_THE_FUNCTION
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        for name in [
            node.attr
            if isinstance(node, ast.Attribute)
            else node.value
            if isinstance(node, ast.Constant)
            else None
        ]
        if isinstance(name, str) and name in methods
    }
