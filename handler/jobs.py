"""Object event -> RenditionJob: which photo, which renditions, under which keys; pure."""

from dataclasses import dataclass

from handler.errors import LoopError
from handler.events.objects import ObjectEvent
from handler.settings import Settings
from imaging.plan import PlannedRendition

__all__ = ["Destination", "destination"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where one rendition goes, and what is stored with it.

    Attributes:
        bucket: The bucket.
        key: The key.
        headers: PutObject's further arguments.
    """

    bucket: str
    key: str
    headers: dict[str, object]


def destination(
    event: ObjectEvent, etag: str, rendition: PlannedRendition, settings: Settings
) -> Destination:
    """Return where ``rendition`` of the photo of ``event`` goes.

    Raises:
        KeyTooLongError: S3 would not take the key.
        LoopError: Storing it would trigger this function again.
    """
    key = settings.key_template.destination(
        event.key, rendition.spec.name, rendition.format.extension
    )
    bucket = settings.destination_bucket
    if event.bucket == bucket and key.startswith(settings.source_prefix):
        raise LoopError(
            f"Expected a destination that cannot trigger this function again but received "
            f"s3://{bucket}/{key} with SOURCE_PREFIX {settings.source_prefix!r}"
        )
    lineage = {
        # User metadata is ASCII; keys are not.
        "source-key": event.key.encode("ascii", "backslashreplace").decode(),
        "source-etag": etag.strip('"'),
        "spec": rendition.spec.digest(rendition.format),
    }
    if event.version_id is not None:
        lineage["source-version"] = event.version_id
    return Destination(
        bucket=bucket,
        key=key,
        headers={
            "ContentType": rendition.format.content_type,
            "CacheControl": settings.cache_control,
            "Metadata": lineage,
        },
    )
