"""Destination keys: from a source key to each rendition's, and back; pure."""

import re
from dataclasses import dataclass
from typing import Final

from handler.errors import KeyTooLongError, SettingsError
from imaging.formats import OutputFormat
from imaging.specs import NAME_PATTERN

__all__ = ["KeyTemplate"]

_MAX_KEY_BYTES: Final = 1024
_FIELDS: Final = ("key", "name", "ext")
_EXTENSIONS: Final = "|".join(sorted({output.extension for output in OutputFormat}))


@dataclass(frozen=True, slots=True)
class KeyTemplate:
    """A template such as ``{key}/{name}.{ext}``.

    It has each field once, so that no two photos, and no two renditions of one photo, can ever
    share a key.

    Raises:
        SettingsError: A field is missing, unknown or repeated, or two run into one another, or
            there are braces besides.
    """

    text: str

    def __post_init__(self) -> None:
        if sorted(self._fields()) != sorted(_FIELDS):
            raise SettingsError(
                "DESTINATION_KEY_TEMPLATE: expected {key}, {name} and {ext} once each "
                f"but received {self.text!r}"
            )
        if {"{", "}"} & set("".join(re.split(r"\{\w+\}", self.text))):
            # str.format() would take it for a field, or fail with it, photo by photo.
            raise SettingsError(
                f"DESTINATION_KEY_TEMPLATE: expected no other braces but received {self.text!r}"
            )
        # A name holds neither of these, so with one of them between, key and name stay apart.
        literals = re.split(r"\{\w+\}", self.text)[1:-1]
        if not all({"/", "."} & set(literal) for literal in literals):
            raise SettingsError(
                "DESTINATION_KEY_TEMPLATE: expected '/' or '.' between the fields "
                f"but received {self.text!r}"
            )

    def _fields(self) -> list[str]:
        return re.findall(r"\{(\w*)\}", self.text)

    @property
    def prefix(self) -> str:
        """The literal text that every destination key begins with."""
        return self.text.split("{", 1)[0]

    def destination(self, key: str, name: str, extension: str) -> str:
        """Return the key of rendition ``name`` of the photo at ``key``.

        Raises:
            KeyTooLongError: S3 would not take it.
        """
        made = self.text.format(key=key, name=name, ext=extension)
        if (length := len(made.encode())) > _MAX_KEY_BYTES:
            raise KeyTooLongError(
                f"Expected a destination key of at most {_MAX_KEY_BYTES} bytes "
                f"but received {length}: {made[:80]}..."
            )
        return made

    def source(self, destination: str) -> tuple[str, str, str] | None:
        """Return source key, name and extension of a key made here; None for any other."""
        patterns = {"key": ".+", "name": NAME_PATTERN, "ext": _EXTENSIONS}
        parts = (
            f"(?P<{part[1:-1]}>{patterns[part[1:-1]]})" if part.startswith("{") else re.escape(part)
            for part in re.split(r"(\{\w+\})", self.text)
        )
        found = re.fullmatch("".join(parts), destination, re.DOTALL)
        return (found["key"], found["name"], found["ext"]) if found else None
