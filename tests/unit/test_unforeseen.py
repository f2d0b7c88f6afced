"""An exception about one photo that nobody foresaw is that photo's alone, and says where it was."""

import json
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest

import handler.told.quarantine
from handler import cli
from handler.backfill import stale
from handler.backfill.estimate import measure
from handler.backfill.listing import Photo
from handler.errors import Disposition
from handler.events.shapes import open_envelope
from handler.items import process_items
from handler.objects import ObjectEvent
from handler.photo.manifest import Manifest, Verdict
from handler.photo.manifest_store import ManifestStore
from handler.photo.process import process
from handler.report import JobReport
from handler.s3.requests import Requests
from handler.settings import JobAttributes, Settings, read_settings
from handler.told.outcome import tell
from handler.version import SourceVersion
from imaging.config import load_config
from imaging.errors import (
    InternalError,
    RenditionsError,
    TruncatedPhotoError,
    error_from_exception,
)
from imaging.worker import client
from tests.doors import WORKERS
from tests.photos import jpeg

_CONFIG: Final = '[[renditions]]\nname = "small"\nwidth = 16\n'
_KEYS: Final = ("a.jpg", "bad.jpg", "z.jpg")


class Unforeseen(Exception):  # noqa: N818 - of no family of errors, as a bug's is
    """What a bug raises."""


def _config(folder: Path) -> Path:
    file = folder / "renditions.toml"
    file.write_text(_CONFIG)
    return file


def _settings(folder: Path) -> Settings:
    return read_settings(
        {"DESTINATION_BUCKET": "renditions", "RENDITIONS_CONFIG": str(_config(folder))}
    )


def _broken_for_wide(function: Callable[..., Any], width: int) -> Callable[..., Any]:
    """Return ``function``, which reads a header, with a bug for photos of ``width``."""

    def broken(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - as the function's
        header = function(*arguments, **options)
        if header.width == width:
            raise Unforeseen("a bug")
        return header

    return broken


@pytest.fixture
def bug_at_width(monkeypatch: pytest.MonkeyPatch) -> int:
    """Let the reading of headers have a bug, for photos of the width that this returns."""
    width = 48
    monkeypatch.setattr(client._Talk, "header", _broken_for_wide(client._Talk.header, width))
    return width


def test_an_error_of_ours_stays_what_it_is() -> None:
    """Anything else is an InternalError that names the stage, what was raised, and where."""
    known = TruncatedPhotoError("Expected the rest")
    assert error_from_exception(known, "decode") is known
    with pytest.raises(Unforeseen) as caught:
        _with_a_bug(ObjectEvent(bucket="photos", key="bad.jpg"))
    error: RenditionsError = error_from_exception(caught.value, "decode")
    assert error.__cause__ is caught.value
    assert isinstance(error, InternalError)
    assert (error.code, error.retryable, error.stage) == ("internal", True, "decode")
    assert all(word in error.message for word in ("decode", "Unforeseen", "a bug"))
    assert error.detail.startswith(__file__)


def test_a_folder_is_rendered_to_its_end(
    bug_at_width: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The photo with the bug is a failed line of the report; those before and after are made."""
    folder = tmp_path / "in"
    folder.mkdir()
    for key, width in zip(_KEYS, (32, bug_at_width, 64), strict=True):
        (folder / key).write_bytes(jpeg(width, 32))
    report = tmp_path / "report.jsonl"
    status = cli.main(
        [
            "render",
            str(folder),
            f"--out={tmp_path / 'out'}",
            f"--report={report}",
            f"--config={_config(tmp_path)}",
        ]
    )
    lines = [json.loads(line) for line in report.read_text().splitlines()]
    assert status == 1
    assert [(line["disposition"], line["code"]) for line in lines] == [
        ("written", None),
        ("failed", "internal"),
        ("written", None),
    ]
    assert "stage header" in lines[1]["message"]
    assert (tmp_path / "out" / "z.jpg" / "small.jpg").exists()
    assert "internal" in capsys.readouterr().err


def test_a_plan_that_cannot_be_made_is_said(
    bug_at_width: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command ends with a status and a line, not with a traceback."""
    photo = tmp_path / "a.jpg"
    photo.write_bytes(jpeg(bug_at_width, 32))
    assert cli.main(["plan", str(photo), f"--config={_config(tmp_path)}"]) == 1
    assert "internal: " in capsys.readouterr().err


def test_an_estimate_is_made_of_the_other_photos(
    bug_at_width: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The photo with the bug counts as refused, and the log names it."""
    bodies = dict(zip(_KEYS, (jpeg(32, 32), jpeg(bug_at_width, 32), jpeg(64, 32)), strict=True))
    client = SimpleNamespace(
        get_object=lambda **asked: {"Body": SimpleNamespace(read=lambda: bodies[asked["Key"]])},
        exceptions=SimpleNamespace(ClientError=ZeroDivisionError),
    )
    drawn = [Photo(key=key, etag="e", size=1, modified=0) for key in _KEYS]
    sample = measure(
        client, "photos", drawn, load_config(_config(tmp_path)).asked, WORKERS.open_photo
    )
    assert (sample.photos, sample.refused) == (2, 1)
    assert "bad.jpg: internal: " in caplog.text


def test_a_photo_that_cannot_be_looked_up_is_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug about one photo leaves it to the work, which reports it; the others are looked up."""

    def judge(version: SourceVersion, *_: object) -> Verdict:
        if version.etag == "bad.jpg":
            raise Unforeseen("a bug")
        return Verdict.UNCHANGED

    monkeypatch.setattr(stale, "judge", judge)
    monkeypatch.setattr(
        ManifestStore, "look", lambda _: Manifest(version=SourceVersion(modified=0))
    )
    found = stale.only_stale(
        [Photo(key=key, etag=key, size=1, modified=0) for key in _KEYS],
        bucket="photos",
        settings=_settings(tmp_path),
        requests=Requests(_BrokenClient()),
    )
    assert [photo.key for photo in found] == ["bad.jpg"]
    assert "bad.jpg: Expected no exception in stage look-up" in caplog.text


class _BrokenClient:
    """A client with a bug in every operation."""

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def broken(**_: object) -> None:
            raise Unforeseen(operation)

        return broken


def test_a_record_s_report_names_the_stage(tmp_path: Path) -> None:
    """A bug while the photo is looked up is told as one of the stage that fetches."""
    with ThreadPoolExecutor(1) as executor:
        report = process(
            ObjectEvent(bucket="photos", key="a.jpg"),
            _settings(tmp_path),
            Requests(_BrokenClient()),
            executor,
            WORKERS.open_photo,
        )
    assert (report.disposition, report.code) == (Disposition.RETRY, "internal")
    assert "stage fetch" in (report.message or "")


def _queue(*keys: str) -> dict[str, Any]:
    return {
        "Records": [
            {
                "messageId": key,
                "eventSource": "aws:sqs",
                "body": json.dumps({"bucket": "photos", "key": key}),
            }
            for key in keys
        ]
    }


def _with_a_bug(event: ObjectEvent) -> JobReport:
    if event.key == "bad.jpg":
        raise Unforeseen("a bug")
    return JobReport(bucket=event.bucket, key=event.key, disposition=Disposition.WRITTEN)


@pytest.mark.parametrize("keys", [_KEYS, ("bad.jpg", "z.jpg"), ("a.jpg", "bad.jpg")])
def test_a_batch_brings_the_one_message_again(keys: tuple[str, ...]) -> None:
    """The other messages are done and deleted."""
    envelope = open_envelope(_queue(*keys), JobAttributes())
    reported: list[JobReport] = []
    answer = envelope.answer(process_items(envelope, _with_a_bug, reported.append))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "bad.jpg"}]}
    assert [report.code for report in reported] == [
        "internal" if key == "bad.jpg" else None for key in keys
    ]


def test_an_envelope_is_answered_if_a_report_is_lost(caplog: pytest.LogCaptureFixture) -> None:
    """A bug in who takes the reports loses that report: no photo is done again for it."""
    envelope = open_envelope(_queue("a.jpg", "z.jpg"), JobAttributes())
    taken: list[str] = []

    def take(report: JobReport) -> None:
        if report.key == "a.jpg":
            raise Unforeseen("a bug")
        taken.append(report.key)

    answer = envelope.answer(process_items(envelope, _with_a_bug, take))
    assert answer == {"batchItemFailures": []}
    assert taken == ["z.jpg"]
    assert [one.levelno for one in caplog.records] == [logging.ERROR]


def test_a_bug_while_others_are_told_is_the_photo_s_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The photo wants another attempt, which tells them then."""

    def broken(*_: object) -> None:
        raise Unforeseen("a bug")

    monkeypatch.setattr(handler.told.quarantine, "quarantine", broken)
    settings = read_settings(
        {
            "DESTINATION_BUCKET": "renditions",
            "REJECTED_PREFIX": "rejected/",
            "RENDITIONS_CONFIG": str(_config(tmp_path)),
        }
    )
    rejected = JobReport(
        bucket="photos", key="a.jpg", disposition=Disposition.REJECTED, code="corrupt"
    )
    told = tell(rejected, settings, Requests(_BrokenClient()))
    assert (told.disposition, told.code) == (Disposition.RETRY, "internal")
    assert "stage tell" in (told.message or "")
