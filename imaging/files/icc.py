"""Writes an ICC profile for colours that a file gives by numbers; pure.

Source: ICC.1:2022, 7 and 10.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["SRGB_PRIMARIES", "Gamma", "gamma_profile"]

SRGB_PRIMARIES: Final = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
"""x and y of white, red, green and blue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gamma:
    """Colours whose curve is an exponent.

    Attributes:
        exponent: What makes light of a sample; more than 0.
        primaries: As :data:`SRGB_PRIMARIES`; None for grey.
    """

    exponent: float
    primaries: tuple[float, ...] | None


_D50: Final = (0.9642, 1.0, 0.8249)

# Bradford's cone responses (ICC.1:2022, annex E).
_CONES: Final = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))

_Vector = tuple[float, float, float]
_Matrix = tuple[_Vector, _Vector, _Vector]


def gamma_profile(gamma: Gamma) -> bytes:
    """Return the profile of such colours.

    Raises:
        ValueError: The primaries are no triangle around a white.
    """
    # A parametric curve of type 0: the exponent alone.
    curve = b"para" + bytes(4) + struct.pack(">HH", 0, 0) + _fixed(gamma.exponent)
    tags = {b"desc": _text("gamma"), b"cprt": _text("CC0"), b"wtpt": _xyz(_D50)}
    if gamma.primaries is None:
        space = b"GRAY"
        tags[b"kTRC"] = curve
    else:
        space = b"RGB "
        for name, colour in zip((b"r", b"g", b"b"), _colorants(gamma.primaries), strict=True):
            tags[name + b"XYZ"] = _xyz(colour)
            tags[name + b"TRC"] = curve
    table, data = struct.pack(">I", len(tags)), b""
    begin = 128 + 4 + 12 * len(tags)
    for name, value in tags.items():
        table += name + struct.pack(">II", begin + len(data), len(value))
        data += value + bytes(-len(value) % 4)
    size = 128 + len(table) + len(data)
    head = struct.pack(">I4xI4s4s4s", size, 0x04300000, b"mntr", space, b"XYZ ")
    head = head.ljust(36, b"\0") + b"acsp"
    head = head.ljust(68, b"\0") + b"".join(map(_fixed, _D50))
    return head.ljust(128, b"\0") + table + data


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def _xyz(value: Sequence[float]) -> bytes:
    return b"XYZ " + bytes(4) + b"".join(map(_fixed, value))


def _text(text: str) -> bytes:
    # UTF-16, big-endian, by hand: Python loads that codec from a file, and a worker opens none.
    data = bytes(value for letter in text.encode("ascii") for value in (0, letter))
    return b"mluc" + bytes(4) + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(data), 28) + data


def _colorants(primaries: Sequence[float]) -> Sequence[Sequence[float]]:
    """Return X, Y and Z, under D50, of full red, green and blue."""
    if min(primaries[1::2]) <= 0:
        raise ValueError("expected y of more than 0")
    white, *colours = (_from_xy(*primaries[at : at + 2]) for at in range(0, 8, 2))
    # How much of each makes white.
    shares = _solved(_columns(colours), white)
    if min(shares) <= 0:
        raise ValueError("expected white between the primaries")
    seen, wanted = _times(_CONES, white), _times(_CONES, _D50)
    adapted = []
    for share, colour in zip(shares, colours, strict=True):
        cones = _times(_CONES, colour)
        scaled = [share * cone * to / of for cone, of, to in zip(cones, seen, wanted, strict=True)]
        adapted.append(_solved(_CONES, (scaled[0], scaled[1], scaled[2])))
    return adapted


def _from_xy(x: float, y: float) -> _Vector:
    return x / y, 1.0, (1 - x - y) / y


def _columns(vectors: Sequence[_Vector]) -> _Matrix:
    (a, b, c) = zip(*vectors, strict=True)
    return a, b, c


def _times(matrix: _Matrix, vector: _Vector) -> _Vector:
    (a, b, c) = (sum(map(float.__mul__, map(float, row), map(float, vector))) for row in matrix)
    return a, b, c


def _determinant(matrix: _Matrix) -> float:
    (a, b, c), (d, e, f), (g, h, i) = matrix
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)


def _solved(matrix: _Matrix, vector: _Vector) -> _Vector:
    """Return what ``matrix`` makes ``vector`` of: Cramer's rule.

    Raises:
        ValueError: Nothing.
    """
    whole = _determinant(matrix)
    if abs(whole) < 1e-9:
        raise ValueError("expected primaries that are no line")
    solution = []
    for column in range(3):
        rows = [
            [vector[at] if place == column else value for place, value in enumerate(row)]
            for at, row in enumerate(matrix)
        ]
        first, second, third = ((row[0], row[1], row[2]) for row in rows)
        solution.append(_determinant((first, second, third)) / whole)
    return solution[0], solution[1], solution[2]
