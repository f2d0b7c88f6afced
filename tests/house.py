"""Both buckets and the function's own code before them, for one photo: what its tests share."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from handler.objects import Change, ObjectEvent
from handler.photo.process import process
from handler.s3.client import make_client
from handler.s3.requests import Requests
from handler.settings import read_settings
from imaging.deadline import NEVER, Deadline
from tests.doors import WORKERS
from tests.servers import CallBefore, Fault, FaultProxy, MotoServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import pytest

    from handler.report import JobReport
    from handler.settings import Settings
    from imaging.specs import RenditionSpec

KEY: Final = "a photo.jpg"
MANIFEST: Final = f"{KEY}/photo.json"
BOTH: Final = ("large.jpg", "small.jpg")
CONFIG: Final = """
[[renditions]]
name = "large"
width = 64
format = "source"

[[renditions]]
name = "small"
width = 16
"""


class House:
    """The place of one photo."""

    def __init__(
        self,
        proxy: FaultProxy,
        moto: MotoServer,
        settings: Settings,
        client: Any,  # noqa: ANN401 - botocore's
    ) -> None:
        self.proxy = proxy
        self.s3 = moto.client()
        self.settings = settings
        self._client = client
        self._sequence = 0

    def put(self, body: bytes, key: str = KEY, **said: Any) -> ObjectEvent:  # noqa: ANN401 - botocore's
        """Store the photo, with what is `said` of it, and return the event that tells of it."""
        answer = self.s3.put_object(Bucket="photos", Key=key, Body=body, **said)
        return ObjectEvent(
            bucket="photos",
            key=key,
            version_id=answer.get("VersionId"),
            etag=answer["ETag"].strip('"'),
            sequencer=self.sequencer(),
            size=len(body),
        )

    def delete(self, key: str = KEY) -> ObjectEvent:
        """Delete the photo, and return the event that tells of it."""
        answer = self.s3.delete_object(Bucket="photos", Key=key)
        return ObjectEvent(
            bucket="photos",
            key=key,
            change=Change.DELETED,
            version_id=answer.get("VersionId"),
            sequencer=self.sequencer(),
        )

    def delete_for_good(self, event: ObjectEvent) -> ObjectEvent:
        """Delete the version of `event`, and return the event that tells of it."""
        self.s3.delete_object(Bucket="photos", Key=event.key, VersionId=event.version_id or "")
        return replace(event, change=Change.DELETED, etag=None, sequencer=self.sequencer())

    def sequencer(self) -> str:
        """Return the next one."""
        self._sequence += 1
        return f"{self._sequence:04X}"

    def handle(
        self,
        event: ObjectEvent,
        settings: Settings | None = None,
        deadline: Deadline = NEVER,
        specs: Sequence[RenditionSpec] | None = None,
    ) -> JobReport:
        """Handle the event as an invocation does; make `specs` alone, as for HTTP."""
        requests = Requests(self._client, deadline)
        with ThreadPoolExecutor(max_workers=2) as executor:
            open_photo = partial(WORKERS.open_photo, deadline=deadline)
            return process(event, settings or self.settings, requests, executor, open_photo, specs)

    def ask_for(self, *names: str, settings: Settings | None = None) -> JobReport:
        """Make the renditions of these names, as an HTTP request does that misses them."""
        settings = settings or self.settings
        specs = [spec for spec in settings.config.renditions if spec.name in names]
        event = ObjectEvent(bucket="photos", key=KEY, name="HTTP")
        with ThreadPoolExecutor(max_workers=2) as executor:
            requests = Requests(self._client)
            return process(event, settings, requests, executor, WORKERS.open_photo, specs)

    def requests_of(self, event: ObjectEvent, settings: Settings | None = None) -> list[str]:
        """Handle the event, and return what it asked S3 for."""
        before = len(self.proxy.requests)
        self.handle(event, settings)
        return [f"{call.operation} {call.bucket}" for call in self.proxy.requests[before:]]

    def stored(self) -> dict[str, str]:
        """Return the ETag of the photo that each rendition is of, by the rendition's key."""
        listed = self.s3.list_objects_v2(Bucket="renditions").get("Contents", [])
        return {
            item["Key"].removeprefix(f"{KEY}/"): self.s3.head_object(
                Bucket="renditions", Key=item["Key"]
            )["Metadata"]["source-etag"]
            for item in listed
            if item["Key"] != MANIFEST
        }

    def before(
        self,
        operation: str,
        key: str,
        call: Callable[[], object],
        nth: int = 1,
        *,
        bucket: str = "renditions",
    ) -> None:
        """Let `call` happen before the `nth` request of that kind from now on."""
        action = CallBefore(function=lambda _: call())
        self.proxy.add(Fault(operation=operation, bucket=bucket, key=key, nth=nth, action=action))

    def mark(self, times: int, over_s: int = 0) -> None:
        """Let the mark in the manifest be so; it stands there already."""
        answer = self.s3.get_object(Bucket="renditions", Key=MANIFEST)
        name = answer["Metadata"]["suspect"].split()[0]
        self.s3.put_object(
            Bucket="renditions",
            Key=MANIFEST,
            Body=answer["Body"].read(),
            Metadata=answer["Metadata"] | {"suspect": f"{name} {times} {over_s}"},
        )

    def named(self) -> set[str]:
        """Return what the manifest names, without the photo's key."""
        return {key.removeprefix(f"{KEY}/") for key in self.manifest()["kept"]}

    def manifest(self) -> dict[str, Any]:
        """Return the manifest's body."""
        body = self.s3.get_object(Bucket="renditions", Key=MANIFEST)["Body"].read()
        document: dict[str, Any] = json.loads(body)
        return document


def of(event: ObjectEvent, *keys: str) -> dict[str, str]:
    """Return what :meth:`House.stored` gives for renditions of the event's version."""
    assert event.etag is not None
    return dict.fromkeys(keys, event.etag)


@contextmanager
def open_house(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, versioned: bool = False
) -> Iterator[House]:
    """Open one; its S3 is gone afterwards."""
    config = folder / "renditions.toml"
    config.write_text(CONFIG)
    with MotoServer() as moto, FaultProxy(moto.endpoint_url) as proxy:
        moto.create_buckets("photos", "renditions")
        if versioned:
            moto.client().put_bucket_versioning(
                Bucket="photos", VersioningConfiguration={"Status": "Enabled"}
            )
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", proxy.endpoint_url)
        settings = read_settings(
            {"DESTINATION_BUCKET": "renditions", "RENDITIONS_CONFIG": str(config)}
        )
        client = make_client()
        try:
            yield House(proxy, moto, settings, client)
        finally:
            client.close()
