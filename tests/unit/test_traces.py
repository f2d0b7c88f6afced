"""What ends of processes leave in /tmp: who is suspected, who is alone, and who is `poison`."""

import multiprocessing
import os
import random
import resource
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, cast

import pytest

from handler.errors import Disposition, PoisonPhotoError
from handler.events.envelope import Envelope, Item
from handler.items import process_items
from handler.objects import ObjectEvent
from handler.photo.poison import watched
from handler.photo.traces import Suspicion, answered, ends, suspicion, traced
from handler.report import JobReport
from handler.version import SourceVersion, version_from_event

# Forked from a process that has no threads, and has imported this module.
_FORKS: Final = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload([__name__])
_PHOTO: Final = ObjectEvent(bucket="photos", key="a.jpg", etag="one")


@pytest.fixture(autouse=True)
def tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The /tmp of one execution environment."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def _in_process(function: Callable[..., None], *arguments: object) -> int | None:
    """Return how the process of ``function`` ended: 0, or less for a signal."""
    process = _FORKS.Process(
        target=_run, args=(tempfile.gettempdir(), function, *arguments), daemon=True
    )
    process.start()
    process.join(60)
    return process.exitcode


def _run(folder: str, function: Callable[..., None], *arguments: object) -> None:
    tempfile.tempdir = folder
    function(*arguments)


def _end(event: ObjectEvent) -> None:
    with traced(event, version_from_event(event)):
        os.kill(os.getpid(), signal.SIGKILL)


def _ended(event: ObjectEvent) -> None:
    assert _in_process(_end, event) == -signal.SIGKILL


def test_only_ends_of_attempts_that_were_alone_count() -> None:
    """Beside others an end makes a suspect, and takes nothing away of what is known."""
    version = version_from_event(_PHOTO)
    beside = replace(_PHOTO, is_alone=False)
    said = []
    for event in (beside, beside, _PHOTO, beside, _PHOTO):
        _ended(event)
        said.append((ends(_PHOTO, version), suspicion(_PHOTO)))
    # A photo whose verdict is certain is not decoded any more: nobody has to fear it.
    suspected = (0, True), (0, True), (1, True), (1, True), (0, False)
    assert said == list(zip((0, 0, 1, 1, 2), suspected, strict=True))


def test_another_version_is_a_suspect_and_not_guilty() -> None:
    """An event may not name a version, so each of a photo's is worked on alone."""
    _ended(_PHOTO)
    another = replace(_PHOTO, etag="two")
    assert ends(another, version_from_event(another)) == 0
    assert suspicion(replace(_PHOTO, etag=None)) == Suspicion(1, has_traces=True)
    assert suspicion(replace(_PHOTO, key="b.jpg")) == Suspicion()


@pytest.mark.parametrize("before", [0, 1])
def test_what_another_process_decodes_now_is_no_end(before: int) -> None:
    """A Managed Instance's processes share /tmp; nobody removes the trace of one that lives."""
    for _ in range(before):
        _ended(_PHOTO)
    version = version_from_event(_PHOTO)
    receiver, sender = _FORKS.Pipe(duplex=False)
    process = _FORKS.Process(target=_run, args=(tempfile.gettempdir(), _decode_for_ever, sender))
    process.start()
    assert receiver.recv() == "begun"
    answered(_PHOTO, Disposition.UNCHANGED)
    assert (ends(_PHOTO, version), suspicion(_PHOTO)) == (before, Suspicion(before, before > 0))
    process.kill()
    process.join()
    assert ends(_PHOTO, version) == before + 1


def _decode_for_ever(sender: Any) -> None:  # noqa: ANN401 - multiprocessing's
    with traced(_PHOTO, version_from_event(_PHOTO)):
        sender.send("begun")
        time.sleep(600)


@pytest.mark.parametrize("disposition", Disposition)
def test_an_answer_takes_the_trace_away(tmp: Path, disposition: Disposition) -> None:
    """Also one that was found in the manifest; not one that says nothing of the photo."""
    _ended(replace(_PHOTO, is_alone=False))
    answered(_PHOTO, disposition)
    says_nothing = {Disposition.RETRY, Disposition.IGNORED, Disposition.SUPERSEDED}
    assert bool(list(tmp.glob("renditions-*"))) == (disposition in says_nothing)


@pytest.mark.parametrize(
    "text",
    ["", "{}", "{} 1", "{} a 1 1", "{} 1 1 1 1", "{} -5 1 1", "{} 0 4194304999 1", "v 1 1 1", "\0"],
)
def test_a_file_of_somebody_else_says_nothing(tmp: Path, text: str) -> None:
    """Nor does one that was cut by a full disk, or one with numbers that no process has."""
    _ended(_PHOTO)
    (file,) = tmp.glob("renditions-*")
    version = version_from_event(_PHOTO)
    file.write_text(text.format(version.name))
    assert suspicion(_PHOTO) == Suspicion()
    assert ends(_PHOTO, version) == 0
    answered(_PHOTO, Disposition.WRITTEN)


def _end_with_a_full_disk(event: ObjectEvent) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    _end(event)


def test_a_trace_that_cannot_be_written_takes_none_away() -> None:
    """Nor does an end amid its write: what was counted before stays."""
    _ended(_PHOTO)
    assert _in_process(_end_with_a_full_disk, _PHOTO) == -signal.SIGKILL
    assert ends(_PHOTO, version_from_event(_PHOTO)) == 1


def test_without_a_tmp_there_is_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """The photo is made all the same."""

    def none() -> str:
        raise FileNotFoundError

    monkeypatch.setattr(tempfile, "gettempdir", none)
    with traced(_PHOTO, version_from_event(_PHOTO)):
        assert suspicion(_PHOTO) == Suspicion()
    answered(_PHOTO, Disposition.WRITTEN)


def _envelope(events: Sequence[ObjectEvent]) -> Envelope:
    return Envelope(
        items=tuple(Item(id=event.key, events=(event,)) for event in events),
        unreadable=Disposition.REJECTED,
        answer=lambda reports: reports,
    )


def test_the_least_suspected_come_first_and_one_by_one() -> None:
    """What comes after an end is not begun; who is not decoded any more takes nobody along."""
    events = [replace(_PHOTO, key=key) for key in ("ripe", "once", "beside", "new")]
    for event in (events[0], events[0], events[1], replace(events[2], is_alone=False)):
        _ended(event)
    worked = []

    def process(event: ObjectEvent) -> JobReport:
        worked.append((event.key, event.is_alone))
        return JobReport(bucket=event.bucket, key=event.key, disposition=Disposition.RETRY)

    reports = process_items(_envelope(events), process, lambda _: None)
    order = ("ripe", "new", "beside", "once")
    assert worked == [(key, True) for key in order]
    assert [report.item.id for report in reports] == [event.key for event in events]
    worked.clear()
    process_items(_envelope([events[0], events[3]]), process, lambda _: None)
    assert sorted(worked) == [("new", False), ("ripe", False)]
    worked.clear()
    process_items(_envelope(events[3:]), process, lambda _: None)
    assert worked == [("new", True)]
    worked.clear()
    # In another execution environment only the queue tells.
    counted = replace(_PHOTO, key="counted", receive_count=2)
    process_items(_envelope([counted, events[3]]), process, lambda _: None)
    # The second delivery begins with another one than the first.
    assert worked == [("new", True), ("counted", True)]


def _say(answer: Path, word: str) -> None:
    """Write it in one step: another thread may end the process at any moment."""
    beside = answer.with_name(f"about-to-{answer.name}")
    beside.write_text(word)
    beside.replace(answer)


def _deliver(keys: Sequence[str], bad: frozenset[str], unlucky: frozenset[str], seed: int) -> None:
    """Work on an event of these photos.

    The bad ones end this process; a photo without luck is decoded when something else does, once.
    """
    folder = Path(tempfile.gettempdir())
    dice = random.Random(seed)
    pauses = {key: dice.choice((0, 0, 0.002, 0.005)) for key in keys}
    accidents = {key for key in unlucky if dice.random() < 0.5}

    def process(event: ObjectEvent) -> JobReport:
        answer, accident = folder / f"answer-{event.key}", folder / f"accident-{event.key}"
        if not answer.exists():
            # No receive count, and nobody has marked it: only /tmp tells.
            source = SimpleNamespace(version=SourceVersion(etag="etag"))
            attempt = SimpleNamespace(event=event, manifests=SimpleNamespace(manifest=None))
            try:
                with watched(cast("Any", attempt), cast("Any", source)):
                    time.sleep(pauses[event.key])
                    is_unlucky = event.key in accidents and not accident.exists()
                    if is_unlucky:
                        accident.touch()
                    if is_unlucky or event.key in bad:
                        os.kill(os.getpid(), signal.SIGKILL)
                _say(answer, "written")
            except PoisonPhotoError:
                _say(answer, "poison")
        disposition = Disposition.REJECTED if event.key in bad else Disposition.WRITTEN
        return JobReport(bucket=event.bucket, key=event.key, disposition=disposition)

    process_items(_envelope([replace(_PHOTO, key=key) for key in keys]), process, lambda _: None)


@pytest.mark.parametrize("seed", range(60))
def test_whoever_shares_an_event_is_neither_blamed_nor_kept_waiting(tmp: Path, seed: int) -> None:
    """An event of good and bad photos is delivered until it is answered, in any order and number.

    Where nothing else ends processes, good ones are made once each bad one has ended one alone. As
    many are `poison` as are bad: after two such deliveries for each, and one side by side.
    """
    dice = random.Random(seed)
    keys = [f"{number}.jpg" for number in range(dice.randint(1, 5))]
    bad = frozenset(dice.sample(keys, dice.randint(0, min(2, len(keys)))))
    good = frozenset(keys) - bad
    unlucky = good if seed % 2 else frozenset[str]()
    deliveries = 0
    while True:
        deliveries += 1
        if _in_process(_deliver, keys, bad, unlucky, dice.getrandbits(32)) == 0:
            break
        assert deliveries <= 2 * len(bad) + len(unlucky) + 1
        if deliveries == len(bad) + 2 and not unlucky:
            assert all((tmp / f"answer-{key}").exists() for key in good)
    answers = {file.name.removeprefix("answer-"): file.read_text() for file in tmp.glob("answer-*")}
    assert answers == {key: "poison" if key in bad else "written" for key in keys}
    assert list(tmp.glob("renditions-*")) == []
