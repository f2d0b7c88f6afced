"""The units of HEVC, and how large a parameter set says that its pictures are; pure.

Source: ITU-T H.265, 7.3.1 and 7.3.2.2; ISO/IEC 14496-15, 8.3.3.1, for the box ``hvcC``.
"""

from collections.abc import Iterator
from typing import Final

from imaging.files.bits import Bits

__all__ = ["SETUP_BYTES", "Unit", "length_bytes", "read_sides", "walk", "walk_setup"]

SETUP_BYTES: Final = 23
"""Of ``hvcC``, before the units that it holds."""

_SPS: Final = 33

_HEAD_BYTES: Final = 256
"""Of a parameter set, as far as the sides."""

_PROFILE_BITS: Final = 88
_LEVEL_BITS: Final = 8
_SUB_LAYERS: Final = 8

Unit = tuple[int, int]
"""Its first byte, and the byte behind its last; beyond the data's end where it is cut."""


def length_bytes(setup: bytes) -> int:
    """Return how many bytes say how long a unit of pixels is; 4 where ``hvcC`` is too short."""
    return (setup[21] & 3) + 1 if len(setup) >= SETUP_BYTES else 4


def walk_setup(setup: bytes) -> Iterator[Unit]:
    """Yield each unit of ``hvcC``, up to the first that is cut."""
    at = SETUP_BYTES
    for _ in range(setup[at - 1] if len(setup) >= at else 0):
        count = int.from_bytes(setup[at + 1 : at + 3], "big")
        at += 3
        for _ in range(count):
            begin, at = _unit(setup, at, 2)
            yield begin, at
            if at > len(setup):
                return


def walk(data: bytes, length_size: int) -> Iterator[Unit]:
    """Yield each unit of a picture."""
    at = 0
    while at < len(data):
        begin, at = _unit(data, at, length_size)
        yield begin, at


def _unit(data: bytes, at: int, length_size: int) -> Unit:
    begin = at + length_size
    return begin, begin + int.from_bytes(data[at:begin], "big")


def read_sides(setup: bytes, data: bytes) -> Iterator[tuple[int, int]]:
    """Yield width and height of each parameter set that says them.

    Args:
        setup: ``hvcC``.
        data: The picture's units.
    """
    for held, units in ((setup, walk_setup(setup)), (data, walk(data, length_bytes(setup)))):
        for begin, end in units:
            if begin < len(held) and held[begin] >> 1 & 63 == _SPS:
                # A byte of 3 is put behind two of 0.
                head = held[begin + 2 : min(end, begin + _HEAD_BYTES)]
                yield _sides(head.replace(b"\0\0\3", b"\0\0"))


def _sides(head: bytes) -> tuple[int, int]:
    """Read 7.3.2.2, seq_parameter_set_rbsp, up to the sides."""
    bits = Bits(head)
    bits.read(4)
    layers = bits.read(3)
    bits.read(1 + _PROFILE_BITS + _LEVEL_BITS)
    present = [(bits.flag(), bits.flag()) for _ in range(layers)]
    if layers:
        bits.read(2 * (_SUB_LAYERS - layers))
    for has_profile, has_level in present:
        bits.read(_PROFILE_BITS * has_profile + _LEVEL_BITS * has_level)
    bits.exponential()
    if bits.exponential() == 3:
        bits.flag()
    return bits.exponential(), bits.exponential()
