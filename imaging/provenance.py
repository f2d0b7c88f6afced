"""What a photo says of where it comes from, as an app and a log are told; pure."""

from typing import Any

from imaging.header import ImageHeader

__all__ = ["credentials_word", "provenance"]


def credentials_word(header: ImageHeader) -> str:
    """Return ``present``; ``elsewhere`` where the photo only names their place; or ``none``."""
    if header.credentials is None:
        return "none"
    return "elsewhere" if header.credentials.are_elsewhere else "present"


def provenance(header: ImageHeader) -> dict[str, Any]:
    """Return what the photo says, as plain data; nothing of it was verified.

    Whose it is stays out: the renditions say it, as far as their spec lets them.
    """
    mined = header.rights.data_mining if header.rights is not None else ""
    return {
        "credentials": credentials_word(header),
        "source_types": list(header.source_types),
        "data_mining": mined.rpartition("/")[2] or None,
    }
