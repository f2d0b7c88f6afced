"""The line that each record leaves in the log, and the metrics in it."""

import json
from dataclasses import replace
from itertools import pairwise
from typing import Final

import pytest

from handler.errors import Disposition
from handler.objects import ObjectEvent
from handler.photo.journal import Journal
from handler.report import JobReport, RenditionReport
from handler.settings import Function
from handler.stages import Span, Stage, Stages, stages_from_spans
from handler.told.metrics import NAMESPACE, PhotoLog, photo_line
from tests.emf import metrics_of

_FUNCTION: Final = Function(name="renditions", version="7", memory_mb=1024)
_NOW_S: Final = 1_700_000_000.5
_WRITTEN: Final = JobReport(
    bucket="photos",
    key="ünïcode \n photo.jpg",
    disposition=Disposition.WRITTEN,
    event="ObjectCreated:Put",
    event_time_s=1_699_999_990.5,
    version_id="v1",
    etag="abc",
    loader="jpegload_source",
    width=6000,
    height=4000,
    size=8_000_000,
    plan="shrink 2, base 2048x1365: large 1280x853 jpeg",
    elapsed_ms=210.04,
    stages=Stages(wait_ms=10, decode_ms=90, encode_ms=100, upload_ms=10),
    renditions=(
        RenditionReport(
            name="large",
            format="jpeg",
            key="a/large.jpg",
            width=1280,
            height=853,
            size=250_000,
            quality=85,
            elapsed_ms=20.0,
        ),
        RenditionReport(
            name="small",
            format="jpeg",
            key="a/small.jpg",
            width=320,
            height=213,
            size=18_000,
            quality=85,
            elapsed_ms=7.0,
        ),
    ),
)


def _line(report: JobReport, function: Function = _FUNCTION, *, cold: bool = False) -> str:
    return json.dumps(
        photo_line(
            report,
            function=function,
            request_id="r-1",
            cold=cold,
            peak_bytes=512 << 20,
            now_s=_NOW_S,
        )
    )


def _values(line: str) -> dict[str, float]:
    return {metric.name: metric.value for metric in metrics_of(line)}


def test_every_metric_of_a_written_photo() -> None:
    """A written photo's line holds each metric, by the format's own schema."""
    assert _values(_line(_WRITTEN)) == {
        "Photos": 1,
        "SourceBytes": 8_000_000,
        "RenditionBytes": 268_000,
        "Latency": 210.04,
        "Age": 10,
        "PeakMemory": 50,
        "ColdStarts": 0,
        "Retries": 0,
        "Rejections": 0,
    }
    assert {metric.namespace for metric in metrics_of(_line(_WRITTEN))} == {NAMESPACE}


def test_photos_are_counted_by_disposition_and_by_code() -> None:
    """What was refused is counted under its disposition, and under its code within that."""
    refused = replace(_WRITTEN, disposition=Disposition.REJECTED, code="corrupt", renditions=())

    counted = [metric for metric in metrics_of(_line(refused)) if metric.name == "Photos"]

    function = ("FunctionName", "renditions")
    disposition = ("Disposition", "rejected")
    assert {metric.dimensions for metric in counted} == {
        frozenset({function, disposition}),
        frozenset({function, disposition, ("Code", "corrupt")}),
    }


def test_what_is_not_known_is_no_metric() -> None:
    """A record that failed before the first byte, outside Lambda, still gives a valid line."""
    bare = JobReport(bucket="photos", key="a.jpg", disposition=Disposition.RETRY, code="internal")

    assert _values(_line(bare, Function())) == {
        "Photos": 1,
        "RenditionBytes": 0,
        "Latency": 0,
        "ColdStarts": 0,
        "Retries": 1,
        "Rejections": 0,
    }


@pytest.mark.parametrize(("before_s", "age_s"), [(0, 0), (60, 60), (-9, 0)])
def test_age(before_s: float, age_s: float) -> None:
    """A photo's age is counted from its event; a clock that is ahead makes it 0, never less."""
    report = replace(_WRITTEN, event_time_s=_NOW_S - before_s)

    assert _values(_line(report))["Age"] == age_s


def test_everything_that_root_cause_analysis_needs() -> None:
    """The line names the request, the photo's very version, the plan, and each stage's time."""
    line = json.loads(_line(_WRITTEN))

    assert line["timestamp"] == "2023-11-14T22:13:20.500+00:00"
    assert line["eventTime"] == "2023-11-14T22:13:10.500+00:00"
    wanted = {
        "level": "INFO",
        "requestId": "r-1",
        "version": "7",
        "bucket": "photos",
        "key": "ünïcode \n photo.jpg",
        "versionId": "v1",
        "etag": "abc",
        "loader": "jpegload_source",
        "width": 6000,
        "height": 4000,
        "plan": "shrink 2, base 2048x1365: large 1280x853 jpeg",
        "wait_ms": 10,
        "decode_ms": 90,
        "encode_ms": 100,
        "upload_ms": 10,
        "peakBytes": 512 << 20,
        "Disposition": "written",
        "Code": "none",
    }
    assert {name: line[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    ("initialization", "expected"),
    [
        ("on-demand", [1, 0, 0]),
        ("snap-start", [1, 0, 0]),
        ("", [1, 0, 0]),
        ("provisioned-concurrency", [0, 0, 0]),
    ],
)
def test_cold_starts(initialization: str, expected: list[int]) -> None:
    """The first record of an execution environment counts as cold, unless init was long over."""
    written: list[str] = []
    log = PhotoLog(replace(_FUNCTION, initialization=initialization), write=written.append)

    for _ in expected:
        log.photo(_WRITTEN, "r-1")

    assert [_values(line)["ColdStarts"] for line in written] == expected


def test_a_line_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A key with a line break in it does not break the line; the text is UTF-8, unescaped."""
    PhotoLog(_FUNCTION).photo(_WRITTEN, "r-1")

    output = capsys.readouterr().out
    assert output.count("\n") == 1
    assert "ünïcode" in output
    assert _values(output)["Photos"] == 1


def test_waiting_is_taken_out_of_the_decode() -> None:
    """Time in which the decoder stood still for bytes is waiting, not decoding."""
    spans = (
        Span(stage=Stage.FETCH, started_s=0, elapsed_ms=30),
        Span(stage=Stage.DECODE, started_s=0.03, elapsed_ms=100),
        Span(stage=Stage.ENCODE, started_s=0.13, elapsed_ms=50),
    )

    assert stages_from_spans(spans, waited_ms=40) == Stages(
        wait_ms=70, decode_ms=60, encode_ms=50, upload_ms=0
    )
    assert stages_from_spans(spans, waited_ms=400) == Stages(
        wait_ms=130, decode_ms=0, encode_ms=50, upload_ms=0
    )


def test_a_stage_ends_where_the_next_begins() -> None:
    """Spans follow one another without a gap; entering a stage again does not begin it anew."""
    event = ObjectEvent(bucket="photos", key="a.jpg")
    assert Journal(event).succeeded(Disposition.IGNORED, ()).spans == ()
    journal = Journal(event)
    for stage in (Stage.FETCH, Stage.DECODE, Stage.ENCODE, Stage.ENCODE):
        journal.enter(stage)

    spans = journal.succeeded(Disposition.WRITTEN, ()).spans

    assert [span.stage for span in spans] == [Stage.FETCH, Stage.DECODE, Stage.ENCODE]
    for before, after in pairwise(spans):
        assert after.started_s == pytest.approx(before.started_s + before.elapsed_ms / 1000)
