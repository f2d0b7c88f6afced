"""Camera raw as each maker lays it out, synthesised: the sensor's samples are noise, no picture."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from tests.photos.directories import (
    Directory,
    Layout,
    Value,
    ascii_text,
    long,
    short,
    undefined,
    write_directories,
)
from tests.photos.files import jpeg

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

WIDTH: Final = 1200
HEIGHT: Final = 800
SENSOR: Final = (2400, 1600)
ORIENTATION: Final = 6
"""Of each raw but Fujifilm's, whose preview has one of its own."""

_CFA: Final = 32803


def preview(width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """The camera's own picture, as stored: without EXIF, so that the raw's orientation counts."""
    return jpeg(width, height, quality=85)


def _thumbnail() -> bytes:
    return jpeg(160, 120, quality=70)


def _noise(length: int = 400_000) -> bytes:
    return bytes((i * 73 + (i >> 7) * 31) & 0xFF for i in range(length))


def _sensor(compression: int = 1) -> dict[int, Value]:
    data = _noise()
    return {
        254: long(0),
        256: long(SENSOR[0]),
        257: long(SENSOR[1]),
        258: short(14),
        259: short(compression),
        262: short(_CFA),
        273: long(data),
        277: short(1),
        278: long(SENSOR[1]),
        279: long(len(data)),
    }


def _reduced(width: int = 160, height: int = 120) -> dict[int, Value]:
    """An uncompressed thumbnail, as Nikon, Hasselblad and Phase One have it in front."""
    data = bytes(width * height * 3)
    return {
        254: long(1),
        256: long(width),
        257: long(height),
        258: short(8, 8, 8),
        259: short(1),
        262: short(2),
        273: long(data),
        277: short(3),
        278: long(height),
        279: long(len(data)),
    }


def _camera(make: str, model: str) -> dict[int, Value]:
    return {
        271: ascii_text(make),
        272: ascii_text(model),
        274: short(ORIENTATION),
        34665: long({0x829A: Value(5, [1, 250]), 0x8827: short(400)}),
    }


def _pointed(data: bytes) -> dict[int, Value]:
    return {254: long(1), 259: short(6), 513: long(data), 514: long(len(data))}


def _strip(data: bytes, width: int, height: int, compression: int = 7) -> dict[int, Value]:
    return {
        254: long(1),
        256: long(width),
        257: long(height),
        258: short(8, 8, 8),
        259: short(compression),
        262: short(6),
        273: long(data),
        277: short(3),
        278: long(height),
        279: long(len(data)),
    }


def dng(picture: bytes) -> bytes:
    """Adobe's: a thumbnail in front, the samples and the preview below it."""
    first = _reduced() | _camera("Apple", "iPhone 15 Pro") | {50706: Value(1, [1, 4, 0, 0])}
    return write_directories([first | {330: long(_sensor(), _strip(picture, WIDTH, HEIGHT))}])


def nef(picture: bytes) -> bytes:
    """Nikon's: the preview by its place, below an uncompressed thumbnail."""
    first = _reduced() | _camera("NIKON CORPORATION", "NIKON D850")
    below = long(_pointed(picture), _sensor(34713))
    return write_directories([first | {330: below}], Layout(order=">"))


def arw(picture: bytes) -> bytes:
    """Sony's: the preview in front, by its place."""
    first = _pointed(picture) | _camera("SONY", "ILCE-7M4") | {330: long(_sensor(32767))}
    return write_directories([first, _pointed(_thumbnail())])


def cr2(picture: bytes) -> bytes:
    """Canon's: the preview as the first picture's strip; the samples are a lossless JPEG."""
    first = _strip(picture, WIDTH, HEIGHT, 6) | _camera("Canon", "Canon EOS 5D Mark IV")
    lossless = b"\xff\xd8\xff\xc3" + struct.pack(">HBHHB", 14, 14, *SENSOR[::-1], 2) + _noise()
    sensor = {259: short(6), 273: long(lossless), 279: long(len(lossless))}
    size = {0xA002: long(SENSOR[0]), 0xA003: long(SENSOR[1])}
    first |= {34665: long({0x8827: short(400)} | size)}
    chain = [first, _pointed(_thumbnail()), _reduced(), sensor]
    return write_directories(chain, Layout(gap=b"CR\2\0\0\0\0\0"))


def pef(picture: bytes) -> bytes:
    """Pentax's: the samples in front, the thumbnail and the preview behind them."""
    first = _sensor(65535) | _camera("PENTAX", "PENTAX K-3")
    return write_directories([first, _pointed(_thumbnail()), _pointed(picture)], Layout(order=">"))


def srw(picture: bytes) -> bytes:
    """Samsung's: the preview as a strip in front, the samples below it."""
    first = _strip(picture, WIDTH, HEIGHT, 6) | _camera("SAMSUNG", "NX500")
    return write_directories([first | {330: long(_sensor(32770))}, _pointed(_thumbnail())])


def three_fr(picture: bytes) -> bytes:
    """Hasselblad's: a thumbnail in front, the samples below, the preview behind."""
    first = _reduced() | _camera("Hasselblad", "Hasselblad H6D") | {330: long(_sensor())}
    return write_directories([first, _strip(picture, WIDTH, HEIGHT)])


def iiq(picture: bytes) -> bytes:
    """Phase One's: a magic of its own behind the header."""
    first = _reduced() | _camera("Phase One", "IQ4 150MP") | {330: long(_pointed(picture))}
    size = {0xA002: long(SENSOR[0]), 0xA003: long(SENSOR[1])}
    return write_directories([first | {34665: long(size)}], Layout(gap=b"IIII\0\0\0\0"))


def orf(picture: bytes) -> bytes:
    """Olympus's: a magic of its own, and the preview named in the maker's note."""
    first = _sensor() | _camera("OLYMPUS CORPORATION", "E-M1MarkII")
    note = _olympus_note(0, 0)
    # The note's places count from its own first byte; so it is written twice.
    layout = Layout(magic=b"IIRO")
    length = len(note)
    for _ in range(2):
        exif: Directory = {0x8827: short(400), 37500: undefined(note)}
        data = write_directories([first | {34665: long(exif), 65000: long(picture)}], layout)
        note = _olympus_note(data.index(picture) - data.index(b"OLYMPUS\0II"), len(picture))
    assert len(note) == length
    return data


def _olympus_note(at: int, length: int) -> bytes:
    # One directory of one entry, and in its value another of two.
    settings_at = 12 + 2 + 12 + 4
    outer = struct.pack("<HHHIII", 1, 0x2020, 13, 1, settings_at, 0)
    inner = struct.pack("<HHHIIHHIII", 2, 0x0101, 4, 1, at, 0x0102, 4, 1, length, 0)
    return b"OLYMPUS\0II\3\0" + outer + inner


def rw2(picture: bytes) -> bytes:
    """Panasonic's: a magic of its own, and the whole preview as the value of a tag."""
    first = {
        1: undefined(b"0400"),
        2: short(SENSOR[0]),
        3: short(SENSOR[1]),
        0x2E: undefined(picture),
    }
    return write_directories([first | _camera("Panasonic", "DC-GH5")], Layout(magic=b"IIU\0"))


def raf(picture: bytes, sensor: tuple[int, int] = SENSOR) -> bytes:
    """Fujifilm's: a header, the preview, and a table of sizes."""
    at = 148
    table = struct.pack(">IHHHH", 1, 0x0100, 4, sensor[1], sensor[0])
    head = b"FUJIFILMCCD-RAW 0201FF393103X-T5".ljust(84, b"\0")
    head += struct.pack(">IIII", at, len(picture), at + len(picture), len(table))
    return head.ljust(at, b"\0") + picture + table + _noise()


def cr3(picture: bytes) -> bytes:
    """Canon's newer: boxes; the preview is a track's only sample."""
    canon = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48")
    camera = {271: ascii_text("Canon"), 272: ascii_text("Canon EOS R5"), 274: short(ORIENTATION)}
    first = _box(b"CMT1", write_directories([camera]))
    exif = _box(b"CMT2", write_directories([{0x8827: short(400)}]))
    samples = [picture, _noise()]

    def movie(base: int) -> bytes:
        places = [base, base + len(picture)]
        sizes = [(WIDTH, HEIGHT), SENSOR]
        tracks = b"".join(map(_track, places, map(len, samples), sizes))
        return _box(b"moov", _box(b"uuid", canon + first + exif) + tracks)

    head = _box(b"ftyp", b"crx \0\0\0\1crx isom")
    begin = head + movie(len(head) + len(movie(0)) + 8)
    return begin + _box(b"mdat", b"".join(samples))


def _track(at: int, length: int, size: tuple[int, int]) -> bytes:
    entry = _box(b"CRAW", struct.pack(">6xH16xHH50x", 1, *size))
    table = (
        _box(b"stsd", struct.pack(">II", 0, 1) + entry)
        + _box(b"stsz", struct.pack(">III", 0, length, 1))
        + _box(b"co64", struct.pack(">IIQ", 0, 1, at))
    )
    return _box(b"trak", _box(b"mdia", _box(b"minf", _box(b"stbl", table))))


def _box(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload) + 8) + kind + payload


RAWS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "DNG": dng,
    "Nikon NEF": nef,
    "Sony ARW": arw,
    "Canon CR2": cr2,
    "Canon CR3": cr3,
    "Pentax PEF": pef,
    "Samsung SRW": srw,
    "Hasselblad 3FR": three_fr,
    "Phase One IIQ": iiq,
    "Olympus ORF": orf,
    "Panasonic RW2": rw2,
    "Fujifilm RAF": raf,
}
"""The maker's name for such a file -> what puts a preview into one."""
