"""What an argument of a command may be: types for argparse, which names the argument in its error.

A path is tried while the arguments are read, before any work begins.
"""

import re
import stat
import tempfile
from argparse import ArgumentTypeError
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from handler.objects import BUCKET_PATTERN

__all__ = ["bucket", "count", "readable_file", "writable_file", "writable_folder"]

_ALIASES: Final = ("-s3alias", "--ol-s3")
"""No bucket's name ends so: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html"""


def bucket(text: str) -> str:
    """Return the name of a bucket; an access point's ARN or alias is none, and no event has it."""
    if re.fullmatch(BUCKET_PATTERN, text) is None or text.endswith(_ALIASES):
        raise ArgumentTypeError(f"expected a bucket's name but received {text!r}")
    return text


def count(text: str) -> int:
    """Return a number of at least one."""
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise ArgumentTypeError(f"expected 1 or more but received {text!r}")
    return number


def readable_file(text: str) -> Path:
    """Return the path of a file that can be read."""
    path = Path(text)
    with _received(text, "a file that can be read"):
        path.open("rb").close()
    return path


def writable_file(text: str) -> Path:
    """Return the path of a file that can be written; what it holds stays, and none is made."""
    path = Path(text)
    with _received(text, "a file that can be written"):
        try:
            mode = path.stat().st_mode
        except FileNotFoundError:
            _try_to_write_in(path.resolve().parent)
        else:
            # Who reads from a pipe would take this for its end.
            if not stat.S_ISFIFO(mode):
                path.open("ab").close()
    return path


def writable_folder(text: str) -> Path:
    """Return the path of a folder that can be written to, or made; none is made."""
    path = Path(text)
    with _received(text, "a folder that can be written to"):
        _try_to_write_in(_nearest(path))
    return path


def _nearest(path: Path) -> Path:
    """Return ``path``, or the first folder above it that there is."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return _nearest(path.parent)
    return path


def _try_to_write_in(folder: Path) -> None:
    # Permissions do not tell: root has them all, on a file system that is read-only too.
    tempfile.TemporaryFile(dir=folder).close()


@contextmanager
def _received(text: str, expected: str) -> Iterator[None]:
    """Within: an attempt; that it fails is said of ``text``."""
    try:
        yield
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ArgumentTypeError(f"expected {expected} but received {text!r}: {reason}") from error
