"""What runs when the time is up is stopped, and leaves nothing behind."""

import time
from collections.abc import Callable

import pytest

from imaging.deadline import Deadline
from imaging.errors import OutOfTimeError
from imaging.formats import OutputFormat
from imaging.local import MemorySink, MemorySource
from imaging.plan import PlannedRendition
from imaging.planning import Asked, make_plan
from imaging.specs import RenditionSpec
from tests.doors import WORKERS
from tests.photos import jpeg

SPECS = (
    RenditionSpec(name="small", width=500),
    RenditionSpec(name="large", width=2400, formats=(OutputFormat.PNG,)),
)


class Expiring(MemorySource):
    """Lets the deadline pass half-way, and gives whoever watches it time to notice."""

    def __init__(self, data: bytes, deadline: Deadline) -> None:
        super().__init__(data)
        self._deadline = deadline
        self.at = 0

    def readinto(self, buffer: memoryview) -> int:
        count = super().readinto(buffer)
        self.at = max(self.at, self.seek(0, 1))
        if self.at > self.size // 2 and not self._deadline.has_passed:
            self._deadline.expire()
            time.sleep(0.5)
        return count


def run(source: MemorySource, deadline: Deadline, on_open: Callable[[str], None]) -> list[str]:
    """Return the names that were committed before the time was up."""
    sinks: dict[str, MemorySink] = {}

    def open_sink(planned: PlannedRendition) -> MemorySink:
        on_open(planned.spec.name)
        return sinks.setdefault(planned.spec.name, MemorySink())

    asked = Asked(specs=SPECS)
    with (
        pytest.raises(OutOfTimeError),
        WORKERS.open_photo(source, asked, deadline) as photo,
    ):
        list(photo.render(make_plan(photo.header, asked), open_sink))
    return sorted(name for name, sink in sinks.items() if sink.data is not None)


def test_a_decode_is_stopped_half_way() -> None:
    """The decoder asks for no more bytes once the time is up, and no sink was opened."""
    deadline = Deadline(60)
    source = Expiring(jpeg(3000, 2000, quality=98), deadline)

    def never(name: str) -> None:
        pytest.fail(f"{name} was opened")

    assert run(source, deadline, never) == []
    assert source.at < source.size * 3 // 4


def test_what_was_written_before_stands() -> None:
    """The small rendition comes first and is there; the large one is stopped in its encoder."""
    deadline = Deadline(60)

    def expire(name: str) -> None:
        if name == "large":
            deadline.expire()
            time.sleep(0.3)

    assert run(MemorySource(jpeg(3000, 2000)), deadline, expire) == ["small"]


def test_nothing_is_begun_after_the_deadline() -> None:
    """With no time left there is no decode at all."""
    deadline = Deadline(0)
    source = MemorySource(jpeg(300, 200))
    assert run(source, deadline, lambda _: None) == []
    with pytest.raises(OutOfTimeError, match="time to begin but there is none"):
        deadline.check("begin")


def test_waiting_ends_with_the_time() -> None:
    """Who waits is not kept beyond the deadline, nor once it was let pass."""
    Deadline(0).wait(3600)
    deadline = Deadline(3600)
    deadline.expire()
    deadline.wait(3600)
    assert deadline.remaining_s == 0
