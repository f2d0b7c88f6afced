"""What the function asks of S3 for each photo: requests, and bytes against the photo's own.

    python -m benchmarks.transfer

Writes ``results/transfer.md``. Counts, not times: a proxy before the S3 sees every request.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Final

from benchmarks.photos import PHOTOS
from handler.errors import Disposition
from handler.objects import ObjectEvent
from handler.photo.process import process
from handler.s3.requests import Requests
from handler.settings import read_settings
from imaging.worker.client import Workers
from imaging.worker.spawning import Launch
from tests.servers import FaultProxy, FileS3

_RESULTS: Final = Path(__file__).parent / "results" / "transfer.md"


def main() -> None:
    """Make the five renditions of every photo, and write what was asked for."""
    rows = [
        "# What is asked of S3",
        "",
        "Written by `make bench`; do not edit. One event, one photo, five renditions.",
        "",
        "| photo | MB | requests for the photo | of its bytes | all requests |",
        "|---|---|---|---|---|",
    ]
    settings = read_settings({"DESTINATION_BUCKET": "renditions"})
    with (
        closing(Workers(Launch())) as workers,
        FileS3() as store,
        FaultProxy(store.endpoint_url) as proxy,
    ):
        store.create_buckets("renditions")
        client = proxy.client()
        for photo in PHOTOS:
            store.add_file("photos", photo.path.name, photo.make())
            proxy.clear()
            with ThreadPoolExecutor(2) as executor:
                event = ObjectEvent(bucket="photos", key=photo.path.name)
                report = process(event, settings, Requests(client), executor, workers.open_photo)
            if report.disposition is not Disposition.WRITTEN:
                raise ValueError(f"{photo.name}: expected it to be written but received {report}")
            fetched = proxy.bytes_sent(bucket="photos", key=photo.path.name)
            rows.append(
                f"| {photo.name} | {photo.size / 1e6:.1f} "
                f"| {proxy.count(bucket='photos')} | {100 * fetched / photo.size:.1f} % "
                f"| {proxy.count()} |"
            )
        client.close()
    text = "\n".join(rows) + "\n"
    print(text)
    _RESULTS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
