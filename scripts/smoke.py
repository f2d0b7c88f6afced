"""Puts a photo into a deployed stack's bucket, and checks that its renditions come.

`python -m scripts.smoke STACK`: ends with status 0 if every rendition arrived and looks as the code
here makes it. Photo and renditions are removed again, whatever happened. What stays is what the
function writes last: the photo's manifest, some hundred bytes, which says that it was deleted.
"""

from __future__ import annotations

import argparse
import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pyvips
from botocore.exceptions import BotoCoreError, ClientError

from handler.argument_types import readable_file
from handler.keys import KeyTemplate
from imaging.config import Config, load_config
from imaging.in_memory import render_in_memory
from imaging.local import MemorySource
from imaging.rendering import open_photo
from scripts.deploy import DeployError, outputs
from tests import photos
from tests.photos import psnr

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CONFIG = Path(__file__).parent.parent / "renditions.toml"
PHOTO_SIZE = (1600, 1200)
MIN_PSNR_DB = 35
"""Two builds of one encoder differ by less; a picture that is not this one by far more."""
POLL_S = 1


class SmokeError(Exception):
    """The deployment does not do what it should; the message says what is missing or wrong."""


def expected_renditions(
    photo: bytes, config: Config, *, bucket: str, key: str, template: str
) -> dict[str, bytes]:
    """Returns what the code here makes of a photo, by the key that the function gives it."""
    keys = KeyTemplate(template)
    made = render_in_memory(open_photo, MemorySource(photo), config.asked(key))
    planned = (rendition.planned for rendition in made.renditions)
    places = (
        keys.destination(key, one.spec.name, one.format.extension, bucket=bucket) for one in planned
    )
    return dict(zip(places, made.data, strict=True))


def check(key: str, received: bytes, expected: bytes) -> None:
    """Checks one rendition against the one made here.

    Raises:
        SmokeError: It is no picture, or another one.
    """
    wanted = pyvips.Image.new_from_buffer(expected, "")
    try:
        image = pyvips.Image.new_from_buffer(received, "", fail_on="warning")
        if (image.width, image.height) != (wanted.width, wanted.height):
            message = (
                f"Expected {wanted.width} x {wanted.height} pixels at {key} "
                f"but received {image.width} x {image.height}"
            )
            raise SmokeError(message)
        similarity = psnr(image, wanted)
    except pyvips.Error as error:
        message = f"Expected a picture at {key} but it does not decode: {error}"
        raise SmokeError(message) from error
    if similarity < MIN_PSNR_DB:
        message = f"Expected the photo's rendition at {key} but its pixels differ: {similarity} dB"
        raise SmokeError(message)


def smoke(session: Any, made: Mapping[str, str], config: Config, timeout_s: float) -> list[str]:  # noqa: ANN401 - boto3's
    """Runs the check on a stack with the outputs `made`; returns the keys that were checked.

    Raises:
        SmokeError: The renditions did not come in time, or are not what they should be.
    """
    s3 = session.client("s3")
    photo = photos.jpeg(*PHOTO_SIZE)
    key = f"{made.get('SourcePrefix', '')}smoke-{uuid.uuid4().hex}.jpg"
    expected = expected_renditions(
        photo, config, bucket=made["SourceBucket"], key=key, template=made["KeyTemplate"]
    )
    version = s3.put_object(Bucket=made["SourceBucket"], Key=key, Body=photo).get("VersionId")
    try:
        missing = set(expected)
        deadline = time.monotonic() + timeout_s
        while missing:
            for place in sorted(missing):
                try:
                    received = s3.get_object(Bucket=made["DestinationBucket"], Key=place)
                except s3.exceptions.NoSuchKey:
                    continue
                check(place, received["Body"].read(), expected[place])
                missing.discard(place)
            if missing and time.monotonic() > deadline:
                raise SmokeError(_overdue(session, made, missing, timeout_s))
            time.sleep(POLL_S if missing else 0)
    finally:
        pinned = {} if version is None else {"VersionId": version}
        s3.delete_object(Bucket=made["SourceBucket"], Key=key, **pinned)
        for place in expected:
            s3.delete_object(Bucket=made["DestinationBucket"], Key=place)
    return sorted(expected)


def _overdue(session: Any, made: Mapping[str, str], missing: set[str], timeout_s: float) -> str:  # noqa: ANN401
    answer = session.client("sqs").get_queue_attributes(
        QueueUrl=made["FailureQueueUrl"], AttributeNames=["ApproximateNumberOfMessages"]
    )
    given_up = answer["Attributes"]["ApproximateNumberOfMessages"]
    return (
        f"Expected {', '.join(sorted(missing))} within {timeout_s:.0f} s; the failure queue has "
        f"{given_up} messages, the log is {made['LogGroup']}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.smoke", description=__doc__)
    parser.add_argument("stack")
    parser.add_argument(
        "--config", type=readable_file, default=CONFIG, help="the one that is in the image"
    )
    parser.add_argument("--timeout", type=float, default=120, help="seconds; default: %(default)s")
    options = parser.parse_args(arguments)
    try:
        session = boto3.Session()
        made = outputs(session.client("cloudformation"), options.stack)
        started = time.monotonic()
        checked = smoke(session, made, load_config(options.config), options.timeout)
    except (SmokeError, DeployError, BotoCoreError, ClientError) as error:
        print(f"smoke: {error}", file=sys.stderr)
        return 1
    for key in checked:
        print(key)
    print(f"{len(checked)} renditions in {time.monotonic() - started:.1f} s, as they should be")
    return 0


if __name__ == "__main__":
    sys.exit(main())
