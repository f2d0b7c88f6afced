"""Photos that lie: small files that ask for much. Each was, or could be, more than a decoder bears.

What is not written out here is drawn: numbers of ordinary photos' headers, made huge or nothing.
"""

import io
import random
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

import pyvips

from imaging.files.jpeg import segments
from imaging.gainmap import EncodedGainMap, with_gain_map
from tests import photos
from tests.photos.apple import apple_exif, apple_jpeg, apple_xmp, mpf_index
from tests.photos.heif import Part, assembled, box, coded, grid, prop
from tests.wall.crafted import (
    flat_gif,
    flat_jpeg,
    flat_vp8l,
    gif_frame,
    gif_screen,
    jpeg_of_scans,
    riff,
    segment,
    tiff,
    vp8x,
)

__all__ = ["BOMBS", "ROWS", "drawn_lies", "profile"]

_SEED: Final = 14
_MB: Final = 1 << 20


def _jpeg_with(segments: bytes) -> bytes:
    photo = photos.jpeg(64, 48)
    return photo[:2] + segments + photo[2:]


def jpeg_comments() -> bytes:
    """30 MB of comments."""
    return _jpeg_with(segment(0xFE, bytes(65_000)) * (30 * _MB // 65_000))


def jpeg_application_data() -> bytes:
    """17 MB of a maker's own data."""
    return _jpeg_with(segment(0xEF, bytes(65_000)) * (17 * _MB // 65_000 + 9))


def jpeg_profile() -> bytes:
    """A profile of 6 MB, in parts."""
    parts = 6 * _MB // 65_000
    return _jpeg_with(
        b"".join(
            segment(0xE2, b"ICC_PROFILE\0" + bytes([part + 1, parts]) + bytes(65_000))
            for part in range(parts)
        )
    )


def jpeg_scans() -> bytes:
    """9,000 x 9,000 pixels in as many scans as there can be: each is a pass over all of them."""
    return jpeg_of_scans(9000, 9000)


def jpeg_coefficients() -> bytes:
    """17,000 x 17,000 pixels in ten scans: all of their coefficients have to be held."""
    return jpeg_of_scans(17_000, 17_000, 10)


def jpeg_segments() -> bytes:
    """Comments without a word, millions of them."""
    return _jpeg_with(segment(0xFE, b"") * (18 * _MB // 4))


def jpeg_exif_pointers() -> bytes:
    """65 kB of EXIF of which every other entry points to the same directory: each is followed.

    It takes libexif a second, by the machine a little more or less than ``max_header_s``.
    """
    entries = (
        struct.pack("<HHII", *((0x8769, 4, 1, 8) if number % 2 else (0x927C, 7, 0xFFFFFFFF, 8)))
        for number in range(5400)
    )
    return _jpeg_with(
        segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 5400) + b"".join(entries))
    )


def _ultra_hdr(base: bytes, gain_map: bytes) -> bytes:
    """A photo and a gain map, whose values are those of a real one."""
    real = photos.ultra_hdr_jpeg(64, 48)
    values = real[real.rindex(b"\xff\xd8\xff") :]
    held = b"".join(
        values[each.at : each.end] for each in segments(values) if 0xE1 <= each.marker <= 0xE2
    )
    data = gain_map[:2] + held + gain_map[2:]
    return bytes(with_gain_map(bytearray(base), EncodedGainMap(data=data, iso=bytes(4))))


def jpeg_gain_map() -> bytes:
    """A gain map of 17,000 x 17,000 and three bands, with a photo of that size."""
    return _ultra_hdr(flat_jpeg(17_000, 17_000, 1), flat_jpeg(17_000, 17_000, 3))


def jpeg_large_gain_map() -> bytes:
    """A gain map that is as large as one may be, of three bands."""
    return _ultra_hdr(flat_jpeg(4096, 4096, 1), flat_jpeg(4096, 4096, 3))


def _apples(gain_map: bytes, photo: bytes) -> bytes:
    return apple_jpeg(photo, [(gain_map, apple_xmp("4"))], apple_exif())


def jpeg_apple_gain_map() -> bytes:
    """Apple's gain map of 8,192 x 4,096 and three bands, with a photo of that size."""
    return _apples(flat_jpeg(8192, 4096, 3), flat_jpeg(8192, 4096, 1))


def jpeg_large_apple_gain_map() -> bytes:
    """Apple's gain map, as large as one may be, of three bands."""
    return _apples(flat_jpeg(4096, 4096, 3), flat_jpeg(4096, 4096, 1))


def jpeg_pictures() -> bytes:
    """An index that names one picture thousands of times, whose segments have no byte each."""
    empty = b"\xff\xd8" + segment(0xFE, b"") * (1 << 20)
    photo, many = flat_jpeg(64, 48), 3000
    at = len(mpf_index(0, [(0, 0)] * many)) + len(photo) - 10
    return apple_jpeg(photo, [(empty, b"")], apple_exif(), lies=[(at, len(empty))] * many)


def jpeg_gain_map_scans() -> bytes:
    """A gain map of as many scans as there can be."""
    return _ultra_hdr(flat_jpeg(1000, 1000), jpeg_of_scans(1000, 1000))


def _chunk(kind: bytes, content: bytes) -> bytes:
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def _png_with(*chunks: bytes) -> bytes:
    photo = photos.png(64, 48)
    return photo[:33] + b"".join(chunks) + photo[33:]


def profile(size: int) -> bytes:
    """A colour profile of ``size`` bytes: a header that is one, and nothing behind it."""
    header = struct.pack(">I", size) + bytes(4) + b"\x04\0\0\0mntrRGB XYZ " + bytes(12) + b"acsp"
    header += bytes(28) + bytes.fromhex("0000f6d6000100000000d32d")
    return header + bytes(size - len(header))


def _deflated(profile: bytes) -> bytes:
    return b"p\0\0" + zlib.compress(profile, 9)


def png_profile() -> bytes:
    """A profile of 45 MB in 45 kB, which renditions in the photo's own colours would copy."""
    return _png_with(_chunk(b"iCCP", _deflated(profile(45 * _MB))))


def png_small_profile() -> bytes:
    """A real profile, padded to the most that is allowed: each rendition may have a copy."""
    real = photos.icc_profile("display-p3")
    size = 4 * _MB
    padded = struct.pack(">I", size) + real[4:] + bytes(size - len(real))
    return _png_with(_chunk(b"iCCP", _deflated(padded)))


def png_exif() -> bytes:
    """20 MB of EXIF."""
    return _png_with(_chunk(b"eXIf", b"II*\0" + bytes(20 * _MB)))


def png_xmp() -> bytes:
    """XMP of 40 MB in 40 kB."""
    text = zlib.compress(b" " * (40 * _MB), 9)
    return _png_with(_chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + text))


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


def gif_screen_of_its_own() -> bytes:
    """A frame of one pixel on a screen of 65,535 x 65,535."""
    photo = bytearray(photos.gif(8, 8))
    photo[6:10] = b"\xff" * 4
    return bytes(photo)


def gif_restored() -> bytes:
    """17,000 x 17,000 pixels, each frame to be taken back: a decoder holds the one before, too."""
    return flat_gif(17_000, 17_000, (3, 3))


def gif_small_restored() -> bytes:
    """The same of 4,000 x 3,000, for which there is memory."""
    return flat_gif(4000, 3000, (3, 3))


def gif_frame_beyond_screen() -> bytes:
    """A frame of 65,535 x 65,535 on a screen of 8 x 8."""
    return gif_screen(8, 8) + gif_frame(8, 8) + _gif_frame_of(65_535) + b"\x3b"


def _gif_frame_of(side: int) -> bytes:
    frame = bytearray(gif_frame(8, 8))
    at = frame.index(b"\x2c")
    frame[at + 5 : at + 9] = struct.pack("<HH", side, side)
    return bytes(frame)


def gif_comments() -> bytes:
    """20 MB of comments."""
    block = b"\xff" + bytes(255)
    comment = b"\x21\xfe" + block * (20 * _MB // 256) + b"\0"
    return gif_screen(8, 8) + comment + gif_frame(8, 8) + b"\x3b"


def _vp8() -> bytes:
    photo = photos.webp(64, 48)
    at = photo.index(b"VP8 ")
    return photo[at + 8 : at + 8 + int.from_bytes(photo[at + 4 : at + 8], "little")]


def webp_metadata() -> bytes:
    """20 MB of XMP."""
    return riff(
        (b"VP8X", vp8x(0x04, 64, 48)),
        (b"VP8 ", _vp8()),
        (b"XMP ", b" " * (20 * _MB)),
    )


def webp_canvas() -> bytes:
    """A canvas of 16,383 x 16,383 around a picture of 64 x 48."""
    return riff((b"VP8X", vp8x(0, 16_383, 16_383)), (b"VP8 ", _vp8()))


def webp_lossless() -> bytes:
    """16,383 x 16,383 lossless pixels, behind a profile that hides them from a first look."""
    return riff(
        (b"VP8X", vp8x(0x20, 16_383, 16_383)),
        (b"ICCP", bytes(3000)),
        (b"VP8L", flat_vp8l(16_383, 16_383)),
    )


def webp_behind_a_chunk() -> bytes:
    """The same behind a chunk that nobody knows."""
    return riff(
        (b"VP8X", vp8x(0, 16_383, 16_383)),
        (b"paDd", bytes(3000)),
        (b"VP8L", flat_vp8l(16_383, 16_383)),
    )


def webp_on_a_small_canvas() -> bytes:
    """The same on a canvas of 64 x 48."""
    return riff((b"VP8X", vp8x(0, 64, 48)), (b"VP8L", flat_vp8l(16_383, 16_383)))


def webp_frames() -> bytes:
    """3,000 frames of one pixel."""
    frame = bytes(12) + b"\1\0\0\0" + b"VP8L" + struct.pack("<I", 13) + flat_vp8l(1, 1) + b"\0"
    return riff((b"VP8X", vp8x(2, 1, 1)), (b"ANIM", bytes(6)), *[(b"ANMF", frame)] * 3000)


def webp_chunks() -> bytes:
    """Chunks without a byte, a million of them."""
    return riff(*[(b"paDd", b"")] * 1_000_000, (b"VP8L", flat_vp8l(64, 48)))


_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_STRIPS, _SAMPLES, _ROWS, _STRIP_BYTES, _PLANES = 273, 277, 278, 279, 284
_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES, _SUBIFDS = 322, 323, 324, 325, 330
_PROFILE, _CHROMA = 34675, 530
_JPEG, _DEFLATE, _YCBCR = 7, 8, 6


def _grey(width: int, height: int, data_at: int = 8, length: int = 1) -> dict[int, tuple[int, ...]]:
    return {
        _WIDTH: (width,),
        _HEIGHT: (height,),
        _BITS: (8,),
        _COMPRESSION: (1,),
        _PHOTOMETRIC: (1,),
        _STRIPS: (data_at,),
        _SAMPLES: (1,),
        _ROWS: (height,),
        _STRIP_BYTES: (length,),
    }


def _page_bytes(page: dict[int, tuple[int, ...]]) -> int:
    return 2 + 12 * len(page) + 4


def _pages(count: int) -> bytes:
    page = _grey(1, 1)
    size = _page_bytes(page)
    return b"".join(
        tiff(page, at=8 + size * number, following=8 + size * (number + 1))
        if number
        else tiff(page, following=8 + size)
        for number in range(count - 1)
    ) + tiff(page, at=8 + size * (count - 1))


def tiff_loop() -> bytes:
    """A directory that is followed by itself."""
    return tiff(_grey(8, 8), bytes(64), following=8)


def tiff_pages() -> bytes:
    """1,999 pages of one pixel: each look at one went through those before."""
    return _pages(1999)


def tiff_more_pages() -> bytes:
    """More pages than are looked at."""
    return _pages(30_000)


def tiff_subdirectories() -> bytes:
    """A directory that names itself, sixty times, as what lies below it."""
    return tiff(_grey(8, 8) | {_SUBIFDS: (8,) * 60}, bytes(64))


def tiff_strip() -> bytes:
    """One strip of 17,000 x 17,000, of which nothing is there."""
    return tiff(_grey(17_000, 17_000, length=17_000**2), bytes(64))


def tiff_planes() -> bytes:
    """17,000 x 17,000 pixels of three samples in planes, a strip for each."""
    page = _grey(17_000, 17_000) | {
        _BITS: (8, 8, 8),
        _COMPRESSION: (_DEFLATE,),
        _PHOTOMETRIC: (2,),
        _SAMPLES: (3,),
        _PLANES: (2,),
    }
    strip = _zeros(17_000**2)
    behind = 8 + _page_bytes(page) + 3 * 3 * 4
    page |= {_STRIPS: (behind,) * 3, _STRIP_BYTES: (len(strip),) * 3}
    return tiff(page, strip)


def _zeros(count: int) -> bytes:
    """Return so many zeros as zlib packs them, of which a megabyte is packed once."""

    def packed(data: bytes) -> bytes:
        deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
        return deflater.compress(data) + deflater.flush(zlib.Z_FULL_FLUSH)

    whole, rest = divmod(count, _MB)
    adler = struct.pack(">HH", count % 65_521, 1)
    return (
        b"\x78\x01" + packed(bytes(_MB)) * whole + packed(bytes(rest)) + b"\1\0\0\xff\xff" + adler
    )


def _jpeg_strip(photo: bytes, side: int) -> bytes:
    page = _grey(side, side) | {
        _BITS: (8, 8, 8),
        _COMPRESSION: (_JPEG,),
        _PHOTOMETRIC: (_YCBCR,),
        _SAMPLES: (3,),
        _CHROMA: (1, 1),
    }
    behind = 8 + _page_bytes(page) + 3 * 4 + 2 * 4
    page |= {_STRIPS: (behind,), _STRIP_BYTES: (len(photo),)}
    return tiff(page, photo)


def tiff_coefficients() -> bytes:
    """A strip of 16 megapixels that is a progressive JPEG: all of its coefficients are held."""
    return _jpeg_strip(jpeg_of_scans(4000, 4000, 10), 4000)


def tiff_scans() -> bytes:
    """The same in as many scans as there can be."""
    return _jpeg_strip(jpeg_of_scans(4000, 4000), 4000)


def tiff_jpeg_beyond_strip() -> bytes:
    """A strip of 64 x 64 that is a JPEG of 17,000 x 17,000."""
    return _jpeg_strip(flat_jpeg(17_000, 17_000), 64)


def tiff_sides() -> bytes:
    """More rows and columns than there may be bytes."""
    return tiff(_grey(0xFFFFFFFF, 0xFFFFFFFF, length=0xFFFFFFFF), bytes(64))


def tiff_entries() -> bytes:
    """A directory of 65,535 entries of the same tag."""
    entry = struct.pack("<HHII", 256, 4, 0xFFFFFFFF, 8)
    return b"II*\0" + struct.pack("<IH", 8, 65_535) + entry * 65_535


def tiff_tile() -> bytes:
    """A tile of 65,520 x 65,520 under a picture of 64 x 64."""
    page = _grey(64, 64) | {_TILE_WIDTH: (65_520,), _TILE_HEIGHT: (65_520,)}
    del page[_ROWS]
    page |= {_TILES: (8,), _TILE_BYTES: (64,)}
    return tiff(page, bytes(64))


def tiff_large_tile() -> bytes:
    """A tile of 6,144 x 6,144 under a picture of 64 x 64."""
    strip = _zeros(6144**2)
    page = _grey(64, 64) | {_TILE_WIDTH: (6144,), _TILE_HEIGHT: (6144,), _COMPRESSION: (_DEFLATE,)}
    del page[_ROWS], page[_STRIPS], page[_STRIP_BYTES]
    page |= {_TILES: (0,), _TILE_BYTES: (len(strip),)}
    page[_TILES] = (8 + _page_bytes(page),)
    return tiff(page, strip)


def tiff_profile() -> bytes:
    """A profile of 30 MB, which its decoder would hold twice."""
    page = _grey(8, 8)
    behind = 8 + _page_bytes(page) + 12
    data = bytearray(tiff(page | {_PROFILE: (behind,)}, bytes(30 * _MB)))
    entry = struct.pack("<HHII", _PROFILE, 7, 30 * _MB, behind)
    at = data.index(entry[:2] + b"\4\0")
    data[at : at + 12] = entry
    return bytes(data)


def tiff_strips() -> bytes:
    """65,000 strips of a row, all of them at one place."""
    page = _grey(8, 65_000) | {_ROWS: (1,), _STRIP_BYTES: (8,) * 65_000, _STRIPS: (8,) * 65_000}
    return tiff(page)


def tiff_values() -> bytes:
    """Places of four billion strips."""
    data = bytearray(tiff(_grey(8, 8), bytes(64)))
    at = data.index(struct.pack("<HHI", _STRIPS, 4, 1))
    data[at + 4 : at + 8] = b"\xff" * 4
    return bytes(data)


def _in_heif(at: bytes, skip: int, number: bytes, make: Callable[[], bytes]) -> bytes:
    photo = bytearray(make())
    place = photo.index(at) + skip
    photo[place : place + len(number)] = number
    return bytes(photo)


def _avif() -> bytes:
    return photos.avif(64, 48)


def _heic() -> bytes:
    return photos.heic(64, 48)


def _lying(codec: str) -> bytes:
    """A picture of 2,048 x 2,048 whose item says that it has 64 x 64."""
    picture = coded(
        pyvips.Image.black(2048, 2048, bands=3), codec="av01" if codec == "av01" else "hvc1"
    )
    sides = tuple(
        prop(b"ispe", 64, 64) if b"ispe" in each[:8] else each for each in picture.properties
    )
    brand = b"avif" if codec == "av01" else b"heic"
    return assembled([replace(picture, properties=sides)], brand=brand)


def avif_frame() -> bytes:
    """An AVIF whose codec has a larger picture than its item."""
    return _lying("av01")


def avif_huge_frame() -> bytes:
    """The same of 16,384 x 16,384, as its codec's header has it; its pixels never come."""
    picture = coded(pyvips.Image.black(64, 64, bands=3), codec="av01")
    # A still picture with a reduced header: level 0, then two sides of 14 bits.
    bits = "000" + "1" + "1" + "00000" + f"{13:04b}" * 2 + f"{16_383:014b}" * 2
    head = int(bits.ljust(48 + 16, "0"), 2).to_bytes(8, "big")
    data = b"\x12\0" + bytes([0x0A, len(head)]) + head + b"\x32\x08" + bytes(8)
    return assembled([replace(picture, data=data)], brand=b"avif")


def heic_frame() -> bytes:
    """A HEIC whose codec has a larger picture than its item."""
    return _lying("hvc1")


def avif_deep() -> bytes:
    """10 bits of a sample, as HDR has them."""
    return photos.avif(1600, 1200, bits=10)


def avif_sequence() -> bytes:
    """12 megapixels that move."""
    from PIL import Image

    frames = [Image.new("RGB", (4000, 3000), (shade, 0, 0)) for shade in (0, 40)]
    data = io.BytesIO()
    frames[0].save(data, "avif", save_all=True, append_images=frames[1:], speed=10)
    return data.getvalue()


def _grid_of(columns: int, rows: int, tiles: tuple[int, ...]) -> list[Part]:
    tile = coded(pyvips.Image.black(64, 64, bands=3))
    return [grid(columns, rows, columns * 64, rows * 64, tiles), replace(tile, hidden=True)]


def heic_tiles() -> bytes:
    """A grid of 150 x 150 tiles, which are all the same one."""
    return assembled(_grid_of(150, 150, (1,) * 150**2))


def heic_grid_of_itself() -> bytes:
    """A grid whose tiles are the grid."""
    return assembled(_grid_of(2, 2, (0,) * 4))


def heic_metadata() -> bytes:
    """EXIF of which each kilobyte is the same: 40 MB of them."""
    places = 40_000
    data = bytearray(
        assembled(
            [
                coded(pyvips.Image.black(64, 64, bands=3)),
                Part(kind=b"Exif", data=bytes(1024), describes=0),
            ]
        )
    )
    at = data.index(b"iloc") - 4
    size = int.from_bytes(data[at : at + 4], "big")
    # The last item has one place, of eight bytes.
    last = bytes(data[at + size - 8 : at + size])
    grown = data[at + 4 : at + size - 10] + struct.pack(">H", places)
    offset, length = struct.unpack(">II", last)
    more = 8 * (places - 1)
    iloc = box(b"iloc", bytes(grown[4:]), struct.pack(">II", offset, length) * places)
    meta = data.index(b"meta") - 4
    meta_size = int.from_bytes(data[meta : meta + 4], "big") + more
    data[at : at + size] = iloc
    data[meta : meta + 4] = struct.pack(">I", meta_size)
    return bytes(data)


def heic_boxes() -> bytes:
    """A directory of a million properties without a byte."""
    data = bytearray(_heic())
    at = data.index(b"ipco") - 4
    size = int.from_bytes(data[at : at + 4], "big")
    more = box(b"free") * 1_000_000
    for name in (b"ipco", b"iprp", b"meta"):
        place = data.index(name) - 4
        length = int.from_bytes(data[place : place + 4], "big") + len(more)
        data[place : place + 4] = struct.pack(">I", length)
    data[at + size : at + size] = more
    return bytes(data)


def heic_references() -> bytes:
    """Items that are each made of all the others, a thousand times over."""
    tile = coded(pyvips.Image.black(64, 64, bands=3))
    count = 200
    made_of = tuple(range(count)) * 5
    parts = [
        replace(grid(32, 32, 64, 64, ()), made_of=made_of[: 32 * 31] + made_of[:32])
        for _ in range(count)
    ]
    return assembled([*parts, tile])


ROWS: Final = (
    *(jpeg_gain_map, avif_huge_frame, webp_lossless, webp_behind_a_chunk, tiff_planes),
    *(jpeg_comments, png_profile, gif_restored, tiff_coefficients, avif_sequence, avif_deep),
    *(tiff_pages, jpeg_scans),
)
"""What once took more than its estimate, or more time than there was."""

BOMBS: Final[dict[str, Callable[[], bytes]]] = {
    each.__name__: each
    for each in (
        *ROWS,
        *(jpeg_application_data, jpeg_profile, jpeg_coefficients, jpeg_segments),
        jpeg_exif_pointers,
        *(jpeg_large_gain_map, jpeg_gain_map_scans, jpeg_apple_gain_map),
        *(jpeg_large_apple_gain_map, jpeg_pictures),
        *(png_small_profile, png_text, png_padding, png_of_one_bit, png_exif, png_xmp),
        *(gif_screen_of_its_own, gif_small_restored, gif_frame_beyond_screen, gif_comments),
        *(webp_metadata, webp_canvas, webp_on_a_small_canvas, webp_frames, webp_chunks),
        *(tiff_loop, tiff_more_pages, tiff_subdirectories, tiff_strip, tiff_sides, tiff_entries),
        *(tiff_scans, tiff_jpeg_beyond_strip, tiff_tile, tiff_large_tile, tiff_profile),
        *(tiff_strips, tiff_values),
        *(avif_frame, heic_frame, heic_tiles, heic_grid_of_itself, heic_metadata, heic_boxes),
        heic_references,
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
