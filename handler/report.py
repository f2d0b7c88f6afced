"""What happened: to one rendition, to one record."""

from dataclasses import dataclass

from handler.errors import Disposition
from handler.stages import Span, Stages
from imaging.errors import PhotoWarning

__all__ = ["JobReport", "RenditionReport"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RenditionReport:
    """One stored rendition.

    Attributes:
        name: Its spec's.
        format: What it is encoded to.
        key: Where it is.
        width: Columns.
        height: Rows.
        size: Encoded bytes.
        quality: The ``Q`` that it was encoded with; None where the format has none.
        gain_map_size: Bytes of them that are the gain map; None without one.
        elapsed_ms: Milliseconds to derive and encode it.
    """

    name: str
    format: str
    key: str
    width: int
    height: int
    size: int
    quality: int | None = None
    gain_map_size: int | None = None
    elapsed_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class JobReport:
    """What became of one record.

    Attributes:
        bucket: The source's.
        key: The source's.
        disposition: What became of it.
        event: What happened to the object, such as ``ObjectCreated:Put``.
        event_time_s: When, in seconds since 1970, where the event says.
        version_id: The source's, on a versioned bucket.
        etag: The source's, without quotes, once S3 or the event said it.
        code: The error's, or None.
        message: The error's, or None.
        detail: The underlying library's own words, or empty.
        loader: libvips' loader, once the header was read.
        width: Upright columns.
        height: Upright rows.
        size: Encoded bytes of the source.
        credentials: ``present`` or ``elsewhere`` where the photo has content credentials, or None.
        credentials_valid: Whether those hold, where renditions carry them on; else None.
        source_types: How it was made, as it says: IPTC's terms.
        plan: What was to happen, in a line, once it was decided.
        elapsed_ms: Milliseconds for the record.
        stages: What they were spent on, once S3 was asked.
        spans: The same, with the time at which each began.
        warnings: Problems of what was stored in spite of them.
        renditions: What was stored.
    """

    bucket: str
    key: str
    disposition: Disposition
    event: str = ""
    event_time_s: float | None = None
    version_id: str | None = None
    etag: str | None = None
    code: str | None = None
    message: str | None = None
    detail: str = ""
    loader: str | None = None
    width: int | None = None
    height: int | None = None
    size: int | None = None
    credentials: str | None = None
    credentials_valid: bool | None = None
    source_types: tuple[str, ...] = ()
    plan: str | None = None
    elapsed_ms: float = 0.0
    stages: Stages | None = None
    spans: tuple[Span, ...] = ()
    warnings: tuple[PhotoWarning, ...] = ()
    renditions: tuple[RenditionReport, ...] = ()
