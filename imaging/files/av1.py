"""What the sequence header of AV1 says of the range of its samples; pure.

Source: AV1 Bitstream & Decoding Process Specification, 5.5; AV1 Codec ISO Media File Format
Binding, 2.3.3, for the box ``av1C``.
"""

from typing import Final

__all__ = ["is_limited"]

_SEQUENCE_HEADER: Final = 1
_MAX_UNITS: Final = 4
_HAS_EXTENSION: Final = 4
_HAS_SIZE: Final = 2
_BT709: Final = 1
_SRGB: Final = 13
_IDENTITY: Final = 0
_PROFESSIONAL: Final = 2
_HIGH: Final = 1


class _Bits:
    """Reads bits, the highest of each byte first; zeros behind the end."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data + bytes(64), "big")
        self._left = 8 * (len(data) + 64)

    def read(self, count: int) -> int:
        self._left -= count
        return self._value >> self._left & (1 << count) - 1 if self._left >= 0 else 0

    def flag(self) -> bool:
        return bool(self.read(1))


def is_limited(units: bytes) -> bool:
    """Tell whether black of 8 bits is 16 and white 235; False where nothing says so.

    Args:
        units: A stream's first ones, or those of ``av1C``.
    """
    header = _sequence_header(units)
    if header is None:
        return False
    bits = _Bits(header)
    profile = bits.read(3)
    bits.flag()
    reduced = bits.flag()
    if reduced:
        bits.read(5)
    elif not _skip_operating_points(bits):
        return False
    width_bits, height_bits = bits.read(4) + 1, bits.read(4) + 1
    bits.read(width_bits)
    bits.read(height_bits)
    if not reduced and bits.flag():
        bits.read(7)
    bits.read(3)
    if not reduced:
        _skip_tools(bits)
    bits.read(3)
    return _is_limited(bits, profile)


def _sequence_header(units: bytes) -> bytes | None:
    """Return the sequence header: a stream's first unit, or behind a delimiter."""
    at = 0
    for _ in range(_MAX_UNITS):
        if at + 2 > len(units) or not units[at] & _HAS_SIZE:
            return None
        begin = at + (2 if units[at] & _HAS_EXTENSION else 1)
        # Sizes here are of seven bits: larger ones belong to pixels.
        length = units[begin] if begin < len(units) else 0
        if units[at] >> 3 & 15 == _SEQUENCE_HEADER:
            return units[begin + 1 : begin + 1 + length]
        at = begin + 1 + length
    return None


def _skip_operating_points(bits: _Bits) -> bool:
    """Return whether they were understood: pictures have no timing."""
    if bits.flag():
        return False
    has_delay = bits.flag()
    for _ in range(bits.read(5) + 1):
        bits.read(12)
        if bits.read(5) > 7:
            bits.flag()
        if has_delay and bits.flag():
            bits.read(4)
    return True


def _skip_tools(bits: _Bits) -> None:
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


def _is_limited(bits: _Bits, profile: int) -> bool:
    """Read 5.5.2, color_config, up to the range."""
    high = bits.flag()
    if profile == _PROFESSIONAL and high:
        bits.flag()
    is_grey = profile != _HIGH and bits.flag()
    numbers = (bits.read(8), bits.read(8), bits.read(8)) if bits.flag() else None
    if not is_grey and numbers == (_BT709, _SRGB, _IDENTITY):
        return False
    return not bits.flag()
