"""The usual way in Python: fetch the photo, one thumbnail for each size, put each."""

import os
import urllib.parse
from typing import Any

import boto3
import pyvips

s3 = boto3.client("s3")

SIZES = {"xlarge": 2048, "large": 1280, "medium": 640, "small": 320}


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, int]:  # noqa: ARG001
    """Make five renditions of each photo."""
    for record in event["Records"]:
        bucket = record["s3"]["bucket"]["name"]
        key = urllib.parse.unquote_plus(record["s3"]["object"]["key"])
        photo = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        made = {
            name: pyvips.Image.thumbnail_buffer(photo, size, height=size)
            for name, size in SIZES.items()
        }
        made["square"] = pyvips.Image.thumbnail_buffer(photo, 160, height=160, crop="centre")
        for name, image in made.items():
            s3.put_object(
                Bucket=os.environ["DESTINATION_BUCKET"],
                Key=f"{key}/{name}.jpg",
                Body=image.jpegsave_buffer(
                    Q=85, optimize_coding=True, keep=pyvips.enums.ForeignKeep.NONE
                ),
                ContentType="image/jpeg",
            )
    return {"renditions": 5}
