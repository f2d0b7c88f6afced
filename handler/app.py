"""The Lambda function: init once, then one call per event."""

import logging
import os
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from handler.events.shapes import is_http, open_envelope
from handler.items import PARALLEL, process_items
from handler.objects import ObjectEvent
from handler.photo.process import process
from handler.report import JobReport
from handler.runtime.ending import end_on_sigterm, invocation
from handler.s3.client import UPLOADS, make_client
from handler.s3.requests import Requests
from handler.settings import Settings, SignerSettings, StoredConfig, read_settings
from handler.told.metrics import PhotoLog
from handler.told.outcome import tell
from imaging.signatures import Signing
from imaging.specs import RenditionSpec
from imaging.worker.client import Workers
from imaging.worker.spawning import Launch

__all__ = ["lambda_handler"]


def _read_stored(place: str) -> StoredConfig:
    # Imported for who has it in S3.
    from handler.s3.configuration import read_stored_config

    return read_stored_config(place)


def _read_mark(place: str) -> bytes:
    # Imported for who has a watermark in S3.
    from handler.s3.configuration import read_stored_mark

    return read_stored_mark(place)


def _read_secret(arn: str) -> str:
    # Imported for who keeps keys apart from the environment.
    from handler.secrets import read_secret

    return read_secret(arn)


def _make_signing(settings: SignerSettings) -> Signing:
    # Imported for who carries content credentials on.
    from handler.s3.configuration import read_stored_certificates
    from handler.signer import make_signing

    return make_signing(settings, read_stored_certificates)


def _read_settings() -> Settings:
    return read_settings(
        read_stored=_read_stored,
        read_mark=_read_mark,
        read_secret=_read_secret,
        make_signing=_make_signing,
    )


# At import, so that a wrong setting is an init error and never a lost photo.
_settings = _read_settings()
logging.getLogger().setLevel(_settings.log_level)
# At DEBUG they log each request as it is sent: with its signature and the session's token.
for _library in ("botocore", "urllib3"):
    logging.getLogger(_library).setLevel(max(logging.INFO, logging.getLogger().level))
_client: Any = make_client()
_photo_log = PhotoLog(_settings.function, config=_settings.config_version)
end_on_sigterm()
_workers = Workers(
    Launch(
        concurrency=_settings.concurrency,
        memory_bytes=_settings.memory.bytes if _settings.memory is not None else None,
        # The image is started by a program that starts workers as well, and may have begun.
        program=getattr(sys.modules["__main__"], "worker_program", None),
        forked=getattr(sys.modules["__main__"], "forked_zygote", None),
    ),
    _settings.memory,
    side_by_side=min(PARALLEL, _settings.concurrency),
    keeps=not _settings.worker_per_photo,
)
# While the first event comes and its photo is asked for.
_workers.start()


def _drop_client() -> None:
    global _client  # noqa: PLW0603 - one execution environment has one client
    _client.close()
    _client = None


def _renew() -> None:
    global _client, _settings, _photo_log  # noqa: PLW0603 - as above
    _client = make_client()
    # The snapshot may be older than what they name in S3 or as a secret. A worker has the
    # configuration with each photo.
    _settings = _read_settings()
    _photo_log = PhotoLog(_settings.function, config=_settings.config_version)


if _settings.function.initialization == "snap-start":
    from handler.runtime.snapshot import register_hooks

    register_hooks(_settings.config, _workers.open_photo, _drop_client, _renew)


def lambda_handler(event: Mapping[str, Any], context: object) -> Any:  # noqa: ANN401 - what the source expects
    """Make the renditions of each photo that ``event`` names, whichever source it comes from.

    An HTTP request is answered with the one rendition that it names.

    Returns:
        What that source expects; where it ignores the result, the records' reports as plain data.

    Raises:
        EventError: The event is of no shape known here.
        InvocationError: A record wants another attempt, and raising is how the source is told; the
            message names each, and the others stand.
    """
    request_id = getattr(context, "aws_request_id", "")
    # Lambda's own two variables; the first changes with each invocation.
    trace = os.environ.get("_X_AMZN_TRACE_ID", "")
    daemon = os.environ.get("AWS_XRAY_DAEMON_ADDRESS", "")

    def done(report: JobReport) -> None:
        # At once, so that it is known even if Lambda ends the invocation.
        _photo_log.photo(report, request_id)
        if daemon and "Sampled=1" in trace:
            from handler.told.tracing import send

            send(report, trace, daemon)

    # In the invocation, not at init: the runtime client may fork after init.
    with (
        invocation(context) as deadline,
        ThreadPoolExecutor(max_workers=UPLOADS, thread_name_prefix="upload") as executor,
    ):
        requests = Requests(_client, deadline, requester_pays=_settings.source_requester_pays)
        open_photo = partial(_workers.open_photo, deadline=deadline)

        def make(record: ObjectEvent, specs: Sequence[RenditionSpec] | None = None) -> JobReport:
            return process(record, _settings, requests, executor, open_photo, specs)

        if is_http(event):
            from handler.http.respond import respond

            return respond(event, _settings, requests, make, done)
        envelope = open_envelope(event, _settings.job_attributes)
        reports = process_items(
            envelope, lambda record: tell(make(record), _settings, requests), done
        )
        return envelope.answer(reports)
