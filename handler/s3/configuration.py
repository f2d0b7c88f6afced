"""The configuration as an object of S3: one GetObject at init."""

from typing import Final

from botocore.exceptions import BotoCoreError

from handler.errors import SettingsError
from handler.s3.client import make_client
from handler.s3.requests import Requests
from handler.settings import StoredConfig
from imaging.deadline import Deadline
from imaging.errors import RenditionsError

__all__ = ["MAX_BYTES", "read_stored_config"]

MAX_BYTES: Final = 64 << 10
_TIMEOUT_S: Final = 7
"""Init has ten seconds in all."""


def read_stored_config(place: str) -> StoredConfig:
    """Return the object at ``place``, ``s3://bucket/key``.

    *Cost*: a client of its own, and one GetObject.

    Raises:
        SettingsError: It is no such place, cannot be read, is larger than :data:`MAX_BYTES`, or is
            not UTF-8.
    """
    bucket, _, key = place.removeprefix("s3://").partition("/")
    if not bucket or not key:
        raise SettingsError(f"RENDITIONS_CONFIG: expected s3://bucket/key but received {place!r}")
    client = make_client()
    try:
        answer = Requests(client, Deadline(_TIMEOUT_S)).of_source(
            "get_object", Bucket=bucket, Key=key
        )
        data = answer["Body"].read(MAX_BYTES + 1)
        text = data.decode()
    except (RenditionsError, BotoCoreError, OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"RENDITIONS_CONFIG: expected a readable configuration at {place}: {error}"
        ) from error
    finally:
        client.close()
    if len(data) > MAX_BYTES:
        raise SettingsError(
            f"RENDITIONS_CONFIG: expected at most {MAX_BYTES} bytes at {place} but received "
            f"{answer['ContentLength']}"
        )
    version = answer.get("VersionId")
    return StoredConfig(
        text=text, version=answer["ETag"].strip('"') if version in {None, "null"} else version
    )
