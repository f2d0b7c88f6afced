"""Where in the text of a TOML file something stands: for messages, and imported for them alone."""

import re
import tomllib
from collections.abc import Sequence
from typing import Any, Final

__all__ = ["line_of", "line_of_syntax_error"]

_AT_LINE: Final = re.compile(r"\(at line (\d+), ")


def line_of(text: str, path: Sequence[str | int]) -> int:
    """Return the number of the line in which the statement begins that sets ``path``.

    What is not there has the line of what it would stand in; line 1 is that of the file.

    *Cost*: the text is parsed some ten times, in part.

    Args:
        text: Valid TOML.
        path: Keys, and places in arrays of tables, from the outermost on.
    """
    lines = text.split("\n")
    whole = tomllib.loads(text)
    for end in range(len(path), 0, -1):
        if _has(whole, path[:end]):
            return _first_line(lines, path[:end])
    return 1


def _first_line(lines: list[str], path: Sequence[str | int]) -> int:
    """Halve the lines: a part that ends with a statement is TOML too, and has the path or not."""
    low, high = 0, len(lines)
    while True:
        middle = (low + high) // 2
        cut, document = middle, None
        while cut > low and (document := _parsed(lines[:cut])) is None:
            cut -= 1
        if cut == low:
            # A statement of several lines is in the way: its end is above.
            cut = max(middle, low + 1)
            while cut < high and (document := _parsed(lines[:cut])) is None:
                cut += 1
            if cut >= high:
                return low + 1
        if document is not None and _has(document, path):
            high = cut
        else:
            low = cut


def _parsed(lines: list[str]) -> dict[str, Any] | None:
    try:
        return tomllib.loads("\n".join(lines) + "\n")
    except tomllib.TOMLDecodeError:
        return None


def _has(document: object, path: Sequence[str | int]) -> bool:
    for part in path:
        match document, part:
            case dict(), str() if part in document:
                document = document[part]
            case list(), int() if part < len(document):
                document = document[part]
            case _:
                return False
    return True


def line_of_syntax_error(text: str, error: Exception) -> int:
    """Return the number of the line at which ``text`` is no longer TOML that Python reads."""
    if not isinstance(error, tomllib.TOMLDecodeError):
        return _first_line_of(text, error)
    # Before Python 3.14 its text alone has the number; without one it is the end.
    found = _AT_LINE.search(str(error))
    return int(found[1]) if found else text.rstrip("\n").count("\n") + 1


def _first_line_of(text: str, error: Exception) -> int:
    """Return the line up to which the text makes the parser give up in the same way."""
    lines = text.split("\n")
    low, high = 0, len(lines)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            tomllib.loads("\n".join(lines[:middle]))
        except tomllib.TOMLDecodeError:
            low = middle
        except type(error):
            high = middle
        else:
            low = middle
    return high
