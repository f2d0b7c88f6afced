"""In place of botocore's: its methods have no docstrings in this image.

botocore writes them from its models when somebody asks; the models here hold no documentation, and
the generator took 12 % of the CPU of all imports, an HTML parser among them.
"""

from typing import Self

__all__ = ["ClientMethodDocstring", "PaginatorDocstring", "WaiterDocstring"]


class _NoDocstring(str):
    """The empty docstring, whatever it was to describe."""

    __slots__ = ()

    def __new__(cls, *_: object, **__: object) -> Self:
        return super().__new__(cls)


ClientMethodDocstring = PaginatorDocstring = WaiterDocstring = _NoDocstring
