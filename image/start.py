"""What the image runs: Lambda's runtime client, or a zygote, its imports served from one file.

An import from a folder costs a search, four system calls and a read of its own; three hundred of
them are a quarter of the start's CPU and, with a cold cache, most of its wait for the disk. What
they compile while they are imported is in that file too. This module itself imports nothing that
the interpreter has not loaded already.

    start.pyc --environment DESCRIPTOR LEASH HOLDER HANDLER   without one, as start.sh starts it
    start.pyc HANDLER                                         with it
    start.pyc imaging.worker.zygote DESCRIPTOR                the zygote of the latter

Without an environment there is no secret. What both need is imported, the zygote is forked, and
then the function takes the environment from the process that has held it. What one alone needs is
unpacked after the fork: a page that both write to is copied.
"""

import gc
import marshal
import posix
import sys
from importlib.machinery import ModuleSpec, SourceFileLoader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import CodeType, ModuleType
    from typing import Any

    Modules = dict[str, tuple[str, str | None, CodeType | bytes | None]]
    Patterns = dict[tuple[str | bytes, int], tuple[Any, ...]]
    Blocks = list[tuple[str, list[tuple[int, int]]]]

__all__ = [
    "FOLDERS",
    "ZYGOTE",
    "Bundle",
    "Environment",
    "forked_zygote",
    "main",
    "read_ahead",
    "worker_program",
]

FOLDERS = ("/var/task", "/usr/local/lib/python3.13/dist-packages")
_HERE = __file__.rpartition("/")[0]

worker_program = __file__
"""The function asks its main module for it, and starts the zygote of its workers by it."""

forked_zygote: "tuple[int, int] | None" = None
"""The function asks for this too: the ID of a zygote that waits, and its socket's descriptor."""

ZYGOTE = "imaging.worker.zygote"
"""The first argument of such a start."""

_WITHOUT = "--environment"


class Bundle:
    """Finds and loads the modules of one file; any other is left to Python's own finders.

    A module has the path, and so the tracebacks and the data files, of what it was made from. One
    whose code is marshalled by itself costs nothing until it is imported. One that comes without
    code is loaded from its path when somebody first looks into it.

    Four modules of the standard library compile what others hand them: ``collections`` the source
    of a named tuple, ``dataclasses`` that of a class's methods, ``typing`` an annotation in quotes,
    ``re`` a pattern. What init hands them is compiled in the bundle; anything else they compile as
    ever.
    """

    def __init__(
        self,
        modules: "Modules",
        codes: "dict[tuple[str, str], CodeType]",
        patterns: "Patterns",
        *,
        last: str,
    ) -> None:
        self._modules = modules
        self._codes = codes
        self._patterns = patterns
        self._last = last

    def extend(
        self,
        modules: "Modules",
        codes: "dict[tuple[str, str], CodeType]",
        patterns: "Patterns",
    ) -> None:
        """Serve these too."""
        self._modules.update(modules)
        self._codes.update(codes)
        self._patterns.update(patterns)

    def import_all(self) -> None:
        """Import what is served, in its order, but for what waits until somebody looks into it."""
        for name, (_, _, code) in self._modules.items():
            if code is not None:
                __import__(name)

    def find_spec(
        self, name: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None
    ) -> ModuleSpec | None:
        del path, target
        if name not in self._modules:
            return None
        file, folder, code = self._modules[name]
        if code is None:
            from importlib.util import LazyLoader

            spec = ModuleSpec(name, LazyLoader(SourceFileLoader(name, file)), origin=file)
        else:
            spec = ModuleSpec(
                name,
                self,  # type: ignore[arg-type]  # importlib.abc, whose Loader this is, costs 3 ms
                origin=file,
                is_package=folder is not None,
            )
        spec.has_location = True
        if folder is not None:
            spec.submodule_search_locations = [folder]
        return spec

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave it to Python."""

    def exec_module(self, module: "ModuleType") -> None:
        name = module.__name__
        try:
            exec(self.get_code(name), module.__dict__)  # noqa: S102 - to import is that
            self._hand_compiled(name, module.__dict__)
        finally:
            if name == self._last:
                # What init has made stays: the collector need never look at it again, and after a
                # fork its pages stay shared.
                gc.freeze()
                gc.enable()

    def get_code(self, name: str) -> "CodeType":
        _, _, code = self._modules[name]
        assert code is not None  # noqa: S101 - one without is not loaded here
        return marshal.loads(code) if isinstance(code, bytes) else code  # noqa: S302 - the build's own

    def _hand_compiled(self, name: str, module: "dict[str, Any]") -> None:
        # A module's own name comes before the builtin of that name.
        if name == "collections":
            module["eval"] = self._running(eval, "eval")
        elif name == "dataclasses":
            module["exec"] = self._running(exec, "exec")
        elif name == "typing":
            module["compile"] = self._take_code
        elif name == "re._compiler":
            module["compile"] = self._with_patterns(module["compile"])

    def _take_code(self, source: str, file: str, mode: str) -> "CodeType":
        return self._codes.get((source, mode)) or compile(source, file, mode)

    def _running(self, run: "Callable[..., Any]", mode: str) -> "Callable[..., Any]":
        def run_code(source: str, *spaces: "dict[str, Any]") -> object:
            return run(self._take_code(source, "<string>", mode), *spaces)

        return run_code

    def _with_patterns(self, compile_pattern: "Callable[..., Any]") -> "Callable[..., Any]":
        # What `re` itself ends in. Private to Python, whose version is the image's own.
        import _sre  # type: ignore[import-not-found]  # typeshed has no private modules

        patterns = self._patterns

        def take_compiled(pattern: "Any", flags: int = 0) -> object:  # noqa: ANN401 - text, bytes, or parsed
            # A parsed pattern is a list, which is in no dictionary.
            made = isinstance(pattern, (str, bytes)) and patterns.get((pattern, flags))
            return _sre.compile(*made) if made else compile_pattern(pattern, flags)

        return take_compiled


def read_ahead(blocks: "Blocks") -> None:
    """Have the kernel fetch the blocks of the libraries that init will touch.

    The disk works while Python starts; and where the kernel would read megabytes around each touch,
    it reads what is wanted.
    """
    for path, ranges in blocks:
        file = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
        for offset, length in ranges:
            posix.posix_fadvise(file, offset, length, posix.POSIX_FADV_WILLNEED)
        posix.close(file)


def _read(name: str) -> "Any":  # noqa: ANN401 - what the build stored
    with open(f"{_HERE}/{name}", "rb", 0) as file:  # noqa: PTH123 - pathlib is not loaded yet
        return marshal.loads(file.read())  # noqa: S302 - the build's own file


class Environment:
    """The environment, as long as another process holds it for this one.

    Args:
        descriptor: Where the kernel shows it.
        leash: The descriptor that has the other process end when nobody has it any more.
        holder: The other's ID, a child of this process.
    """

    def __init__(self, descriptor: int, leash: int, holder: int) -> None:
        self._descriptor = descriptor
        self._leash = leash
        self._holder = holder

    def close(self) -> None:
        """Leave it to the process that this one was forked from."""
        posix.close(self._descriptor)
        posix.close(self._leash)

    def take(self) -> "dict[str, str]":
        """Return its names and values, and have the other process end; nobody can ask it again."""
        # Loaded by now.
        import os

        with open(self._descriptor, "rb") as file:  # noqa: PTH123 - pathlib is not loaded yet
            entries = file.read().split(b"\0")
        posix.close(self._leash)
        # Who was forked meanwhile may have the leash still.
        posix.kill(self._holder, 9)
        posix.waitpid(self._holder, 0)
        environment: dict[str, str] = {}
        for entry in entries:
            name, equals, value = os.fsdecode(entry).partition("=")
            if name and equals:
                # As everywhere, the first of two counts.
                environment.setdefault(name, value)
        return environment


def _fork_zygote(bundle: Bundle, environment: Environment) -> "tuple[int, int]":
    """Fork it, and return its ID and the function's end of its socket."""
    # Loaded by now.
    import os
    import socket

    ours, theirs = socket.socketpair()
    process = os.fork()
    if process:
        theirs.close()
        return process, ours.detach()
    try:
        environment.close()
        ours.close()
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        # What stands on the output is the function's.
        os.dup2(2, 1)
        bundle.extend(*_read("zygote"))
        _run_zygote(theirs.detach())
    finally:
        os._exit(1)


def _end_zygote(process: int, descriptor: int) -> None:
    posix.close(descriptor)
    posix.kill(process, 9)
    posix.waitpid(process, 0)


def _put_bundle(last: str) -> Bundle:
    """Return what both need, before Python's own finders."""
    bundle = Bundle(*_read("shared"), last=last)
    sys.meta_path.insert(0, bundle)
    return bundle


def _run_zygote(descriptor: int) -> None:
    from imaging.worker.zygote import main as run

    run(descriptor)


def _start_function(environment: Environment | None) -> None:
    global forked_zygote  # noqa: PLW0603 - main's result, of which the function is told by name
    read_ahead(_read("blocks"))
    bundle = _put_bundle(last=sys.argv[1].rpartition(".")[0])
    if environment is not None:
        bundle.import_all()
        forked_zygote = _fork_zygote(bundle, environment)
        import os

        os.environ |= environment.take()
        if "AWS_LAMBDA_MAX_CONCURRENCY" in os.environ:
            # The runtime client forks, and the function begins in its forks: each starts its own.
            _end_zygote(*forked_zygote)
            forked_zygote = None
    bundle.extend(*_read("function"))

    from awslambdaric.__main__ import main as run

    run(sys.argv)


def _start_zygote(descriptor: int) -> None:
    _put_bundle(last="imaging.worker.worker").extend(*_read("zygote"))
    _run_zygote(descriptor)


def main() -> None:
    """Put a bundle before Python's own finders; become the function, or a zygote of workers."""
    # Three hundred modules make objects that stay: looking through them for garbage again and again
    # is an eighth of the imports' CPU.
    gc.disable()
    sys.path[:0] = FOLDERS
    if sys.argv[1] == ZYGOTE:
        _start_zygote(int(sys.argv[2]))
        return
    environment = None
    if sys.argv[1] == _WITHOUT:
        environment = Environment(*map(int, sys.argv[2:5]))
        del sys.argv[1:5]
    _start_function(environment)


if __name__ == "__main__":
    main()
