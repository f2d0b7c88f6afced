"""What AWS asks for the work on photos; see docs/cost.md."""

from dataclasses import dataclass
from typing import Final

__all__ = ["ARM", "BY_PROCESSOR", "X86", "Bill", "Prices", "Work", "price_of"]

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Dollars in us-east-1 without the free tier, as docs/cost.md says where they were read.

    Source: https://aws.amazon.com/lambda/pricing/, https://aws.amazon.com/s3/pricing/,
    https://aws.amazon.com/sqs/pricing/, https://aws.amazon.com/cloudwatch/pricing/

    Attributes:
        gb_second: Of Lambda.
        invocation: Of Lambda.
        read: GetObject, HeadObject.
        write: PutObject, ListObjectsV2.
        message: A request to SQS.
        batch_object: An object of an S3 Batch Operations job.
        batch_job: The job.
        stored_gb_month: S3 Standard.
        logged_gb: Taken into CloudWatch Logs.
    """

    gb_second: float = 0.0000166667
    invocation: float = 0.20 / _MILLION
    read: float = 0.0004 / 1000
    write: float = 0.005 / 1000
    message: float = 0.40 / _MILLION
    batch_object: float = 1.00 / _MILLION
    batch_job: float = 0.25
    stored_gb_month: float = 0.023
    logged_gb: float = 0.50


X86 = Prices()
ARM = Prices(gb_second=0.0000133334)
BY_PROCESSOR: Final = {"x86_64": X86, "arm64": ARM}

_LINE_BYTES = 2_000
"""A photo's line in the log, and what the runtime adds to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Photos, and what one of them takes.

    Attributes:
        photos: How many.
        seconds: Billed for one.
        memory_mb: The function's.
        renditions: Of one.
        stored_bytes: Of one photo's renditions.
    """

    photos: float
    seconds: float
    memory_mb: int
    renditions: float
    stored_bytes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """Dollars, once for the work, and each month for what is stored."""

    compute: float
    invocations: float
    reads: float
    writes: float
    messages: float
    logs: float
    monthly: float

    @property
    def total(self) -> float:
        """What the work costs, storage left out."""
        return (
            self.compute + self.invocations + self.reads + self.writes + self.messages + self.logs
        )


def price_of(work: Work, prices: Prices) -> Bill:
    """Return what ``work`` costs, one photo an invocation, by way of a queue."""
    return Bill(
        compute=work.photos * work.seconds * work.memory_mb / 1024 * prices.gb_second,
        invocations=work.photos * prices.invocation,
        # The photo, and its manifest. Reading costs nothing by the byte within the region.
        reads=work.photos * 2 * prices.read,
        # The renditions, and the manifest.
        writes=work.photos * (work.renditions + 1) * prices.write,
        # Sent, received, deleted.
        messages=work.photos * 3 * prices.message,
        logs=work.photos * _LINE_BYTES / 1e9 * prices.logged_gb,
        monthly=work.photos * work.stored_bytes / 1e9 * prices.stored_gb_month,
    )
