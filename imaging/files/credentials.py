"""Whether a photo has content credentials (C2PA), and what they say of how it was made; pure.

They are found, not verified: no signature is checked, and nobody is asked. Each container has one
place for the manifest store, a JUMBF box.

Source: C2PA Technical Specification 2.2, A (embedding) and 8.1 (JUMBF); ISO 19566-5 (JPEG's APP11).
"""

import re
from dataclasses import dataclass
from typing import Final

from imaging.files.rights import SOURCE_TYPE, source_type_term

__all__ = ["MAX_STORE_BYTES", "STORE_TAG", "Credentials", "credentials_of"]

STORE_TAG: Final = 0xCD41
"""The TIFF tag that holds the store, in the first directory."""

MAX_STORE_BYTES: Final = 4 << 20
"""Of a store that are looked through; cameras write 20 kB to 200 kB, most of it a thumbnail."""

_MAX_BOXES: Final = 1000
"""Of a store that is carried on: to read one takes time that grows with their square, and a third
of a second for so many assertions."""

_MAX_SOURCE_TYPES: Final = 8

# Compiled on first use: most photos have no credentials.
_TERM: Final = r"[A-Za-z]{1,64}"
# As CBOR has a text of 24 to 255 bytes, or as JSON has one.
_IN_CBOR: Final = rb"(?s)\x78(.)(?=https?://(?:cv\.iptc|c2pa)\.org/)"
_IN_JSON: Final = rb'"(' + SOURCE_TYPE.encode() + rb')"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a photo's content credentials say, unverified.

    Attributes:
        are_elsewhere: Whether the photo only says where they are to be had.
        source_types: The digital source types that their actions name, each once: those of the
            photo, and of what it was made from.
        is_too_large: Whether the store has more bytes or boxes than are carried on.

    Raises:
        ValueError: There are more than are read, or one that is no term.
    """

    are_elsewhere: bool = False
    source_types: tuple[str, ...] = ()
    is_too_large: bool = False

    def __post_init__(self) -> None:
        terms = self.source_types
        if len(terms) > _MAX_SOURCE_TYPES or not all(re.fullmatch(_TERM, each) for each in terms):
            raise ValueError("expected a few digital source types")


def credentials_of(store: bytes | None) -> Credentials | None:
    """Return what a manifest store says; None where there is none."""
    if not store:
        return None
    is_too_large = len(store) >= MAX_STORE_BYTES or store.count(b"jumb") > _MAX_BOXES
    store = store[:MAX_STORE_BYTES]
    said = [store[at.end() : at.end() + at[1][0]] for at in re.finditer(_IN_CBOR, store)]
    said += [found[1] for found in re.finditer(_IN_JSON, store)]
    uris = (each.decode("latin-1") for each in said)
    terms = dict.fromkeys(source_type_term(uri) for uri in uris if re.fullmatch(SOURCE_TYPE, uri))
    return Credentials(source_types=tuple(terms)[:_MAX_SOURCE_TYPES], is_too_large=is_too_large)
