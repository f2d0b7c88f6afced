"""HEIC: HEVC, in the boxes that AVIF has too."""

from imaging.decoders.heif import decode, header, peak_bytes

__all__ = ["decode", "header", "peak_bytes"]
