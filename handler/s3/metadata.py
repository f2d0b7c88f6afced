"""User metadata of an object: a little text for each name, in ASCII, 2,048 bytes in all; pure.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
"""

import string
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, unquote

__all__ = ["text_from_metadata", "with_text"]

_MAX_BYTES: Final = 2048
"""Of all names and values; S3 counts the name without its ``x-amz-meta-``."""
_MAX_TEXT_BYTES: Final = 512
# A space is encoded too: a signature takes several for one.
_AS_IT_IS: Final = string.punctuation.replace("%", "")


def with_text(metadata: Mapping[str, str], name: str, text: str) -> dict[str, str]:
    """Return ``metadata`` with ``text`` under ``name``, percent-encoded, as far as it fits.

    It has at most 512 bytes, and ends with a whole character.
    """
    used = sum(len(key) + len(value) for key, value in metadata.items())
    room = min(_MAX_TEXT_BYTES, _MAX_BYTES - used - len(name))
    kept: list[str] = []
    for character in text:
        encoded = quote(character, safe=_AS_IT_IS, errors="replace")
        room -= len(encoded)
        if room < 0:
            break
        kept.append(encoded)
    return {**metadata, name: "".join(kept)}


def text_from_metadata(metadata: Mapping[str, str], name: str) -> str:
    """Return the text that :func:`with_text` wrote under ``name``; empty where there is none."""
    return unquote(metadata.get(name, ""))
