"""The configuration, and what belongs to it, as objects of S3: one GetObject each, at init."""

from typing import Any, Final

from botocore.exceptions import BotoCoreError

from handler.errors import SettingsError
from handler.s3.client import make_client
from handler.s3.requests import Requests
from handler.settings import StoredConfig
from imaging.deadline import Deadline
from imaging.errors import ConfigError, RenditionsError
from imaging.mark_files import MAX_MARK_BYTES

__all__ = ["MAX_BYTES", "read_stored_certificates", "read_stored_config", "read_stored_mark"]

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
    try:
        answer, data = _read(place, MAX_BYTES, "configuration")
        text = data.decode()
    except UnicodeDecodeError as error:
        raise SettingsError(
            f"RENDITIONS_CONFIG: expected a readable configuration at {place}: {error}"
        ) from error
    except _UnreadableError as error:
        raise SettingsError(f"RENDITIONS_CONFIG: {error}") from error
    if len(data) > MAX_BYTES:
        raise SettingsError(
            f"RENDITIONS_CONFIG: expected at most {MAX_BYTES} bytes at {place} but received "
            f"{answer['ContentLength']}"
        )
    version = answer.get("VersionId")
    return StoredConfig(
        text=text, version=answer["ETag"].strip('"') if version in {None, "null"} else version
    )


def read_stored_mark(place: str) -> bytes:
    """Return the picture of a watermark at ``place``, up to a byte more than is taken.

    *Cost*: as of :func:`read_stored_config`.

    Raises:
        ConfigError: It is no such place, or cannot be read.
    """
    try:
        return _read(place, MAX_MARK_BYTES, "PNG")[1]
    except _UnreadableError as error:
        raise ConfigError(str(error)) from error


def read_stored_certificates(place: str) -> str:
    """Return the text of the certificates at ``place``.

    *Cost*: as of :func:`read_stored_config`.

    Raises:
        SettingsError: It is no such place, cannot be read, or is not ASCII.
    """
    try:
        return _read(place, MAX_BYTES, "chain of certificates")[1].decode("ascii")
    except (_UnreadableError, UnicodeDecodeError) as error:
        raise SettingsError(f"CREDENTIALS_CERTIFICATES: {error}") from error


class _UnreadableError(Exception):
    """What is at a place cannot be read; never leaves this module."""


def _read(place: str, most: int, what: str) -> tuple[dict[str, Any], bytes]:
    """Return S3's answer, and the object's bytes, up to one more than ``most``."""
    bucket, _, key = place.removeprefix("s3://").partition("/")
    if not place.startswith("s3://") or not bucket or not key:
        raise _UnreadableError(f"expected s3://bucket/key but received {place!r}")
    client = make_client()
    try:
        answer = Requests(client, Deadline(_TIMEOUT_S)).of_source(
            "get_object", Bucket=bucket, Key=key
        )
        return answer, answer["Body"].read(most + 1)
    except (RenditionsError, BotoCoreError, OSError) as error:
        raise _UnreadableError(f"expected a readable {what} at {place}: {error}") from error
    finally:
        client.close()
