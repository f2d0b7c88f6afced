"""Mutated photos are rendered or refused, and never anything else; ``make fuzz`` runs the rest."""

from pathlib import Path

import pytest

from tests.fuzz.mutants import PHOTOS, mutant, write_photos
from tests.fuzz.run import Bounds, FuzzReport, run
from tests.photos import PHOTO_FORMATS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The thirty photos that are mutated."""
    made = tmp_path_factory.mktemp("fuzz")
    write_photos(made)
    return made


def test_the_first_mutants_find_nothing(folder: Path) -> None:
    """No crash, no hang, no foreign exception, no growth, nothing committed of what is rejected."""
    report = run(folder, first=0, count=180, workers=2, deadline_s=120)
    assert report.findings == []
    assert report.done == 180
    # It would prove nothing if all were refused, or none.
    assert report.codes["written"] > 30
    assert report.codes["corrupt"] > 30


def test_the_photos_are_of_every_format_and_each_mutant_follows_from_its_number() -> None:
    """Thirty-four photos; the same number gives the same bytes, another gives others."""
    assert len(PHOTOS) == 34
    assert {name.split("-")[0] for name in PHOTOS} == set(PHOTO_FORMATS)
    photos = [b"first" * 100, b"second" * 100]
    mutants = [mutant(number, photos) for number in range(200)]
    assert mutants == [mutant(number, photos) for number in range(200)]
    assert not set(mutants) & set(photos)
    assert len(set(mutants)) > 190


def test_a_worker_that_dies_is_noticed_and_the_next_goes_on(folder: Path, tmp_path: Path) -> None:
    """One that cannot read its photos crashes; one that outlasts its alarm hangs."""
    (tmp_path / "a folder").mkdir()
    crashed = run(tmp_path, first=0, count=2, workers=1, deadline_s=120)
    assert [(finding.kind, finding.number) for finding in crashed.findings] == [
        ("crash", 0),
        ("crash", 1),
    ]
    hung = run(folder, first=0, count=1, workers=1, deadline_s=120, bounds=Bounds(hang_s=1e-4))
    assert [(finding.kind, finding.number) for finding in hung.findings] == [("hang", 0)]


def test_what_a_worker_says_is_judged() -> None:
    """Renditions of a rejected photo, a foreign exception and too much memory are findings."""
    report = FuzzReport()
    line = {"code": None, "committed": 2, "seconds": 0.1, "rss": 1 << 20}
    report.add(0, line)
    assert not report.findings
    report.add(1, line | {"code": "corrupt", "committed": 1})
    report.add(2, line | {"code": "foreign: KeyError: 'a'"})
    report.add(3, line | {"rss": 2 << 30})
    assert [finding.kind for finding in report.findings] == ["committed", "foreign", "memory"]
