"""Content credentials (C2PA): a manifest store as JUMBF, and photos of each format that hold one.

The structure is a signer's, the signature and the hashes are none: what finds credentials checks
neither. Real ones of c2pa-python 0.38 were found in all seven formats by the same code.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final

from tests.photos.files import avif, gif, heic, jpeg, png, tiff, webp
from tests.photos.metadata import segment

__all__ = ["SIGNED_FORMATS", "box", "manifest_store", "signed", "superbox"]

AI: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
SIGNED_FORMATS: Final = ("jpeg", "png", "webp", "gif", "tiff", "avif", "heic")

_UUID: Final = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_SUFFIX: Final = bytes.fromhex("00110010800000aa00389b71")
_PACKET: Final = 64_000


def box(kind: bytes, *parts: bytes) -> bytes:
    """A box of ISO/IEC 14496-12."""
    body = b"".join(parts)
    return struct.pack(">I", len(body) + 8) + kind + body


def superbox(kind: bytes, label: str, *parts: bytes) -> bytes:
    """A box of JUMBF, of a kind that C2PA has, and what it holds."""
    description = box(b"jumd", kind + _SUFFIX, b"\x03", label.encode() + b"\0")
    return box(b"jumb", description, *parts)


def _cbor_text(text: str) -> bytes:
    data = text.encode()
    return (bytes([0x60 + len(data)]) if len(data) < 24 else bytes([0x78, len(data)])) + data


def manifest_store(*source_types: str, padding: int = 0) -> bytes:
    """A store of one manifest, whose actions name these digital source types.

    Args:
        source_types: URIs.
        padding: Bytes of a thumbnail.
    """
    actions = [
        # {"action": "c2pa.created", "digitalSourceType": URI, "when": ...}: letters follow the URI.
        b"\xa3" + _cbor_text("action") + _cbor_text("c2pa.created")
        + _cbor_text("digitalSourceType") + _cbor_text(uri)
        + _cbor_text("softwareAgent") + _cbor_text("a")
        for uri in source_types
    ]  # fmt: skip
    data = b"\xa1" + _cbor_text("actions") + bytes([0x80 + len(actions)]) + b"".join(actions)
    thumbnail = superbox(b"jpeg", "c2pa.thumbnail.claim", box(b"bidb", b"\x7f" * padding))
    assertions = superbox(
        b"c2as",
        "c2pa.assertions",
        thumbnail,
        superbox(b"cbor", "c2pa.actions.v2", box(b"cbor", data)),
    )
    manifest = superbox(b"c2ma", "urn:c2pa:0f9b", assertions)
    return superbox(b"c2pa", "c2pa", manifest)


def signed(photo_format: str, store: bytes, data: bytes | None = None) -> bytes:
    """A photo of 120 x 80 with a manifest store where its format has the place for it.

    Args:
        photo_format: One of :data:`SIGNED_FORMATS`.
        store: The store.
        data: Another photo of that format, without one.
    """
    return _SIGNERS[photo_format](store, data)


def _jpeg(store: bytes, data: bytes | None) -> bytes:
    data = data or jpeg(120, 80)
    packets = b""
    for number, at in enumerate(range(0, len(store), _PACKET), start=1):
        repeated = store[:8] if at else b""
        payload = b"JP\x02\x11" + struct.pack(">I", number) + repeated + store[at : at + _PACKET]
        packets += segment(0xEB, payload)
    return data[:2] + packets + data[2:]


def _png(store: bytes, data: bytes | None) -> bytes:
    data = data or png(120, 80)
    end = 8 + 12 + 13
    checksum = struct.pack(">I", zlib.crc32(b"caBX" + store))
    return data[:end] + struct.pack(">I", len(store)) + b"caBX" + store + checksum + data[end:]


def _webp(store: bytes, data: bytes | None) -> bytes:
    data = data or webp(120, 80)
    whole = data + b"C2PA" + struct.pack("<I", len(store)) + store + b"\0" * (len(store) % 2)
    return whole[:4] + struct.pack("<I", len(whole) - 8) + whole[8:]


def _gif(store: bytes, data: bytes | None) -> bytes:
    data = data or gif(120, 80)
    at = 13 + (3 << ((data[10] & 7) + 1) if data[10] & 0x80 else 0)
    blocks = b"".join(
        bytes([len(store[start : start + 255])]) + store[start : start + 255]
        for start in range(0, len(store), 255)
    )
    block = b"\x21\xff\x0bC2PA_GIF\x01\0\0" + blocks + b"\0"
    return b"GIF89a" + data[6:at] + block + data[at:]


def _tiff(store: bytes, data: bytes | None) -> bytes:
    """A new first directory at the end, which has one entry more."""
    data = data or tiff(120, 80)
    order = "<" if data[:2] == b"II" else ">"
    (at,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, at)
    entries = [data[at + 2 + 12 * each :][:12] for each in range(count)]
    store_at = len(data) + len(data) % 2
    entries.append(struct.pack(order + "HHII", 0xCD41, 7, len(store), store_at))
    entries.sort(key=lambda entry: struct.unpack_from(order + "H", entry))
    padded = data + b"\0" * (len(data) % 2) + store + b"\0" * (len(store) % 2)
    directory = struct.pack(order + "H", len(entries)) + b"".join(entries) + bytes(4)
    return padded[:4] + struct.pack(order + "I", len(padded)) + padded[8:] + directory


def _behind(data: bytes, store: bytes) -> bytes:
    # Behind all others: places in the file stay right.
    return data + box(b"uuid", _UUID, b"\0\0\0\0manifest\0", bytes(8), store)


def _avif(store: bytes, data: bytes | None) -> bytes:
    return _behind(data or avif(120, 80), store)


def _heic(store: bytes, data: bytes | None) -> bytes:
    return _behind(data or heic(120, 80), store)


_SIGNERS: Final = {
    "jpeg": _jpeg,
    "png": _png,
    "webp": _webp,
    "gif": _gif,
    "tiff": _tiff,
    "avif": _avif,
    "heic": _heic,
}
