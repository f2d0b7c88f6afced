"""Of a camera raw in S3, only the preview is fetched."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from handler.errors import Disposition
from handler.objects import ObjectEvent
from handler.photo.process import process
from handler.s3.requests import Requests
from handler.settings import read_settings
from tests.doors import WORKERS
from tests.photos.raws import RAWS, preview
from tests.servers import MotoServer

_SENSOR_BYTES = 24 << 20


@pytest.mark.parametrize("kind", RAWS)
def test_a_raw_costs_its_preview(kind: str) -> None:
    """The ranges that are asked for are the preview's, and at most 256 KiB around it.

    The first request, which asks for the whole, is given up after its first kilobyte.
    """
    picture = preview()
    data = RAWS[kind](picture) + bytes(_SENSOR_BYTES)
    ranges: list[str] = []

    def note(request: Any, **_: object) -> None:  # noqa: ANN401 - botocore's
        if "Range" in request.headers:
            ranges.append(request.headers["Range"].decode())

    with MotoServer() as store:
        client = store.client()
        client.meta.events.register("before-send.s3.GetObject", note)
        client.create_bucket(Bucket="photos")
        client.create_bucket(Bucket="renditions")
        store.client().put_object(Bucket="photos", Key="photo.raw", Body=data)
        event = ObjectEvent(bucket="photos", key="photo.raw")
        settings = read_settings({"DESTINATION_BUCKET": "renditions"})
        with ThreadPoolExecutor(2) as executor:
            report = process(event, settings, Requests(client), executor, WORKERS.open_photo)
    assert report.disposition is Disposition.WRITTEN, report.message
    assert [warning.code for warning in report.warnings] == ["raw-preview"]
    spans = [text.removeprefix("bytes=").split("-") for text in ranges]
    fetched = sum(int(last) - int(first) + 1 for first, last in spans)
    assert len(picture) - (64 << 10) <= fetched <= len(picture) + (256 << 10)
