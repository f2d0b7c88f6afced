"""What has to change in an XMP packet that is passed on with other pixels; pure."""

import re
from typing import Final

__all__ = ["upright_xmp"]

# As an attribute or as an element, in the prefix that every writer uses (XMP, part 2, 3.2).
_ORIENTATION: Final = re.compile(rb"""(tiff:Orientation\s*(?:=\s*["']|>)\s*)[2-8]""")

# Gain maps and the videos of motion photos: the packet says at which byte of the file they are.
_OTHER_PARTS: Final = (
    b"http://ns.adobe.com/hdr-gain-map/",
    b"http://ns.google.com/photos/1.0/container/",
    b"http://ns.google.com/photos/1.0/camera/",
)


def upright_xmp(packet: bytes) -> bytes | None:
    """Return the packet for pixels that are upright; None where it describes parts now gone."""
    if any(namespace in packet for namespace in _OTHER_PARTS):
        return None
    return _ORIENTATION.sub(rb"\g<1>1", packet)
