"""The Lambda function: init once, then one call per event."""

import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from handler.errors import Disposition, InvocationError
from handler.events.s3 import object_events
from handler.process import process
from handler.report import InvocationReport
from handler.s3.client import make_client
from handler.settings import read_settings
from imaging.runtime import configure_libvips

__all__ = ["lambda_handler"]

# At import, so that a wrong setting is an init error and never a lost photo.
_settings = read_settings()
logging.getLogger().setLevel(_settings.log_level)
configure_libvips(concurrency=_settings.concurrency)
_client = make_client()


def lambda_handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001
    """Make the renditions of each object that ``event``, an S3 notification, names.

    Returns:
        The InvocationReport as plain data: one entry per record.

    Raises:
        EventError: The event is of no shape known here.
        InvocationError: A record wants another attempt; the message names each, and the
            others stand.
    """
    # In the invocation, not at init: the runtime client may fork after init.
    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="upload") as executor:
        report = InvocationReport(
            records=tuple(
                process(record, _settings, _client, executor) for record in object_events(event)
            )
        )
    failed = [record for record in report.records if record.disposition is Disposition.RETRY]
    if failed:
        raise InvocationError(
            f"{len(failed)} of {len(report.records)} records want another attempt: "
            + "; ".join(f"{record.key}: {record.code}: {record.message}" for record in failed)
        )
    return report.as_dict()
