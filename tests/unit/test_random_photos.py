"""Random photos and random specs through the whole pipeline, against an independent reference."""

import io
from typing import Any

import numpy as np
import pillow_heif
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from PIL import Image

from imaging.errors import ConfigError
from imaging.formats import OutputFormat
from imaging.geometry import place
from imaging.specs import Fit, Position, RenditionSpec
from tests.photos import exif, with_exif
from tests.photos.raws import SENSOR, nef
from tests.rendering import rendered

pillow_heif.register_heif_opener()

_TURNED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What each EXIF orientation asks a viewer to do, in Pillow's words."""

_KINDS = [
    ("JPEG", "RGB"),
    ("JPEG", "L"),
    ("PNG", "RGB"),
    ("PNG", "RGBA"),
    ("PNG", "L"),
    ("PNG", "LA"),
    ("PNG", "P"),
    ("WEBP", "RGB"),
    ("WEBP", "RGBA"),
    ("GIF", "P"),
    ("TIFF", "RGB"),
    ("TIFF", "RGBA"),
    ("TIFF", "L"),
    ("TIFF", "CMYK"),
    ("AVIF", "RGB"),
    ("AVIF", "RGBA"),
    ("HEIF", "RGB"),
    ("HEIF", "RGBA"),
    ("HEIF", "L"),
    ("RAW", "RGB"),
]
_OPTIONS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 97, "subsampling": 0},
    "WEBP": {"lossless": True},
    "AVIF": {"quality": 95, "speed": 9, "subsampling": "4:4:4"},
    "HEIF": {"quality": 95, "chroma": 444},
}
_OUTPUTS = (OutputFormat.PNG, OutputFormat.JPEG, OutputFormat.WEBP)


def smooth(width: int, height: int, phase: float) -> Image.Image:
    """Return waves of at least 40 pixels, or two of a small picture: whatever resizes it agrees."""
    y, x = np.mgrid[0:height, 0:width]
    long_x, long_y = max(40.0, width / 2), max(40.0, height / 2)
    waves = [
        np.cos(2 * np.pi * (x / long_x + phase)),
        np.cos(2 * np.pi * (y / long_y + phase)),
        np.cos(2 * np.pi * (x / long_x + y / long_y)),
    ]
    return Image.fromarray((127.5 + 90 * np.dstack(waves)).astype(np.uint8))


def encoded(image: Image.Image, format_: str, orientation: int) -> bytes:
    """Return the picture as a file; a JPEG, and one in a raw, gets the orientation."""
    if format_ == "RAW":
        return nef(encoded(image, "JPEG", orientation))
    buffer = io.BytesIO()
    image.save(buffer, format_, **_OPTIONS.get(format_, {}))
    data = buffer.getvalue()
    if format_ != "JPEG":
        return data
    return with_exif(data, exif(orientation=orientation))


def reference(image: Image.Image, spec: RenditionSpec, max_side: int) -> Image.Image:
    """Return what the rendition should show, by Pillow's own resize, from the same placement."""
    placement = place(image.width, image.height, spec, max_side=max_side)
    made = image.resize((placement.width, placement.height), Image.Resampling.LANCZOS)
    if placement.crop is not None:
        box = placement.crop
        made = made.crop((box.left, box.top, box.left + box.width, box.top + box.height))
    if placement.canvas is not None:
        canvas = placement.canvas
        laid = Image.new("RGB", (canvas.width, canvas.height), spec.background)
        laid.paste(made, (canvas.left, canvas.top))
        made = laid
    return made


@st.composite
def specs(draw: st.DrawFn) -> RenditionSpec:
    """Draw what is asked: sides of 1 to 300."""
    sides = st.one_of(st.none(), st.integers(1, 300))
    try:
        return RenditionSpec(
            name="a",
            width=draw(sides),
            height=draw(sides),
            fit=draw(st.sampled_from(Fit)),
            position=draw(st.sampled_from([Position.CENTRE, Position.NORTH, Position.SOUTHEAST])),
            formats=(draw(st.sampled_from(_OUTPUTS)),),
            without_enlargement=draw(st.booleans()),
            linear=False,
        )
    except ConfigError:
        # Not everything goes together.
        reject()


@settings(max_examples=150)
@given(
    kind=st.sampled_from(_KINDS),
    width=st.one_of(st.integers(1, 12), st.integers(1, 700)),
    height=st.one_of(st.integers(1, 12), st.integers(1, 700)),
    orientation=st.integers(1, 8),
    phase=st.floats(0, 1),
    spec=specs(),
)
def test_what_is_made_is_what_another_resize_makes(
    kind: tuple[str, str],
    width: int,
    height: int,
    orientation: int,
    phase: float,
    spec: RenditionSpec,
) -> None:
    """Dimensions exactly; on average within 6 of 255, and more where there are few pixels."""
    format_, mode = kind
    if format_ == "RAW":
        # A smaller preview is a thumbnail, which is refused.
        width = max(width, max(SENSOR) // 4)
    image = smooth(width, height, phase).convert(mode)
    turned = _TURNED[orientation] if format_ in {"JPEG", "RAW"} else None
    (made,) = rendered(encoded(image, format_, orientation), spec).data
    upright = image if turned is None else image.transpose(turned)
    expected = reference(upright.convert("RGB"), spec, spec.formats[0].row.max_side)  # type: ignore[union-attr]
    result = Image.open(io.BytesIO(made)).convert("RGB")
    assert result.size == expected.size
    difference = np.abs(np.asarray(result, int) - np.asarray(expected, int)).mean()
    # Untagged inks are those of a proof here, and complements in Pillow; dither rings.
    # A codec's chroma of a few pixels is far off, and at the edge a kernel is all there is.
    shortest = min(width, height, *result.size)
    allowed = {"CMYK": 60, "P": 20}.get(mode, 6) + 240 / max(4, shortest)
    assert difference <= allowed
