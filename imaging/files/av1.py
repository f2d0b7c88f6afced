"""The units of AV1, and what a sequence header says of its pictures; pure.

Source: AV1 Bitstream & Decoding Process Specification, 5.3 and 5.5; AV1 Codec ISO Media
File Format Binding, 2.3, for the box ``av1C``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from imaging.files.bits import Bits

__all__ = ["SETUP_BYTES", "Sequence", "Unit", "read_sequences", "walk"]

SETUP_BYTES: Final = 4
"""Of ``av1C``, before the units that it holds."""

_SEQUENCE_HEADER: Final = 1
_HAS_EXTENSION: Final = 4
_HAS_SIZE: Final = 2
_MOST_SIZE_BYTES: Final = 8

_HEAD_BYTES: Final = 256
"""Of a sequence header, as far as it is read."""

_BT709: Final = 1
_SRGB: Final = 13
_IDENTITY: Final = 0
_PROFESSIONAL: Final = 2
_HIGH: Final = 1


class Unit(NamedTuple):
    """A unit of a stream, an OBU.

    Attributes:
        header: Its first byte.
        begin: Its first byte behind its header and its size.
        end: The byte behind its last; beyond the stream's end where it is cut.
    """

    header: int
    begin: int
    end: int

    @property
    def kind(self) -> int:
        """What it holds: see 6.2.2."""
        return self.header >> 3 & 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence:
    """What a sequence header says.

    Attributes:
        width: Columns of the largest frame.
        height: Rows of it.
        is_limited: Whether black of 8 bits is 16 and white 235.
    """

    width: int
    height: int
    is_limited: bool


def walk(stream: bytes) -> Iterator[Unit]:
    """Yield each unit.

    One without a size has all that follows; so has one whose size cannot be read, and is empty.
    """
    at = 0
    while at < len(stream):
        header = stream[at]
        begin, end = at + (2 if header & _HAS_EXTENSION else 1), len(stream)
        if header & _HAS_SIZE:
            length = 0
            for place, byte in enumerate(stream[begin : begin + _MOST_SIZE_BYTES]):
                length |= (byte & 127) << 7 * place
                if byte < 128:
                    begin += place + 1
                    end = begin + length
                    break
            else:
                begin = end
        yield Unit(header, begin, end)
        at = end


def read_sequences(stream: bytes) -> Iterator[Sequence]:
    """Yield what each sequence header among the units of ``stream`` says."""
    for unit in walk(stream):
        if unit.kind == _SEQUENCE_HEADER:
            yield _sequence(stream[unit.begin : min(unit.end, unit.begin + _HEAD_BYTES)])


def _sequence(head: bytes) -> Sequence:
    """Read 5.5.1, sequence_header_obu, up to the range."""
    bits = Bits(head)
    profile = bits.read(3)
    bits.flag()
    is_reduced = bits.flag()
    if is_reduced:
        bits.read(5)
    else:
        _skip_operating_points(bits)
    width_bits, height_bits = bits.read(4) + 1, bits.read(4) + 1
    width, height = bits.read(width_bits) + 1, bits.read(height_bits) + 1
    if not is_reduced and bits.flag():
        bits.read(7)
    bits.read(3)
    if not is_reduced:
        _skip_tools(bits)
    bits.read(3)
    return Sequence(width=width, height=height, is_limited=_is_limited(bits, profile))


def _skip_operating_points(bits: Bits) -> None:
    delay_bits = 0
    if bits.flag():
        bits.read(64)
        if bits.flag():
            bits.exponential()
        if bits.flag():
            delay_bits = bits.read(5) + 1
            bits.read(42)
    has_display_delay = bits.flag()
    for _ in range(bits.read(5) + 1):
        bits.read(12)
        if bits.read(5) > 7:
            bits.flag()
        if delay_bits and bits.flag():
            bits.read(2 * delay_bits + 1)
        if has_display_delay and bits.flag():
            bits.read(4)


def _skip_tools(bits: Bits) -> None:
    bits.read(4)
    has_order = bits.flag()
    if has_order:
        bits.read(2)
    forces_screen = True
    if not bits.flag():
        forces_screen = bits.flag()
    if forces_screen and not bits.flag():
        bits.flag()
    if has_order:
        bits.read(3)


def _is_limited(bits: Bits, profile: int) -> bool:
    """Read 5.5.2, color_config, up to the range."""
    high = bits.flag()
    if profile == _PROFESSIONAL and high:
        bits.flag()
    is_grey = profile != _HIGH and bits.flag()
    numbers = (bits.read(8), bits.read(8), bits.read(8)) if bits.flag() else None
    if not is_grey and numbers == (_BT709, _SRGB, _IDENTITY):
        return False
    return not bits.flag()
