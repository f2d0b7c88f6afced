"""The peak that a plan states is never below what was measured, and never far above it."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import pytest

from benchmarks.refit import Case, case_from, fitted, worth
from handler.memory_limit import memory_limit
from imaging.config import parse_config
from imaging.errors import NeedsMoreMemoryError
from imaging.formats import InputFormat
from imaging.header import ImageHeader, Level
from imaging.limits import Limits, Memory
from imaging.memory import MARGIN, PROCESS_BYTES
from imaging.plan import RenditionPlan
from imaging.planning import Asked, make_plan
from imaging.specs import RenditionSpec

# What make calibrate measured: the function and its worker, anew for each case.
_CASES: Final[list[dict[str, Any]]] = json.loads(
    (Path(__file__).parents[2] / "benchmarks" / "results" / "memory.json").read_text("utf-8")
)
_MB: Final = 1 << 20


def header_from_case(case: dict[str, Any]) -> ImageHeader:
    """Return the header of the case's photo."""
    fields = case["header"]
    return ImageHeader(
        **fields
        | {
            "format": InputFormat(fields["format"]),
            "levels": tuple(Level(**level) for level in fields["levels"]),
            "tile": tuple(fields["tile"]) if fields["tile"] else None,
        }
    )


def plan_from_case(case: dict[str, Any]) -> RenditionPlan:
    """Return what the function planned for the case."""
    config = parse_config(case["toml"], file="case")
    return make_plan(header_from_case(case), replace(config.asked(), limits=Limits()))


def estimate_and_peak_mb(case: dict[str, Any]) -> tuple[float, float]:
    """Return what the plan says of a case, and what was measured."""
    return plan_from_case(case).peak_bytes / _MB, case["peak_mb"]


def is_within(estimate_mb: float, peak_mb: float) -> bool:
    """Tell whether an estimate is 30 % or 24 MB above the peak at most."""
    return estimate_mb <= max(1.3 * peak_mb, peak_mb + 24)


_CHOSEN: Final = [case for case in _CASES if case["seed"] is None]
_DRAWN: Final = [case for case in _CASES if case["seed"] is not None]


def test_there_are_enough_cases() -> None:
    """Each input format is among those that were chosen, and as many again were drawn at random."""
    assert len(_CHOSEN) >= 60
    assert len(_DRAWN) >= 120
    for cases in (_CHOSEN, _DRAWN):
        # Camera raw is decoded as the JPEG that it holds.
        measured = set(InputFormat) - {InputFormat.RAW}
        assert {case["header"]["format"] for case in cases} == measured


@pytest.mark.parametrize("case", _CHOSEN, ids=lambda case: f"{case['photo']}-{case['specs']}")
def test_the_estimate_holds(case: dict[str, Any]) -> None:
    """It is never below the measured peak, and 30 % or 24 MB above it at most."""
    estimate_mb, peak_mb = estimate_and_peak_mb(case)
    assert peak_mb <= estimate_mb
    assert is_within(estimate_mb, peak_mb)


def test_it_holds_for_what_was_drawn() -> None:
    """Of photos and plans drawn at random, hardly any is below the peak, and few too far above."""
    drawn = [estimate_and_peak_mb(case) for case in _DRAWN]
    assert sum(estimate_mb < peak_mb for estimate_mb, peak_mb in drawn) <= 0.015 * len(drawn)
    assert min(estimate_mb / peak_mb for estimate_mb, peak_mb in drawn) > 0.95
    assert sum(not is_within(*each) for each in drawn) <= 0.05 * len(drawn)
    assert max(estimate_mb / peak_mb for estimate_mb, peak_mb in drawn) < 1.6


def measured(peak_mb: float, *, is_drawn: bool = False) -> Case:
    """Return a case whose photo takes 10 MB beside the processes."""
    return Case(name="a", is_drawn=is_drawn, peak_mb=peak_mb, beside_mb=10)


def test_what_processes_take_is_fitted_to_what_was_measured() -> None:
    """The least with which no chosen case is below its peak, and of the drawn ones 1.5 %."""
    chosen = [measured(90), measured(120)]
    assert fitted(chosen, 1.1) == 100
    drawn = [measured(100 + number, is_drawn=True) for number in range(100)]
    assert fitted(drawn, 1.0) == 188
    assert fitted([*drawn, measured(210)], 1.0) == 200
    assert worth(chosen, 99, 1.1).chosen_below == 1
    assert worth(chosen, 100, 1.1).chosen_above == 1


def test_what_processes_take_is_what_fits() -> None:
    """Neither less nor much more than what was measured last says."""
    cases = [case_from(case, MARGIN, PROCESS_BYTES / _MB) for case in _CASES]
    assert 0 <= PROCESS_BYTES // _MB - fitted(cases, MARGIN) <= 2
    page = (Path(__file__).parents[2] / "docs" / "memory.md").read_text("utf-8")
    assert f"beside {PROCESS_BYTES // _MB} MB of two processes" in page


def header(width: int, height: int, *, interlaced: bool = False) -> ImageHeader:
    """Return the header of a JPEG as phones write them."""
    return ImageHeader(
        format=InputFormat.JPEG,
        loader="jpegload_source",
        width=width,
        height=height,
        bands=3,
        band_format="uchar",
        interpretation="srgb",
        has_alpha=False,
        has_profile=False,
        orientation=1,
        n_pages=1,
        interlaced=interlaced,
        size=width * height // 3,
        chroma="4:2:0",
    )


def would_do_mb(error: NeedsMoreMemoryError) -> int:
    """Return the megabytes that the error says would do."""
    return int(str(error).rpartition(": ")[2].split()[0])


THUMBNAIL = RenditionSpec(name="thumbnail", width=320, height=320)


def test_what_does_not_fit_is_refused_with_what_would_do() -> None:
    """The error names what is there, what the photo takes, and a memory size that would do."""
    progressive = header(12000, 9000, interlaced=True)
    with pytest.raises(NeedsMoreMemoryError, match="at most 256 MB") as caught:
        make_plan(progressive, Asked(specs=(THUMBNAIL,), memory=Memory(bytes=256 * _MB)))
    error = caught.value
    assert (error.code, error.retryable) == ("needs-more-memory", False)
    assert error.estimate > error.available == 256 * _MB
    assert f"needs {-(-error.estimate // _MB)} MB" in str(error)
    plan = make_plan(
        progressive, Asked(specs=(THUMBNAIL,), memory=Memory(bytes=would_do_mb(error) * _MB))
    )
    assert plan.peak_bytes == error.estimate


def test_where_processes_share_the_whole_function_is_named() -> None:
    """Who runs eight of them sets the memory of all: a size of which an eighth will do."""
    progressive = header(12000, 9000, interlaced=True)
    shared = {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "2048", "AWS_LAMBDA_MAX_CONCURRENCY": "8"}
    with pytest.raises(NeedsMoreMemoryError, match=r"at most 256 MB.* 8 processes") as caught:
        make_plan(progressive, Asked(specs=(THUMBNAIL,), memory=memory_limit(shared)))
    enough = shared | {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(would_do_mb(caught.value))}
    plan = make_plan(progressive, Asked(specs=(THUMBNAIL,), memory=memory_limit(enough)))
    assert plan.peak_bytes == caught.value.estimate


def test_the_same_photo_in_one_scan_fits() -> None:
    """A baseline JPEG of 200 megapixels is made within 256 MB; it is the scans that cost."""
    plan = make_plan(
        header(16320, 12240), Asked(specs=(THUMBNAIL,), memory=Memory(bytes=256 * _MB))
    )
    assert asdict(plan)["peak_bytes"] == plan.peak_bytes < 140 * _MB
    assert f"{plan.peak_bytes >> 20} MB" in plan.summary()
