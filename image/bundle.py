"""Build step of the image: the modules that init imports, compiled into one file.

    python3 -ISB -X no_debug_ranges bundle.py FILE

It has the image's own interpreter import what init imports, and stores each module's code. The
docstrings of others' modules are left out; ours stay: dataclasses make one where there is none.
"""

import ast
import json
import marshal
import subprocess
import sys
import zlib
from pathlib import Path
from types import CodeType

FOLDERS = ("/var/task", "/usr/local/lib/python3.13/dist-packages")
OURS = ("handler", "imaging")
LAZY = (
    "ast",
    "botocore.monitoring",
    "botocore.waiter",
    "bz2",
    "configparser",
    "email.header",
    "lzma",
    "mimetypes",
    "tokenize",
)
"""What init imports and does not use. Only a module that its importers name as a whole can wait."""
_IMPORT = """\
import sys, zlib
own = set(sys.modules)
from importlib.machinery import ModuleSpec, SourceFileLoader
sys.path[:0] = {folders!r}
import os
os.environ |= dict(DESTINATION_BUCKET="renditions", AWS_DEFAULT_REGION="us-east-1")
import awslambdaric.__main__, awslambdaric.bootstrap, handler.app
import json
print(json.dumps([
    [name, module.__spec__.origin, *[*getattr(module, "__path__", []), None][:1]]
    for name, module in sys.modules.items()
    if name not in own and getattr(module, "__spec__", None)
]))
"""


def _drop_docstrings(tree: ast.Module) -> None:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and ast.get_docstring(node, clean=False) is not None
        ):
            node.body[:1] = [] if node.body[1:] else [ast.copy_location(ast.Pass(), node.body[0])]


def compile_module(name: str, file: str) -> CodeType:
    """Return a module's code, without docstrings if it is not ours."""
    tree = ast.parse(Path(file).read_bytes(), file)
    if name.partition(".")[0] not in OURS:
        _drop_docstrings(tree)
    return compile(tree, file, "exec", dont_inherit=True)


def bundle() -> dict[str, tuple[str, str | None, CodeType | None]]:
    """Return what init imports from source: each module's file, folder if a package, and code."""
    line = [sys.executable, "-ISB", "-c", _IMPORT.format(folders=FOLDERS)]
    imported = json.loads(subprocess.run(line, check=True, stdout=subprocess.PIPE).stdout)
    return {
        name: (file, folder, None if name in LAZY else compile_module(name, file))
        for name, file, folder in imported
        if file and file.endswith(".py")
    }


def main() -> None:
    """Store the bundle in the file that the command line names."""
    Path(sys.argv[1]).write_bytes(zlib.compress(marshal.dumps(bundle()), 9))


if __name__ == "__main__":
    main()
