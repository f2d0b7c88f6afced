"""Tries every order in which a scenario can happen, and looks at each end."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeAlias, TypeVar

from handler.version import SourceVersion

from .attempts import Attempt, Event, GiveUp, Http, Job
from .world import Buckets, Put, World, version_of

if TYPE_CHECKING:
    from collections.abc import Hashable

    from .attempts import Piece, Trigger
    from .world import Change, Request

_MOST_AT_ONCE: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What happens, in any order that keeps the order of the changes.

    Attributes:
        buckets: of which kind those of the photos are.
        changes: of the photo, each of which sends its event.
        others: who asks besides, at any moment.
        crashes: how many attempts may end between two requests.
        repeats: how many events come twice.
        has_slash: whether the photo's key ends in one, so that it may be a folder's.
    """

    buckets: Buckets
    changes: tuple[Change, ...]
    others: tuple[Trigger, ...] = ()
    crashes: int = 0
    repeats: int = 0
    has_slash: bool = False


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What a search came to.

    Attributes:
        states: how many different ones there are.
        ends: how many of them are ends.
        wrong: what is wrong at an end, and how it came to that; one way for each.
    """

    states: int = 0
    ends: int = 0
    wrong: dict[tuple[str, ...], list[str]] = field(default_factory=dict)


class _State(NamedTuple):
    """All that decides what can happen next; numbers stand for the larger values.

    Attributes:
        world: which.
        to_come: how many changes have happened.
        due: the triggers to be taken up, sorted.
        running: the attempts under way, sorted.
        crashes: how many may still happen.
        repeats: how many may still happen.
    """

    world: int
    to_come: int
    due: tuple[int, ...]
    running: tuple[int, ...]
    crashes: int
    repeats: int


_Value = TypeVar("_Value", bound="Hashable")


class _Numbers(Generic[_Value]):
    """Numbers for values: equal ones have the same."""

    def __init__(self) -> None:
        self._numbers: dict[_Value, int] = {}
        self._values: list[_Value] = []

    def of(self, value: _Value) -> int:
        number = self._numbers.setdefault(value, len(self._values))
        if number == len(self._values):
            self._values.append(value)
        return number

    def __getitem__(self, number: int) -> _Value:
        return self._values[number]


_Step: TypeAlias = "tuple[object, ...]"
"""What happened: its words, which are values until somebody wants to read them."""

_Running: TypeAlias = "tuple[int, tuple[Any, ...]]"
"""An attempt under way: its trigger, and the answers that it has had."""


def search(scenario: Scenario, without: frozenset[Piece] = frozenset()) -> Outcome:
    """Try every order; where pieces of the rule are missing, up to the first wrong end."""
    return _Search(scenario, without).run()


class _Search:
    def __init__(self, scenario: Scenario, without: frozenset[Piece]) -> None:
        self._scenario = scenario
        self._without = without
        self._worlds: _Numbers[World] = _Numbers()
        self._triggers: _Numbers[Trigger] = _Numbers()
        self._runs: _Numbers[_Running] = _Numbers()
        # What an attempt asks next; if it is over, whether its trigger comes again.
        self._requests: dict[int, Request | bool] = {}

    def run(self) -> Outcome:
        scenario = self._scenario
        start = _State(
            world=self._worlds.of(World(buckets=scenario.buckets)),
            to_come=0,
            due=tuple(sorted(map(self._triggers.of, scenario.others))),
            running=(),
            crashes=scenario.crashes,
            repeats=scenario.repeats,
        )
        outcome = Outcome()
        is_given_up = any(isinstance(one, GiveUp) for one in scenario.others)
        # A step is told again for those that lead to a wrong end: words for each would take most
        # of the memory.
        came_by: dict[_State, _State | None] = {start: None}
        to_do = [start]
        while to_do:
            state = to_do.pop()
            outcome.states += 1
            successors = self._successors(state)
            if not successors:
                outcome.ends += 1
                world = self._worlds[state.world]
                buckets = {change.bucket for change in scenario.changes}
                # Of several buckets one has the place.
                wrongs = (tuple(world.wrong(one, is_given_up=is_given_up)) for one in buckets)
                if wrong := min(wrongs, key=len):
                    outcome.wrong.setdefault(wrong, self._history(came_by, state))
                    if self._without:
                        return outcome
            for _, successor in successors:
                if successor not in came_by:
                    came_by[successor] = state
                    to_do.append(successor)
        return outcome

    def _history(self, came_by: dict[_State, _State | None], state: _State) -> list[str]:
        history = []
        while (before := came_by[state]) is not None:
            history.append(
                next(_said(*what) for what, one in self._successors(before) if one == state)
            )
            state = before
        return history[::-1]

    def _successors(self, state: _State) -> list[tuple[_Step, _State]]:
        successors: list[tuple[_Step, _State]] = []
        if state.to_come < len(self._scenario.changes):
            successors.append(self._changed(state))
        if len(state.running) < _MOST_AT_ONCE:
            for number in dict.fromkeys(state.due):
                trigger = self._triggers[number]
                running = _plus(state.running, self._runs.of((number, ())))
                begun = state._replace(due=_minus(state.due, number), running=running)
                successors.append(((trigger.name, "begins"), begun))
                if state.repeats and isinstance(trigger, Event):
                    again = state._replace(running=running, repeats=state.repeats - 1)
                    successors.append(((trigger.name, "begins, and comes again"), again))
        for number in dict.fromkeys(state.running):
            successors.append(self._stepped(state, number))
            if state.crashes:
                successors.append(self._killed(state, number))
        return successors

    def _changed(self, state: _State) -> tuple[_Step, _State]:
        change = self._scenario.changes[state.to_come]
        before = self._worlds[state.world]
        world = before.changed(change)
        photo = (world if isinstance(change, Put) else before).photo(change.bucket)
        version = SourceVersion(bucket=change.bucket)
        if photo is not None:
            version = version_of(change.bucket, photo)
        trigger: Trigger = Event(
            name=f"event {world.changes}",
            version=SourceVersion(
                bucket=change.bucket,
                etag=version.etag if isinstance(change, Put) else None,
                version_id=version.version_id,
                sequencer=f"{world.changes:02}",
            ),
            is_deletion=not isinstance(change, Put),
        )
        if isinstance(change, Put) and change.sends_job:
            trigger = Job(name=f"job {world.changes}", bucket=change.bucket)
        after = state._replace(
            world=self._worlds.of(world),
            to_come=state.to_come + 1,
            due=_plus(state.due, self._triggers.of(trigger)),
        )
        return (change,), after

    def _stepped(self, state: _State, number: int) -> tuple[_Step, _State]:
        trigger, answers = self._runs[number]
        name = self._triggers[trigger].name
        request = self._request(number)
        others = _minus(state.running, number)
        if isinstance(request, bool):
            due = _plus(state.due, self._again(trigger)) if request else state.due
            return (name, "ends"), state._replace(running=others, due=due)
        answer, world = self._worlds[state.world].asked(request)
        after = state._replace(
            world=self._worlds.of(world),
            running=_plus(others, self._runs.of((trigger, (*answers, answer)))),
        )
        return (name, request, "->", answer), after

    def _request(self, number: int) -> Request | bool:
        if number not in self._requests:
            trigger, answers = self._runs[number]
            attempt = Attempt(
                self._triggers[trigger], self._without, has_slash=self._scenario.has_slash
            )
            steps = attempt.steps()
            try:
                request: Request | bool = next(steps)
                for answer in answers:
                    request = steps.send(answer)
            except StopIteration as end:
                request = end.value
            self._requests[number] = request
        return self._requests[number]

    def _again(self, number: int) -> int:
        """Return the trigger as it comes again: the queue says so."""
        trigger = self._triggers[number]
        if isinstance(trigger, Event | Job):
            trigger = replace(trigger, is_first=False)
        return self._triggers.of(trigger)

    def _killed(self, state: _State, number: int) -> tuple[_Step, _State]:
        trigger, _ = self._runs[number]
        comes_again = not isinstance(self._triggers[trigger], Http | GiveUp)
        after = state._replace(
            due=_plus(state.due, self._again(trigger)) if comes_again else state.due,
            running=_minus(state.running, number),
            crashes=state.crashes - 1,
        )
        return (self._triggers[trigger].name, "is killed"), after


def _plus(numbers: tuple[int, ...], number: int) -> tuple[int, ...]:
    return tuple(sorted((*numbers, number)))


def _minus(numbers: tuple[int, ...], number: int) -> tuple[int, ...]:
    at = numbers.index(number)
    return numbers[:at] + numbers[at + 1 :]


def _said(*step: object) -> str:
    return " ".join(map(str, step))
