"""The coded parts of a HEIC or AVIF, held against what the file has of them.

HEVC and AV1 have no checksum, and their decoders go on where bytes are missing. What their units
say of their lengths and types tells damage all the same, before a pixel is decoded.
"""

from collections.abc import Iterable
from typing import Final

from imaging.errors import CorruptPhotoError
from imaging.files import av1, hevc
from imaging.files.coded_size import check_coded
from imaging.files.heif import Container, Item, Read

__all__ = ["check_picture", "check_units"]


def check_picture(container: Container, read: Read, of: int | None = None) -> None:
    """Hold the coded parts of a picture, and of its alpha, against what the file has of them.

    First every extent against the file's size, without reading; then the lengths of the units that
    each part consists of.

    *Cost*: reads the picture's bytes once; 1.5 ms a megabyte.

    Args:
        container: The file's directory.
        read: Reads the file.
        of: The number of the picture; None for the primary one.

    Raises:
        TruncatedPhotoError: The file ends before a part does.
        CorruptPhotoError: A part is missing from the directory, or its units are damaged.
        OverLimitError: A part is larger than the directory says.
    """
    container.check_extents(of)
    check_units(container, read, container.picture(of))


def check_units(container: Container, read: Read, items: Iterable[Item]) -> None:
    """Hold coded items against what their units say of their lengths, and of their sides.

    Raises:
        CorruptPhotoError: They are damaged.
        OverLimitError: A picture is larger than its item.
    """
    for item in items:
        check = _CHECKS.get(item.kind)
        if check is not None:
            data = container.bytes_of(item, read)
            check(item, data)
            check_coded(item, data)


# Within a unit an encoder breaks up every such sequence with a byte of 3: where it stands, other
# bytes were. Source: ITU-T H.265, 7.4.2, of emulation_prevention_three_byte.
_IMPOSSIBLE: Final = b"\0\0\0"

_VCL_TYPES: Final = 32
"""Types of units below this hold pixels (H.265, table 7-1)."""


def _check_hevc(item: Item, data: bytes) -> None:
    """Raise CorruptPhotoError unless ``data`` is one picture, as far as its units tell.

    Their lengths fill it, exactly one of them begins a picture, and none has a sequence of bytes
    that no encoder writes: bytes that were set to zero are noticed, flipped bits are not.
    """
    setup = item.property(b"hvcC") or b""
    if len(setup) < hevc.SETUP_BYTES:
        raise CorruptPhotoError(f"Expected how item {item.id} is coded but its hvcC is missing")
    for unit in hevc.walk_setup(setup):
        _check_unit(item, setup, unit)
    begun = 0
    for unit in hevc.walk(data, hevc.length_bytes(setup)):
        _check_unit(item, data, unit)
        begin, _ = unit
        kind, layer = data[begin] >> 1 & 63, (data[begin] & 1) << 5 | data[begin + 1] >> 3
        if kind < _VCL_TYPES and layer == 0:
            # The first bit of a slice says whether it is the first one of its picture.
            begun += data[begin + 2] >> 7
    if begun != 1:
        raise CorruptPhotoError(f"Expected item {item.id} to be one picture but it is {begun}")


def _check_unit(item: Item, data: bytes, unit: hevc.Unit) -> None:
    begin, end = unit
    if not begin + 3 <= end <= len(data):
        raise CorruptPhotoError(
            f"Expected item {item.id} to be whole but a unit of {end - begin:,} bytes does not fit "
            f"into {max(0, len(data) - begin):,}"
        )
    if data.find(_IMPOSSIBLE, begin, end) >= 0:
        raise CorruptPhotoError(
            f"Expected item {item.id} to be whole but a unit has bytes that no encoder writes"
        )


_OBU_FRAMES: Final = frozenset({3, 6})
"""A frame's header, and a frame. Source: AV1 Bitstream & Decoding Process Specification, 6.2.2."""

_FORBIDDEN: Final = 128
"""The first bit of a unit, which is 0."""


def _check_av1(item: Item, data: bytes) -> None:
    """Raise CorruptPhotoError if the units of a picture do not fill it, or none has pixels."""
    has_pixels = False
    for unit in av1.walk(data):
        if unit.end > len(data) or unit.header & _FORBIDDEN:
            raise CorruptPhotoError(
                f"Expected item {item.id} to be whole but one of its units does not fit"
            )
        has_pixels |= unit.kind in _OBU_FRAMES
    if not has_pixels:
        raise CorruptPhotoError(f"Expected pixels in item {item.id} but received none")


_CHECKS: Final = {b"hvc1": _check_hevc, b"av01": _check_av1}
