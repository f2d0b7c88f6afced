"""A subsegment for each stage of a record, sent to the X-Ray daemon that Lambda runs.

Imported when an invocation is sampled, and not before. A datagram that nobody receives is lost; the
photo is not affected.

Source: https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html and
https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html
"""

import json
import os
import socket
from typing import Any, Final

from handler.report import JobReport
from imaging.errors import InternalError

__all__ = ["document", "send"]

_HEADER: Final = b'{"format": "json", "version": 1}\n'
_MAX_BYTES: Final = 60_000
"""A datagram holds 65,507; X-Ray takes documents of 64 kB."""


def document(report: JobReport, trace_header: str) -> dict[str, Any] | None:
    """Return the subsegment of one record, its stages within; None if it has none.

    Args:
        report: What became of it.
        trace_header: ``Root=1-...;Parent=...;Sampled=1``, of the invocation.
    """
    named = dict(part.partition("=")[::2] for part in trace_header.split(";"))
    if not report.spans or "Root" not in named or "Parent" not in named:
        return None
    stages = [
        {
            "id": os.urandom(8).hex(),
            "name": str(span.stage),
            "start_time": span.started_s,
            "end_time": span.started_s + span.elapsed_ms / 1000,
        }
        for span in report.spans
    ]
    return {
        "id": os.urandom(8).hex(),
        "trace_id": named["Root"],
        "parent_id": named["Parent"],
        "type": "subsegment",
        "name": "photo",
        "start_time": stages[0]["start_time"],
        "end_time": stages[-1]["end_time"],
        # Indexed: a trace is found by them.
        "annotations": {
            "disposition": str(report.disposition),
            "code": report.code or "none",
            "loader": report.loader or "none",
        },
        "metadata": {"photo": {"bucket": report.bucket, "key": report.key, "plan": report.plan}},
        "fault": report.code == InternalError.code,
        "subsegments": stages,
    }


def send(report: JobReport, trace_header: str, daemon: str) -> None:
    """Send the subsegment of one record.

    Args:
        report: What became of it.
        trace_header: As in :func:`document`.
        daemon: ``host:port``.

    *Cost*: one datagram.
    """
    made = document(report, trace_header)
    if made is None:
        return
    data = _HEADER + json.dumps(made, separators=(",", ":")).encode()
    host, _, port = daemon.rpartition(":")
    if len(data) > _MAX_BYTES or not port.isdecimal():
        return
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(data, (host, int(port)))
    except OSError:
        # No photo fails because its trace is lost.
        return
