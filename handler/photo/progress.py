"""How far one record has come, stage by stage: what its log line, metrics and trace are made of."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imaging.errors import PhotoWarning
    from imaging.header import ImageHeader
    from imaging.plan import RenditionPlan

__all__ = ["Progress", "Span", "Stage", "Stages", "stages_from_spans"]


class Stage(StrEnum):
    """What a record's time is spent on, in this order."""

    FETCH = "fetch"
    DECODE = "decode"
    ENCODE = "encode"
    STORE = "store"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One stage that a record was in.

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
    """Milliseconds of wall time; together the record's, but for what lies before the request.

    Attributes:
        wait_ms: Until S3 answered, and while the decoder stood still for bytes.
        decode_ms: Header, plan, decode, and the base; without the waiting.
        encode_ms: Deriving and encoding the renditions. Uploads overlap it.
        upload_ms: What was left of the uploads when the last rendition was encoded.
    """

    wait_ms: float
    decode_ms: float
    encode_ms: float
    upload_ms: float


class Progress:
    """One record under way. What is known of the photo outlives the error that ends it.

    Attributes:
        etag: What S3 says the object is, once it answered; without quotes.
        header: Once it was read.
        plan: Once it was made.
        warnings: Of the renditions, once they are made.
        waited_ms: For how long the decoder stood still for bytes.

    *Thread*: the record's own.
    """

    def __init__(self) -> None:
        # One look at the clock on the wall; a clock that is set meanwhile must not bend the spans.
        self._epoch_s = time.time() - time.perf_counter()
        self._stage: Stage | None = None
        self._since = time.perf_counter()
        self._spans: list[Span] = []
        self.etag: str | None = None
        self.header: ImageHeader | None = None
        self.plan: RenditionPlan | None = None
        self.warnings: list[PhotoWarning] = []
        self.waited_ms = 0.0

    def enter(self, stage: Stage) -> None:
        """Say that ``stage`` begins, which ends the one before; again is no change."""
        if stage is not self._stage:
            self._close()
            self._stage = stage

    def end(self) -> tuple[Span, ...]:
        """End the stage under way, and return all of them."""
        self._close()
        self._stage = None
        return tuple(self._spans)

    def _close(self) -> None:
        now = time.perf_counter()
        if self._stage is not None:
            self._spans.append(
                Span(
                    stage=self._stage,
                    started_s=self._epoch_s + self._since,
                    elapsed_ms=(now - self._since) * 1000,
                )
            )
        self._since = now


def stages_from_spans(spans: Iterable[Span], *, waited_ms: float) -> Stages:
    """Return what ``spans`` come to, to a tenth, with the waiting taken out of the decode."""
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
