"""HEICs of every structure: grids, overlays, auxiliary pictures, put together box by box.

An encoder writes few of the structures that the standard allows. Here single pictures are encoded,
and the file around them is made by hand.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from imaging.files.heif import CODED, from_memory, read_container
from tests.photos.landscape import scene

if TYPE_CHECKING:
    import pyvips

__all__ = [
    "Part",
    "assembled",
    "aux",
    "box",
    "coded",
    "grid",
    "grid_heic",
    "metadata_first",
    "nclx",
    "prop",
]

Mode = Literal["RGB", "L"]
Codec = Literal["hvc1", "av01"]

_ALPHA = b"urn:mpeg:hevc:2015:auxid:1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One item of a file that is to be written.

    Attributes:
        kind: ``hvc1``, ``grid``, ``iovl``, ...
        data: Its bytes: a coded picture, or what a derived one says of itself.
        properties: Whole boxes, in order.
        made_of: Places, in the list of all parts, of the parts that it is derived from.
        aux_of: Place of the part that it is an auxiliary of.
        describes: Place of the part that it is metadata of.
        in_idat: Whether its bytes lie in the directory.
        hidden: Whether it is not to be shown by itself.
    """

    kind: bytes
    data: bytes
    properties: tuple[bytes, ...] = ()
    made_of: tuple[int, ...] = ()
    aux_of: int | None = None
    describes: int | None = None
    in_idat: bool = False
    hidden: bool = False


def box(kind: bytes, *contents: bytes) -> bytes:
    """A box."""
    body = b"".join(contents)
    return struct.pack(">I4s", len(body) + 8, kind) + body


def full_box(kind: bytes, version: int, *contents: bytes) -> bytes:
    """A box that says of which version it is; no flags."""
    return box(kind, struct.pack(">I", version << 24), *contents)


def aux(urn: bytes) -> bytes:
    """The property of an auxiliary picture that says what it is."""
    return full_box(b"auxC", 0, urn + b"\0")


def prop(kind: bytes, *values: int) -> bytes:
    """A property of a picture, by its name: ``ispe``, ``irot``, ``imir``, ``pixi`` or ``clap``."""
    match kind:
        case b"ispe":
            return full_box(kind, 0, struct.pack(">II", *values))
        case b"pixi":
            return full_box(kind, 0, bytes([len(values), *values]))
        case b"clap":
            return box(kind, struct.pack(">IIIIiIiI", *values))
        case _:
            return box(kind, bytes(values))


def nclx(primaries: int, transfer: int, matrix: int, *, full_range: bool = True) -> bytes:
    """A colour by numbers, those of ITU-T H.273."""
    return box(b"colr", b"nclx", struct.pack(">HHHB", primaries, transfer, matrix, full_range << 7))


@lru_cache(maxsize=256)
def _hevc(pixels: bytes, width: int, height: int, mode: str, chroma: str) -> bytes:
    import pillow_heif

    file = pillow_heif.HeifFile()  # type: ignore[no-untyped-call]
    file.add_frombytes(mode, (width, height), pixels)
    buffer = io.BytesIO()
    file.save(buffer, quality=70, chroma=chroma, enc_params={"preset": "ultrafast"})
    return buffer.getvalue()


def coded(
    image: pyvips.Image,
    *,
    bits: Literal[8, 10, 12] = 8,
    mode: Mode = "RGB",
    chroma: str = "420",
    codec: Codec = "hvc1",
) -> Part:
    """One picture, with its size, what its decoder needs to know and its bits.

    Args:
        image: Three bands for ``RGB``, one for ``L``; uchar.
        bits: Of each sample; HEVC has 8 or 10.
        mode: Colour or grey; AV1 is always in colour.
        chroma: 420, 422 or 444; AV1 has 420 or 444.
        codec: HEVC or AV1.
    """
    if bits > 8:
        image = (image.cast("ushort") << 8).cast("ushort")
    if codec == "hvc1":
        pixels = bytes(image.write_to_memory())
        name = f"{mode};16" if bits > 8 else mode
        data = _hevc(pixels, image.width, image.height, name, chroma)
    else:
        data = image.copy(interpretation="srgb" if bits == 8 else "rgb16").heifsave_buffer(
            compression="av1",
            bitdepth=bits,
            effort=0,
            subsample_mode="off" if chroma == "444" else "on",
        )
    read = from_memory(data)
    container = read_container(read, len(data))
    item = next(item for item in container.items.values() if item.kind == codec.encode())
    return Part(
        kind=item.kind,
        data=container.bytes_of(item, read),
        properties=tuple(
            box(held.kind, held.body)
            for held in item.properties
            if held.kind in {b"ispe", b"hvcC", b"av1C", b"pixi"}
        ),
    )


def grid(columns: int, rows: int, width: int, height: int, tiles: tuple[int, ...]) -> Part:
    """A picture that is put together from ``tiles``, row by row."""
    return Part(
        kind=b"grid",
        data=struct.pack(">BBBBII", 0, 1, rows - 1, columns - 1, width, height),
        properties=(prop(b"ispe", width, height),),
        made_of=tiles,
        in_idat=True,
    )


def assembled(parts: list[Part], *, primary: int = 0, brand: bytes = b"heic") -> bytes:
    """A file of ``parts``, of which ``primary`` is shown; item numbers count from 1."""
    held = list(dict.fromkeys(inner for part in parts for inner in part.properties))
    wide = len(held) > 127
    associated = b"".join(
        struct.pack(">HB", number, len(part.properties))
        + b"".join(
            struct.pack(">H" if wide else ">B", held.index(inner) + 1) for inner in part.properties
        )
        for number, part in enumerate(parts, start=1)
    )
    infos = b"".join(
        box(
            b"infe",
            struct.pack(">IHH4s", 2 << 24 | part.hidden, number, 0, part.kind),
            b"\0application/rdf+xml\0" if part.kind == b"mime" else b"\0",
        )
        for number, part in enumerate(parts, start=1)
    )
    references = b"".join(
        box(kind, struct.pack(f">HH{len(named)}H", number, len(named), *(at + 1 for at in named)))
        for number, part in enumerate(parts, start=1)
        for kind, named in (
            (b"dimg", part.made_of),
            (b"auxl", () if part.aux_of is None else (part.aux_of,)),
            (b"cdsc", () if part.describes is None else (part.describes,)),
        )
        if named
    )
    idat = b"".join(part.data for part in parts if part.in_idat)

    def directory(first: int) -> bytes:
        places = {True: 0, False: first}
        locations = b""
        for number, part in enumerate(parts, start=1):
            locations += struct.pack(
                ">HHHHII", number, part.in_idat, 0, 1, places[part.in_idat], len(part.data)
            )
            places[part.in_idat] += len(part.data)
        return full_box(
            b"meta",
            0,
            full_box(b"hdlr", 0, bytes(4), b"pict", bytes(13)),
            full_box(b"pitm", 0, struct.pack(">H", primary + 1)),
            full_box(b"iloc", 1, struct.pack(">BBH", 0x44, 0, len(parts)), locations),
            full_box(b"iinf", 0, struct.pack(">H", len(parts)), infos),
            full_box(b"iref", 0, references) if references else b"",
            box(
                b"iprp",
                box(b"ipco", *held),
                box(b"ipma", struct.pack(">II", int(wide), len(parts)), associated),
            ),
            box(b"idat", idat) if idat else b"",
        )

    start = box(b"ftyp", brand, bytes(4), b"mif1", brand)
    first = len(start) + len(directory(0)) + 8
    pixels = b"".join(part.data for part in parts if not part.in_idat)
    return start + directory(first) + box(b"mdat", pixels)


def metadata_first(data: bytes) -> bytes:
    """A HEIC with its metadata in front of its pictures, as phones write it; libheif does not.

    Args:
        data: Of one ``mdat``, the last box, in which each item lies in one piece.
    """
    read = from_memory(data)
    container = read_container(read, len(data))
    pieces = [
        (item.kind in CODED, extent.offset, extent.length)
        for item in container.items.values()
        for extent in item.extents
        if not extent.in_idat
    ]
    begin = min(offset for _, offset, _ in pieces)
    places = {}
    moved = b""
    for _, offset, length in sorted(set(pieces)):
        places[offset] = begin + len(moved)
        moved += data[offset : offset + length]
    assert begin + len(moved) == len(data)
    head = bytearray(data[:begin])
    at = data.index(b"iloc") + 4
    version, sizes = data[at], struct.unpack_from(">H", data, at + 4)[0]
    offset_size, length_size, base_size = (sizes >> shift & 15 for shift in (12, 8, 4))
    (count,) = struct.unpack_from(">H", data, at + 6)
    at += 8
    for _ in range(count):
        in_idat = bool(version) and data[at + 3] & 15
        at += 6 if version else 4
        base = int.from_bytes(data[at : at + base_size], "big")
        head[at : at + base_size] = bytes(base_size)
        at += base_size
        (extents,) = struct.unpack_from(">H", data, at)
        at += 2
        for _ in range(extents):
            place = base + int.from_bytes(data[at : at + offset_size], "big")
            place = place if in_idat else places[place]
            head[at : at + offset_size] = place.to_bytes(offset_size, "big")
            at += offset_size + length_size
    return bytes(head) + moved


def grid_parts(  # noqa: PLR0913 - each a kind of grid
    columns: int,
    rows: int,
    width: int,
    height: int,
    *,
    tile: int = 64,
    bits: Literal[8, 10] = 8,
    alpha: bool = False,
    chroma: str = "420",
    codec: Codec = "hvc1",
    properties: tuple[bytes, ...] = (),
    tile_properties: tuple[bytes, ...] = (),
) -> list[Part]:
    """A grid of tiles, and its alpha, where it has one, another grid; the first part is shown.

    *Cost*: 16 tiles are encoded at most, however many there are.

    Args:
        columns: Tiles in a row.
        rows: Rows of tiles.
        width: Columns of pixels that are shown.
        height: Rows of pixels that are shown.
        tile: Side of a tile.
        bits: Of each sample.
        alpha: With a grid of grey tiles, of the same layout.
        chroma: 420, 422 or 444.
        codec: Of the tiles: an AVIF is a grid as well.
        properties: More of the grid's, such as ``irot``.
        tile_properties: More of each tile's, such as a colour by numbers.
    """
    across, down = min(columns, 4), min(rows, 4)
    picture = scene(across * tile, down * tile)
    places = [(column % across, row % down) for row in range(rows) for column in range(columns)]
    cells = {
        (column, row): picture.crop(column * tile, row * tile, tile, tile)
        for column, row in dict.fromkeys(places)
    }
    colours = {
        place: coded(cell, bits=bits, chroma=chroma, codec=codec) for place, cell in cells.items()
    }
    count = len(places)
    whole = grid(columns, rows, width, height, tuple(range(1, count + 1)))
    parts = [
        replace(whole, properties=whole.properties + properties),
        *(
            replace(
                colours[place],
                properties=colours[place].properties + tile_properties,
                hidden=True,
            )
            for place in places
        ),
    ]
    if alpha:
        mask = grid(columns, rows, width, height, tuple(range(count + 2, 2 * count + 2)))
        greys = {
            place: coded(cell.extract_band(1), bits=bits, mode="L") for place, cell in cells.items()
        }
        parts += [
            replace(mask, properties=(*mask.properties, aux(_ALPHA)), aux_of=0, hidden=True),
            *(replace(greys[place], hidden=True) for place in places),
        ]
    return parts


def grid_heic(
    columns: int,
    rows: int,
    width: int,
    height: int,
    *,
    codec: Codec = "hvc1",
    **options: Any,  # noqa: ANN401 - each of its own type
) -> bytes:
    """A HEIC or AVIF of :func:`grid_parts`."""
    parts = grid_parts(columns, rows, width, height, codec=codec, **options)
    return assembled(parts, brand=b"heic" if codec == "hvc1" else b"avif")
