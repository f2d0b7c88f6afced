"""What crosses the wall as JSON comes back as it was, and anything else is refused."""

import json
import types
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.files.credentials import Credentials
from imaging.files.rights import Rights
from imaging.formats import OutputFormat
from imaging.header import ImageHeader
from imaging.plan import RenditionPlan
from imaging.planning import Asked, make_plan
from imaging.specs import Fit, Hdr, Position, RenditionSpec, Watermark
from imaging.worker.protocol import Made, MarkPart, Open, PhotoAhead, Read, Ready, Refused
from imaging.worker.values import MisfitError, from_json, to_json
from tests.photos import jpeg
from tests.rendering import header_of

VALUES = (ImageHeader, Made, MarkPart, Open, PhotoAhead, Read, Ready, Refused)

PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    bool: st.booleans(),
    int: st.integers(-(1 << 53), 1 << 53),
    float: st.floats(allow_nan=False, allow_infinity=False),
    str: st.text(max_size=20),
    type(None): st.none(),
}

TERMS = st.sampled_from(["digitalCapture", "empty", "a" * 64])
RULED: dict[Any, st.SearchStrategy[Any]] = {
    Credentials: st.builds(
        Credentials,
        are_elsewhere=st.booleans(),
        source_types=st.lists(TERMS, max_size=8).map(tuple),
    ),
    Rights: st.builds(
        Rights,
        digital_source_type=TERMS.map("http://cv.iptc.org/newscodes/digitalsourcetype/{}".format),
        credit=st.sampled_from(["", "© Söhne <a>"]),
        web_statement=st.sampled_from(["", "https://example.com/ü?a=1&b=2"]),
    ),
}
"""Classes that refuse some values of their fields' types."""


def drawn(expected: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401 - whatever a field may be
    """Return a strategy for any value of a type that the wall's values are made of."""
    if get_origin(expected) is not None:
        return composed(get_origin(expected), get_args(expected))
    if expected in RULED:
        return RULED[expected]
    if is_dataclass(expected):
        hints = get_type_hints(expected)
        arguments = {each.name: drawn(hints[each.name]) for each in fields(expected)}
        return st.fixed_dictionaries(arguments).map(lambda each: expected(**each))  # type: ignore[operator]  # a class
    return PLAIN[expected] if expected in PLAIN else st.sampled_from(expected)


def composed(origin: Any, parts: tuple[Any, ...]) -> st.SearchStrategy[Any]:  # noqa: ANN401 - as above
    """Return the same for what typing makes of several types."""
    if origin in {Union, types.UnionType}:
        return st.one_of([drawn(part) for part in parts])
    if origin is Literal:
        return st.sampled_from(parts)
    if origin is tuple:
        several = parts[-1] is Ellipsis
        items = st.lists(drawn(parts[0]), max_size=3).map(tuple)
        return items if several else st.tuples(*[drawn(part) for part in parts])
    return st.dictionaries(drawn(parts[0]), drawn(parts[1]), max_size=3)


@pytest.mark.parametrize("expected", VALUES, ids=lambda each: each.__name__)
def test_what_is_sent_is_received(expected: type) -> None:
    """Every value that a class can have comes back equal to itself."""

    @given(drawn(expected))
    def check(value: object) -> None:
        assert from_json(expected, to_json(value)) == value

    check()


SPECS = st.builds(
    RenditionSpec,
    name=st.sampled_from(["a", "b-2"]),
    width=st.integers(1, 4000),
    height=st.integers(1, 4000),
    fit=st.just(Fit.COVER),
    position=st.sampled_from(Position),
    sharpen=st.none() | st.floats(0.1, 10),
    linear=st.booleans(),
    formats=st.sampled_from(
        [(OutputFormat.JPEG,), (OutputFormat.WEBP, OutputFormat.JPEG), (None, OutputFormat.JPEG)]
    ),
    quality=st.none() | st.integers(1, 100) | st.just({OutputFormat.JPEG: 70}),
    hdr=st.none() | st.sampled_from(Hdr),
    watermark=st.none() | st.just(Watermark(image="a", digest="d", size=(30, 20), width=1)),
)


@given(SPECS)
def test_a_plan_comes_back_as_it_was(spec: RenditionSpec) -> None:
    """The worker carries out the very plan that the parent made."""
    asked = Asked(specs=(spec,), focal_point="0.2,0.9", sidecar=True, marks={"d": b""})
    plan = make_plan(HEADER, asked)
    assert from_json(RenditionPlan, to_json(plan)) == plan


HEADER = header_of(jpeg(640, 480))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Another class with the fields of ``Read``."""

    at: int
    length: int


WRONG: dict[str, object] = {
    "a field too many": {"is": "Read", "at": 1, "length": 2, "more": 3},
    "a field too few": {"is": "Read", "at": 1},
    "another class": {"is": "Pair", "at": 1, "length": 2},
    "no class": {"at": 1, "length": 2},
    "text for a number": {"is": "Read", "at": "1", "length": 2},
    "truth for a number": {"is": "Read", "at": True, "length": 2},
    "a fraction": {"is": "Read", "at": 1.0, "length": 2},
    "nothing": {"is": "Read", "at": None, "length": 2},
    "too large": {"is": "Read", "at": 1 << 54, "length": 2},
    "a list": [1, 2],
    "a number": 1,
    "null": None,
}


@pytest.mark.parametrize("plain", WRONG.values(), ids=WRONG)
def test_what_does_not_fit_is_refused(plain: object) -> None:
    """A value has its class's fields, all of them and no other, each of its type."""
    with pytest.raises(MisfitError):
        from_json(Read, json.dumps(plain).encode())


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"\xff",
        b'{"is":"Read","at":NaN,"length":1}',
        b'{"is":"Read","at":1e999,"length":1}',
        b"[" * 200_000,
        b"9" * 20_000,
    ],
    ids=["empty", "broken", "no-text", "nan", "infinite", "nested", "long"],
)
def test_what_is_no_json_is_refused(text: bytes) -> None:
    """No text makes the reader fail in another way, however deep or long it is."""
    with pytest.raises(MisfitError):
        from_json(Read, text)


@given(st.data())
def test_no_header_with_one_thing_wrong_passes(data: st.DataObject) -> None:
    """A field of a header that is left out, or is of another kind, is noticed."""
    plain = json.loads(to_json(data.draw(drawn(ImageHeader))))
    name = data.draw(st.sampled_from(sorted(plain)))
    if data.draw(st.booleans()):
        del plain[name]
    else:
        plain[name] = [[{}]]
    with pytest.raises(MisfitError):
        from_json(ImageHeader, json.dumps(plain).encode())


def test_a_class_of_the_same_fields_is_another() -> None:
    """A union of dataclasses is told apart by their names."""
    with pytest.raises(MisfitError):
        from_json(Read, to_json(Pair(at=1, length=2)))
