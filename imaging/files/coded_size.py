"""How large the pictures are that a HEIC's or AVIF's codec holds, by the codec's own words; pure.

An item says how large it is, and its codec says so again, in parameter sets that its decoder
believes. They stand in the item's properties or before its pixels.

Source: AV1 Bitstream & Decoding Process Specification, 5.3 and 5.5; ITU-T H.265, 7.3.1 and 7.3.2.2;
AV1 Codec ISO Media File Format Binding, 2.3; ISO/IEC 14496-15, 8.3.3.1.
"""

from collections.abc import Iterator
from typing import Final

from imaging.errors import OverLimitError, TruncatedPhotoError
from imaging.files.heif import Container, Item, Read, size_of

__all__ = ["check_coded"]

_AV1C_BYTES: Final = 4
_HVCC_BYTES: Final = 23
_SEQUENCE_HEADER: Final = 1
_SPS: Final = 33

_HEAD_BYTES: Final = 256
"""Of a sequence header or a parameter set, as far as the sides."""

_BLOCK: Final = 128
"""What a codec rounds sides up to at most: AV1's superblock."""

_PROFILE_BITS: Final = 88
_LEVEL_BITS: Final = 8
_SUB_LAYERS: Final = 8


class _Bits:
    """Reads bits, the highest of each byte first; zeros behind the end."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def read(self, count: int) -> int:
        self._left -= count
        value = self._value >> self._left if self._left >= 0 else self._value << -self._left
        return value & (1 << count) - 1 if self._left > -count else 0

    def flag(self) -> bool:
        return bool(self.read(1))

    def exponential(self) -> int:
        """Return a number of H.265's ``ue(v)`` and AV1's ``uvlc``: as many zeros as bits follow."""
        zeros = 0
        while not self.flag():
            zeros += 1
            if zeros == 32:
                return (1 << 32) - 1
        return (1 << zeros) - 1 + self.read(zeros)


def check_coded(container: Container, read: Read, of: int | None = None) -> int:
    """Hold what the codecs of :meth:`Container.picture` say against what its items say.

    *Cost*: the picture's bytes are gone through, from unit to unit.

    Args:
        container: The file's directory.
        read: Reads the file.
        of: The number of the picture; None for the primary one.

    Returns:
        The pixels of the largest coded picture; 0 where no codec says anything.

    Raises:
        OverLimitError: A coded picture is larger than its item.
    """
    largest = 0
    for item in _coded(container, of):
        try:
            data = container.bytes_of(item, read)
        except TruncatedPhotoError:
            # A tile that is not there is not decoded.
            continue
        pixels = _pixels(item, data)
        width, height = size_of(item) or (0, 0)
        allowed = -(-width // _BLOCK) * -(-height // _BLOCK) * _BLOCK**2
        if pixels > allowed:
            raise OverLimitError(
                f"coded pixels of item {item.id}, which says that it has {width} x {height},",
                actual=pixels,
                maximum=allowed,
            )
        largest = max(largest, pixels)
    return largest


def _coded(container: Container, of: int | None) -> Iterator[Item]:
    return (item for item in container.picture(of) if item.kind in {b"hvc1", b"av01"})


def _pixels(item: Item, data: bytes) -> int:
    if item.kind == b"av01":
        setup = (item.property(b"av1C") or b"")[_AV1C_BYTES:]
        heads = [*_sequence_headers(setup), *_sequence_headers(data)]
        sizes = [_size_of_sequence(head) for head in heads]
    else:
        setup = item.property(b"hvcC") or b""
        sets = [*_sets_of_setup(setup), *_sets_of_units(setup, data)]
        sizes = [_size_of_set(each) for each in sets]
    return max((width * height for width, height in sizes), default=0)


def _sequence_headers(units: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(units):
        kind, has_size = units[at] >> 3 & 15, units[at] & 2
        at += 1 + (units[at] >> 2 & 1)
        length = 0
        if has_size:
            for place, byte in enumerate(units[at : at + 8]):
                length |= (byte & 127) << 7 * place
                if byte < 128:
                    at += place + 1
                    break
            else:
                return
        else:
            length = len(units) - at
        if kind == _SEQUENCE_HEADER:
            yield units[at : at + min(length, _HEAD_BYTES)]
        at += length


def _size_of_sequence(head: bytes) -> tuple[int, int]:
    """Read 5.5.1, sequence_header_obu, up to the largest frame."""
    bits = _Bits(head)
    bits.read(4)
    if bits.flag():
        bits.read(5)
    else:
        _skip_timing(bits)
    width_bits, height_bits = bits.read(4) + 1, bits.read(4) + 1
    return bits.read(width_bits) + 1, bits.read(height_bits) + 1


def _skip_timing(bits: _Bits) -> None:
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


def _sets_of_setup(setup: bytes) -> Iterator[bytes]:
    """Yield the parameter sets of ``hvcC`` that say how large pictures are."""
    at = _HVCC_BYTES
    for _ in range(setup[at - 1] if len(setup) >= at else 0):
        count = int.from_bytes(setup[at + 1 : at + 3], "big")
        at += 3
        for _ in range(count):
            if at >= len(setup):
                return
            length = int.from_bytes(setup[at : at + 2], "big")
            yield from _set_in(setup, at + 2, length)
            at += 2 + length


def _sets_of_units(setup: bytes, data: bytes) -> Iterator[bytes]:
    """Yield those that stand among the pixels."""
    length_bytes = (setup[21] & 3) + 1 if len(setup) >= _HVCC_BYTES else 4
    at = 0
    while at < len(data):
        begin = at + length_bytes
        length = int.from_bytes(data[at:begin], "big")
        yield from _set_in(data, begin, length)
        at = begin + length


def _set_in(data: bytes, at: int, length: int) -> Iterator[bytes]:
    if at < len(data) and data[at] >> 1 & 63 == _SPS:
        # A byte of 3 is put behind two of 0.
        yield data[at + 2 : at + min(length, _HEAD_BYTES)].replace(b"\0\0\3", b"\0\0")


def _size_of_set(head: bytes) -> tuple[int, int]:
    """Read 7.3.2.2, seq_parameter_set_rbsp, up to the sides."""
    bits = _Bits(head)
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
