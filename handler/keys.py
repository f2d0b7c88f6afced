"""Destination keys: from a source key to each rendition's, and back; pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from handler.errors import KeyTooLongError, SettingsError
from handler.objects import MAX_KEY_BYTES
from imaging.formats import OutputFormat
from imaging.specs import NAME_PATTERN

__all__ = [
    "MANIFEST_EXTENSION",
    "MANIFEST_NAME",
    "PART_OF_KEY",
    "KeyTemplate",
    "has_relative_segment",
    "is_part_of_key",
]

MANIFEST_NAME: Final = "photo"
MANIFEST_EXTENSION: Final = "json"
"""The manifest's place in the template; no rendition is JSON, so that none can have its key."""

_OF_PHOTO: Final = ("prefix", "stem", "source_ext")
"""The parts of ``{key}``, which may stand instead of it."""
_OF_RENDITION: Final = ("name", "ext")
_BUCKET: Final = "bucket"
_EXTENSIONS: Final = tuple(sorted({output.extension for output in OutputFormat}))
_PATTERNS: Final = {
    "key": ".+",
    "prefix": "(?:.*/)?",
    "stem": "[^/]*",
    "source_ext": "[^./]*",
    _BUCKET: "[A-Za-z0-9._-]+",
    "name": NAME_PATTERN,
    "ext": "|".join(_EXTENSIONS),
}
_ALIKE: Final = {
    "prefix": ("a/x.jpg", "b/x.jpg"),
    "stem": ("x.jpg", "y.jpg"),
    "source_ext": ("x.jpg", "x.png"),
}
"""Two photos that only this part tells apart."""
_PLAIN: Final = ("a/x.jpg", "x.jpg", "a/x", "x", "/x.jpg")
"""Photos of which each part is something or nothing, and no segment is relative."""
_MAX_BUCKET_BYTES: Final = 63
_MAX_PART_BYTES: Final = MAX_KEY_BYTES // 2
PART_OF_KEY: Final = f"at most {_MAX_PART_BYTES} bytes of UTF-8 without control characters"


def is_part_of_key(text: str) -> bool:
    """Tell whether ``text`` may stand in every key, and leaves room for the photo's own."""
    try:
        length = len(text.encode())
    except UnicodeEncodeError:
        return False
    return length <= _MAX_PART_BYTES and re.search(r"[\x00-\x1f\x7f]", text) is None


def has_relative_segment(key: str) -> bool:
    """Tell whether a cache or a client may take ``key`` for another, as a relative path.

    S3 itself takes ``..`` only behind another segment:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
    """
    return not {".", ".."}.isdisjoint(key.split("/"))


@dataclass(frozen=True, slots=True)
class KeyTemplate:
    """A template such as ``{key}/{name}.{ext}``, or ``{prefix}{stem}_{name}.{source_ext}.{ext}``.

    It has each field once, so that no two photos, and no two renditions of one photo, can ever
    share a key: ``{key}``, or all three parts of it; ``{name}``, ``{ext}``; ``{bucket}``, the
    source's, is for more than one source bucket.

    Attributes:
        text: The template.
        names: The renditions' names; empty where any name has to do.

    Raises:
        SettingsError: A field is missing, unknown or repeated, there are braces besides, or two
            renditions could share a key: the message has an example.
    """

    text: str
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        fields = self._fields()
        unknown = [field for field in fields if field not in _PATTERNS]
        repeated = [field for field in fields if fields.count(field) > 1]
        if unknown or repeated or not {*_OF_RENDITION} <= {*fields}:
            raise SettingsError(
                "DESTINATION_KEY_TEMPLATE: expected {key}, or {prefix}, {stem} and {source_ext}, "
                "and {name} and {ext}, once each, and {bucket} once at most, but received "
                f"{self.text!r}"
            )
        if not is_part_of_key(self.text):
            raise SettingsError(
                f"DESTINATION_KEY_TEMPLATE: expected {PART_OF_KEY} but received {self.text[:80]!r}"
            )
        if {"{", "}"} & set("".join(re.split(r"\{\w+\}", self.text))):
            # str.format() would read it as a field, or fail, for every photo.
            raise SettingsError(
                f"DESTINATION_KEY_TEMPLATE: expected no other braces but received {self.text!r}"
            )
        self._check_photo(fields)
        if not self._is_safe_by_separators(fields):
            self._check_collisions()

    def _fields(self) -> list[str]:
        return re.findall(r"\{(\w*)\}", self.text)

    def _check_photo(self, fields: list[str]) -> None:
        parts = [part for part in _OF_PHOTO if part in fields]
        if "key" in fields:
            if parts:
                raise SettingsError(
                    f"DESTINATION_KEY_TEMPLATE: expected {{key}} or its parts but received both in "
                    f"{self.text!r}"
                )
            return
        for part in _OF_PHOTO:
            if part not in fields:
                one, other = _ALIKE[part]
                raise SettingsError(
                    f"DESTINATION_KEY_TEMPLATE: expected {{{part}}}, or {{key}}, but received "
                    f"{self.text!r}, by which {one} and {other} both have {self._made(one)!r}"
                )

    def _made(self, key: str) -> str:
        name = self.names[0] if self.names else "small"
        return self.destination(key, name, "jpg", bucket="photos")

    def _is_safe_by_separators(self, fields: list[str]) -> bool:
        """Tell whether the fields stay apart, whatever the renditions are called.

        A name holds neither a slash nor a dot, so with one of them between, it stays apart from the
        key. A bucket's name has no slash; it may have dots.
        """
        literals = re.split(r"\{\w+\}", self.text)[1:-1]
        around = re.search(r"(.?)\{bucket\}(.?)", self.text)
        return (
            "key" in fields
            and all({"/", "."} & set(literal) for literal in literals)
            and (around is None or set(around.groups()) <= {"", "/"})
        )

    def _check_collisions(self) -> None:
        # Imported for who has such a template.
        from handler.collisions import anything, find_collision, words

        choices = {"ext": _EXTENSIONS} | ({"name": self.names} if self.names else {})
        parts = [
            words("", [part])
            if not part.startswith("{")
            else words(part[1:-1], choices[part[1:-1]])
            if part[1:-1] in choices
            else anything(part[1:-1])
            for part in re.split(r"(\{\w+\})", self.text)
            if part
        ]
        own = {"name": MANIFEST_NAME, "ext": MANIFEST_EXTENSION}
        manifest = [
            words(part.field, [own[part.field]]) if part.field in own else part for part in parts
        ]
        found = find_collision([parts, manifest])
        if found is not None:
            made, one, other = found
            raise SettingsError(
                "DESTINATION_KEY_TEMPLATE: expected that each key leads back to one rendition of "
                f"one photo but received {self.text!r}, by which {made!r} is of {_shown(one)} and "
                f"of {_shown(other)}"
            )

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
        parts = {} if "{key}" in self.text else _parts(key)
        made = self.text.format(key=key, name=name, ext=extension, bucket=bucket, **parts)
        if (length := len(made.encode())) > MAX_KEY_BYTES:
            raise KeyTooLongError(
                f"Expected a destination key of at most {MAX_KEY_BYTES} bytes "
                f"but received {length}: {made[:80]}..."
            )
        return made

    def find_relative(self) -> tuple[str, str] | None:
        """Return a photo's key and what it is made into, if that has a segment ``.`` or ``..``.

        None where the template itself brings none.
        """
        made = ((key, self._made(key)) for key in _PLAIN)
        return next((pair for pair in made if has_relative_segment(pair[1])), None)

    def has_room_for(self, key: str) -> bool:
        """Tell whether each rendition of the photo at ``key``, in any format, can have a key."""
        longest = max(self.names, key=len, default=MANIFEST_NAME)
        try:
            for extension in _EXTENSIONS:
                self.destination(key, longest, extension, bucket="b" * _MAX_BUCKET_BYTES)
        except (KeyTooLongError, UnicodeEncodeError):
            return False
        return True

    def source(self, destination: str) -> tuple[str, str, str] | None:
        """Return source key, name and extension of a key made here; None for any other."""
        names = "|".join(map(re.escape, self.names)) or NAME_PATTERN
        found = self._match(destination, names, _PATTERNS["ext"])
        if found is None:
            return None
        fields = found.groupdict()
        key, name, extension = _key(fields), fields["name"], fields["ext"]
        bucket = fields.get(_BUCKET, "")
        # A key has parts in one way alone; what has others was not made here.
        is_ours = self.destination(key, name, extension, bucket=bucket) == destination
        return (key, name, extension) if is_ours else None

    def is_manifest(self, destination: str) -> bool:
        """Tell whether a key could be that of a photo's manifest."""
        return self._match(destination, MANIFEST_NAME, MANIFEST_EXTENSION) is not None

    def _match(self, destination: str, name: str, extension: str) -> re.Match[str] | None:
        patterns = _PATTERNS | {"name": name, "ext": extension}
        parts = (
            f"(?P<{part[1:-1]}>{patterns[part[1:-1]]})" if part.startswith("{") else re.escape(part)
            for part in re.split(r"(\{\w+\})", self.text)
        )
        return re.fullmatch("".join(parts), destination, re.DOTALL)


def _parts(key: str) -> dict[str, str]:
    """Return the parts of ``key``: its folders, and what is before and after the last dot."""
    folders, slash, file = key.rpartition("/")
    found = re.fullmatch(r"(.+)\.([^.]+)", file, re.DOTALL)
    stem, extension = found.groups() if found else (file, "")
    return {"prefix": folders + slash, "stem": stem, "source_ext": extension}


def _key(fields: Mapping[str, str]) -> str:
    if "key" in fields:
        return fields["key"]
    extension = fields["source_ext"]
    return fields["prefix"] + fields["stem"] + (f".{extension}" if extension else "")


def _shown(fields: Mapping[str, str]) -> str:
    of = f" in {fields[_BUCKET]}" if _BUCKET in fields else ""
    return f"{_key(fields)!r}{of} as {fields['name']}.{fields['ext']}"
