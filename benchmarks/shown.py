"""The photos that docs/speed.md's tables and plots show, and what they call them."""

from collections.abc import Mapping
from typing import Final

__all__ = ["SHOWN"]

SHOWN: Final[Mapping[str, str]] = {
    "jpeg-24": "24 MP JPEG",
    "jpeg-200": "200 MP JPEG",
    "progressive-108": "108 MP progressive JPEG",
    "png-48": "48 MP PNG",
    "webp-12": "12 MP WebP",
    "avif-12": "12 MP AVIF",
    "heic-48": "48 MP HEIC",
    "tiff-108": "108 MP pyramidal TIFF",
}
