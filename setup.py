"""The wheel holds `renditions.toml` beside the packages, where the code looks for it.

Everything else of the build is in pyproject.toml.
"""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

_CONFIG = "renditions.toml"


class BuildWithConfig(build_py):
    """Builds the packages, and copies the default configuration beside them."""

    def run(self) -> None:
        """Copies it, but into no checkout that is installed as it stands: there it is already."""
        super().run()
        if not self.editable_mode:
            self.copy_file(_CONFIG, str(Path(self.build_lib, _CONFIG)))

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:  # noqa: FBT001, FBT002 - setuptools'
        """Returns what was built."""
        return [*super().get_outputs(include_bytecode), str(Path(self.build_lib, _CONFIG))]

    def get_source_files(self) -> list[str]:
        """Returns what an archive of the sources has to hold."""
        return [*super().get_source_files(), _CONFIG]


setup(cmdclass={"build_py": BuildWithConfig})
