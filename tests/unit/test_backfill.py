"""A backfill's account of its photos, its estimate, and its words."""

import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handler.backfill.estimate import Sample, estimate, survey
from handler.backfill.listing import Photo
from handler.backfill.meter import Meter, in_words
from handler.backfill.prices import ARM, X86, Work, price_of
from handler.backfill.run import Stop, run
from handler.backfill.sending import send_to_queue
from handler.backfill.state import State, StateError
from handler.backfill.ways import Outcome

_JOB: Final = {"bucket": "photos", "via": "local"}


def _photos(count: int) -> list[Photo]:
    return [
        Photo(key=f"{number:06}.jpg", etag="e", size=number, modified=0) for number in range(count)
    ]


class _Disordered:
    """A way that holds up to `room` photos and ends them in a seeded disorder."""

    def __init__(self, seed: int, room: int, stop: Stop, stop_after: int | None) -> None:
        self._chance = random.Random(seed)
        self._room = room
        self._stop = stop
        self._stop_after = stop_after
        self.made: list[str] = []

    def __call__(self, photos: Iterable[Photo]) -> Iterator[Outcome]:
        coming = iter(photos)
        held: list[Photo] = []
        while True:
            while len(held) < self._room and (photo := next(coming, None)) is not None:
                held.append(photo)
            if not held:
                return
            photo = held.pop(self._chance.randrange(len(held)))
            self.made.append(photo.key)
            yield Outcome(key=photo.key, disposition="written")
            if len(self.made) == self._stop_after:
                self._stop.wished = True


# Saving waits for the disk.
@settings(deadline=None)
@given(
    count=st.integers(0, 120),
    room=st.integers(1, 9),
    interruptions=st.lists(st.integers(1, 60), max_size=4),
    seed=st.integers(0, 1000),
)
def test_each_photo_once_whatever_the_interruptions(
    tmp_path_factory: pytest.TempPathFactory,
    count: int,
    room: int,
    interruptions: list[int],
    seed: int,
) -> None:
    """However often a backfill is interrupted, and in whatever order photos end: each once."""
    folder = tmp_path_factory.mktemp("backfill")
    photos = _photos(count)
    made: list[str] = []
    for stop_after in [*interruptions, None]:
        stop = Stop()
        state = State.load(folder / "state.json", _JOB)
        way = _Disordered(seed, room, stop, stop_after)
        finished = run(
            lambda after: iter([photo for photo in photos if photo.key > after]),
            way,
            state,
            failures=folder / "failed.jsonl",
            stop=stop,
            meter=Meter(),
        )
        made += way.made
        # Bounded: no more than what was under way at once, and did not end in order.
        assert len(json.loads((folder / "state.json").read_text())["done"]) < max(room, 1)

    assert finished
    assert Counter(made) == Counter(photo.key for photo in photos)
    assert State.load(folder / "state.json", _JOB).counts["written"] == count


def test_after_a_crash_only_what_was_under_way_is_made_again(tmp_path: Path) -> None:
    """A state as an end by force leaves it, with gaps, is gone on from: the gaps are made."""
    state = State.load(tmp_path / "state.json", _JOB)
    for photo in _photos(6):
        state.begin(photo.key)
    for number in (0, 1, 3, 5):
        state.end(f"{number:06}.jpg", "written")
    state.save()

    again = State.load(tmp_path / "state.json", _JOB)
    way = _Disordered(1, 2, Stop(), None)
    finished = run(
        lambda after: iter([photo for photo in _photos(8) if photo.key > after]),
        way,
        again,
        failures=tmp_path / "failed.jsonl",
        stop=Stop(),
        meter=Meter(),
    )

    assert finished
    assert sorted(way.made) == ["000002.jpg", "000004.jpg", "000006.jpg", "000007.jpg"]


def test_what_goes_wrong_is_kept_by_name(tmp_path: Path) -> None:
    """A photo that was refused is in the file of failures, with its code, and counted."""

    def way(photos: Iterable[Photo]) -> Iterator[Outcome]:
        for photo in photos:
            yield Outcome(key=photo.key, disposition="rejected", code="corrupt", message="why")

    state = State.load(tmp_path / "state.json", _JOB)
    run(
        lambda _: iter(_photos(2)),
        way,
        state,
        failures=tmp_path / "failed.jsonl",
        stop=Stop(),
        meter=Meter(),
    )

    lines = [json.loads(line) for line in (tmp_path / "failed.jsonl").read_text().splitlines()]
    assert [(line["key"], line["code"]) for line in lines] == [
        ("000000.jpg", "corrupt"),
        ("000001.jpg", "corrupt"),
    ]
    assert state.counts == {"rejected": 2}


@pytest.mark.parametrize("text", ["", "[]", '{"job": {"bucket": "photos", "via": "local"}}'])
def test_a_file_that_is_no_state(tmp_path: Path, text: str) -> None:
    """A state file that is something else is refused by name, not overwritten."""
    (tmp_path / "state.json").write_text(text)

    with pytest.raises(StateError, match=r"state\.json"):
        State.load(tmp_path / "state.json", _JOB)


def test_the_state_of_another_backfill(tmp_path: Path) -> None:
    """A state file of another bucket is refused: its place in the keys would mean nothing here."""
    State.load(tmp_path / "state.json", _JOB).save()

    with pytest.raises(StateError, match="other"):
        State.load(tmp_path / "state.json", _JOB | {"bucket": "other"})


def test_a_survey_draws_evenly_and_the_same_again() -> None:
    """Photos are drawn from the whole bucket, as many as asked, and the same the next time."""
    first = survey(_photos(1000), 50, lambda _: None)

    assert (first.photos, first.size, len(first.drawn)) == (1000, sum(range(1000)), 50)
    mean = sum(photo.size for photo in first.drawn) / 50
    assert 350 < mean < 650
    assert survey(_photos(1000), 50, lambda _: None).drawn == first.drawn
    assert len(survey(_photos(3), 50, lambda _: None).drawn) == 3


def test_an_estimate_scales() -> None:
    """Time is shared by what is worked on at once; dollars are not, and there are none here."""
    sample = Sample(photos=20, refused=0, seconds=0.5, stored=1e6, renditions=5)

    local = estimate(1000, sample, at_once=2, memory_mb=None, prices=X86)
    lambdas = estimate(1000, sample, at_once=100, memory_mb=2048, prices=X86)

    assert (local.seconds, local.dollars) == (250, None)
    assert lambdas.seconds == 5
    assert lambdas.dollars is not None
    assert lambdas.dollars > 1000 * 0.5 * 2 * X86.gb_second


def test_a_bill() -> None:
    """Each item of the bill is what its price list says, for a million photos."""
    work = Work(photos=1e6, seconds=0.5, memory_mb=1024, renditions=5, stored_bytes=1e6)

    bill = price_of(work, X86)

    assert bill.compute == pytest.approx(8.333, abs=0.001)
    assert bill.invocations == pytest.approx(0.20)
    assert bill.reads == pytest.approx(0.80)
    assert bill.writes == pytest.approx(30.0)
    assert bill.messages == pytest.approx(1.20)
    assert bill.monthly == pytest.approx(23.0)
    assert price_of(work, ARM).compute == pytest.approx(6.667, abs=0.001)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (42, "42 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")]
)
def test_time_in_words(seconds: float, words: str) -> None:
    """A time is said as a person would."""
    assert in_words(seconds) == words


def test_a_message_holds_only_what_sqs_takes() -> None:
    """S3 has keys with characters that no message may have: one would lose the ten of its batch."""
    bodies: list[str] = []

    def send(*, QueueUrl: str, Entries: Sequence[Mapping[str, str]]) -> dict[str, Any]:  # noqa: ARG001, N803 - botocore's
        bodies.extend(entry["MessageBody"] for entry in Entries)
        return {}

    keys = ["a.jpg", "\uffff.jpg", "\x01.jpg", "\U0001f407.jpg"]
    photos = [Photo(key=key, etag="e", size=1, modified=0) for key in keys]
    sqs = SimpleNamespace(send_message_batch=send)
    assert len(list(send_to_queue(photos, sqs=sqs, url="u", bucket="photos"))) == len(keys)
    assert all(body.isascii() and body.isprintable() for body in bodies)
    assert [json.loads(body)["key"] for body in bodies] == keys
