"""One line of JSON for each record: its log entry, and its metrics in embedded metric format.

CloudWatch takes the metrics out of the line that it stores: they need no request and no library.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from handler.errors import Disposition
from handler.release import VERSION
from handler.report import JobReport
from handler.settings import Function

__all__ = ["NAMESPACE", "UNITS", "PhotoLog", "photo_line"]

NAMESPACE: Final = "Renditions"

UNITS: Final = {
    "SourceBytes": "Bytes",
    "RenditionBytes": "Bytes",
    "Latency": "Milliseconds",
    "Age": "Seconds",
    "PeakMemory": "Percent",
    "ColdStarts": "Count",
    "Retries": "Count",
    "Rejections": "Count",
}
"""The metrics of a function as a whole; ``Photos`` is counted by disposition and code besides."""

_LEVELS: Final = {Disposition.REJECTED: "WARNING", Disposition.RETRY: "ERROR"}


def _iso(epoch_s: float | None) -> str | None:
    if epoch_s is None:
        return None
    return datetime.fromtimestamp(epoch_s, UTC).isoformat(timespec="milliseconds")


def photo_line(
    report: JobReport,
    *,
    function: Function,
    request_id: str,
    cold: bool,
    peak_bytes: int,
    now_s: float,
    config: str | None = None,
) -> dict[str, Any]:
    """Return the line for one record.

    Args:
        report: What became of it.
        function: What Lambda says of the function.
        request_id: The invocation's.
        cold: Whether this is the first record after a cold start.
        peak_bytes: The most memory that the execution environment has held so far.
        now_s: Seconds since 1970.
        config: Which configuration the function has, where it is not the image's.
    """
    metrics = {
        "SourceBytes": report.size,
        "RenditionBytes": sum(rendition.size for rendition in report.renditions),
        "Latency": report.elapsed_ms,
        # S3's clock and ours differ by a little; an age below 0 would be refused.
        "Age": None if report.event_time_s is None else max(0.0, now_s - report.event_time_s),
        "PeakMemory": (
            round(100 * peak_bytes / (function.memory_mb << 20), 1) if function.memory_mb else None
        ),
        "ColdStarts": int(cold),
        # 0 or 1 for each photo: the sum is how many, and the average which share of all.
        "Retries": int(report.disposition is Disposition.RETRY),
        "Rejections": int(report.disposition is Disposition.REJECTED),
    }
    known = {name: value for name, value in metrics.items() if value is not None}
    line: dict[str, Any] = {
        "timestamp": _iso(now_s),
        # Lambda drops lines below the function's application log level, and their metrics.
        "level": _LEVELS.get(report.disposition, "INFO"),
        "message": f"{report.disposition}: {report.message or report.key}",
        "requestId": request_id,
        "release": VERSION,
        "version": function.version,
        "config": config,
        "initialization": function.initialization,
        "event": report.event,
        "eventTime": _iso(report.event_time_s),
        "bucket": report.bucket,
        "key": report.key,
        "versionId": report.version_id,
        "etag": report.etag,
        "detail": report.detail or None,
        "loader": report.loader,
        "width": report.width,
        "height": report.height,
        "credentials": report.credentials,
        "credentialsValid": report.credentials_valid,
        "sourceTypes": list(report.source_types) or None,
        "warnings": [warning.code for warning in report.warnings] or None,
        "plan": report.plan,
        "renditions": [
            {
                "name": made.name,
                "key": made.key,
                "width": made.width,
                "height": made.height,
                "bytes": made.size,
                "ms": made.elapsed_ms,
            }
            for made in report.renditions
        ],
        "peakBytes": peak_bytes,
    }
    if report.stages is not None:
        line |= asdict(report.stages)
    dimensions = {
        # A dimension with an empty value loses the whole line.
        "FunctionName": function.name or "local",
        "Disposition": str(report.disposition),
        "Code": report.code or "none",
    }
    line |= dimensions | {"Photos": 1} | known
    line["_aws"] = {
        "Timestamp": int(now_s * 1000),
        "CloudWatchMetrics": [
            {
                "Namespace": NAMESPACE,
                "Dimensions": [["FunctionName", "Disposition"], list(dimensions)],
                "Metrics": [{"Name": "Photos", "Unit": "Count"}],
            },
            {
                "Namespace": NAMESPACE,
                "Dimensions": [["FunctionName"]],
                "Metrics": [{"Name": name, "Unit": UNITS[name]} for name in known],
            },
        ],
    }
    return {name: value for name, value in line.items() if value is not None}


def _print(line: str) -> None:
    # One write: the lines of several records at once must not run into one another.
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class PhotoLog:
    """Where the line of each record goes: standard output, whatever the log format and level.

    *Thread*: any.
    """

    def __init__(
        self,
        function: Function,
        write: Callable[[str], None] = _print,
        *,
        config: str | None = None,
    ) -> None:
        self._function = function
        self._config = config
        self._write = write
        # With provisioned concurrency, init ends long before the first event.
        self._cold = function.initialization != "provisioned-concurrency"

    def photo(self, report: JobReport, request_id: str) -> None:
        """Write the line of one record; never raises an Exception.

        A line that cannot be written is no reason to do a photo again: it is lost.
        """
        cold, self._cold = self._cold, False
        line = photo_line(
            report,
            function=self._function,
            request_id=request_id,
            cold=cold,
            peak_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            now_s=time.time(),
            config=self._config,
        )
        # Half of a surrogate pair becomes the escape that JSON has for it.
        text = json.dumps(line, ensure_ascii=False, separators=(",", ":"))
        with suppress(OSError, ValueError):
            self._write(text.encode(errors="backslashreplace").decode())
