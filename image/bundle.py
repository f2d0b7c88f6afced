"""Build step of the image: the modules that init imports, compiled into one file.

    python3 -ISB -X no_debug_ranges bundle.py SHARED FUNCTION ZYGOTE BLOCKS

It has the image's own interpreter import what init imports, and stores each module's code, and what
those modules compile while they are imported: SHARED is what the function and the process that its
workers are forked from both import, FUNCTION and ZYGOTE what one of them imports beside. The
docstrings of others' modules are left out; ours stay: dataclasses make one where there is none.
BLOCKS becomes the list of what the start and a first JPEG touch of the image's libraries.
"""

import ast
import marshal
import os
import subprocess
import sys
from pathlib import Path
from types import CodeType
from typing import Any, TypeVar

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

Module = tuple[str, str | None, CodeType | bytes | None]
Source = tuple[str, str]
Pattern = tuple[str | bytes, int]
Range = tuple[int, int]
Bundle = tuple[dict[str, Module], dict[Source, CodeType], dict[Pattern, tuple[Any, ...]]]

FOLDERS = ("/var/task", "/usr/local/lib/python3.13/dist-packages")
OURS = ("handler", "imaging")
LAZY = (
    "ast",
    "botocore.monitoring",
    "botocore.retries.adaptive",
    "botocore.retryhandler",
    "botocore.translate",
    "botocore.vendored.six",
    "botocore.waiter",
    "bz2",
    "configparser",
    "dateutil.relativedelta",
    "email.header",
    "jmespath.parser",
    "lzma",
    "mimetypes",
    "textwrap",
    "tokenize",
)
"""What init imports and does not use. Only a module that its importers name as a whole can wait."""
_SETTINGS = {
    "AWS_ACCESS_KEY_ID": "build",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_SECRET_ACCESS_KEY": "build",
    "DESTINATION_BUCKET": "renditions",
    "LC_ALL": "C",
}
_IMPORT = """\
import builtins, marshal, sys, _sre
own = set(sys.modules)
sources, patterns = set(), {}

def recorded(run, mode):
    def record(source, *spaces):
        if isinstance(source, str):
            sources.add((source, mode))
        return run(source, *spaces)
    return record

def compile_recorded(source, file, mode, *options, compile=compile, **named):
    if isinstance(source, str):
        sources.add((source, mode))
    return compile(source, file, mode, *options, **named)

def record_pattern(pattern, flags, words, *groups, compile=_sre.compile):
    asked = sys._getframe(1).f_locals["flags"]
    # Plain numbers: marshal takes no subclass of them.
    patterns[pattern, int(asked)] = pattern, int(flags), [int(word) for word in words], *groups
    return compile(pattern, flags, words, *groups)

builtins.exec, builtins.eval = recorded(exec, "exec"), recorded(eval, "eval")
builtins.compile = compile_recorded
_sre.compile = record_pattern
from importlib.machinery import ModuleSpec, SourceFileLoader
sys.path[:0] = sys.argv[1:]
IMPORTS
modules = [
    (name, module.__spec__.origin, *[*getattr(module, "__path__", []), None][:1])
    for name, module in sys.modules.items()
    if name not in own and getattr(module, "__spec__", None)
]
marshal.dump((modules, sorted(sources), patterns), sys.stdout.buffer)
"""
_TOUCH = """\
import marshal, sys
def mapped():
    lines = (line.split(maxsplit=5) for line in open("/proc/self/maps"))
    return [
        (path[0].strip(), *(int(address, 16) for address in addresses.split("-")), int(offset, 16))
        for addresses, _, offset, _, _, *path in lines
        if path and ".so" in path[0]
    ]
own = {path for path, *_ in mapped()}
sys.path[:0] = [".", *sys.argv[3:]]
import start
shared, function = (marshal.loads(open(name, "rb").read()) for name in sys.argv[1:3])
bundle = start.Bundle(*shared, last="handler.app")
bundle.extend(*function)
sys.meta_path.insert(0, bundle)
import awslambdaric.__main__, awslambdaric.bootstrap, handler.app
from imaging.worker.zygote import preload_common
preload_common(())
from handler.settings import read_settings
from imaging.rendering import open_photo
from imaging.warming import warm_up
warm_up(open_photo, read_settings().config)
loaded = [of for of in mapped() if of[0] not in own]
touched = {path: [] for path, *_ in loaded}
try:
    with open("/proc/self/pagemap", "rb", 0) as pages:
        for path, start, end, offset in loaded:
            pages.seek(start // PAGE * 8)
            entries = memoryview(pages.read((end - start) // PAGE * 8)).cast("Q")
            touched[path] += [offset // PAGE + i for i, entry in enumerate(entries) if entry >> 62]
except OSError as error:
    print(f"libvips will be read whole at start: {error}", file=sys.stderr)
marshal.dump(touched, sys.stdout.buffer)
"""
_FUNCTION = "import awslambdaric.__main__, awslambdaric.bootstrap, handler.app"
_ZYGOTE = "from imaging.worker.zygote import preload, preload_common; preload_common(()); preload()"
_PAGE = os.sysconf("SC_PAGE_SIZE")
_NEAR = 32
"""Pages between two touched ones that are fetched with them: one request, not two."""


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


def ranges(pages: list[int], size: int) -> list[Range]:
    """Return offset and length of each run of pages of ``size``, those with small gaps made one."""
    runs: list[tuple[int, int]] = []
    for page in sorted(pages):
        if runs and page - runs[-1][1] <= _NEAR:
            runs[-1] = runs[-1][0], page
        else:
            runs.append((page, page))
    return [(first * size, (last + 1 - first) * size) for first, last in runs]


def _run(program: str, *arguments: str) -> Any:  # noqa: ANN401 - what the program dumps
    line = [sys.executable, "-ISB", "-c", program, *arguments]
    dumped = subprocess.run(line, check=True, env=_SETTINGS, stdout=subprocess.PIPE).stdout
    return marshal.loads(dumped)  # noqa: S302 - our own program's


def bundle(imports: str) -> Bundle:
    """Return what ``imports`` imports from source, and what its modules compile meanwhile.

    That is each module's file, folder if a package, and code; the code of each piece of source that
    named tuples, dataclasses and annotations in quotes are made of; and what becomes of a regular
    expression.
    """
    imported, sources, patterns = _run(_IMPORT.replace("IMPORTS", imports), *FOLDERS)
    modules: dict[str, Module] = {
        name: (file, folder, None if name in LAZY else compile_module(name, file))
        for name, file, folder in imported
        if file and file.endswith(".py")
    }
    codes = {
        (source, mode): compile(source, "<string>", mode, dont_inherit=True)
        for source, mode in sources
    }
    return modules, codes, patterns


def separate(modules: dict[str, Module]) -> dict[str, Module]:
    """Return ``modules`` with the code of each marshalled by itself.

    All in one piece are a tenth faster; but a first photo needs a third of the zygote's.
    """
    return {
        name: (file, folder, code and marshal.dumps(code))
        for name, (file, folder, code) in modules.items()
    }


def _common(ours: dict[_Key, _Value], theirs: dict[_Key, _Value]) -> dict[_Key, _Value]:
    return {key: value for key, value in ours.items() if key in theirs}


def _less(ours: dict[_Key, _Value], common: dict[_Key, _Value]) -> dict[_Key, _Value]:
    return {key: value for key, value in ours.items() if key not in common}


def _beside(ours: Bundle, common: Bundle) -> Bundle:
    return _less(ours[0], common[0]), _less(ours[1], common[1]), _less(ours[2], common[2])


def split(ours: Bundle, theirs: Bundle) -> tuple[Bundle, Bundle, Bundle]:
    """Return what both have, in our order, what we have beside it, and what they have."""
    common = (
        _common(ours[0], theirs[0]),
        _common(ours[1], theirs[1]),
        _common(ours[2], theirs[2]),
    )
    return common, _beside(ours, common), _beside(theirs, common)


def blocks(*bundle_files: str) -> list[tuple[str, list[Range]]]:
    """Return what the start and a first JPEG touch of each library that init loads.

    Of libvips, which has codecs of a dozen formats, only that; others are small, or OpenSSL, of
    which the first connection needs more than init does: a length of 0 is all of it. So is libvips
    where the build cannot see its own pages, as in some sandboxes and under emulation.
    """
    return [
        (path, ("libvips-" in path and ranges(pages, _PAGE)) or [(0, 0)])
        for path, pages in _run(_TOUCH.replace("PAGE", str(_PAGE)), *bundle_files, *FOLDERS).items()
    ]


def main() -> None:
    """Store the bundle and the blocks in the files that the command line names."""
    shared_file, function_file, zygote_file, blocks_file = sys.argv[1:]
    shared, function, zygote = split(bundle(_FUNCTION), bundle(_ZYGOTE))
    Path(shared_file).write_bytes(marshal.dumps(shared))
    Path(function_file).write_bytes(marshal.dumps(function))
    Path(zygote_file).write_bytes(marshal.dumps((separate(zygote[0]), *zygote[1:])))
    Path(blocks_file).write_bytes(marshal.dumps(blocks(shared_file, function_file)))


if __name__ == "__main__":
    main()
