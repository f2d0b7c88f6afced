"""Reads ``renditions.toml``: the specs and the limits, or one error that says what to fix."""

import hashlib
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields, replace
from enum import StrEnum
from pathlib import Path
from types import NoneType
from typing import Any, Final, get_args

from imaging.errors import ConfigError
from imaging.formats import OutputFormat
from imaging.limits import Limits, Memory
from imaging.planning import Asked
from imaging.specs import SOURCE_FORMAT, Position, RenditionSpec, Truncated, Watermark

__all__ = ["DEFAULT_CONFIG", "Config", "MarkReader", "load_config", "parse_config", "refuse_mark"]

DEFAULT_CONFIG: Final = Path(__file__).parent.parent / "renditions.toml"
"""Beside the code: in a checkout, in the image, and where the wheel is installed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What one ``renditions.toml`` says.

    Attributes:
        renditions: In the file's order; at least one. Those that share a name share no key.
        limits: What a photo may be at most.
        truncated: What becomes of a truncated JPEG.
        sidecar: Whether a JSON document goes with the renditions.
        marks: The pictures of watermarks: digest -> PNG.
        credentials: Where it asks that content credentials be carried on, as a message says it;
            None where it does not.
    """

    renditions: tuple[RenditionSpec, ...]
    limits: Limits
    truncated: Truncated = Truncated.REFUSE
    sidecar: bool = False
    marks: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    credentials: str | None = None

    def specs_of(self, key: str) -> tuple[RenditionSpec, ...]:
        """Return the renditions of the photo at ``key``, each with a name of its own."""
        if all(spec.is_for_all for spec in self.renditions):
            return self.renditions
        return tuple(spec for spec in self.renditions if spec.is_for(key))

    def asked(
        self,
        key: str | None = None,
        *,
        memory: Memory | None = None,
        focal_point: str | None = None,
    ) -> Asked:
        """Return what the file asks of the photo at ``key``; of one for every rendition for None.

        Of several renditions of one name that is the first.
        """
        if key is None:
            specs = tuple({spec.name: spec for spec in reversed(self.renditions)}.values())[::-1]
        else:
            specs = self.specs_of(key)
        return Asked(
            specs=specs,
            limits=self.limits,
            memory=memory,
            focal_point=focal_point,
            truncated=self.truncated,
            sidecar=self.sidecar,
            marks=self.marks,
        )


MarkReader = Callable[[str], bytes]
"""Reads a picture that a watermark names, as :func:`imaging.mark_files.read_mark_file` does."""


class _Unexpected(Exception):  # noqa: N818 - it never leaves this module
    """A value is not what its key wants; the argument says what was expected."""


def _integer(value: object) -> int:
    # Python counts bool as an int; the person who writes the file does not.
    if not isinstance(value, int) or isinstance(value, bool):
        raise _Unexpected("an integer")
    return value


def _number(value: object) -> int | float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise _Unexpected("a number")
    return value


def _positive(value: object) -> int:
    if (number := _integer(value)) < 1:
        raise _Unexpected("an integer of 1 or more")
    return number


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise _Unexpected("true or false")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _Unexpected("text")
    return value


_Reader = Callable[[object], Any]
"""Returns what a value of a TOML file means, or raises _Unexpected."""


def _one_of(choices: Mapping[str, Any]) -> _Reader:
    def choose(value: object) -> Any:  # noqa: ANN401 - each key has its own type
        if not isinstance(value, str) or value not in choices:
            raise _Unexpected("one of " + ", ".join(f'"{choice}"' for choice in choices))
        return choices[value]

    return choose


def _colour(value: object) -> tuple[int, int, int]:
    expected = 'a colour such as "#ffffff" or [255, 255, 255]'
    if isinstance(value, str) and len(value) == len("#rrggbb") and value.startswith("#"):
        try:
            red, green, blue = bytes.fromhex(value[1:])
        except ValueError:
            raise _Unexpected(expected) from None
        return red, green, blue
    if isinstance(value, list) and len(value) == 3:
        red, green, blue = map(_integer, value)
        return red, green, blue
    raise _Unexpected(expected)


def _choice_of(kind: type[StrEnum]) -> _Reader:
    return _one_of({choice.value: choice for choice in kind})


_format = _one_of({**{output.value: output for output in OutputFormat}, SOURCE_FORMAT: None})


def _formats(value: object) -> tuple[OutputFormat | None, ...]:
    return tuple(map(_format, value if isinstance(value, list) else [value]))


def _quality(value: object) -> int | dict[OutputFormat, int]:
    if not isinstance(value, dict):
        return _integer(value)
    try:
        return {OutputFormat(output): _integer(quality) for output, quality in value.items()}
    except ValueError:
        raise _Unexpected("an integer, or one for each format") from None


_MOST_PATTERNS: Final = 100
_LONGEST_PATTERN: Final = 1024
"""A key of S3 is no longer."""


def _patterns(value: object) -> tuple[str, ...]:
    patterns = value if isinstance(value, list) else [value]
    if not patterns or not all(isinstance(one, str) and one for one in patterns):
        raise _Unexpected('a pattern such as "avatars/**", or a list of them')
    if len(patterns) > _MOST_PATTERNS or max(map(len, patterns)) > _LONGEST_PATTERN:
        raise _Unexpected(
            f"at most {_MOST_PATTERNS} patterns of at most {_LONGEST_PATTERN} characters"
        )
    return tuple(patterns)


def _watermark(value: object) -> Watermark:
    expected = f"a table of {', '.join(_WATERMARK_KEYS)}"
    if not isinstance(value, dict) or not {"image"} <= value.keys() <= _WATERMARK_KEYS.keys():
        raise _Unexpected(f"{expected}, of which image is needed")
    read = {}
    for key, given in value.items():
        try:
            read[key] = _WATERMARK_KEYS[key](given)
        except _Unexpected as error:
            raise _Unexpected(f"{expected}, with {error} for {key}") from None
    try:
        return Watermark(**read)
    except ConfigError as error:
        raise _Unexpected(f"{expected} ({error.message})") from None


_WATERMARK_KEYS: Final[Mapping[str, _Reader]] = {
    "image": _text,
    "position": _choice_of(Position),
    "width": _number,
    "opacity": _number,
    "margin": _number,
}


def _tags(value: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
        raise _Unexpected('tags such as { team = "photos" }')
    return tuple(sorted(value.items()))


_FIELDS: Final = {"format": "formats"}
"""The keys that are not the names of their fields."""

_READERS: Final[Mapping[object, _Reader]] = {
    str: _text,
    int: _integer,
    float: _number,
    bool: _boolean,
}
_OWN_READERS: Final[Mapping[str, _Reader]] = {
    "keys": _patterns,
    "exclude": _patterns,
    "formats": _formats,
    "quality": _quality,
    "background": _colour,
    "tags": _tags,
    "watermark": _watermark,
}


def _reader_of(field: Field[Any]) -> _Reader:
    """Return the reader of a spec's field: its own, or the one of its type."""
    if field.name in _OWN_READERS:
        return _OWN_READERS[field.name]
    (kind,) = (kind for kind in get_args(field.type) or (field.type,) if kind is not NoneType)
    return _choice_of(kind) if isinstance(kind, type(StrEnum)) else _READERS[kind]


_EVERY: Final = ("**",)
"""What a rendition without patterns is for."""

_KEYS: Final = {field: key for key, field in _FIELDS.items()}
_RENDITION_KEYS: Final = {
    _KEYS.get(field.name, field.name): _reader_of(field)
    for field in fields(RenditionSpec)
    # Set by the table.
    if field.name != "credentials"
}
_LIMIT_KEYS: Final = dict.fromkeys(Limits.names(), _positive)
_TOP_KEYS: Final = {"truncated": _choice_of(Truncated)}
_CREDENTIALS_KEYS: Final = {"keep": _boolean, "side": _positive}
_CREDENTIALS_SIDE: Final = 1024
_TABLES: Final = ("renditions", "limits", "sidecar", "credentials")


class _Wrong(Exception):  # noqa: N818 - it never leaves this module
    """Something is wrong at a place of the document.

    Args:
        path: Keys, and places in arrays, from the outermost on.
        message: What was expected and received there.
    """

    def __init__(self, path: Sequence[str | int], message: str) -> None:
        super().__init__(message)
        self.path = path
        self.message = message


def _read_keys(
    path: Sequence[str | int], where: str, table: object, keys: Mapping[str, _Reader]
) -> dict[str, Any]:
    """Check every key of ``table``, at ``path``, by its reader in ``keys``.

    ``where`` begins each message.
    """
    if not isinstance(table, dict):
        raise _Wrong(path, f"{where}expected a table but received {table!r}")
    values = {}
    for key, value in table.items():
        if key not in keys:
            expected = f"expected one of the keys {', '.join(keys)}" if keys else "expected no keys"
            raise _Wrong((*path, key), f"{where}{key}: {expected} but received {key!r}")
        try:
            values[key] = keys[key](value)
        except _Unexpected as error:
            message = f"{where}{key}: expected {error} but received {value!r}"
            raise _Wrong((*path, key), message) from None
    return values


def _read_rendition(place: int, table: object) -> RenditionSpec:
    name = table.get("name") if isinstance(table, dict) else None
    where = "rendition " + (f'"{name}": ' if isinstance(name, str) else f"{place + 1}: ")
    path = ("renditions", place)
    values = _read_keys(path, where, table, _RENDITION_KEYS)
    if "name" not in values:
        raise _Wrong(path, f"{where}name: expected text but received nothing")
    try:
        return RenditionSpec(**{_FIELDS.get(key, key): value for key, value in values.items()})
    except ConfigError as error:
        raise _Wrong((*path, error.key), f"{where}{error.message}") from None


def _check_sets(specs: Sequence[RenditionSpec], prefix: str) -> None:
    """Raise _Wrong for a rendition that no photo has, or that another one would overwrite."""
    for place, spec in enumerate(specs):
        key = "keys" if spec.keys else "exclude" if spec.exclude else "name"
        namesakes = [other for other in specs[:place] if other.name == spec.name]
        if spec.is_for_all and any(other.is_for_all for other in namesakes):
            fault: str | None = "expected unique names but received it twice"
        elif spec.is_for_all and not namesakes:
            continue
        else:
            fault = _fault_of_set(spec, namesakes, prefix)
        if fault is not None:
            message = f'rendition "{spec.name}": {key}: {fault}'
            raise _Wrong(("renditions", place, key), message)


def _fault_of_set(
    spec: RenditionSpec, namesakes: Iterable[RenditionSpec], prefix: str
) -> str | None:
    # Imported on first use: most configurations have no patterns.
    from imaging.patterns import witness

    own = spec.keys or _EVERY
    try:
        if witness([own], spec.exclude, prefix=prefix) is None:
            below = f" that begins with {prefix!r}" if prefix else ""
            without = f" without {list(spec.exclude)}" if spec.exclude else ""
            return f"expected patterns of a key{below} but received {list(own)}{without}"
        for other in namesakes:
            excluded = (*spec.exclude, *other.exclude)
            both = witness([own, other.keys or _EVERY], excluded, prefix=prefix)
            if both is not None:
                return (
                    "expected keys that no other rendition of this name is for but received "
                    f"{both!r}, which both are for"
                )
    except ConfigError as error:
        return error.message
    return None


def refuse_mark(name: str) -> bytes:
    """Read no picture: what reads the configuration where there is no place for one.

    Raises:
        ConfigError: Always.
    """
    raise ConfigError(f"expected a file beside a configuration that is a file, but {name!r} is not")


def parse_config(
    text: str, *, file: str, prefix: str = "", read_mark: MarkReader = refuse_mark
) -> Config:
    """Read the text of a ``renditions.toml``.

    Args:
        text: The text.
        file: Names it in messages.
        prefix: What the key of every photo begins with.
        read_mark: Reads the pictures of watermarks.

    Raises:
        ConfigError: It is not TOML, a key is unknown, a value is not what its key wants, two
            renditions of one name are for the same key, one is for none, or there is none. The
            message names file, line and key.
    """
    # Some editors begin a file with it; TOML 1.1 lets it be there.
    text = text.removeprefix("\ufeff")
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        # Besides what is no TOML: a number too long for Python, and brackets too deep for it.
        from imaging.lines import line_of_syntax_error

        line = line_of_syntax_error(text, error)
        raise ConfigError(f"{file}:{line}: expected TOML but received: {error}") from error
    try:
        config = _read_document(document, prefix, read_mark)
        if config.credentials is None:
            return config
        from imaging.lines import line_of

        line = line_of(text, ("credentials", "keep"))
        return replace(config, credentials=f"{file}:{line}: {config.credentials}")
    except _Wrong as error:
        from imaging.lines import line_of

        raise ConfigError(f"{file}:{line_of(text, error.path)}: {error.message}") from None


def _read_document(document: dict[str, Any], prefix: str, read_mark: MarkReader) -> Config:
    for key in document:
        if key not in (known := (*_TOP_KEYS, *_TABLES)):
            expected = f"expected one of the keys {', '.join(known)}"
            raise _Wrong((key,), f"{key}: {expected} but received {key!r}")
    tables = document.pop("renditions", None)
    limits = Limits(**_read_keys(("limits",), "limits: ", document.pop("limits", {}), _LIMIT_KEYS))
    # The table has no keys yet: that it is there turns the sidecar on.
    sidecar = "sidecar" in document
    _read_keys(("sidecar",), "sidecar: ", document.pop("sidecar", {}), {})
    side = _credentials_side(document.pop("credentials", None))
    rest = _read_keys((), "", document, _TOP_KEYS)
    if not isinstance(tables, list) or not tables:
        message = f"renditions: expected at least one [[renditions]] but received {tables!r}"
        raise _Wrong(("renditions",), message)
    specs = tuple(_read_rendition(place, table) for place, table in enumerate(tables))
    _check_sets(specs, prefix)
    specs, marks = _with_marks(specs, read_mark)
    if side is not None:
        specs = tuple(spec.carrying(side) for spec in specs)
    return Config(
        renditions=specs,
        limits=limits,
        sidecar=sidecar,
        marks=marks,
        credentials=None if side is None else "credentials.keep",
        **rest,
    )


def _credentials_side(table: object) -> int | None:
    """Return from which side on content credentials are carried on; None for never."""
    if table is None:
        return None
    path, where = ("credentials",), "credentials: "
    values = _read_keys(path, where, table, _CREDENTIALS_KEYS)
    if "keep" not in values:
        raise _Wrong(path, f"{where}keep: expected true or false but received nothing")
    if not values["keep"] and "side" in values:
        raise _Wrong((*path, "side"), f"{where}side: expected keep to be true but received false")
    return values.get("side", _CREDENTIALS_SIDE) if values["keep"] else None


def _with_marks(
    specs: tuple[RenditionSpec, ...], read: MarkReader
) -> tuple[tuple[RenditionSpec, ...], dict[str, bytes]]:
    """Return ``specs`` with the pictures of their watermarks, and those: digest -> PNG."""
    marks: dict[str, bytes] = {}
    known: dict[str, tuple[str, tuple[int, int]]] = {}
    marked = []
    for place, spec in enumerate(specs):
        watermark = spec.watermark
        if watermark is not None:
            # Imported on first use: most configurations have no watermark.
            from imaging.mark_files import checked_mark

            name = watermark.image
            try:
                if name not in known:
                    data, size = checked_mark(name, read)
                    digest = hashlib.sha256(data).hexdigest()
                    known[name], marks[digest] = (digest, size), data
            except ConfigError as error:
                message = f'rendition "{spec.name}": watermark.image: {error.message}'
                raise _Wrong(("renditions", place, "watermark"), message) from error
            digest, size = known[name]
            watermark = replace(watermark, digest=digest, size=size)
            spec = replace(spec, watermark=watermark)  # noqa: PLW2901 - the marked one
        marked.append(spec)
    return tuple(marked), marks


def load_config(
    path: Path, *, prefix: str = "", read_stored_mark: MarkReader = refuse_mark
) -> Config:
    """Read ``renditions.toml`` at ``path``.

    Args:
        path: The file; watermarks' pictures lie beside it.
        prefix: What the key of every photo begins with.
        read_stored_mark: Reads the pictures that are named as ``s3://bucket/key``.

    Raises:
        ConfigError: It cannot be read, or :func:`parse_config` refuses it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        # An OSError's text would say the path again.
        reason = error.strerror if isinstance(error, OSError) else error
        msg = f"{path}: expected a readable TOML file: {reason}"
        raise ConfigError(msg) from error

    def read_mark(name: str) -> bytes:
        if name.startswith("s3://"):
            return read_stored_mark(name)
        # Imported on first use: most configurations have no watermark.
        from imaging.mark_files import read_mark_file

        return read_mark_file(path.parent, name)

    return parse_config(text, file=str(path), prefix=prefix, read_mark=read_mark)
