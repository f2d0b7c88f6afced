"""Reports of a finished photo to other systems: the quarantine and the completion target."""

from dataclasses import replace

from handler.errors import Disposition
from handler.report import JobReport
from handler.s3.requests import Requests
from handler.settings import Settings
from imaging.errors import error_from_exception

__all__ = ["tell"]


def tell(report: JobReport, settings: Settings, requests: Requests) -> JobReport:
    """Return ``report`` after the quarantine and the target have it; never raises an Exception.

    If one of them does not take it, the photo wants another attempt. That attempt finds the
    renditions unchanged, or rejects the photo again, and reports then: at least once in all.

    *Cost*: a PutObject for a rejected photo where there is a quarantine, a request for each photo
    that is done where there is a completion target; nothing where there is neither.
    """
    try:
        if settings.rejected_prefix is not None and report.disposition is Disposition.REJECTED:
            from handler.told.quarantine import quarantine

            quarantine(report, settings.rejected_prefix, settings, requests)
        if settings.completion_target is not None:
            from handler.told.completion import announce

            announce(report, settings.completion_target, settings.destination_bucket)
    except Exception as raised:  # noqa: BLE001 - one bad record never loses the others
        error = error_from_exception(raised, "tell")
        return replace(
            report,
            disposition=Disposition.RETRY,
            code=error.code,
            message=f"{error}; the photo itself was {report.disposition}",
            detail=error.detail,
        )
    return report
