"""What a photo says of where it comes from, as an app and a log are told; pure."""

from collections.abc import Iterable
from typing import Any

from imaging.header import ImageHeader
from imaging.rendition import Rendition
from imaging.signatures import Carried

__all__ = ["are_valid", "credentials_word", "provenance"]


def credentials_word(header: ImageHeader) -> str:
    """Return ``present``; ``elsewhere`` where the photo only names their place; or ``none``."""
    if header.credentials is None:
        return "none"
    return "elsewhere" if header.credentials.are_elsewhere else "present"


def are_valid(carried: Iterable[Carried | None]) -> bool | None:
    """Tell whether a photo's credentials hold, by what its renditions carry; None for unknown."""
    known = [not one.faults for one in carried if one is not None]
    return all(known) if known else None


def provenance(header: ImageHeader, made: Iterable[Rendition] = ()) -> dict[str, Any]:
    """Return what the photo says, as plain data; verified only where renditions carry it on.

    Whose it is stays out: the renditions say it, as far as their spec lets them.

    Args:
        header: The photo's.
        made: Its renditions.
    """
    carrying = [one for one in made if one.carried is not None]
    mined = header.rights.data_mining if header.rights is not None else ""
    found = {
        "valid": are_valid(one.carried for one in carrying),
        "carried": list(dict.fromkeys(one.planned.spec.name for one in carrying)),
    }
    return {
        "credentials": credentials_word(header),
        **(found if carrying else {}),
        "source_types": list(header.source_types),
        "data_mining": mined.rpartition("/")[2] or None,
    }
