"""What happened: to one rendition, to one record, in one invocation."""

from dataclasses import asdict, dataclass
from typing import Any

from handler.errors import Disposition

__all__ = ["InvocationReport", "JobReport", "RenditionReport"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RenditionReport:
    """One stored rendition: its name, key, dimensions, bytes, and milliseconds to make it."""

    name: str
    key: str
    width: int
    height: int
    size: int
    elapsed_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class JobReport:
    """What became of one record.

    Attributes:
        bucket: The source's.
        key: The source's.
        disposition: What became of it.
        code: The error's, or None.
        message: The error's, or None.
        loader: libvips' loader, once the header was read.
        width: Upright columns.
        height: Upright rows.
        size: Encoded bytes of the source.
        elapsed_ms: Milliseconds for the record.
        renditions: What was stored.
    """

    bucket: str
    key: str
    disposition: Disposition
    code: str | None = None
    message: str | None = None
    loader: str | None = None
    width: int | None = None
    height: int | None = None
    size: int | None = None
    elapsed_ms: float = 0.0
    renditions: tuple[RenditionReport, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationReport:
    """What became of each record, in the event's order."""

    records: tuple[JobReport, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain data that JSON can hold."""
        return asdict(self)
