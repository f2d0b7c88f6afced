"""What can go wrong with a photo: one family of exceptions, and warnings.

Each class has a stable ``code`` (logs, reports and alarms name it) and says at class level whether
another attempt could succeed (``retryable``). Nothing is ever decided by parsing a message.
"""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoWarning:
    """A problem of a photo that was rendered in spite of it.

    Attributes:
        code: Stable, as an error's is.
        message: One sentence for a person.
    """

    code: str
    message: str


class RenditionsError(Exception):
    """The base of every error that this project raises on purpose.

    Args:
        message: One sentence for a person: what was expected, what was received, where.
        detail: The underlying library's own words, for logs only.
    """

    code: str
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail.strip()


class ConfigError(RenditionsError):
    """The configuration is wrong; raised at init, never while a photo is processed.

    Args:
        message: As of any error.
        key: Which key of its table is wrong; empty where none is.
    """

    code = "bad-config"

    def __init__(self, message: str, *, key: str = "") -> None:
        super().__init__(message)
        self.key = key


class RejectedPhotoError(RenditionsError):
    """This photo will never succeed, however often it is tried."""

    code = "rejected"


class EmptyObjectError(RejectedPhotoError):
    """There are no bytes."""

    code = "empty"


class NotAPhotoError(RejectedPhotoError):
    """The first bytes are those of no picture format known here."""

    code = "not-a-photo"


class UnsupportedFormatError(RejectedPhotoError):
    """The bytes are recognised, and are of a format that is not accepted."""

    code = "unsupported-format"


class RawWithoutPreviewError(RejectedPhotoError):
    """A camera raw that holds no JPEG large enough to show; raws are not developed here."""

    code = "raw-without-preview"


class CorruptPhotoError(RejectedPhotoError):
    """The decoder gave up on the bytes."""

    code = "corrupt"


class TruncatedPhotoError(CorruptPhotoError):
    """The bytes end before the photo does: its upload was interrupted."""

    code = "truncated"


class OverLimitError(RejectedPhotoError):
    """A limit is exceeded; nothing was decoded.

    Args:
        limit: The limit's name, as in ``renditions.toml``.
        actual: What the photo has.
        maximum: What is allowed.
    """

    code = "over-limit"

    def __init__(self, limit: str, *, actual: int, maximum: int) -> None:
        super().__init__(f"Expected {limit} of at most {maximum:,} but received {actual:,}")
        self.limit = limit
        self.actual = actual
        self.maximum = maximum


class NeedsMoreMemoryError(RejectedPhotoError):
    """The photo would not fit into this function's memory; nothing was decoded.

    Args:
        estimate: The most bytes that the process would hold.
        available: What it may hold.
        processes: How many share the function's memory evenly.
    """

    code = "needs-more-memory"

    def __init__(self, *, estimate: int, available: int, processes: int) -> None:
        # Lambda sells memory by the megabyte; a multiple of 64 leaves room to spare.
        would_do = -(-estimate // (64 << 20)) * 64 * processes
        super().__init__(
            f"Expected a photo that needs at most {available >> 20} MB but this one needs "
            f"{-(-estimate >> 20)} MB: {would_do} MB would do"
            + (f", which {processes} processes share" if processes > 1 else "")
        )
        self.estimate = estimate
        self.available = available


class OutOfMemoryError(NeedsMoreMemoryError):
    """The photo took more memory than there is; its decoder was ended.

    Args:
        held: Bytes that the decoder's process held when they were last counted.
        available: What the function has; 0 if nobody knows.
    """

    def __init__(self, *, held: int, available: int) -> None:
        # Not the message of an estimate, which says how much would do: nobody knows.
        RejectedPhotoError.__init__(
            self,
            "Expected a photo that can be decoded in the memory that there is"
            + (f", {available >> 20} MB," if available else "")
            + " but its decoder wanted more"
            + (f" than {held >> 20} MB beside the function" if held else ""),
        )
        self.estimate = held
        self.available = available


class CrashedError(RejectedPhotoError):
    """The photo ended two processes that decoded it: the first, and a new one after it."""

    code = "crashed"


class SourceError(RenditionsError):
    """The encoded bytes could not be read to their end; another attempt may."""

    code = "source-failed"
    retryable = True


class SinkError(RenditionsError):
    """A rendition's bytes could not be handed on; another attempt may succeed."""

    code = "sink-failed"
    retryable = True


class OutOfTimeError(RenditionsError):
    """There is no time left to finish; what was begun is undone, and another attempt may do it."""

    code = "out-of-time"
    retryable = True


class InternalError(RenditionsError):
    """An exception that nobody foresaw: a bug. It is about one photo; another attempt may succeed.

    Args:
        stage: What was being done with the photo.
        raised: The exception.
    """

    code = "internal"
    retryable = True

    def __init__(self, stage: str, raised: Exception) -> None:
        name = type(raised).__name__
        super().__init__(
            f"Expected no exception in stage {stage} but received {name}: {raised}",
            detail=_origin(raised),
        )
        self.stage = stage
        self.__cause__ = raised


def _origin(raised: Exception) -> str:
    """Return the file and line that raised it."""
    frame = raised.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return "" if frame is None else f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}"


def error_from_exception(raised: Exception, stage: str) -> RenditionsError:
    """Return ``raised`` if it is one of ours, else the InternalError that stands for it."""
    return raised if isinstance(raised, RenditionsError) else InternalError(stage, raised)
