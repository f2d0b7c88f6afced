"""The stages of the work on one photo, and the time that each took."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Span", "Stage", "Stages", "stages_from_spans"]


class Stage(StrEnum):
    """What the time of a photo is spent on, in this order."""

    FETCH = "fetch"
    DECODE = "decode"
    ENCODE = "encode"
    STORE = "store"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One stage that a photo was in.

    Attributes:
        stage: Which.
        started_s: When it began, in seconds since 1970.
        elapsed_ms: How long it took.
    """

    stage: Stage
    started_s: float
    elapsed_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """Milliseconds of wall time; their sum is the photo's, without what precedes the first request.

    Attributes:
        wait_ms: Until S3 answered, and while the decoder waited for bytes.
        decode_ms: Header, plan, decode and base, without the waiting.
        encode_ms: Deriving and encoding the renditions. Uploads overlap it.
        upload_ms: What was left of the uploads when the last rendition was encoded.
    """

    wait_ms: float
    decode_ms: float
    encode_ms: float
    upload_ms: float


def stages_from_spans(spans: Iterable[Span], *, waited_ms: float) -> Stages:
    """Return the sums of ``spans``, to a tenth, with the waiting taken out of the decode."""
    spent = dict.fromkeys(Stage, 0.0)
    for span in spans:
        spent[span.stage] += span.elapsed_ms
    # A source that is read after the decode (metadata at a file's end) may wait within encode.
    waited_ms = min(waited_ms, spent[Stage.DECODE])
    return Stages(
        wait_ms=round(spent[Stage.FETCH] + waited_ms, 1),
        decode_ms=round(spent[Stage.DECODE] - waited_ms, 1),
        encode_ms=round(spent[Stage.ENCODE], 1),
        upload_ms=round(spent[Stage.STORE], 1),
    )
