"""Whether two photos, or two renditions, could share a destination key; pure.

A template is read as an automaton, one language for each field, and followed twice at once: a key
that two different readings lead to is two renditions in one place. Imported for templates that are
not safe by their separators alone.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

__all__ = ["Part", "anything", "find_collision", "words"]

_State = int | str


@dataclass(frozen=True, slots=True)
class Part:
    """A field's language, or a literal text.

    Attributes:
        field: Its name; empty for a literal.
        start: The state before its first character.
        step: The state after a character; None where it does not take it.
        ends: Whether the field may end in a state.
        letters: The characters that it tells from others.
    """

    field: str
    start: _State
    step: Callable[[_State, str], _State | None]
    ends: Callable[[_State], bool]
    letters: frozenset[str]


def words(field: str, choices: Sequence[str]) -> Part:
    """Return a field that is one of ``choices``; a literal text is a field of one."""
    beginnings = {word[:length] for word in choices for length in range(len(word) + 1)}

    def step(state: _State, character: str) -> _State | None:
        longer = f"{state}{character}"
        return longer if longer in beginnings else None

    return Part(field, "", step, lambda state: state in choices, frozenset("".join(choices)))


def anything(field: str) -> Part:
    """Return one of the fields that the photo fills, or a rendition of any name."""
    takes, may_be_empty = _ANYTHING[field]
    if field == "prefix":
        # Empty, or something that ends in a slash.
        return Part(
            field,
            0,
            lambda _, character: 2 if character == "/" else 1,
            lambda state: state != 1,
            frozenset(),
        )
    return Part(
        field,
        0,
        lambda _, character: 1 if takes(character) else None,
        lambda state: state == 1 or may_be_empty,
        frozenset(),
    )


def _is_of_name(character: str) -> bool:
    return character in "abcdefghijklmnopqrstuvwxyz0123456789_-"


_ANYTHING: Final[Mapping[str, tuple[Callable[[str], bool], bool]]] = {
    "key": (lambda _: True, False),
    "prefix": (lambda _: True, True),
    "stem": (lambda character: character != "/", True),
    "source_ext": (lambda character: character not in "/.", True),
    "bucket": (lambda character: _is_of_name(character.lower()) or character == ".", False),
    "name": (_is_of_name, False),
}
"""Which characters a field takes, and whether it may be empty."""

# One for each class of characters that the languages of fields tell apart.
_LETTERS: Final = frozenset("/.-_aA ")

_Place = tuple[int, int, _State]
"""Which template, which part of it, and the state in that."""


def find_collision(
    templates: Sequence[Sequence[Part]],
) -> tuple[str, Mapping[str, str], Mapping[str, str]] | None:
    """Return the shortest text that can be read in two ways, and the fields of both readings.

    None if there is none: then a text leads back to its fields.
    """
    reader = _Reader(templates)
    firsts = reader.firsts()
    todo = deque((one, other, False, "") for one in firsts for other in firsts if one <= other)
    seen = {(one, other, differs) for one, other, differs, _ in todo}
    while todo:
        one, other, differs, text = todo.popleft()
        if differs and reader.is_end(one) and reader.is_end(other):
            first, second = list(_readings(templates, text))[:2]
            return text, first, second
        # The part that takes the next character says which reading it is.
        apart = differs or one[:2] != other[:2]
        for letter in reader.letters:
            for pair in product(reader.after(one, letter), reader.after(other, letter)):
                # Which of the two readings is the first does not matter.
                if (state := (min(pair), max(pair), apart)) not in seen:
                    seen.add(state)
                    todo.append((*state, text + letter))
    return None


class _Reader:
    """Where the reading of a text may stand, character after character."""

    def __init__(self, templates: Sequence[Sequence[Part]]) -> None:
        self._templates = templates
        letters = _LETTERS.union(*(part.letters for parts in templates for part in parts))
        self.letters = sorted(letters, key=lambda letter: (not letter.isalnum(), letter))

    def firsts(self) -> list[_Place]:
        return [
            place
            for number, parts in enumerate(self._templates)
            for place in self._closed((number, 0, parts[0].start))
        ]

    def after(self, place: _Place, character: str) -> list[_Place]:
        template, at, state = place
        if self.is_end(place):
            return []
        following = self._templates[template][at].step(state, character)
        return [] if following is None else list(self._closed((template, at, following)))

    def is_end(self, place: _Place) -> bool:
        return place[1] == len(self._templates[place[0]])

    def _closed(self, place: _Place) -> Iterator[_Place]:
        """Yield ``place``, and what follows where its part, and the next ones, may end there."""
        yield place
        template, at, state = place
        parts = self._templates[template]
        while at < len(parts) and parts[at].ends(state):
            at += 1
            state = parts[at].start if at < len(parts) else ""
            yield template, at, state


def _readings(templates: Sequence[Sequence[Part]], text: str) -> Iterator[Mapping[str, str]]:
    """Yield the fields of each way in which ``text`` can be read."""

    def read(parts: Sequence[Part], rest: str) -> Iterator[dict[str, str]]:
        if not parts:
            if not rest:
                yield {}
            return
        part, state = parts[0], parts[0].start
        for length in range(len(rest) + 1):
            if part.ends(state):
                for fields in read(parts[1:], rest[length:]):
                    yield {part.field: rest[:length], **fields}
            following = part.step(state, rest[length]) if length < len(rest) else None
            if following is None:
                return
            state = following

    for parts in templates:
        yield from read(parts, text)
