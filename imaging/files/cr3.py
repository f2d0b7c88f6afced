"""Canon's CR3: camera raw in the boxes of ISO/IEC 14496-12; pure.

Source: https://github.com/lclevy/canon_cr3
"""

import struct
from collections.abc import Iterator
from typing import Final

from imaging.errors import CorruptPhotoError
from imaging.files.boxes import Box, walk
from imaging.files.exif import ExifFields, read_camera_exif, read_exif
from imaging.files.previews import JpegPlace, Raw, largest_preview
from imaging.files.tiff import ReadAt, Tiff, open_block

__all__ = ["read_cr3"]

_ORIENTATION: Final = 274
_MAX_BOX_BYTES: Final = 4 << 20
_CANON_BOX: Final = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48")
_PREVIEW_BOX: Final = bytes.fromhex("eaf42b5e1c984b88b9fbb7dc406e4d16")


def _inner(read_at: ReadAt, box: Box, *kinds: bytes) -> Iterator[Box]:
    """Yield the boxes that are reached from ``box`` by ``kinds``."""
    for found in walk(read_at, box.at, box.end):
        if found.kind == kinds[0]:
            if len(kinds) == 1:
                yield found
            else:
                yield from _inner(read_at, found, *kinds[1:])


def read_cr3(read_at: ReadAt, size: int) -> Raw:
    """Return what a CR3 says of itself.

    Raises:
        TruncatedPhotoError: The file ends before the largest JPEG in it does.
    """
    file = Box(kind=b"", at=0, end=size)
    exif: ExifFields = {}
    orientation = 1
    for box in _inner(read_at, file, b"moov", _CANON_BOX, b"CMT1"):
        tiff = _tiff_in(read_at, box)
        exif = {**exif, **read_exif(tiff.read_at)} if tiff else exif
        orientation = _first_orientation(tiff)
    for box in _inner(read_at, file, b"moov", _CANON_BOX, b"CMT2"):
        tiff = _tiff_in(read_at, box)
        exif = {**exif, **read_camera_exif(tiff.read_at)} if tiff else exif
    tracks = list(_inner(read_at, file, b"moov", b"trak", b"mdia", b"minf", b"stbl"))
    sizes = [_track_size(read_at, track) for track in tracks]
    width, height = max(sizes, key=lambda side: side[0] * side[1], default=(0, 0))
    return Raw(
        kind="Canon CR3",
        width=width,
        height=height,
        orientation=orientation,
        exif=exif,
        preview=largest_preview(read_at, size, _jpegs(read_at, file, tracks)),
    )


def _tiff_in(read_at: ReadAt, box: Box) -> Tiff | None:
    return open_block(read_at(box.at, min(box.end - box.at, _MAX_BOX_BYTES)))


def _first_orientation(tiff: Tiff | None) -> int:
    try:
        value = tiff.directory(tiff.first).integer(_ORIENTATION, 1) if tiff else 1
    except CorruptPhotoError:
        return 1
    return value if 1 <= value <= 8 else 1


def _track_size(read_at: ReadAt, track: Box) -> tuple[int, int]:
    """Return width and height of a track's pictures (ISO/IEC 14496-12, 12.1.3)."""
    for box in _inner(read_at, track, b"stsd"):
        entry = read_at(box.at + 8, 36)
        if entry[4:8] == b"CRAW" and len(entry) == 36:
            width, height = struct.unpack_from(">HH", entry, 32)
            return width, height
    return 0, 0


def _jpegs(read_at: ReadAt, file: Box, tracks: list[Box]) -> Iterator[JpegPlace]:
    """Yield each track's first sample, one of which is a JPEG of full size, and the preview."""
    for track in tracks:
        sample = _first_sample(read_at, track)
        if sample.at and read_at(sample.at, 3) == b"\xff\xd8\xff":
            yield sample
    for box in _inner(read_at, file, _PREVIEW_BOX):
        # It holds 8 bytes of its own before the boxes in it.
        for inner in walk(read_at, box.at + 8, box.end):
            if inner.kind == b"PRVW":
                yield _preview_in(read_at, inner)


def _first_sample(read_at: ReadAt, track: Box) -> JpegPlace:
    """Return where a track's first sample is (ISO/IEC 14496-12, 8.7.3 and 8.7.5)."""
    length = at = 0
    for box in walk(read_at, track.at, track.end):
        data = read_at(box.at, 20)
        match box.kind:
            case b"stsz":
                # One length for all samples, or 0 and then a length for each.
                same = int.from_bytes(data[4:8], "big")
                length = same or int.from_bytes(data[12:16], "big")
            case b"co64":
                at = int.from_bytes(data[8:16], "big")
            case b"stco":
                at = int.from_bytes(data[8:12], "big")
            case _:
                pass
    return JpegPlace(at=at, length=length)


def _preview_in(read_at: ReadAt, box: Box) -> JpegPlace:
    # 16 bytes before the JPEG; the last four of them are its length.
    head = read_at(box.at, 16)
    length = int.from_bytes(head[12:16], "big")
    return JpegPlace(at=box.at + 16, length=min(length, box.end - box.at - 16))
