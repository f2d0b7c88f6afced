"""AVIF: AV1, in the boxes that HEIC has too."""

from imaging.decoders.heif import decode, header, peak_bytes

__all__ = ["decode", "header", "peak_bytes"]
