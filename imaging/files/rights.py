"""Whose photo it is and how it was made: the few fields of XMP and IPTC that stay; pure.

Nothing of a photo's own packet is ever copied: each field is read as a value of its own form, and a
small new packet is written from the values.

Source: IPTC Photo Metadata Standard 2025.1; PLUS, http://ns.useplus.org/LDF/ldf-XMPSpecification.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final

__all__ = [
    "NAMESPACES",
    "SOURCE_TYPE",
    "Rights",
    "is_of_its_form",
    "rights_from_values",
    "source_type_term",
    "write_rights",
]

SOURCE_TYPE: Final = (
    r"https?://(?:cv\.iptc\.org/newscodes|c2pa\.org)/digitalsourcetype/[A-Za-z]{1,64}"
)
"""How a picture came to be, such as ``.../trainedAlgorithmicMedia``: IPTC's terms, and C2PA's."""

NAMESPACES: Final[Mapping[str, str]] = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "xmpRights": "http://ns.adobe.com/xap/1.0/rights/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "plus": "http://ns.useplus.org/ldf/xmp/1.0/",
}

# The longest stays far below a JPEG's segment of 64 KiB, even where each character is escaped.
_MAX_NOTICE: Final = 4096
_MAX_CREDIT: Final = 1024
# Compiled on first use: most photos have none of them.
_URL: Final = r"https?://[^\s\x00-\x20<>\"\x7f-\x9f]{1,1000}"
_DATA_MINING: Final = r"http://ns\.useplus\.org/ldf/vocab/DMI-[A-Z0-9-]{1,64}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """The fields, each empty where the photo has none, or none of its form.

    Attributes:
        digital_source_type: IPTC's Digital Source Type, a URI: :data:`SOURCE_TYPE`.
        credit: IPTC's Credit Line.
        copyright_notice: IPTC's Copyright Notice.
        web_statement: The URL of the copyright statement.
        licensor_url: Where a licence is to be had.
        data_mining: PLUS's Data Mining, a URI: what machines may learn from it.

    Raises:
        ValueError: A field is not of its form.
    """

    digital_source_type: str = ""
    credit: str = ""
    copyright_notice: str = ""
    web_statement: str = ""
    licensor_url: str = ""
    data_mining: str = ""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value != _of_its_form(field.name, value):
                raise ValueError(f"{field.name}: expected a value of its form")


def _of_its_form(name: str, value: str) -> str:
    """Return the value of the field ``name``; empty where it is not of its form."""
    match name:
        case "digital_source_type":
            return value if re.fullmatch(SOURCE_TYPE, value) else ""
        case "data_mining":
            return value if re.fullmatch(_DATA_MINING, value) else ""
        case "web_statement" | "licensor_url":
            # Whatever shows it may make a link of it.
            is_short = len(value.encode()) <= _MAX_CREDIT
            is_shown = all(map(_is_shown, value))
            return value if is_short and is_shown and re.fullmatch(_URL, value) else ""
        case _:
            most = _MAX_CREDIT if name == "credit" else _MAX_NOTICE
            line = " ".join("".join(c if _is_shown(c) else " " for c in value).split())
            return line.encode()[:most].decode(errors="ignore")


def is_of_its_form(name: str, value: str) -> bool:
    """Tell whether a value of the field ``name`` would be kept."""
    return bool(_of_its_form(name, value))


def _is_shown(character: str) -> bool:
    """Tell whether a character is part of a text; not what turns its direction, or ends a line."""
    # Persian, Hindi and many emoji are spelled with the two joiners.
    return character.isprintable() or character in "\u200c\u200d"


def rights_from_values(*sources: Mapping[str, str]) -> Rights | None:
    """Return the fields that are of their form, of the first source that has one; None for none.

    Args:
        sources: Field of :class:`Rights` -> what the photo says; others are left out.
    """
    found: dict[str, str] = {}
    for field in fields(Rights):
        for source in sources:
            # A lone surrogate is no text.
            text = source.get(field.name, "").strip().encode(errors="replace").decode()
            if value := _of_its_form(field.name, text):
                found.setdefault(field.name, value)
    return Rights(**found) if found else None


def source_type_term(uri: str) -> str:
    """Return the last part of a digital source type, which names it: ``digitalCapture``."""
    return uri.rpartition("/")[2]


def _escaped(text: str) -> str:
    # What a packet must not end by, too: a reader may look for its bytes.
    return (
        text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    )


_ATTRIBUTES: Final[Mapping[str, str]] = {
    "digital_source_type": "Iptc4xmpExt:DigitalSourceType",
    "credit": "photoshop:Credit",
    "web_statement": "xmpRights:WebStatement",
    "data_mining": "plus:DataMining",
}


def write_rights(rights: Rights) -> bytes:
    """Return a new XMP packet that holds these fields and nothing else."""
    attributes = "".join(
        f' {name}="{_escaped(value)}"'
        for field, name in _ATTRIBUTES.items()
        if (value := getattr(rights, field))
    )
    elements = ""
    if rights.copyright_notice:
        notice = _escaped(rights.copyright_notice)
        elements += (
            f'<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">{notice}</rdf:li></rdf:Alt>'
            "</dc:rights>"
        )
    if rights.licensor_url:
        url = _escaped(rights.licensor_url)
        elements += (
            '<plus:Licensor><rdf:Seq><rdf:li rdf:parseType="Resource">'
            f"<plus:LicensorURL>{url}</plus:LicensorURL></rdf:li></rdf:Seq></plus:Licensor>"
        )
    inside = attributes + elements
    spaces = "".join(
        f' xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items() if f"{prefix}:" in inside
    )
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about=""{spaces}{attributes}>{elements}</rdf:Description>'
        "</rdf:RDF></x:xmpmeta>"
    ).encode()
