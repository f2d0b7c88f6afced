"""Photos that lie: small files that ask for much. Each was, or could be, more than a decoder bears.

What is not written out here is drawn: numbers of ordinary photos' headers, made huge or nothing.
"""

import random
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Final

from tests import photos

__all__ = ["BOMBS", "drawn_lies"]

_SEED: Final = 14
_MB: Final = 1 << 20


def _jpeg_with(segments: bytes) -> bytes:
    photo = photos.jpeg(64, 48)
    return photo[:2] + segments + photo[2:]


def _segment(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def jpeg_comments() -> bytes:
    """30 MB of comments."""
    return _jpeg_with(_segment(0xFE, bytes(65_000)) * (30 * _MB // 65_000))


def jpeg_application_data() -> bytes:
    """17 MB of a maker's own data."""
    return _jpeg_with(_segment(0xEF, bytes(65_000)) * (17 * _MB // 65_000 + 9))


def jpeg_profile() -> bytes:
    """A profile of 6 MB, in parts."""
    parts = 6 * _MB // 65_000
    return _jpeg_with(
        b"".join(
            _segment(0xE2, b"ICC_PROFILE\0" + bytes([part + 1, parts]) + bytes(65_000))
            for part in range(parts)
        )
    )


def jpeg_scans() -> bytes:
    """A progressive JPEG that repeats its last scan 3,000 times."""
    photo = photos.jpeg(64, 48, progressive=True)
    last, end = photo.rindex(b"\xff\xda"), photo.rindex(b"\xff\xd9")
    return photo[:end] + photo[last:end] * 3000 + photo[end:]


def _chunk(kind: bytes, content: bytes) -> bytes:
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def _png_with(*chunks: bytes) -> bytes:
    photo = photos.png(64, 48)
    return photo[:33] + b"".join(chunks) + photo[33:]


def png_profile() -> bytes:
    """A profile of 45 MB in 45 kB."""
    header = (
        struct.pack(">I", 45 * _MB) + bytes(4) + b"\x04\0\0\0mntrRGB XYZ " + bytes(12) + b"acsp"
    )
    header += bytes(28) + bytes.fromhex("0000f6d6000100000000d32d")
    profile = header + bytes(45 * _MB - len(header))
    return _png_with(_chunk(b"iCCP", b"p\0\0" + zlib.compress(profile, 9)))


def png_text() -> bytes:
    """Texts of 8 MB in 8 kB each, ten of them."""
    text = zlib.compress(b" " * (8 * _MB), 9)
    return _png_with(*(_chunk(b"zTXt", b"t%d\0\0" % part + text) for part in range(10)))


def png_padding() -> bytes:
    """25 MB of chunks that nobody knows."""
    return _png_with(*[_chunk(b"paDd", bytes(_MB))] * 25)


def png_of_one_bit() -> bytes:
    """16,000 x 16,000 pixels in 31 kB, interlaced: the whole picture has to be held."""
    rows = zlib.compress(bytes(2001) * 16_000 * 2, 9)
    header = struct.pack(">IIBBBBB", 16_000, 16_000, 8, 2, 0, 0, 1)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", rows)
        + _chunk(b"IEND", b"")
    )


def gif_screen() -> bytes:
    """A frame of one pixel on a screen of 65,535 x 65,535."""
    photo = bytearray(photos.gif(8, 8))
    photo[6:10] = b"\xff" * 4
    return bytes(photo)


def gif_restored() -> bytes:
    """9,000 x 9,000 pixels, each frame to be taken back: a decoder holds the one before, too."""
    photo = bytearray(photos.gif(8, 8, frames=4))
    photo[6:10] = struct.pack("<HH", 9000, 9000)
    at = 0
    while (at := photo.find(b"\x21\xf9\x04", at)) >= 0:
        photo[at + 3] = photo[at + 3] & ~0x1C | 3 << 2
        at += 1
    return bytes(photo)


def _riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(
        kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
        for kind, content in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def _vp8x(flags: int, width: int, height: int) -> bytes:
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return bytes([flags, 0, 0, 0]) + sides


def _vp8l(width: int, height: int) -> bytes:
    """A lossless picture of one colour: four trees of one symbol each, no pixel of its own."""
    bits = (width - 1) | (height - 1) << 14
    # No transform, no cache, no meta codes; five simple codes of the symbol 0.
    head = b"\x2f" + bits.to_bytes(4, "little")
    return head + bytes([0x88, 0x88, 0x08, 0, 0, 0, 0, 0])


def _vp8() -> bytes:
    photo = photos.webp(64, 48)
    at = photo.index(b"VP8 ")
    return photo[at + 8 : at + 8 + int.from_bytes(photo[at + 4 : at + 8], "little")]


def webp_metadata() -> bytes:
    """20 MB of XMP."""
    return _riff(
        (b"VP8X", _vp8x(0x04, 64, 48)),
        (b"VP8 ", _vp8()),
        (b"XMP ", b" " * (20 * _MB)),
    )


def webp_canvas() -> bytes:
    """A canvas of 16,383 x 16,383 around a picture of 64 x 48."""
    return _riff((b"VP8X", _vp8x(0, 16_383, 16_383)), (b"VP8 ", _vp8()))


def webp_lossless() -> bytes:
    """16,383 x 16,383 lossless pixels, behind a profile that hides them from a first look."""
    return _riff(
        (b"VP8X", _vp8x(0x20, 16_383, 16_383)),
        (b"ICCP", bytes(3000)),
        (b"VP8L", _vp8l(16_383, 16_383)),
    )


def _tiff(entries: list[tuple[int, int, int, int]], rest: bytes = b"", following: int = 0) -> bytes:
    body = struct.pack("<H", len(entries))
    body += b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<I", 8) + body + struct.pack("<I", following) + rest


def _page(width: int, height: int, **other: int) -> list[tuple[int, int, int, int]]:
    named = {
        "bits": (258, 3, 1, 8),
        "compression": (259, 3, 1, other.get("compression", 1)),
        "photometric": (262, 3, 1, 1),
        "strips": (273, 4, 1, other.get("strip_at", 8)),
        "samples": (277, 3, 1, other.get("samples", 1)),
        "rows": (278, 4, 1, height),
        "counts": (279, 4, 1, other.get("count", width * height & 0xFFFFFFFF)),
        "planes": (284, 3, 1, other.get("planes", 1)),
    }
    return [(256, 4, 1, width), (257, 4, 1, height), *named.values()]


def tiff_loop() -> bytes:
    """A directory that is followed by itself."""
    return _tiff(_page(8, 8), bytes(64), following=8)


def tiff_pages() -> bytes:
    """1,999 pages of one pixel: each look at one went through those before."""
    page = _page(1, 1)
    size = 2 + 12 * len(page) + 4
    pages = b"".join(
        struct.pack("<H", len(page))
        + b"".join(struct.pack("<HHII", *entry) for entry in page)
        + struct.pack("<I", 8 + size * (number + 1) if number < 1998 else 0)
        for number in range(1999)
    )
    return b"II*\0" + struct.pack("<I", 8) + pages


def tiff_strip() -> bytes:
    """One strip of 17,000 x 17,000, of which nothing is there."""
    return _tiff(_page(17_000, 17_000), bytes(64))


def tiff_planes() -> bytes:
    """The same, of 5 samples in planes, packed."""
    packed = zlib.compress(bytes(17_000 * 1000), 9)
    at = 8 + 2 + 12 * 10 + 4
    return _tiff(
        _page(17_000, 17_000, compression=8, samples=5, planes=2, strip_at=at, count=len(packed)),
        packed,
    )


def tiff_sides() -> bytes:
    """More rows and columns than there may be bytes."""
    return _tiff(_page(0xFFFFFFFF, 0xFFFFFFFF, count=0xFFFFFFFF), bytes(64))


def tiff_entries() -> bytes:
    """A directory of 65,535 entries of the same tag."""
    return _tiff([(256, 4, 0xFFFFFFFF, 8)] * 65_535)


def _in_heif(at: bytes, skip: int, number: bytes, make: Callable[[], bytes]) -> bytes:
    photo = bytearray(make())
    place = photo.index(at) + skip
    photo[place : place + len(number)] = number
    return bytes(photo)


def _avif() -> bytes:
    return photos.avif(64, 48)


def _heic() -> bytes:
    return photos.heic(64, 48)


BOMBS: Final[dict[str, Callable[[], bytes]]] = {
    each.__name__: each
    for each in (
        *(jpeg_comments, jpeg_application_data, jpeg_profile, jpeg_scans),
        *(png_profile, png_text, png_padding, png_of_one_bit),
        *(gif_screen, gif_restored),
        *(webp_metadata, webp_canvas, webp_lossless),
        *(tiff_loop, tiff_pages, tiff_strip, tiff_planes, tiff_sides, tiff_entries),
    )
} | {
    "jpeg_sides": photos.bomb_jpeg,
    "png_sides": photos.bomb_png,
    "gif_frames": photos.gif_frames,
    "avif_sides": lambda: _in_heif(b"ispe", 8, struct.pack(">II", 16_384, 16_384), _avif),
    "avif_small_sides": lambda: _in_heif(b"ispe", 8, struct.pack(">II", 1, 1), _avif),
    "avif_items": lambda: _in_heif(b"iloc", 10, b"\xff\xff", _avif),
    "avif_endless_box": lambda: _in_heif(b"meta", -4, b"\0\0\0\0", _avif),
    "heic_sides": lambda: _in_heif(b"ispe", 8, struct.pack(">II", 40_000, 40_000), _heic),
    "heic_small_sides": lambda: _in_heif(b"ispe", 8, struct.pack(">II", 1, 1), _heic),
    "heic_items": lambda: _in_heif(b"iloc", 10, b"\xff\xff", _heic),
    "heic_endless_box": lambda: _in_heif(b"meta", -4, b"\0\0\0\0", _heic),
    "heic_huge_box": lambda: _in_heif(b"meta", -4, b"\xff\xff\xff\xff", _heic),
}

_PHOTOS: Final[dict[str, Callable[[], bytes]]] = {
    "jpeg": lambda: photos.jpeg(64, 48, progressive=True),
    "png": lambda: photos.png(64, 48),
    "webp": lambda: photos.webp(64, 48),
    "gif": lambda: photos.gif(64, 48, frames=3),
    "tiff": lambda: photos.tiff(64, 48),
    "avif": _avif,
    "heic": _heic,
}
_NUMBERS: Final = (0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 0x80000000, 0x00010000)


def drawn_lies(each: int) -> Iterator[tuple[str, bytes]]:
    """Yield so many photos of each format in which a number of the first kilobyte is another."""
    dice = random.Random(_SEED)
    for name, make in _PHOTOS.items():
        photo = make()
        for _ in range(each):
            at, number = dice.randrange(4, min(len(photo) - 4, 1024)), dice.choice(_NUMBERS)
            order = dice.choice((">I", "<I"))
            yield (
                f"{name}-{at}-{number:x}{order}",
                photo[:at] + struct.pack(order, number) + photo[at + 4 :],
            )
