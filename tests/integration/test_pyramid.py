"""Of a pyramidal TIFF in S3, only what the renditions need is fetched."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from handler.errors import Disposition
from handler.objects import ObjectEvent
from handler.photo.process import process
from handler.s3.requests import Requests
from handler.settings import read_settings
from tests.doors import WORKERS
from tests.photos import pyramid_tiff
from tests.servers import FaultProxy, FileS3


@pytest.mark.parametrize("layout", ["pages", "subifds"])
def test_a_pyramid_costs_a_twentieth_of_its_bytes_at_most(tmp_path: Path, layout: str) -> None:
    """A 100-megapixel tiled pyramid yields its renditions from at most 5 % of its bytes."""
    photo = pyramid_tiff(tmp_path / "pyramid.tif", megapixels=100, layout=layout, repeat=8)  # type: ignore[arg-type]
    with FileS3() as store, FaultProxy(store.endpoint_url) as proxy:
        store.add_file("photos", "pyramid.tif", photo)
        store.create_buckets("renditions")
        client = proxy.client()
        event = ObjectEvent(bucket="photos", key="pyramid.tif")
        settings = read_settings({"DESTINATION_BUCKET": "renditions"})
        with ThreadPoolExecutor(2) as executor:
            report = process(event, settings, Requests(client), executor, WORKERS.open_photo)
        fetched = proxy.bytes_sent(bucket="photos", key="pyramid.tif")
    assert report.disposition is Disposition.WRITTEN, report.message
    assert len(report.renditions) == 5
    assert fetched <= 0.05 * photo.stat().st_size, fetched / photo.stat().st_size
