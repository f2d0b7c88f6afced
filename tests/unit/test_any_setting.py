"""Whatever a variable says: init fails and names it, or every photo is done and HTTP answers."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

import handler.settings
from handler.errors import Disposition, SettingsError
from handler.http.respond import respond
from handler.objects import ObjectEvent
from handler.photo.process import process
from handler.s3.requests import Requests
from handler.settings import Settings, read_settings
from handler.signer import make_signing
from handler.told.outcome import tell
from imaging.errors import ConfigError
from imaging.limits import Limits
from tests.doors import WORKERS
from tests.photos import jpeg
from tests.photos.signing import identity
from tests.servers.memory import MemoryS3
from tests.servers.strict import StrictS3

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from handler.report import JobReport
    from imaging.specs import RenditionSpec

_TOML: Final = '[[renditions]]\nname = "small"\nwidth = 16\n'
_GOOD: Final = {
    "DESTINATION_BUCKET": "renditions",
    "SOURCE_BUCKET": "photos",
    "RENDITIONS_TOML": _TOML,
    "REJECTED_PREFIX": "rejected/",
    "HTTP_FALLBACK_KEY": "fallback.jpg",
}
_TEMPLATE: Final = "{key}/{name}.{ext}"
_TEXTS: Final = (
    *("", " ", "a b", "ä", "a\nb", "a\r\nx: y", "\x7f", "\udcff", "é" * 512, "a" * 1_100),
    *("9" * 5_000, "٣", "0", "-1", "{", "{}", "{key}", "..", "/", "//", "a/../b", "%2F", "'", '"'),
    "public, max-age=" + "9" * 9_000,
    "arn:aws:s3:eu-west-1:123456789012:accesspoint/a",
    *("s3://photos", "photos", "renditions", "photos,renditions", "https://example.org", "*"),
    *(f"{_TEMPLATE}{end}" for end in ("\n", "ä", "%", " ", "\udcff", "?", "#")),
    *(f"{start}{_TEMPLATE}" for start in ("\n", "\udcff", "/", "../", "a" * 500, "a" * 1_010)),
    *("{bucket}/" + _TEMPLATE, f'[[renditions]]\nname = "small"\ntags = {{ a = "{"鳥" * 256}" }}'),
)
_SETTINGS: Final = Path(handler.settings.__file__).read_text()
_VARIABLES: Final = (
    *sorted(
        name
        for name in set(re.findall(r'"([A-Z]{2,}(?:_[A-Z]+)+)"', _SETTINGS))
        if not name.startswith("AWS_")
    ),
    *(f"LIMIT_{name.upper()}" for name in Limits.names()),
)
"""All that settings.py reads; what Lambda and the SDKs are told by is not ours."""


class _Function:
    """The function's own code, before an S3 with one photo that is strict about what it is sent."""

    def __init__(self, settings: Settings) -> None:
        # Nobody takes completion events here.
        self._settings = replace(settings, completion_target=None)
        s3 = MemoryS3()
        for bucket in {*settings.source_buckets, "photos", settings.destination_bucket}:
            s3.create_bucket(bucket)
        self.event = ObjectEvent(
            bucket=[*settings.source_buckets, "photos"][0], key=f"{settings.source_prefix}a.jpg"
        )
        s3.put_object(Bucket=self.event.bucket, Key=self.event.key, Body=jpeg(64, 48))
        self.client = StrictS3(s3)
        self._requests = Requests(self.client)

    def make(self, event: ObjectEvent, specs: Sequence[RenditionSpec] | None = None) -> JobReport:
        with ThreadPoolExecutor(max_workers=2) as executor:
            return process(
                event, self._settings, self._requests, executor, WORKERS.open_photo, specs
            )

    def reject(self, report: JobReport) -> JobReport:
        rejected = replace(report, disposition=Disposition.REJECTED, code="a", message="b")
        return tell(rejected, self._settings, self._requests)

    def ask(self, key: str) -> int:
        event = {
            "version": "2.0",
            "rawPath": f"{self._settings.http_base_path}/small/{key}",
            "requestContext": {"http": {"method": "GET"}},
        }
        answer = respond(event, self._settings, self._requests, self.make, lambda _: None)
        return int(answer["statusCode"])


def _no_text(place: str) -> str:
    raise SettingsError(
        f"CREDENTIALS_CERTIFICATES: expected no object of S3 but received {place!r}"
    )


def _read(environ: Mapping[str, str]) -> Settings | str:
    """Return the settings, or why init fails."""
    try:
        return read_settings(environ, make_signing=lambda asked: make_signing(asked, _no_text))
    except ConfigError as error:
        return str(error)


@pytest.mark.parametrize("variable", _VARIABLES)
def test_what_a_variable_says_is_an_init_error_or_no_error(
    variable: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What passes init fails no photo, no rejection and no request."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    good = dict(_GOOD)
    if variable == "RENDITIONS_CONFIG":
        del good["RENDITIONS_TOML"]
    if variable.startswith("CREDENTIALS_"):
        key = tmp_path / "key.pem"
        key.write_text(identity().pem)
        good["RENDITIONS_TOML"] = f"[credentials]\nkeep = true\n{_TOML}"
        good |= {"CREDENTIALS_KEY": str(key), "CREDENTIALS_CERTIFICATES": identity().chain}
        assert isinstance(_read(good), Settings)
    if variable == "SOURCE_PREFIX":
        del good["HTTP_FALLBACK_KEY"]
    tried = [read_settings(_GOOD)]
    # One that contradicts another may be named by that; a file is called by its path.
    others = ("DESTINATION_KEY_TEMPLATE", "DESTINATION_BUCKET", "renditions.toml")
    for text in _TEXTS:
        settings = _read(good | {variable: text})
        if isinstance(settings, str):
            assert settings.startswith((variable, *others, str(Path(text)))), settings
            continue
        if settings in tried:
            continue
        tried.append(settings)
        function = _Function(settings)
        with closing(function.client):
            report = function.make(function.event)
            assert report.code is None, (text, report.code, report.message)
            told = function.reject(report)
            assert told.code == "a", (text, told.code, told.message)
            if settings.source_buckets and not settings.url_signing_keys:
                assert function.ask(function.event.key) in {200, 400, 414}, text
                assert function.ask("b.jpg") == 404, text
