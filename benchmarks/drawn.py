"""Photos and plans drawn at random, for an estimate of memory that was not fitted to them.

The same seed draws the same cases.
"""

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests import photos

__all__ = ["Drawn", "draw"]

# Width to height: of cameras and phones, of panoramas, of screenshots; each upright too.
_ASPECTS: Final = (4 / 3, 4 / 3, 3 / 2, 3 / 2, 16 / 9, 1.0, 3.0, 6.0)
_LARGE_EXIF: Final = photos.exif(
    copyright_text="(C) somebody", thumbnail=b"\xff\xd8" + bytes(60_000)
)

Options = Mapping[str, tuple[object, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """One kind of photo: who writes it, megapixels at least and at most, what may differ."""

    make: Callable[..., bytes]
    extension: str
    megapixels: tuple[float, float]
    options: Options


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One case.

    Attributes:
        photo: What it is a photo of, in words that tell every option.
        extension: Of its file.
        make: Writes it.
        toml: The ``renditions.toml``.
    """

    photo: str
    extension: str
    make: Callable[[], bytes]
    toml: str


def _ultra_hdr(width: int, height: int, *, orientation: Any) -> bytes:  # noqa: ANN401
    return photos.ultra_hdr_jpeg(width, height, orientation=orientation)


def _cut_jpeg(width: int, height: int) -> bytes:
    return photos.truncated(photos.jpeg(width, height), 0.8)


_TURNS: Final = (None, None, 6, 3)

# Each as often as it stands here.
_KINDS: Final[Mapping[str, tuple[int, _Kind]]] = {
    "jpeg": (
        6,
        _Kind(
            make=photos.jpeg,
            extension="jpg",
            megapixels=(0.3, 50),
            options={
                "quality": (60, 90, 97),
                "progressive": (False, True),
                "orientation": _TURNS,
                "icc": (None, None, "display-p3"),
                "subsample": ("on", "on", "off"),
                "exif_data": (None, _LARGE_EXIF),
            },
        ),
    ),
    "grey jpeg": (1, _Kind(make=photos.grey_jpeg, extension="jpg", megapixels=(1, 30), options={})),
    "cmyk jpeg": (
        1,
        _Kind(
            make=photos.cmyk_jpeg,
            extension="jpg",
            megapixels=(1, 20),
            options={"profile": (None, "cmyk")},
        ),
    ),
    "ultra hdr jpeg": (
        2,
        _Kind(
            make=_ultra_hdr,
            extension="jpg",
            megapixels=(2, 16),
            options={"orientation": _TURNS},
        ),
    ),
    "cut jpeg": (1, _Kind(make=_cut_jpeg, extension="jpg", megapixels=(1, 24), options={})),
    "png": (
        6,
        _Kind(
            make=photos.png,
            extension="png",
            megapixels=(0.3, 24),
            options={
                "bits": (8, 8, 16),
                "alpha": (False, True),
                "interlaced": (False, False, True),
                "grey": (False, False, True),
                "icc": (None, None, "display-p3"),
                "orientation": _TURNS,
            },
        ),
    ),
    "palette png": (
        1,
        _Kind(
            make=photos.png,
            extension="png",
            megapixels=(0.3, 8),
            options={"palette": (True,), "alpha": (False, True), "interlaced": (False, True)},
        ),
    ),
    "webp": (
        4,
        _Kind(
            make=photos.webp,
            extension="webp",
            megapixels=(0.3, 12),
            options={
                "alpha": (False, True),
                "lossless": (False, False, True),
                "icc": (None, None, "display-p3"),
                "orientation": _TURNS,
            },
        ),
    ),
    "moving webp": (
        1,
        _Kind(
            make=photos.webp,
            extension="webp",
            megapixels=(0.1, 1),
            options={"frames": (4, 12, 24)},
        ),
    ),
    "gif": (1, _Kind(make=photos.gif, extension="gif", megapixels=(0.3, 8), options={})),
    "moving gif": (
        1,
        _Kind(
            make=photos.gif, extension="gif", megapixels=(0.1, 1), options={"frames": (4, 12, 24)}
        ),
    ),
    "tiff": (
        6,
        _Kind(
            make=photos.tiff,
            extension="tif",
            megapixels=(0.5, 30),
            options={
                "pixels": ("srgb", "srgb", "rgb16", "grey"),
                "layout": ("strips", "one strip", "tiles", "pages", "subifds"),
                "compression": ("none", "lzw", "deflate", "packbits"),
                "alpha": (False, False, True),
                "orientation": _TURNS,
            },
        ),
    ),
    "odd tiff": (
        2,
        _Kind(
            make=photos.tiff,
            extension="tif",
            megapixels=(0.5, 16),
            options={
                "pixels": ("cmyk", "lab", "labs", "float"),
                "layout": ("strips", "tiles", "subifds"),
                "compression": ("none", "lzw", "deflate"),
            },
        ),
    ),
    "jpeg tiff": (
        2,
        _Kind(
            make=photos.tiff,
            extension="tif",
            megapixels=(1, 40),
            options={
                "layout": ("strips", "one strip", "tiles", "pages"),
                "compression": ("jpeg",),
                "pages": (1, 1, 3),
            },
        ),
    ),
    "avif": (
        3,
        _Kind(
            make=photos.avif,
            extension="avif",
            megapixels=(0.3, 8),
            options={
                "bits": (8, 8, 10, 12),
                "alpha": (False, False, True),
                "icc": (None, "display-p3"),
                "orientation": _TURNS,
            },
        ),
    ),
    "heic": (
        4,
        _Kind(
            make=photos.heic,
            extension="heic",
            megapixels=(0.3, 12),
            options={
                "bits": (8, 8, 10),
                "alpha": (False, False, True),
                "tile": (None, 512),
                "orientation": _TURNS,
                "thumbnail": (False, True),
            },
        ),
    ),
}

# What a rendition may ask for beside its size; None is the default, which says nothing.
_ASKED: Final[Options] = {
    "format": (
        *[None] * 5,
        ["source"],
        ["webp"],
        ["avif"],
        ["png"],
        ["gif"],
        ["jpeg", "webp"],
        ["avif", "webp", "jpeg"],
    ),
    "progressive": (*[None] * 4, True),
    "linear": (*[None] * 11, True),
    "animated": (None, None, True),
    "max_bytes": (*[None] * 6, 150_000),
    "sharpen": (*[None] * 5, 1.0),
    "metadata": (None, None, "all", "safe", "none"),
    "colour": (*[None] * 4, "display-p3", "source"),
    "quality": (*[None] * 3, 60, 95),
}
_WIDTHS: Final = (160, 320, 640, 1080, 1600, 2048, 2560, 3600)


def _size(chance: random.Random, megapixels: tuple[float, float]) -> tuple[int, int]:
    pixels = 1e6 * math.exp(chance.uniform(*map(math.log, megapixels)))
    width = math.sqrt(pixels * chance.choice(_ASPECTS))
    sides = round(width), round(pixels / width)
    # No multiples of blocks and tiles.
    return sides if chance.random() < 0.7 else sides[::-1]


def _box(chance: random.Random) -> dict[str, object]:
    """Return how large a rendition is to be, and what becomes of what sticks out."""
    width = chance.choice(_WIDTHS)
    kind = chance.random()
    if kind < 0.1:
        return {}
    if kind < 0.6:
        return {"width": width} if chance.random() < 0.8 else {"width": width, "height": width}
    both = {"width": width, "height": chance.choice([width, round(width * 0.6)])}
    if kind < 0.9:
        positions = ("centre", "attention", "entropy", "northwest")
        return {**both, "fit": "cover", "position": chance.choice(positions)}
    return {**both, "fit": chance.choice(["contain", "fill"])}


def _value(value: object) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, str):
        return f'"{value}"'
    return str(value).lower()


def _rendition(chance: random.Random, name: str) -> dict[str, object]:
    asked: dict[str, object] = {"name": name, **_box(chance)}
    for key, values in _ASKED.items():
        if (value := chance.choice(values)) is not None:
            asked[key] = value
    formats = asked.get("format", ["jpeg"])
    assert isinstance(formats, list)  # noqa: S101 - drawn above
    if not {"jpeg", "source"} & set(formats):
        asked.pop("progressive", None)
    if not {"webp", "gif", "source"} & set(formats):
        asked.pop("animated", None)
    if {"png", "gif"} & set(formats):
        asked.pop("max_bytes", None)
    if "gif" in formats:
        asked.pop("colour", None)
    return asked


def _toml(chance: random.Random, *, cut: bool) -> str:
    lines = ['truncated = "render"'] if cut else []
    if chance.random() < 0.2:
        lines.append("[sidecar]")
    for number in range(chance.choice([1, 1, 2, 3, 5])):
        lines.append("[[renditions]]")
        lines += [
            f"{key} = {_value(value)}" for key, value in _rendition(chance, f"r{number}").items()
        ]
    return "\n".join(lines) + "\n"


def draw(seed: int, count: int) -> list[Drawn]:
    """Return ``count`` cases."""
    chance = random.Random(seed)
    kinds = [name for name, (times, _) in _KINDS.items() for _ in range(times)]
    cases = []
    for _ in range(count):
        name = chance.choice(kinds)
        kind = _KINDS[name][1]
        width, height = _size(chance, kind.megapixels)
        options = {key: chance.choice(values) for key, values in kind.options.items()}
        told = [
            f"{key}={'60 kB' if isinstance(value, bytes) else value}"
            for key, value in options.items()
            if value not in {None, False}
        ]
        cases.append(
            Drawn(
                photo=" ".join([name, f"{width}x{height}", *told]),
                extension=kind.extension,
                make=lambda kind=kind, size=(width, height), options=options: kind.make(  # type: ignore[misc]
                    *size, **options
                ),
                toml=_toml(chance, cut=name == "cut jpeg"),
            )
        )
    return cases
