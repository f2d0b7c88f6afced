"""The sidecar: what an app wants to know of a photo and its renditions, as one document; pure.

``docs/sidecar.schema.json`` is its schema.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from imaging.header import ImageHeader
from imaging.plan import RenditionPlan
from imaging.provenance import provenance
from imaging.rendition import Rendition

__all__ = ["listed", "sidecar"]

_VERSION: Final = 1

# EXIF 2.32, 4.6.5: DateTimeOriginal and OffsetTimeOriginal.
_TIME: Final = re.compile(r"(\d{4}):(\d\d):(\d\d) (\d\d:\d\d:\d\d)")
_OFFSET: Final = re.compile(r"[+-](?:0\d|1[0-4]):[0-5]\d")


def sidecar(
    source: Mapping[str, str], plan: RenditionPlan, renditions: Sequence[tuple[Rendition, str]]
) -> dict[str, Any]:
    """Return the document, as plain data.

    Args:
        source: Identifies the photo: its key, and what distinguishes this version from others.
        plan: The plan; it asked for the appearance.
        renditions: What was made, each with its key.
    """
    header = plan.header
    width, height = header.upright
    appearance = next(made.appearance for made, _ in renditions if made.appearance is not None)
    said = (warning for made, _ in renditions for warning in made.warnings)
    return {
        "version": _VERSION,
        "source": dict(source),
        "photo": {
            "type": f"image/{header.format.value}",
            "bytes": header.size,
            "width": width,
            "height": height,
            "pages": header.n_pages,
            "hdr": header.hdr,
            "captured_at": _captured_at(header),
            "camera": {
                "make": header.exif.get("Make"),
                "model": header.exif.get("Model"),
                "lens": header.exif.get("LensModel"),
            },
            "dominant_colour": appearance.dominant_colour,
            "palette": list(appearance.palette),
            "blurhash": appearance.blurhash,
            "thumbhash": appearance.thumbhash,
            "perceptual_hash": appearance.perceptual_hash,
        },
        "provenance": provenance(header, [made for made, _ in renditions]),
        # Each rendition repeats the warnings of the photo.
        "warnings": [asdict(warning) for warning in dict.fromkeys((*plan.warnings, *said))],
        "renditions": [listed(made, key) for made, key in renditions],
    }


def listed(made: Rendition, key: str) -> dict[str, str | int]:
    """Return how the document lists one rendition, which is stored under ``key``."""
    return {
        "name": made.planned.spec.name,
        "key": key,
        "width": made.width,
        "height": made.height,
        "bytes": made.size,
        "content_type": made.planned.format.content_type,
    }


def _captured_at(header: ImageHeader) -> str | None:
    """Return when it was taken, in ISO 8601: with its offset where the camera wrote one."""
    for field in ("DateTimeOriginal", "DateTime"):
        found = _TIME.fullmatch(str(header.exif.get(field, "")))
        if found is None:
            continue
        year, month, day, time = found.groups()
        try:
            datetime.fromisoformat(f"{year}-{month}-{day}T{time}Z")
        except ValueError:
            # Cameras whose clock was never set write zeros, and some what is no time at all.
            continue
        offset = str(header.exif.get("OffsetTimeOriginal", ""))
        return f"{year}-{month}-{day}T{time}" + (offset if _OFFSET.fullmatch(offset) else "")
    return None
