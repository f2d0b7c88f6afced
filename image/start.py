"""The image's entry: Lambda's runtime client, its imports served from one file.

An import from a folder costs a search, four system calls and a read of its own; three hundred of
them are a quarter of the start's CPU and, with a cold cache, most of its wait for the disk. This
module itself imports nothing that the interpreter has not loaded already.
"""

import gc
import marshal
import sys
import zlib
from importlib.machinery import ModuleSpec, SourceFileLoader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType, ModuleType

__all__ = ["FOLDERS", "Bundle", "main"]

FOLDERS = ("/var/task", "/usr/local/lib/python3.13/dist-packages")
_FILE = __file__.rpartition("/")[0] + "/bundle"


class Bundle:
    """Finds and loads the modules of one file; any other is left to Python's own finders.

    A module has the path, and so the tracebacks and the data files, of what it was made from. One
    that comes without code is loaded from there when somebody first looks into it.
    """

    def __init__(
        self, modules: "dict[str, tuple[str, str | None, CodeType | None]]", last: str
    ) -> None:
        self._modules = modules
        self._last = last

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
        try:
            exec(self.get_code(module.__name__), module.__dict__)  # noqa: S102 - to import is that
        finally:
            if module.__name__ == self._last:
                # What init has made stays: the collector need never look at it again, and after a
                # fork its pages stay shared.
                gc.freeze()
                gc.enable()

    def get_code(self, name: str) -> "CodeType":
        _, _, code = self._modules[name]
        assert code is not None  # noqa: S101 - one without is not loaded here
        return code


def main() -> None:
    """Put the bundle before Python's own finders and hand over to the runtime client."""
    # Three hundred modules make objects that stay: looking through them for garbage again and again
    # is an eighth of the imports' CPU.
    gc.disable()
    sys.path[:0] = FOLDERS
    with open(_FILE, "rb", 0) as file:  # noqa: PTH123 - pathlib is not loaded yet
        modules = marshal.loads(zlib.decompress(file.read()))  # noqa: S302 - the build's own file
    sys.meta_path.insert(0, Bundle(modules, last=sys.argv[1].rpartition(".")[0]))

    from awslambdaric.__main__ import main as run

    run(sys.argv)


if __name__ == "__main__":
    main()
