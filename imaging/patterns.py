"""Patterns of keys, such as ``avatars/**``: which keys they match, and whether there is one.

``*`` is any text without a slash, ``?`` one character that is none, ``**`` any text, and ``**/``
any folders or none; everything else is itself. Imported where a rendition has patterns.
"""

import functools
import re
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import count, pairwise
from typing import Final

from imaging.errors import ConfigError

__all__ = ["matches", "witness"]

_PARTS: Final = re.compile(r"\*\*/|\*\*|\*|\?|.", re.DOTALL)
_EXPRESSIONS: Final = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
_MAX_STATES: Final = 50_000
"""Beyond what a configuration needs that a person can read; a second of CPU."""


def matches(patterns: Iterable[str], key: str) -> bool:
    """Tell whether one of ``patterns`` matches the whole of ``key``."""
    return any(_compiled(pattern).fullmatch(key) for pattern in patterns)


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = _PARTS.findall(pattern)
    return re.compile("".join(_EXPRESSIONS.get(part, re.escape(part)) for part in parts), re.DOTALL)


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
    while todo:
        state, key = todo.popleft()
        if key and is_found(state):
            return key
        if len(seen) > _MAX_STATES:
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
