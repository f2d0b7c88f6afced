"""Makes a small photo's renditions before the first real one comes."""

import base64
from dataclasses import replace
from typing import Final

from imaging.config import Config
from imaging.in_memory import render_in_memory
from imaging.limits import Limits
from imaging.local import MemorySource
from imaging.photo import PhotoOpener

__all__ = ["SAMPLE_JPEG", "warm_up"]

SAMPLE_JPEG: Final = base64.b64decode(
    "/9j/2wBDABQODxIPDRQSEBIXFRQYHjIhHhwcHj0sLiQySUBMS0dARkVQWnNiUFVtVkVGZIhlbXd7gYKBTmCNl4x9lnN+"
    "gXz/2wBDARUXFx4aHjshITt8U0ZTfHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8"
    "fHz/wAARCAAQABADASIAAhEBAxEB/8QAHwAAAQUBAQEBAQEAAAAAAAAAAAECAwQFBgcICQoL/8QAtRAAAgEDAwIEAwUF"
    "BAQAAAF9AQIDAAQRBRIhMUEGE1FhByJxFDKBkaEII0KxwRVS0fAkM2JyggkKFhcYGRolJicoKSo0NTY3ODk6Q0RFRkdI"
    "SUpTVFVWV1hZWmNkZWZnaGlqc3R1dnd4eXqDhIWGh4iJipKTlJWWl5iZmqKjpKWmp6ipqrKztLW2t7i5usLDxMXGx8jJ"
    "ytLT1NXW19jZ2uHi4+Tl5ufo6erx8vP09fb3+Pn6/8QAHwEAAwEBAQEBAQEBAQAAAAAAAAECAwQFBgcICQoL/8QAtREA"
    "AgECBAQDBAcFBAQAAQJ3AAECAxEEBSExBhJBUQdhcRMiMoEIFEKRobHBCSMzUvAVYnLRChYkNOEl8RcYGRomJygpKjU2"
    "Nzg5OkNERUZHSElKU1RVVldYWVpjZGVmZ2hpanN0dXZ3eHl6goOEhYaHiImKkpOUlZaXmJmaoqOkpaanqKmqsrO0tba3"
    "uLm6wsPExcbHyMnK0tPU1dbX2Nna4uPk5ebn6Onq8vP09fb3+Pn6/9oADAMBAAIRAxEAPwDqf3d5D2ORXLa5ov3mVaND"
    "1r7qs1dT+7vIexyKAP/Z"
)
"""16 x 16 waves, by libvips."""


def warm_up(open_photo: PhotoOpener, config: Config) -> None:
    """Make the renditions of ``config`` from a small JPEG, so that what they need is loaded.

    *Cost*: 50 to 100 ms of CPU; nothing is read, stored or kept.
    """
    # Without limits: those are for strangers' photos.
    asked = replace(config.asked(), limits=Limits())
    render_in_memory(open_photo, MemorySource(SAMPLE_JPEG), asked)
