"""Object event -> where its renditions and its manifest go, and what is stored with them; pure."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from handler.errors import KeyTooLongError, LoopError, OutsideSourceError
from handler.keys import MANIFEST_EXTENSION, MANIFEST_NAME
from handler.objects import ObjectEvent
from handler.photo.manifest import set_digest
from handler.s3.metadata import with_text
from handler.settings import Settings
from handler.version import SourceVersion
from imaging.errors import NeedsMoreMemoryError, PhotoWarning
from imaging.plan import PlannedRendition
from imaging.specs import MAX_TAGGING_BYTES, MAX_TAGS, RenditionSpec, tagging

__all__ = [
    "Destination",
    "asked_digest",
    "asked_keys",
    "candidate_keys",
    "check_source",
    "destination",
    "made_digest",
    "manifest_key",
    "tags_left_out",
]


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


def check_source(event: ObjectEvent, settings: Settings) -> None:
    """Raise OutsideSourceError if ``event`` is about an object that is none of the photos."""
    if not settings.is_source(event.bucket, event.key):
        buckets = " or ".join(settings.source_buckets) or "any bucket"
        raise OutsideSourceError(
            f"Expected a photo in {buckets} below {settings.source_prefix!r} but received "
            f"s3://{event.bucket}/{event.key}"
        )


def _key(event: ObjectEvent, name: str, extension: str, settings: Settings) -> str:
    """Return a destination key.

    Raises:
        KeyTooLongError: S3 would not take the key.
        LoopError: Storing it would trigger this function again.
    """
    key = settings.key_template.destination(event.key, name, extension, bucket=event.bucket)
    if event.bucket == settings.destination_bucket and key.startswith(settings.source_prefix):
        raise LoopError(
            f"Expected a destination that cannot trigger this function again but received "
            f"s3://{event.bucket}/{key} with SOURCE_PREFIX {settings.source_prefix!r}"
        )
    return key


def manifest_key(event: ObjectEvent, settings: Settings) -> str:
    """Return the key of the photo's manifest.

    Raises:
        KeyTooLongError: S3 would not take the key.
        LoopError: Storing it would trigger this function again.
    """
    return _key(event, MANIFEST_NAME, MANIFEST_EXTENSION, settings)


def candidate_keys(event: ObjectEvent, settings: Settings) -> set[str]:
    """Return every key that a rendition of the photo could have, whatever its format.

    Those that are not for it any more are among them.
    """
    return _keys(event, settings, settings.config.renditions)


def asked_keys(event: ObjectEvent, settings: Settings) -> set[str]:
    """Return every key that a rendition which is for the photo could have, whatever its format."""
    return _keys(event, settings, settings.config.specs_of(event.key))


def _keys(event: ObjectEvent, settings: Settings, specs: Iterable[RenditionSpec]) -> set[str]:
    names = {(spec.name, output.extension) for spec in specs for _, output in spec.outcomes()}
    keys = set()
    for name, extension in names:
        # What S3 would not take was never stored.
        with suppress(KeyTooLongError):
            keys.add(
                settings.key_template.destination(event.key, name, extension, bucket=event.bucket)
            )
    return keys


def asked_digest(settings: Settings, key: str) -> str:
    """Return a digest that changes whenever other renditions of the photo at ``key`` are asked."""
    return set_digest(
        settings.key_template.text,
        *(["sidecar"] if settings.config.sidecar else []),
        *(
            f"{wanted}:{spec.digest(output)}"
            for spec in settings.config.specs_of(key)
            for wanted, output in spec.outcomes()
        ),
    )


def made_digest(settings: Settings, key: str, rejected: str | None) -> str:
    """Return what the manifest of a photo that is done says of it today.

    Args:
        settings: What is asked for, and what is accepted.
        key: The photo's.
        rejected: The code of the rejection that it remembers; None for a set of renditions.
    """
    asked = asked_digest(settings, key)
    if rejected is None:
        return asked
    accepted: tuple[object, ...] = (settings.config.limits, settings.config.truncated)
    if rejected == NeedsMoreMemoryError.code:
        # Nothing else depends on it, and who looks for stale photos has another memory.
        accepted = (*accepted, settings.memory)
    return set_digest(asked, repr(accepted))


def destination(
    event: ObjectEvent,
    version: SourceVersion,
    rendition: PlannedRendition,
    settings: Settings,
    tags: Mapping[str, str],
) -> Destination:
    """Return where ``rendition`` of the photo of ``event`` goes.

    Args:
        event: The photo's.
        version: What it is made of.
        rendition: What is made.
        settings: The settings.
        tags: The photo's, for renditions that copy them.

    Raises:
        KeyTooLongError: S3 would not take the key.
        LoopError: Storing it would trigger this function again.
    """
    return Destination(
        bucket=settings.destination_bucket,
        key=_key(event, rendition.spec.name, rendition.format.extension, settings),
        headers={
            "ContentType": rendition.format.content_type,
            "CacheControl": settings.cache_control,
            # The whole key is in the manifest.
            "Metadata": with_text(
                version.metadata() | {"spec": rendition.spec.digest(rendition.format)},
                "source-key",
                event.key,
            ),
            **_headers(rendition.spec, tags),
        },
    )


def _headers(spec: RenditionSpec, tags: Mapping[str, str]) -> dict[str, str]:
    """Return what the configuration says of the object, where it says something."""
    headers = {}
    if spec.storage_class is not None:
        headers["StorageClass"] = spec.storage_class.value
    if spec.content_disposition is not None:
        headers["ContentDisposition"] = spec.content_disposition
    if own := _object_tags(spec, tags):
        headers["Tagging"] = tagging(own.items())
    return headers


def _object_tags(spec: RenditionSpec, tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags of a rendition: its own, and those of the photo's for which there is room."""
    own = dict(spec.tags)
    for name in sorted(tags) if spec.copy_tags else ():
        more = own | {name: own.get(name, tags[name])}
        if len(more) <= MAX_TAGS and len(tagging(more.items())) <= MAX_TAGGING_BYTES:
            own = more
    return own


def tags_left_out(
    specs: Iterable[RenditionSpec], tags: Mapping[str, str]
) -> tuple[PhotoWarning, ...]:
    """Return a warning if a rendition of ``specs`` has no room for one of the photo's ``tags``."""
    copying = (spec for spec in specs if spec.copy_tags)
    left = sorted({name for spec in copying for name in tags.keys() - _object_tags(spec, tags)})
    if not left:
        return ()
    message = (
        f"Expected at most {MAX_TAGS} tags, of {MAX_TAGGING_BYTES:,} bytes, but a rendition would "
        f"have more; without: {', '.join(left)}"
    )
    return (PhotoWarning(code="tags-left-out", message=message),)
