"""Destination keys are reversible, and never collide."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.errors import KeyTooLongError, SettingsError
from handler.keys import KeyTemplate

NAMES = st.from_regex("[a-z0-9][a-z0-9_-]{0,9}", fullmatch=True)
TEMPLATES = st.sampled_from(
    [
        "{key}/{name}.{ext}",
        "out/{name}/{key}.{ext}",
        "{key}.{name}.{ext}",
        "{bucket}/{key}/{name}.{ext}",
        "{ext}/{key}/{bucket}/{name}",
    ]
)


@given(TEMPLATES, st.text(min_size=1, max_size=50), NAMES, st.sampled_from(["jpg", "webp"]))
def test_a_key_leads_back_to_its_photo(template: str, key: str, name: str, ext: str) -> None:
    """What was put in comes back, so no two photos can share a key."""
    made = KeyTemplate(template)
    assert made.source(made.destination(key, name, ext, bucket="photos")) == (key, name, ext)


@pytest.mark.parametrize(
    "text",
    [
        "{key}",
        "{key}{name}.{ext}",
        "{key}-{name}.{ext}",
        "{bucket}.{key}/{name}.{ext}",
        "{key}/{name}.{ext}.{bucket}",
        "{x}/{key}",
        "{key}/{name}.{ext}}",
        "{/{key}/{name}.{ext}",
        "{{key}}/{name}.{ext}",
        "{key}/{name}.{ext}{",
        "{key}/{name}.{ext}/{0!r}",
    ],
)
def test_a_template_that_could_collide_or_fail_is_refused(text: str) -> None:
    """The error names the variable and what was received."""
    with pytest.raises(SettingsError, match="DESTINATION_KEY_TEMPLATE"):
        KeyTemplate(text)


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
