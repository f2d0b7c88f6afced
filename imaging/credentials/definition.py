"""What a rendition's manifest says: how it was made, and what is redacted of its photo's; pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from imaging.header import ImageHeader
from imaging.plan import PlannedRendition
from imaging.specs import Metadata

__all__ = [
    "INGREDIENT",
    "UnredactableError",
    "definition",
    "faults",
    "is_kept",
    "redactions",
    "says_position",
]

INGREDIENT: Final[Mapping[str, str]] = {
    "title": "original",
    "relationship": "parentOf",
    "label": "original",
}

_MOST_MANIFESTS: Final = 100
_MOST_REDACTIONS: Final = 100
_MOST_FAULTS: Final = 8

_WORKS: Final = ("stds.schema-org.CreativeWork",)
"""May hold whatever schema.org has words for: a thumbnail, an address, a birth place."""

_WORK_KEYS: Final = frozenset(
    {
        *("@context", "@type", "@id", "name", "identifier", "url", "alg", "hash", "credential"),
        *("author", "creator", "publisher", "copyrightHolder", "copyrightNotice", "copyrightYear"),
        *("creditText", "license", "acquireLicensePage", "usageInfo", "sameAs"),
        *("dateCreated", "datePublished"),
    }
)
"""What such a work may say: whose it is. With any other key it is redacted."""

_KEPT: Final = frozenset(
    {
        *("c2pa.actions", "c2pa.hash.data", "c2pa.hash.boxes", "c2pa.hash.bmff"),
        *("c2pa.hash.collection.data", "c2pa.hash.multi-asset", "c2pa.ingredient"),
        *("c2pa.soft-binding", "c2pa.training-mining", "cawg.training-mining", "cawg.identity"),
        *("c2pa.certificate-status", "c2pa.time-stamp", "c2pa.asset-type"),
        *_WORKS,
    }
)
"""Assertions that say how it was made and whose it is. Whatever else there is, is redacted:
thumbnails, EXIF and other metadata, and what nobody here knows."""

_FIXED: Final = ("c2pa.actions", "c2pa.hash.")
"""C2PA forbids to redact these."""

# A version (.v2) or the number of an instance (__1) may follow a label.
_LABEL: Final = re.compile(r"(?P<base>.+?)(?:\.v\d+)?(?:__\d+)?")
_POSITION: Final = re.compile(
    # Three letters alone stand in every 700th hash, as Base64 has it.
    r"gps(?![0-9a-z+/])|gps(?:lat|lon|alt|pos|info|loc|coord|map|date|time|dest|area|img|track)"
    r"|latitude|longitude|geo:|geo(?:location|coordinates)|contentlocation"
    r"|location(?:created|shown)|sublocation|iptc4xmpcore:location|photoshop:(?:city|state|country)",
    re.IGNORECASE,
)
_POSITION_KEY: Final = re.compile(
    r"(?i:gps|geo(?!met)|coordinates?\b|spatial|locality|postal|address|location)"
    r"|(?i:(?:\A|:)(?:lat|lng|lon|long|alt|altitude|place|city|country)\Z)"
)
_BOX: Final = re.compile(r"self#jumbf=(?:/c2pa/[^/]+/)?(c2pa\.databoxes/[^/]+)")
_UNNAMED: Final = "general.error"
_FAULT: Final = re.compile(r"[A-Za-z0-9.-]{1,64}")


class UnredactableError(Exception):
    """The photo's credentials hold what must not be carried on, and cannot be redacted."""


def faults(report: Mapping[str, Any], *, own: bool = False) -> tuple[str, ...]:
    """Return the codes of what does not hold in a picture's credentials; none where all does.

    Args:
        report: As :func:`imaging.credentials.library.read_store` returns it.
        own: Leave out what does not hold in those of what it was made from.
    """
    results = report.get("validation_results", {})
    found = list(results.get("activeManifest", {}).get("failure", ()))
    for delta in () if own else results.get("ingredientDeltas", ()):
        found += delta.get("validationDeltas", {}).get("failure", ())
    # Nobody is trusted here, and nobody distrusted.
    codes = dict.fromkeys(
        code for each in found if not (code := str(each.get("code", ""))).endswith(".untrusted")
    )
    if not found and report.get("validation_state") == "Invalid":
        codes = {_UNNAMED: None}
    # What is of another form is a fault too.
    named = (code if _FAULT.fullmatch(code) else _UNNAMED for code in codes)
    return tuple(dict.fromkeys(named))[:_MOST_FAULTS]


def _mappings(value: object) -> Iterator[Mapping[str, object]]:
    """Yield every object in JSON."""
    inner: Iterable[object] = ()
    if isinstance(value, Mapping):
        yield value
        inner = value.values()
    elif isinstance(value, list):
        inner = value
    for each in inner:
        yield from _mappings(each)


def _keys(value: object) -> Iterator[str]:
    """Yield every key in JSON."""
    for each in _mappings(value):
        yield from each


def _texts(value: object) -> Iterator[str]:
    """Yield every text in JSON but the keys."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def says_position(text: str) -> bool:
    """Tell whether a text has a word of those by which positions are named."""
    return _POSITION.search(text) is not None


def _names_position(value: object) -> bool:
    return any(map(says_position, _texts(value))) or any(
        says_position(key) or _POSITION_KEY.search(key) for key in _keys(value)
    )


def _base(label: str) -> str:
    found = _LABEL.fullmatch(label)
    return "" if found is None else found["base"]


def is_kept(label: str) -> bool:
    """Tell whether an assertion of this label may be carried on."""
    return _base(label) in _KEPT


def _is_carried_on(label: str, value: object) -> bool:
    if not is_kept(label) or _names_position(value):
        return False
    return _base(label) not in _WORKS or _WORK_KEYS.issuperset(_keys(value))


def redactions(report: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the addresses of what is to be redacted of a photo's credentials.

    Raises:
        UnredactableError: There is too much of it, or it is where C2PA forbids it.
    """
    manifests = report["manifests"]
    if len(manifests) > _MOST_MANIFESTS:
        raise UnredactableError(f"expected {_MOST_MANIFESTS} manifests but received more")
    found = []
    for name, manifest in manifests.items():
        # What is in neither of the two cannot be redacted.
        if any(_names_position(manifest.get(part)) for part in ("claim", "credential_store")):
            raise UnredactableError("expected no position where nothing can be redacted")
        boxes = {box[1] for text in _texts(manifest) for box in _BOX.finditer(text)}
        for label, value in manifest["assertion_store"].items():
            if _is_carried_on(label, value):
                continue
            if label.startswith(_FIXED):
                raise UnredactableError(f"expected no position in {label[:64]}")
            boxes.add(f"c2pa.assertions/{label}")
        found += [f"self#jumbf=/c2pa/{name}/{box}" for box in sorted(boxes)]
    if len(found) > _MOST_REDACTIONS:
        raise UnredactableError(f"expected {_MOST_REDACTIONS} assertions to redact, or fewer")
    return tuple(found)


def _actions(header: ImageHeader, planned: PlannedRendition) -> Iterator[dict[str, Any]]:
    """Yield what happened to the pixels, in order."""
    spec, placement = planned.spec, planned.placement
    yield {"action": "c2pa.opened", "parameters": {"ingredientIds": [INGREDIENT["label"]]}}
    if header.orientation > 1:
        yield {"action": "c2pa.orientation"}
    if planned.frames < header.n_pages and header.is_animated:
        yield {"action": "c2pa.edited", "description": "The first frame was taken."}
    if placement.crop is not None or placement.search is not None:
        yield {"action": "c2pa.cropped"}
    if (placement.width, placement.height) != header.upright:
        yield {"action": "c2pa.resized"}
    yield from _colour_adjustments(header, planned)
    if spec.sharpen is not None:
        yield {"action": "c2pa.filtered", "description": "It was sharpened."}
    if placement.canvas is not None or (header.has_alpha and not planned.format.row.has_alpha):
        yield {"action": "c2pa.edited", "description": "It was laid on a background."}
    if spec.watermark is not None:
        yield {"action": "c2pa.edited", "description": "A visible watermark was laid on it."}
    if spec.metadata is not Metadata.ALL:
        yield {"action": "c2pa.edited.metadata"}
    is_converted = planned.format.value != header.format.value
    yield {"action": "c2pa.converted" if is_converted else "c2pa.transcoded"}


def _colour_adjustments(header: ImageHeader, planned: PlannedRendition) -> Iterator[dict[str, Any]]:
    """Yield what happened to the colours, and to the light."""
    said = []
    if planned.spec.colour not in header.own_colours:
        darkened = ", and its highlights were darkened" if header.is_tone_mapped else ""
        said.append(f"Its colours were converted to {planned.spec.colour.value}{darkened}.")
    if header.has_gain_map and not planned.keeps_gain_map:
        said.append("Its gain map was left out.")
    for each in said:
        yield {"action": "c2pa.color_adjustments", "description": each}


def definition(
    header: ImageHeader, planned: PlannedRendition, redacted: tuple[str, ...], release: str
) -> dict[str, Any]:
    """Return the manifest of a rendition, as c2pa-rs reads one.

    Args:
        header: The photo's.
        planned: The rendition.
        redacted: What :func:`redactions` gave.
        release: Which release made it.
    """
    actions = list(_actions(header, planned))
    # C2PA wants an action for each, with its reason.
    actions += [
        {
            "action": "c2pa.redacted",
            "reason": "c2pa.PII.present",
            "parameters": {"redacted": address},
        }
        for address in redacted
    ]
    return {
        "claim_generator_info": [{"name": "renditions", "version": release}],
        "format": planned.format.content_type,
        "redactions": list(redacted),
        "assertions": [
            {
                "label": "c2pa.actions.v2",
                "data": {"actions": actions, "allActionsIncluded": True},
            }
        ],
    }
