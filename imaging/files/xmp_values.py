"""Reads the few values of an XMP packet that are known here: a bounded reader, pure.

What it reads is a stranger's. A document type is refused, and with it every entity; elements are
counted, and so is their depth; of a truncated packet the part that was received counts.

Source: XMP, part 1 (ISO 16684-1), 7: the serialisation in RDF.
"""

import re
from collections.abc import Mapping
from typing import Final
from xml.parsers import expat

from imaging.files.rights import NAMESPACES, is_of_its_form

__all__ = ["CREDENTIALS", "read_xmp_values"]

CREDENTIALS: Final = "credentials"
"""The name of what is no right: where the photo's content credentials are, if not in the file."""

_MAX_BYTES: Final = 1 << 20
_MAX_ELEMENTS: Final = 20_000
_MAX_DEPTH: Final = 24
_MAX_TEXT: Final = 8192

_RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns# "
_LANGUAGE: Final = "http://www.w3.org/XML/1998/namespace lang"
_CONTAINERS: Final = frozenset({_RDF + "Alt", _RDF + "Seq", _RDF + "Bag"})
_ITEM: Final = _RDF + "li"


def _name(prefix: str, local: str) -> str:
    return f"{NAMESPACES[prefix]} {local}"


_LICENSOR: Final = _name("plus", "Licensor")
_LICENSOR_URL: Final = _name("plus", "LicensorURL")
_KNOWN: Final[Mapping[str, str]] = {
    _name("Iptc4xmpExt", "DigitalSourceType"): "digital_source_type",
    _name("photoshop", "Credit"): "credit",
    _name("dc", "rights"): "copyright_notice",
    _name("xmpRights", "WebStatement"): "web_statement",
    _name("plus", "DataMining"): "data_mining",
    # C2PA 2.2, 11.3.1: credentials by reference.
    "http://purl.org/dc/terms/ provenance": CREDENTIALS,
}
_WORDS: Final = (
    *(name.rpartition(" ")[2].encode() for name in _KNOWN),
    b"LicensorURL",
)


# The parser copies a namespace's name for each element and attribute in it, before anything here
# hears of them: a packet of 1 MB with a name of 900 kB took more than a minute.
_LONG_NAMESPACE: Final = (
    rb"\sxmlns(?!(?::[^\s=:\"'<>]{1,64})?\s{0,16}=\s{0,16}(?:\"[^\"]{0,1024}\"|'[^']{0,1024}'))"
)


class _Refused(Exception):  # noqa: N818 - it never leaves this module
    """The packet is none that a photo needs."""


class _Reader:
    """Hears of each element, and keeps the values of those that are known where they stand.

    Only a property of the photo itself counts, which is an attribute or a child of a description
    right below RDF: others describe parts of it, or photos that it was made from.
    """

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self._path: list[str] = []
        self._elements = 0
        self._field = ""
        self._field_depth = 0
        self._is_default = False
        self._text = ""

    @property
    def _depth(self) -> int:
        """How deep below RDF it is: 1 is a description, 2 a property; 0 outside."""
        path = self._path
        return len(path) - 1 - path.index(_RDF + "RDF") if _RDF + "RDF" in path else 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        self._path.append(name)
        if self._elements > _MAX_ELEMENTS or len(self._path) > _MAX_DEPTH:
            raise _Refused
        depth = self._depth
        if depth == 1:
            for attribute, value in attributes.items():
                self._keep(_KNOWN.get(attribute, ""), value)
        elif self._is_in_licensor():
            self._keep("licensor_url", attributes.get(_LICENSOR_URL, ""))
            if name == _LICENSOR_URL:
                self._begin("licensor_url", attributes)
        elif depth == 2 and name in _KNOWN:
            self._begin(_KNOWN[name], attributes)
        elif self._is_item():
            self._text = ""
            self._is_default = attributes.get(_LANGUAGE) == "x-default"

    def _is_in_licensor(self) -> bool:
        depth = self._depth
        return 2 <= depth <= 6 and self._path[1 - depth] == _LICENSOR

    def _is_item(self) -> bool:
        """Tell whether it is in an item of the known property, right below the container."""
        return (
            self._field_depth > 0
            and len(self._path) == self._field_depth + 2
            and self._path[-1] == _ITEM
            and self._path[-2] in _CONTAINERS
        )

    def _begin(self, field: str, attributes: dict[str, str]) -> None:
        self._field, self._field_depth, self._text = field, len(self._path), ""
        self._keep(field, attributes.get(_RDF + "resource", ""))

    def _keep(self, field: str, value: str, *, replaces: bool = False) -> None:
        value = value.strip()[:_MAX_TEXT]
        if not field or not value:
            return
        # A value that is none hides no other, wherever it stands.
        had = self.values.get(field)
        if had is None or (_is_right(field, value) and (replaces or not _is_right(field, had))):
            self.values[field] = value

    def text(self, text: str) -> None:
        within = self._field_depth > 0 and (len(self._path) == self._field_depth or self._is_item())
        if within and len(self._text) < _MAX_TEXT:
            self._text += text[:_MAX_TEXT]

    def end(self, _: str) -> None:
        if self._is_item():
            self._keep(self._field, self._text, replaces=self._is_default)
            self._text = ""
            self._is_default = False
        elif len(self._path) == self._field_depth:
            self._keep(self._field, self._text)
            self._field_depth = 0
        self._path.pop()


def _is_right(field: str, value: str) -> bool:
    # A lone surrogate is no text; the form is looked at again where the value is used.
    return field == CREDENTIALS or is_of_its_form(field, value.encode(errors="replace").decode())


def _refuse(*_: object) -> None:
    raise _Refused


def read_xmp_values(packet: bytes) -> dict[str, str]:
    """Return what ``packet`` says: a field of :class:`Rights`, or :data:`CREDENTIALS`, -> text.

    *Cost*: a look for seven words; where one is there, a millisecond for 64 kB.
    """
    if not any(word in packet for word in _WORDS):
        return {}
    packet = packet[:_MAX_BYTES].rstrip(b"\0")
    # Zeros are of UTF-16, in which that could not be found.
    if b"\0" in packet or re.search(_LONG_NAMESPACE, packet):
        return {}
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    try:
        parser.Parse(packet, True)  # noqa: FBT003 - expat takes it by position
    except _Refused:
        return {}
    except (expat.ExpatError, ValueError, LookupError):
        # Padding that is no XML, a packet that is cut, an encoding that nobody knows.
        pass
    return reader.values
