"""Puts a photo into a bucket, calls the handler with S3's event, and shows what came out."""

import argparse
import io
import os
import shutil
import sys
import tempfile
import time
from contextlib import redirect_stdout
from pathlib import Path
from urllib.parse import quote_plus

from demo.sheet import contact_sheet, original_name
from handler.argument_types import readable_file, writable_folder
from imaging.errors import ConfigError
from tests.photos.files import jpeg_24mp
from tests.servers.moto import MotoServer

_SOURCE = "photos"
_DESTINATION = "renditions"


def _event(key: str, size: int, etag: str) -> dict[str, object]:
    """Return the notification that S3 sends for an upload."""
    return {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "eventName": "ObjectCreated:Put",
                "s3": {
                    "bucket": {"name": _SOURCE},
                    "object": {"key": quote_plus(key), "size": size, "eTag": etag.strip('"')},
                },
            }
        ]
    }


def _run(photo: Path, out: Path) -> int:
    with MotoServer() as server:
        client = server.client()
        for bucket in (_SOURCE, _DESTINATION):
            client.create_bucket(Bucket=bucket)
        with photo.open("rb") as file:
            etag = client.put_object(Bucket=_SOURCE, Key=photo.name, Body=file)["ETag"]
        size = photo.stat().st_size
        print(f"put s3://{_SOURCE}/{photo.name} ({size:,} bytes)")
        os.environ |= {
            "AWS_ENDPOINT_URL_S3": server.endpoint_url,
            "AWS_ACCESS_KEY_ID": "demo",
            "AWS_SECRET_ACCESS_KEY": "demo",
            "AWS_DEFAULT_REGION": "us-east-1",
            "DESTINATION_BUCKET": _DESTINATION,
        }
        # Settings are read at import, as they are in Lambda.
        try:
            from handler.app import lambda_handler
        except ConfigError as error:
            print(f"{error.code}: {error}", file=sys.stderr)
            return 2

        started = time.perf_counter()
        # The record's log line, which is for CloudWatch.
        with redirect_stdout(io.StringIO()):
            record = lambda_handler(_event(photo.name, size, etag), None)["records"][0]
        elapsed_ms = (time.perf_counter() - started) * 1000
        if record["code"] is not None:
            print(f"{record['disposition']}: {record['code']}: {record['message']}")
            return 1
        print(f"{record['width']} x {record['height']} by {record['loader']}\n")
        print(f"{'rendition':<12}{'dimensions':>14}{'bytes':>12}{'ms':>8}")
        folder = out / photo.name
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(photo, folder / original_name(photo))
        for made in record["renditions"]:
            body = client.get_object(Bucket=_DESTINATION, Key=made["key"])["Body"].read()
            (folder / Path(made["key"]).name).write_bytes(body)
            dimensions = f"{made['width']} x {made['height']}"
            print(
                f"{made['name']:<12}{dimensions:>14}{made['size']:>12,}{made['elapsed_ms']:>8.1f}"
            )
        print(f"\n{elapsed_ms:.0f} ms from event to answer, download and uploads included")
    page = out / "index.html"
    page.write_text(contact_sheet(photo, record, elapsed_ms), encoding="utf-8")
    print(f"the renditions are in {folder}, the contact sheet is {page}")
    return 0


def main() -> int:
    """Run the demo; returns 1 when the photo was refused, 2 when a setting is wrong."""
    parser = argparse.ArgumentParser(prog="demo")
    parser.add_argument(
        "--photo", type=readable_file, help="one's own photo; else 24 megapixels are made"
    )
    parser.add_argument("--out", type=writable_folder, default="out")
    arguments = parser.parse_args()
    if arguments.photo is not None:
        return _run(arguments.photo, arguments.out)
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "landscape.jpg"
        print("making a 24-megapixel photo")
        jpeg_24mp(photo)
        return _run(photo, arguments.out)


if __name__ == "__main__":
    sys.exit(main())
