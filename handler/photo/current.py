"""What a changed configuration leaves as it is: renditions that need not be made again."""

from collections.abc import Sequence
from typing import NamedTuple

from handler.errors import KeyTooLongError, ObjectMissingError
from handler.photo.about import About, about_left
from handler.photo.attempt import Attempt
from handler.photo.manifest import Kept, Manifest
from handler.version import SourceVersion, version_from_metadata
from imaging.specs import RenditionSpec

__all__ = ["Current", "find_current"]


class Current(NamedTuple):
    """What has to be made, what is there of the rest, and what the manifest says of that."""

    missing: tuple[RenditionSpec, ...]
    kept: tuple[Kept, ...]
    about: About | None = None


def find_current(
    attempt: Attempt, version: SourceVersion, specs: Sequence[RenditionSpec], manifest: Manifest
) -> Current:
    """Return which of ``specs`` are not there as they are wanted.

    Only for a job, such as a backfill's, about the very object that the manifest is of: an event
    that was not seen yet makes everything, since the same bytes may have been put again. With a
    sidecar, which describes the whole set, everything is made too, and so is a rendition in the
    photo's own format, which is not known before its header.

    *Cost*: a HeadObject for each rendition that the manifest names, where it is of that object.
    """
    if (
        not manifest.kept
        or not manifest.made
        or attempt.settings.config.sidecar
        or version.modified is None
        or version.modified != manifest.version.modified
        or not version.is_same(manifest.version)
    ):
        return Current(tuple(specs), ())
    named = {one.key: one for one in manifest.kept}
    missing: list[RenditionSpec] = []
    there: list[Kept] = []
    names: set[str] = set()
    for spec in specs:
        found = _found(attempt, version, spec, named)
        if found is None:
            missing.append(spec)
        else:
            there += found
            names.add(spec.name)
    about = about_left(manifest.about, names.__contains__) if names else None
    return Current(tuple(missing), tuple(there), about)


def _found(
    attempt: Attempt, version: SourceVersion, spec: RenditionSpec, named: dict[str, Kept]
) -> list[Kept] | None:
    """Return what is there of ``spec`` in each of its formats; None where one is not."""
    settings, event = attempt.settings, attempt.event
    found = []
    for output in spec.formats:
        if output is None:
            return None
        try:
            key = settings.key_template.destination(
                event.key, spec.name, output.extension, bucket=event.bucket
            )
        except KeyTooLongError:
            # Whoever makes it says so.
            return None
        if (one := named.get(key)) is None:
            return None
        try:
            answer = attempt.requests.of_destination(
                "head_object", Bucket=settings.destination_bucket, Key=key
            )
        except ObjectMissingError:
            return None
        metadata = answer["Metadata"]
        is_of_version = version_from_metadata(metadata).is_same_upload(version)
        is_wanted = metadata.get("spec") == spec.digest(output)
        if not (is_of_version and is_wanted and answer["ETag"].strip('"') == one.etag):
            return None
        found.append(one)
    return found
