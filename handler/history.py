"""``renditions history``: what became of one photo, from what S3 keeps of it."""

import argparse
import re
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from handler.deployed import environment_beside, stack_outputs
from handler.errors import SettingsError
from handler.objects import Change, ObjectEvent
from handler.photo.destinations import manifest_key
from handler.photo.manifest import Manifest, UnreadableManifestError, manifest_from_answer
from handler.s3.configuration import read_stored_config, read_stored_mark
from handler.settings import Settings, read_settings

__all__ = ["history"]

_GONE: Final = {"404", "NoSuchKey", "NotFound"}
_QUERY: Final = (
    'filter key = "{key}" | sort @timestamp desc '
    "| display @timestamp, event, versionId, Disposition, Code, message, detail, requestId"
)


def history(arguments: argparse.Namespace) -> int:
    """Run the command: 0 when everything that is asked for could be read, else 1.

    Raises:
        ConfigError: A setting or an argument is wrong.

    *Cost*: the versions, one request for each thousand; the manifest, one; one for each rendition.
    """
    import boto3  # As for a backfill.

    found = re.fullmatch(r"s3://([^/]+)/(.+)", arguments.photo, re.DOTALL)
    if found is None:
        raise SettingsError(f"expected s3://BUCKET/KEY but received {arguments.photo!r}")
    bucket, key = found.groups()
    try:
        session = boto3.Session()
        outputs = stack_outputs(session, arguments.stack)
        environ = environment_beside(outputs)
        settings = read_settings(environ, read_stored_config, read_stored_mark)
        for line in _lines(session.client("s3"), settings, bucket, key):
            print(line)
    except (ClientError, BotoCoreError) as error:
        print(f"history of {arguments.photo}: {error}", file=sys.stderr)
        return 1
    for line in _log(key, outputs.get("LogGroup")):
        print(line)
    return 0


def _lines(s3: Any, settings: Settings, bucket: str, key: str) -> Iterator[str]:  # noqa: ANN401 - boto3's
    yield f"photo      s3://{bucket}/{key}"
    yield from _labelled("versions", _versions(s3, bucket, key))
    event = ObjectEvent(bucket=bucket, key=key, name="history", change=Change.CREATED)
    place = {"Bucket": settings.destination_bucket, "Key": manifest_key(event, settings)}
    yield f"manifest   s3://{place['Bucket']}/{place['Key']}"
    answer = _answer(s3.get_object, place)
    if answer is None:
        yield "           there is none: no event of this photo was done"
        return
    try:
        manifest = manifest_from_answer(answer)
    except UnreadableManifestError as error:
        yield f"           unreadable: {error}"
        return
    yield from _labelled("", _state(manifest, answer, bucket))
    etags: dict[str, str | None] = {one.key: None for one in manifest.announced}
    etags |= {one.key: one.etag for one in manifest.kept or ()}
    listed = [_rendition(s3, settings.destination_bucket, key, etag) for key, etag in etags.items()]
    yield from _labelled("renditions", iter(listed))


def _labelled(label: str, values: Iterator[str]) -> Iterator[str]:
    first = next(values, "none")
    yield f"{label:<10} {first}"
    for value in values:
        yield f"{'':<10} {value}"


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _etag(answer: Mapping[str, Any]) -> str:
    etag: str = answer["ETag"]
    return etag.strip('"')


def _versions(s3: Any, bucket: str, key: str) -> Iterator[str]:  # noqa: ANN401 - boto3's
    """Yield a line for each version of the photo, the newest first."""
    found: list[Mapping[str, Any]] = []
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=key):
        listed = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        found += [one for one in listed if one["Key"] == key]
        # The key itself comes before what only begins with it.
        if any(one["Key"] != key for one in listed):
            break
    for one in sorted(found, key=lambda each: each["LastModified"], reverse=True):
        what = f"{one['Size']:,} bytes, ETag {_etag(one)}" if "Size" in one else "deleted"
        latest = ", latest" if one["IsLatest"] else ""
        yield f"{_time(one['LastModified'])}  version {one['VersionId']}: {what}{latest}"


def _answer(operation: Any, place: Mapping[str, str]) -> dict[str, Any] | None:  # noqa: ANN401 - boto3's
    """Return S3's answer; None where there is no such object."""
    try:
        answer: dict[str, Any] = operation(**place)
    except ClientError as error:
        if error.response["Error"]["Code"] in _GONE:
            return None
        raise
    return answer


def _state(manifest: Manifest, answer: Mapping[str, Any], bucket: str) -> Iterator[str]:
    written = _time(answer["LastModified"])
    version = manifest.version
    of = f"version {version.version_id or 'without an ID'}, ETag {version.etag}"
    if not version.is_of_bucket(bucket):
        # A tombstone takes no place.
        takes = "" if manifest.deleted else ", which has the place"
        yield f"{'':<19}  of the photo of this key in {version.bucket}{takes}"
    if manifest.deleted:
        yield f"{written}  the photo was deleted"
    elif manifest.rejected is not None:
        yield f"{written}  rejected as {manifest.rejected}, {of}: {manifest.reason}"
    elif manifest.made:
        yield f"{written}  made, of {of}"
    else:
        yield f"{written}  begun, or not the whole set, of {of}"
    if manifest.suspect is not None:
        mark = manifest.suspect
        until = _time(datetime.fromtimestamp(mark.over_s, UTC))
        yield f"{'':<19}  marked attempt {mark.times} at version {mark.version} ends by {until}"
    if version.sequencer is not None:
        yield f"{'':<19}  the latest event that it covers has the sequencer {version.sequencer}"


def _rendition(s3: Any, bucket: str, key: str, etag: str | None) -> str:  # noqa: ANN401 - boto3's
    """Return what S3 has under a rendition's key; `etag` is None where it was only announced."""
    answer = _answer(s3.head_object, {"Bucket": bucket, "Key": key})
    if answer is None:
        return f"{key}: {'announced, and not there' if etag is None else 'missing'}"
    size = f"{answer['ContentLength']:,} bytes, {_time(answer['LastModified'])}"
    if etag is None:
        return f"{key}: {size}, announced only"
    return f"{key}: {size}{'' if _etag(answer) == etag else ', not the bytes that were made'}"


def _log(key: str, group: str | None) -> Iterator[str]:
    """Yield the query for the photo's log lines, as the AWS command takes it where it can."""
    quoted = key.replace("\\", "\\\\").replace('"', '\\"')
    query = _QUERY.replace("{key}", quoted)
    yield f"log        {query}"
    if group is not None:
        shell = query.replace("'", "'\\''")
        yield f"           aws logs start-query --log-group-name {group} \\"
        yield "             --start-time $(($(date +%s) - 604800)) --end-time $(date +%s) \\"
        yield f"             --query-string '{shell}'"
        yield "           aws logs get-query-results --query-id <what that printed>"
