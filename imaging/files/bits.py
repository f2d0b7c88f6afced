"""Reads the numbers of a codec's header, bit by bit; pure."""

__all__ = ["Bits"]


class Bits:
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
