"""Whether a new manifest store holds of the photo's own what is carried on, and nothing else; pure.

What is redacted is chosen from a report, which shows what the library knows of a store. This looks
at the bytes: a box that no claim names is in no report.

Source: C2PA Technical Specification 2.2, 11.1 (the boxes of a store); ISO 19566-5, A (JUMBF).
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from imaging.credentials.definition import is_kept, says_position
from imaging.files.boxes import walk

__all__ = ["LeftoverError", "check_redacted"]

_MOST_BOXES: Final = 10_000
_KIND_BYTES: Final = 16
_SUFFIX: Final = bytes.fromhex("00110010800000aa00389b71")

_ASSERTIONS: Final = b"c2as"
_CONTENT: Final = frozenset({b"jumd", b"cbor", b"json"})
_WHOLE: Final = frozenset({b"c2cl", b"c2cs", b"c2vc"})
"""Claim, signature, and the credentials of its author: what cannot be redacted in them was read."""


# A text of CBOR, and how long the bytes are that follow it.
_PADDING: Final = re.compile(rb"(?s)(?:\x63pad|\x64pad[12])(?:([\x40-\x57])|[\x58-\x5a])")
_LENGTH_BYTES: Final = {0x58: 1, 0x59: 2, 0x5A: 4}


class LeftoverError(Exception):
    """Something is left in a manifest store that is not carried on."""


class _Superbox(NamedTuple):
    """A superbox: what it is of, its label, and what it holds, its description first."""

    kind: bytes
    label: str
    boxes: tuple[tuple[bytes, bytes], ...]


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    def read_at(at: int, length: int) -> bytes:
        return data[at : at + length]

    end = 0
    for box in walk(read_at, 0, len(data), _MOST_BOXES):
        end = box.end
        yield box.kind, data[box.at : end]
    if end != len(data):
        raise LeftoverError(f"expected whole boxes but {len(data) - end} bytes are left")


def _superbox(kind: bytes, body: bytes) -> _Superbox:
    boxes = tuple(_boxes(body))
    if kind != b"jumb" or not boxes or boxes[0][0] != b"jumd":
        raise LeftoverError(f"expected a manifest's box but {kind!r} is left")
    described = boxes[0][1]
    if described[4:_KIND_BYTES] != _SUFFIX:
        raise LeftoverError(f"expected a box of C2PA but {described[:_KIND_BYTES].hex()} is left")
    label = described[_KIND_BYTES + 1 :].partition(b"\0")[0]
    return _Superbox(described[:4], label.decode("utf-8", "replace"), boxes)


def check_redacted(store: bytes, own: str) -> None:
    """Check that nothing but what is carried on is left in ``store``.

    Args:
        store: A manifest store, as JUMBF.
        own: The label of the manifest that was made here, which holds nothing of the photo's.

    Raises:
        LeftoverError: Something is, or it is no such store.
    """
    found = tuple(_boxes(store))
    if len(found) != 1:
        raise LeftoverError(f"expected one manifest store but received {len(found)} boxes")
    manifests = [_superbox(*each) for each in _superbox(*found[0]).boxes[1:]]
    if own not in [one.label for one in manifests]:
        raise LeftoverError("expected the new manifest in its store")
    for manifest in manifests:
        for kind, body in manifest.boxes[1:] if manifest.label != own else ():
            if kind == b"brob":
                raise LeftoverError("expected manifests that are not compressed")
            _check_padding(body)
            _check_part(_superbox(kind, body))


def _check_padding(data: bytes) -> None:
    """Check that padding is of zeros: no signature is of it, and there is room for a picture.

    Source: C2PA 2.2, 10.3.2.4 and 18.5: zero-filled.
    """
    for found in _PADDING.finditer(data):
        at = found.end()
        length = found[0][-1] - 0x40
        if found[1] is None:
            begin = at
            at += _LENGTH_BYTES[found[0][-1]]
            length = int.from_bytes(data[begin:at], "big")
        if any(data[at : at + length]):
            raise LeftoverError("expected padding of zeros but something else is left in one")


def _check_part(part: _Superbox) -> None:
    if part.kind in _WHOLE or len(part.boxes) == 1:
        return
    if part.kind != _ASSERTIONS:
        raise LeftoverError(f"expected a part that is carried on but {part.label[:64]!r} is left")
    for each in part.boxes[1:]:
        assertion = _superbox(*each)
        is_plain = all(kind in _CONTENT for kind, _ in assertion.boxes)
        if not is_plain or not is_kept(assertion.label):
            raise LeftoverError(
                f"expected an assertion that is carried on but {assertion.label[:64]!r} is left"
            )
        # In a text of bytes, or under a key that is there twice, it is in no report.
        if any(says_position(body.decode("latin-1")) for _, body in assertion.boxes):
            raise LeftoverError(f"expected no position but one is left in {assertion.label[:64]!r}")
