"""Uploads that are broken, hostile, or no photos at all."""

from __future__ import annotations

import struct
import zlib
from functools import lru_cache

from tests.photos.files import jpeg


def truncated(data: bytes, fraction: float) -> bytes:
    """The first part of a truncated upload; a fraction of 0.5 keeps half of the bytes."""
    return data[: int(len(data) * fraction)]


def flipped(data: bytes, position: int) -> bytes:
    """The same bytes, but one: each of its bits is inverted.

    Args:
        data: The file.
        position: Of the byte; negative counts from the end.
    """
    damaged = bytearray(data)
    damaged[position] ^= 0xFF
    return bytes(damaged)


def with_trailing_rubbish(data: bytes, length: int = 4096) -> bytes:
    """The whole file, and after it bytes that mean nothing: a real photo, which must pass."""
    return data + bytes((i * 151 + 7) & 0x7F for i in range(length))


def warning_jpeg(width: int = 320, height: int = 240) -> bytes:
    """A JPEG as some phones write it: the picture is whole, yet decoders warn.

    Stray bytes stand before a segment ("extraneous bytes before marker"): libvips renders it with
    `fail_on` up to "error" and refuses it at "warning".
    """
    data = jpeg(width, height)
    at = data.index(b"\xff\xdb")
    return data[:at] + bytes(7) + data[at:]


def empty() -> bytes:
    """An upload of no bytes."""
    return b""


def text() -> bytes:
    """A text file of several kilobytes."""
    return b"Not a photo, only words about one.\n" * 200


def svg() -> bytes:
    """A valid SVG, which a function that takes strangers' uploads must not render."""
    return (
        b'<?xml version="1.0" encoding="UTF-8"?>\n'
        b'<svg xmlns="http://www.w3.org/2000/svg" width="640" height="480">'
        b'<rect width="640" height="480" fill="#c03"/></svg>\n'
    )


def pdf() -> bytes:
    """A valid PDF of one empty page."""
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>",
    )
    data = b"%PDF-1.4\n"
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return data + b"xref\n0 4\n0000000000 65535 f \n%strailer\n%s\nstartxref\n%d\n%%%%EOF\n" % (
        table,
        b"<< /Size 4 /Root 1 0 R >>",
        len(data),
    )


def mp4() -> bytes:
    """A video: the box structure that HEIC and AVIF share, with a video's brands."""
    return (
        _box(b"ftyp", b"isom\0\0\2\0isomiso2avc1mp41")
        + _box(b"moov", _box(b"mvhd", b"\0" * 12 + struct.pack(">II", 1000, 4000) + b"\0" * 80))
        + _box(b"mdat", bytes(range(256)) * 32)
    )


def _box(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload) + 8) + kind + payload


def bomb_jpeg(width: int = 64250, height: int = 64250) -> bytes:
    """A JPEG of about 5 kB whose header declares 4.1 gigapixels."""
    data = bytearray(jpeg(128, 96, quality=80))
    # The frame header: marker, length, precision, height, width.
    frame = data.index(b"\xff\xc0")
    struct.pack_into(">HH", data, frame + 5, height, width)
    return bytes(data)


@lru_cache(maxsize=4)
def bomb_png(width: int = 50000, height: int = 50000) -> bytes:
    """A valid PNG of 0.3 MB that decodes to 2.5 gigapixels of black, one bit each.

    Every checksum is right: only its dimensions tell it from a photo. It costs no time to make,
    because one deflated block of zeros is repeated.
    """
    line = 1 + (width + 7) // 8
    length = line * height
    chunk = 1 << 20
    blocks, rest = divmod(length, chunk)
    start, repeated, end = _deflated(b""), _deflated(bytes(chunk)), _deflated(bytes(rest))
    # A checksum of n zeros: the first sum stays 1, the second counts them (RFC 1950).
    adler = struct.pack(">HH", length % 65521, 1)
    # An empty final stored block ends the stream.
    stream = b"\x78\x01" + start + repeated * blocks + end + b"\x01\x00\x00\xff\xff" + adler
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _png_chunk(b"IHDR", header)
        + _png_chunk(b"IDAT", stream)
        + _png_chunk(b"IEND", b"")
    )


def _deflated(data: bytes) -> bytes:
    # A full flush makes the piece independent of what stands before it.
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflater.compress(data) + deflater.flush(zlib.Z_FULL_FLUSH)


def _png_chunk(kind: bytes, payload: bytes) -> bytes:
    checksum = zlib.crc32(kind + payload)
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", checksum)


def gif_frames(frames: int = 100_000) -> bytes:
    """A valid animated GIF of 16 x 16 with that many frames, 23 bytes each."""
    screen = b"GIF89a" + struct.pack("<HHBBB", 16, 16, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    control = b"\x21\xf9\x04\x04" + struct.pack("<H", 4) + b"\0\0"
    # One white pixel: clear code, colour 1, end of information, in 3-bit codes.
    pixel = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x4c\x01\x00"
    return screen + (control + pixel) * frames + b"\x3b"
