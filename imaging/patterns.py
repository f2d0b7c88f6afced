"""Patterns of keys, such as ``avatars/**``: which keys they match, and whether there is one.

``*`` is any text without a slash, ``?`` one character that is none, ``**`` any text, and ``**/``
any folders or none; everything else is itself. Imported where a rendition has patterns.
"""

import functools
import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from itertools import count, pairwise
from typing import Final

from imaging.errors import ConfigError

__all__ = ["matches", "witness"]

_PARTS: Final = re.compile(r"\*\*/|\*\*|\*|\?|.", re.DOTALL)
_MAX_STEPS: Final = 1_000_000
"""Places of patterns that are followed by a character: beyond what a configuration needs that a
person can read; some seconds of CPU."""


def matches(patterns: Iterable[str], key: str) -> bool:
    """Tell whether one of ``patterns`` matches the whole of ``key``.

    *Cost*: a step for each part of a pattern and each character of the key, whatever they are: the
    key is a stranger's, and a regular expression would try each way to share it among the stars.
    """
    where: dict[str, int] = {}
    for place, character in enumerate(key):
        where[character] = where.get(character, 0) | 1 << place
    return any(_reached(_parts(pattern), where, len(key)) for pattern in patterns)


@functools.cache
def _parts(pattern: str) -> tuple[str, ...]:
    return tuple(_PARTS.findall(pattern))


def _reached(parts: Iterable[str], where: Mapping[str, int], length: int) -> bool:
    """Tell whether ``parts`` can reach the end of a key.

    Places in a key are the bits of a number: bit 0 is before its first character.

    Args:
        parts: Of a pattern.
        where: Character -> the places before it.
        length: The key's.
    """
    every = (1 << length + 1) - 1
    slashes = where.get("/", 0)
    others = every >> 1 & ~slashes
    reached = 1
    for part in parts:
        # From the first place that was reached on.
        later = every & ~((reached & -reached) - 1)
        match part:
            case "**":
                reached = later
            case "**/":
                reached |= (later & slashes) << 1
            case "*":
                # A sum carries each place through what is no slash, and on to the one behind it.
                reached |= ((reached & others) + others) ^ others
            case "?":
                reached = (reached & others) << 1
            case _:
                reached = (reached & where.get(part, 0)) << 1
        if not reached:
            return False
    return bool(reached >> length)


class _Automaton:
    """A pattern as what remains to be matched, one character after another.

    A state is a set of places in the pattern; the place after the last one is the end. A ``**/``
    takes two: before it, and within the text that it stands for.
    """

    def __init__(self, pattern: str) -> None:
        self.parts: list[str] = []
        for part in _PARTS.findall(pattern):
            self.parts += [part, "in **/"] if part == "**/" else [part]

    def start(self) -> frozenset[int]:
        return self._closure({0})

    def ends(self, places: frozenset[int]) -> bool:
        return len(self.parts) in places

    def step(self, places: frozenset[int], character: str) -> frozenset[int]:
        after: set[int] = set()
        for place in places:
            match self.parts[place] if place < len(self.parts) else None:
                case None:
                    pass
                case "**":
                    after.add(place)
                case "**/" | "in **/" as part:
                    inside = place + (part == "**/")
                    after |= {inside, inside + 1} if character == "/" else {inside}
                case "*":
                    after |= {place} if character != "/" else set()
                case "?":
                    after |= {place + 1} if character != "/" else set()
                case literal:
                    after |= {place + 1} if character == literal else set()
        return self._closure(after)

    def _closure(self, places: set[int]) -> frozenset[int]:
        """Add what is reached without a character: beyond what may stand for nothing."""
        found = set(places)
        todo = list(places)
        while todo:
            place = todo.pop()
            part = self.parts[place] if place < len(self.parts) else None
            further = place + {"**": 1, "*": 1, "**/": 2}.get(part or "", 0)
            if further not in found:
                found.add(further)
                todo.append(further)
        return frozenset(found)


def witness(
    wanted: Sequence[Sequence[str]], unwanted: Sequence[str] = (), *, prefix: str = ""
) -> str | None:
    """Return a key that some pattern of each of ``wanted`` matches and none of ``unwanted``.

    None if there is no such key. Of those that there are it is the shortest.

    Args:
        wanted: Sets of patterns; a set is matched where one of its patterns is.
        unwanted: Patterns.
        prefix: What the key begins with.

    Raises:
        ConfigError: The patterns are too many or too intricate to tell.
    """
    groups = [[_Automaton(pattern) for pattern in patterns] for patterns in (*wanted, unwanted)]
    automata = [automaton for group in groups for automaton in group]
    bounds = [0]
    for group in groups:
        bounds.append(bounds[-1] + len(group))
    literals = {part for automaton in automata for part in automaton.parts if len(part) == 1}
    # One that no pattern names stands for all such.
    other = next(letter for letter in map(chr, count(ord("a"))) if letter not in literals)
    alphabet = [other, *sorted((literals - {"*", "?", other}) | {"/"})]

    def is_found(state: tuple[frozenset[int], ...]) -> bool:
        ended = [automaton.ends(places) for automaton, places in zip(automata, state, strict=True)]
        *needed, refused = (ended[low:high] for low, high in pairwise(bounds))
        return all(map(any, needed)) and not any(refused)

    state = tuple(automaton.start() for automaton in automata)
    for character in prefix:
        state = tuple(
            automaton.step(places, character)
            for automaton, places in zip(automata, state, strict=True)
        )
    # The empty key is none, so that its state may come again.
    seen = {state} if prefix else set()
    todo = deque([(state, prefix)])
    steps = 0
    while todo:
        state, key = todo.popleft()
        if key and is_found(state):
            return key
        steps += len(alphabet) * sum(map(len, state))
        if steps > _MAX_STEPS:
            raise ConfigError("expected simpler patterns: which keys they share cannot be told")
        for character in alphabet:
            after = tuple(
                automaton.step(places, character)
                for automaton, places in zip(automata, state, strict=True)
            )
            # From here none of a set that is needed can be matched any more.
            if not all(any(after[low:high]) for low, high in pairwise(bounds[:-1])):
                continue
            if after not in seen:
                seen.add(after)
                todo.append((after, key + character))
    return None
