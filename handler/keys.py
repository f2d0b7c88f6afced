"""Destination keys: from a source key to each rendition's, and back; pure."""

import re
from dataclasses import dataclass
from typing import Final

from handler.errors import KeyTooLongError, SettingsError
from imaging.formats import OutputFormat
from imaging.specs import NAME_PATTERN

__all__ = ["MANIFEST_EXTENSION", "MANIFEST_NAME", "KeyTemplate"]

MANIFEST_NAME: Final = "photo"
MANIFEST_EXTENSION: Final = "json"
"""The manifest's place in the template; no rendition is JSON, so that none can have its key."""

_MAX_KEY_BYTES: Final = 1024
_FIELDS: Final = ("key", "name", "ext")
_BUCKET: Final = "bucket"
_BUCKET_PATTERN: Final = "[A-Za-z0-9._-]+"
_EXTENSIONS: Final = "|".join(sorted({output.extension for output in OutputFormat}))


@dataclass(frozen=True, slots=True)
class KeyTemplate:
    """A template such as ``{key}/{name}.{ext}``.

    It has each field once, so that no two photos, and no two renditions of one photo, can ever
    share a key. ``{bucket}``, the source's, is for more than one source bucket.

    Raises:
        SettingsError: A field is missing, unknown or repeated, or two run into one another, or
            there are braces besides.
    """

    text: str

    def __post_init__(self) -> None:
        fields = self._fields()
        if sorted(fields) not in (sorted(_FIELDS), sorted((*_FIELDS, _BUCKET))):
            raise SettingsError(
                "DESTINATION_KEY_TEMPLATE: expected {key}, {name} and {ext} once each, and "
                f"{{bucket}} once at most, but received {self.text!r}"
            )
        if {"{", "}"} & set("".join(re.split(r"\{\w+\}", self.text))):
            # str.format() would read it as a field, or fail, for every photo.
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
        # A bucket's name has no slash; it may have dots.
        around = re.search(r"(.?)\{bucket\}(.?)", self.text)
        if around is not None and not set(around.groups()) <= {"", "/"}:
            raise SettingsError(
                "DESTINATION_KEY_TEMPLATE: expected '/' on both sides of {bucket} "
                f"but received {self.text!r}"
            )

    def _fields(self) -> list[str]:
        return re.findall(r"\{(\w*)\}", self.text)

    @property
    def has_bucket(self) -> bool:
        """Whether photos of one key in two buckets have places of their own."""
        return _BUCKET in self._fields()

    @property
    def prefix(self) -> str:
        """The literal text that every destination key begins with."""
        return self.text.split("{", 1)[0]

    def destination(self, key: str, name: str, extension: str, *, bucket: str) -> str:
        """Return the key of rendition ``name`` of the photo at ``key`` in ``bucket``.

        Raises:
            KeyTooLongError: S3 would not take it.
        """
        made = self.text.format(key=key, name=name, ext=extension, bucket=bucket)
        if (length := len(made.encode())) > _MAX_KEY_BYTES:
            raise KeyTooLongError(
                f"Expected a destination key of at most {_MAX_KEY_BYTES} bytes "
                f"but received {length}: {made[:80]}..."
            )
        return made

    def source(self, destination: str) -> tuple[str, str, str] | None:
        """Return source key, name and extension of a key made here; None for any other."""
        found = self._match(destination, NAME_PATTERN, _EXTENSIONS)
        return (found["key"], found["name"], found["ext"]) if found else None

    def is_manifest(self, destination: str) -> bool:
        """Tell whether a key could be that of a photo's manifest."""
        return self._match(destination, MANIFEST_NAME, MANIFEST_EXTENSION) is not None

    def _match(self, destination: str, name: str, extension: str) -> re.Match[str] | None:
        patterns = {"key": ".+", "name": name, "ext": extension, _BUCKET: _BUCKET_PATTERN}
        parts = (
            f"(?P<{part[1:-1]}>{patterns[part[1:-1]]})" if part.startswith("{") else re.escape(part)
            for part in re.split(r"(\{\w+\})", self.text)
        )
        return re.fullmatch("".join(parts), destination, re.DOTALL)
