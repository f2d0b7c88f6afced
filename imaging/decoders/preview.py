"""The preview of a camera raw, which is its photo."""

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from imaging.decoders import jpeg
from imaging.errors import RawWithoutPreviewError
from imaging.files.jpeg import segments
from imaging.formats import InputFormat
from imaging.header import ImageHeader, RawSource

if TYPE_CHECKING:
    from imaging.bridge.source import OpenPhoto
    from imaging.files.previews import Raw

__all__ = ["preview_header"]

_APP1: Final = 0xE1
_EXIF: Final = b"Exif\0\0"


def preview_header(photo: "OpenPhoto", raw: "Raw") -> ImageHeader:
    """Return the header of the preview in ``raw``, which becomes ``photo``.

    Raises:
        RawWithoutPreviewError: It has none that is large enough.
    """
    preview = raw.preview
    received = "none"
    if preview is not None:
        received = f"one of {preview.width} x {preview.height}"
    if preview is None or preview.is_too_small(raw):
        raise RawWithoutPreviewError(
            f"Expected a preview of 1,000 pixels, or a quarter of the raw's, in a {raw.kind} but "
            f"received {received}: export it as JPEG or TIFF"
        )
    size = photo.size
    photo.open_part(preview.at, preview.length)
    read = jpeg.header(photo)
    # The preview's own orientation counts: some previews are upright already, and say no more.
    says = any(
        segment.marker == _APP1 and segment.payload.startswith(_EXIF)
        for segment in segments(photo.header)
    )
    return replace(
        read,
        format=InputFormat.RAW,
        size=size,
        orientation=read.orientation if says else raw.orientation,
        exif={**raw.exif, **read.exif},
        # Its SDR picture is the preview.
        has_gain_map=False,
        gain_map_pixels=0,
        raw=RawSource(kind=raw.kind, width=raw.width, height=raw.height),
    )
