"""Destination keys are reversible, and never collide."""

import re
from functools import cache
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handler.errors import KeyTooLongError, SettingsError
from handler.keys import KeyTemplate

NAMES = ("large", "small", "small_2x")
EXTENSIONS = ("jpg", "webp")
KEYS = st.text("ab./_-", min_size=1, max_size=8) | st.text(min_size=1, max_size=20)
GOOD = [
    "{key}/{name}.{ext}",
    "out/{name}/{key}.{ext}",
    "{key}.{name}.{ext}",
    "{bucket}/{key}/{name}.{ext}",
    "{ext}/{key}/{bucket}/{name}",
    "{key}/{name}.{ext}.{bucket}",
    "{name}/{ext}/{key}",
    "{key}@{name}.{ext}",
    "{name}@{key}.{ext}",
    "{prefix}{stem}.{source_ext}/{name}.{ext}",
    "{prefix}{stem}_{name}.{source_ext}.{ext}",
    "thumbs/{prefix}{stem}_{name}.{source_ext}.{ext}",
    "{prefix}{name}@{stem}.{source_ext}.{ext}",
    "{prefix}{name}/{stem}.{source_ext}.{ext}",
    "{prefix}thumbs/{name}/{stem}.{source_ext}.{ext}",
    "{name}/{prefix}{stem}.{ext}.{source_ext}",
    "{bucket}/{prefix}{stem}-{name}.{source_ext}.{ext}",
    "{ext}/{name}/{bucket}/{source_ext}/{prefix}{stem}",
    "{source_ext}/{name}.{ext}/{prefix}{stem}",
    "{prefix}{stem}.{name}.{ext}.{source_ext}",
]
BAD = {
    "{key}": "expected {key}, or {prefix}",
    "{name}.{ext}": "a/x.jpg and b/x.jpg both have 'large.jpg'",
    "{key}/{name}": "expected {key}, or {prefix}",
    "{key}/{name}.{ext}.{ext}": "expected {key}, or {prefix}",
    "{x}/{key}": "expected {key}, or {prefix}",
    "{key}/{name}.{ext}}": "expected no other braces",
    "{/{key}/{name}.{ext}": "expected no other braces",
    "{{key}}/{name}.{ext}": "expected no other braces",
    "{key}/{name}.{ext}{": "expected no other braces",
    "{key}/{name}.{ext}/{0!r}": "expected no other braces",
    "{key}/{name}.{ext}/{}": "expected {key}, or {prefix}",
    "{key}/{stem}/{name}.{ext}": "expected {key} or its parts",
    "thumbs/{stem}_{name}.{ext}": "a/x.jpg and b/x.jpg both have 'thumbs/x_large.jpg'",
    "{prefix}{stem}_{name}.{ext}": "x.jpg and x.png both have 'x_large.jpg'",
    "{prefix}{name}.{source_ext}.{ext}": "x.jpg and y.jpg both have 'large.jpg.jpg'",
    "{stem}.{source_ext}/{name}.{ext}": "a/x.jpg and b/x.jpg both have 'x.jpg/large.jpg'",
    "{bucket}.{key}/{name}.{ext}": "is of",
    "{key}{name}.{ext}x{bucket}": "is of",
    "{prefix}{stem}-{source_ext}/{name}.{ext}": "is of",
    "{key}{bucket}/{name}.{ext}": "is of",
    "{prefix}{stem}{source_ext}/{name}.{ext}": "is of",
    "{prefix}{name}_{stem}.{source_ext}.{ext}": "as small_2x.",
}


@cache
def _template(text: str) -> KeyTemplate:
    return KeyTemplate(text, NAMES)


@pytest.mark.parametrize("text", GOOD)
@settings(max_examples=40)
@given(data=st.data())
def test_no_two_share_a_key(text: str, data: st.DataObject) -> None:
    """Of two buckets, keys, names or extensions, each leads to another key, and each leads back."""
    template = _template(text)
    buckets = ["photos", "photos.2", "a-b"] if template.has_bucket else ["photos"]
    each = st.tuples(
        st.sampled_from(buckets), KEYS, st.sampled_from(NAMES), st.sampled_from(EXTENSIONS)
    )
    one, other = data.draw(each), data.draw(each)

    def made(of: tuple[str, str, str, str]) -> str:
        bucket, key, name, extension = of
        return template.destination(key, name, extension, bucket=bucket)

    assert (made(one) == made(other)) is (one == other)
    assert template.source(made(one)) == one[1:]
    assert not template.is_manifest(made(one))
    manifest = (one[0], one[1], "photo", "json")
    assert template.is_manifest(made(manifest))


@pytest.mark.parametrize("text", GOOD)
def test_a_short_key_is_looked_for_by_brute_force(text: str) -> None:
    """Every key of up to four characters, of each name, has a place of its own."""
    template = _template(text)
    letters = "a._/"
    places = [
        template.destination("".join(key), name, extension, bucket="photos")
        for length in (1, 2, 3, 4)
        for key in product(letters, repeat=length)
        for name, extension in (*product(NAMES, EXTENSIONS), ("photo", "json"))
    ]
    assert len(set(places)) == len(places)


@pytest.mark.parametrize(("text", "message"), BAD.items())
def test_a_template_that_could_collide_or_fail_is_refused(text: str, message: str) -> None:
    """The error names the variable, what was received, and what would share a key."""
    with pytest.raises(SettingsError) as caught:
        KeyTemplate(text, NAMES)
    assert caught.value.message.startswith("DESTINATION_KEY_TEMPLATE: expected")
    assert message in caught.value.message
    assert repr(text) in caught.value.message


def test_which_names_collide_is_said() -> None:
    """A name that ends as another does, after the same text, could be read as the other."""
    text = "{prefix}{stem}_{name}.{source_ext}.{ext}"
    assert KeyTemplate(text, ("small", "2x_large")).text == text
    with pytest.raises(SettingsError) as caught:
        KeyTemplate(text, ("small", "x_small"))
    one, other = re.findall(r"of '(.*?)' as (\S+)\.\w+", caught.value.message)
    assert {one[1], other[1]} == {"small", "x_small"}
    assert one[0] != other[0]
    with pytest.raises(SettingsError, match="leads back"):
        KeyTemplate(text)


@given(
    st.lists(
        st.sampled_from(
            ["{prefix}", "{stem}", "{source_ext}", "{key}", "{name}", "{ext}", "/", ".", "_", "a"]
        ),
        min_size=3,
        max_size=9,
    ),
    st.lists(st.sampled_from(["a", "b", "a_b", "b_a", "aa"]), min_size=1, max_size=3, unique=True),
)
def test_what_is_taken_never_collides(parts: list[str], names: list[str]) -> None:
    """Whatever template passes: no two short keys, names or extensions share a place."""
    try:
        template = KeyTemplate("".join(parts), tuple(names))
    except SettingsError:
        return
    seen: dict[str, object] = {}
    for length in (1, 2, 3):
        for key in product("a._/b", repeat=length):
            for name, extension in (*product(names, EXTENSIONS), ("photo", "json")):
                of = ("".join(key), name, extension)
                assert seen.setdefault(template.destination(*of, bucket="b"), of) == of


@given(st.text("{}/.keynamxt", max_size=30), st.text("{}/.", max_size=4))
def test_a_template_that_is_taken_never_fails(middle: str, end: str) -> None:
    """Whatever passes init makes keys that lead back."""
    try:
        made = KeyTemplate(f"{{key}}{middle}{{name}}.{{ext}}{end}")
    except SettingsError:
        return
    assert made.source(made.destination("a b.jpg", "n", "jpg", bucket="photos")) == (
        "a b.jpg",
        "n",
        "jpg",
    )


def test_a_key_that_s3_would_not_take_is_refused() -> None:
    """1,024 bytes are S3's limit."""
    with pytest.raises(KeyTooLongError, match="1024"):
        KeyTemplate("{key}/{name}.{ext}").destination("é" * 512, "a", "jpg", bucket="photos")
