"""S3 servers for tests and benchmarks, and a proxy that breaks what passes through it.

- `MotoServer`: the most faithful answers, in this process, over HTTP or TLS.
- `FileS3`: files from disk at several hundred MB/s, checksums verified.
- `FaultProxy`: before either; counts requests and bytes, and does what each `Fault` says.

Each is a context manager with an `endpoint_url` and a boto3 `client()`, and leaves no thread and no
socket behind. `python -m tests.servers` runs one in a process of its own.
"""

from .authority import Authority
from .calls import S3Call
from .faults import (
    ACCESS_DENIED,
    INTERNAL_ERROR,
    SLOW_DOWN,
    Answer,
    CallAfter,
    CallBefore,
    Cut,
    Delay,
    Drop,
    Ending,
    Fault,
    Flip,
    IgnoreRange,
    LoseAnswer,
    Slow,
    Stall,
    TruncateUpload,
    WrongLength,
)
from .files import FileS3
from .listening import REGION, S3Endpoint, open_uploads
from .log import Request
from .moto import MotoServer
from .proxy import FaultProxy

__all__ = [
    "ACCESS_DENIED",
    "INTERNAL_ERROR",
    "REGION",
    "SLOW_DOWN",
    "Answer",
    "Authority",
    "CallAfter",
    "CallBefore",
    "Cut",
    "Delay",
    "Drop",
    "Ending",
    "Fault",
    "FaultProxy",
    "FileS3",
    "Flip",
    "IgnoreRange",
    "LoseAnswer",
    "MotoServer",
    "Request",
    "S3Call",
    "S3Endpoint",
    "Slow",
    "Stall",
    "TruncateUpload",
    "WrongLength",
    "open_uploads",
]
