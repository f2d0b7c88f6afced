"""renditions.toml is read whole, or refused with one error that says what to fix."""

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.config import load_config, parse_config
from imaging.errors import ConfigError
from imaging.formats import OutputFormat
from imaging.lines import line_of
from imaging.specs import RenditionSpec

ROOT = Path(__file__).parent.parent.parent


def test_the_default_file_makes_five() -> None:
    """2048, 1280, 640 and 320 inside, and a square of 160."""
    config = load_config(ROOT / "renditions.toml")
    assert [(spec.width, spec.height, spec.fit.value) for spec in config.renditions] == [
        (2048, 2048, "inside"),
        (1280, 1280, "inside"),
        (640, 640, "inside"),
        (320, 320, "inside"),
        (160, 160, "cover"),
    ]


@pytest.mark.parametrize(
    "patterns", [["a" * 1025], [f"{at}/**" for at in range(101)]], ids=["long", "many"]
)
def test_patterns_have_an_end(patterns: list[str]) -> None:
    """A key of S3 has 1,024 bytes at most, and each pattern is tried for each key."""
    with pytest.raises(ConfigError, match="keys: expected at most 100 patterns of at most 1024"):
        parse_config(f'[[renditions]]\nname = "a"\nkeys = {patterns}\n', file="mine.toml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("renditions = 3", "expected at least one"),
        ('[[renditions]]\nname = "a"\nwith = 3', 'rendition "a": with: expected one of the keys'),
        ('[[renditions]]\nname = "a"\nwidth = "3"', "width: expected an integer but received '3'"),
        ('[[renditions]]\nname = "a"\nwidth = true', "width: expected an integer"),
        ('[[renditions]]\nname = "a"\nwidth = 0', "width: expected an integer from 1 to 65500"),
        ('[[renditions]]\nname = "a"\nfit = "crop"', 'fit: expected one of "inside"'),
        ('[[renditions]]\nname = "a"\nquality = 101', "quality: expected an integer from 1 to 100"),
        ('[[renditions]]\nname = "a"\nformat = "heic"', 'format: expected one of "jpeg", "webp"'),
        (
            '[[renditions]]\nname = "a"\nformat = []',
            "format: expected one format or more, each once",
        ),
        (
            '[[renditions]]\nname = "a"\nformat = ["jpeg", "jpeg"]',
            "format: expected one format or more, each once but received ['jpeg', 'jpeg']",
        ),
        (
            '[[renditions]]\nname = "a"\nquality = { avif = 50 }',
            "quality.avif: expected a format that format names but received 'avif'",
        ),
        (
            '[[renditions]]\nname = "a"\nquality = { heic = 50 }',
            "quality: expected an integer, or one for each format",
        ),
        (
            '[[renditions]]\nname = "a"\nquality = { jpeg = 0 }',
            "quality.jpeg: expected an integer from 1 to 100 but received 0",
        ),
        (
            '[[renditions]]\nname = "a"\nmax_bytes = 0',
            "max_bytes: expected an integer of 1 or more",
        ),
        (
            '[[renditions]]\nname = "a"\nformat = ["webp", "png"]\nmax_bytes = 9000',
            "max_bytes: expected formats that have a quality but received ['png']",
        ),
        (
            '[[renditions]]\nname = "a"\nposition = "up"',
            'position: expected one of "centre", "north"',
        ),
        (
            '[[renditions]]\nname = "a"\nposition = "north"',
            "position: expected fit to be 'cover', which alone crops but received 'inside'",
        ),
        ('[[renditions]]\nname = "a"\nsharpen = 11', "sharpen: expected a number from 0.1 to 10"),
        ('[[renditions]]\nname = "a"\nsharpen = true', "sharpen: expected a number but received"),
        (
            '[[renditions]]\nname = "a"\nformat = "gif"\ncolour = "source"',
            "colour: expected 'srgb' for gif, which holds no profile but received 'source'",
        ),
        (
            '[[renditions]]\nname = "a"\nanimated = true',
            "animated: expected format to name webp, gif or source but received ['jpeg']",
        ),
        (
            '[[renditions]]\nname = "a"\nformat = "webp"\nprogressive = true',
            "progressive: expected format to name jpeg but received ['webp']",
        ),
        ('[[renditions]]\nname = "a"\nbackground = "white"', "background: expected a colour"),
        ('[[renditions]]\nname = "A/b"', "name: expected text that matches"),
        (f'[[renditions]]\nname = "{"a" * 65}"', "name: expected text that matches"),
        (
            '[[renditions]]\nname = "a"\nstorage_class = "GLACIER"',
            'storage_class: expected one of "STANDARD", "STANDARD_IA"',
        ),
        ('[[renditions]]\nname = "a"\ntags = { a = 1 }', "tags: expected tags such as { team"),
        ('[[renditions]]\nname = "a"\ntags = { "aws:a" = "1" }', "tags: expected at most 10 tags"),
        ('[[renditions]]\nname = "a"\ntags = { a = "&" }', "tags: expected at most 10 tags of"),
        ('[[renditions]]\nname = "a"\ncopy_tags = 1', "copy_tags: expected true or false"),
        (
            '[[renditions]]\nname = "a"\ncontent_disposition = "a\\nb"',
            "content_disposition: expected a header's text in ASCII",
        ),
        (
            f'[[renditions]]\nname = "a"\ncontent_disposition = "{"a" * 513}"',
            "content_disposition: expected at most 512 bytes but received 513",
        ),
        (
            f'[[renditions]]\nname = "a"\ntags = {{ a = "{"鳥" * 256}", b = "{"鳥" * 256}" }}',
            "tags: expected tags of 4,096 bytes in all, URL-encoded but received 4613",
        ),
        ("[[renditions]]\nwidth = 3", "rendition 1: name: expected text but received nothing"),
        ('[[renditions]]\nname = "a"\n[[renditions]]\nname = "a"', "expected unique names"),
        ('[[renditions]]\nname = "a"\n[limits]\nmax_pixels = -1', "limits: max_pixels: expected"),
        ('truncated = "keep"\n[[renditions]]\nname = "a"', 'truncated: expected one of "refuse"'),
        ('other = 1\n[[renditions]]\nname = "a"', "other: expected one of the keys truncated, "),
        ("[[renditions", "expected TOML"),
        (
            f"[[renditions]]\nwidth = {'9' * 5000}",
            "mine.toml:2: expected TOML but received: Exceeds",
        ),
        (f"# deep\na = {'[' * 3000}{']' * 3000}", "mine.toml:2: expected TOML but received: "),
        ("[sidecar]\nlarge = true", "mine.toml:2: sidecar: large: expected no keys but received"),
        (
            f'[[renditions]]\nname = "a"\nkeys = "{"*a" * 400}"\nexclude = "{"*b" * 400}"',
            'mine.toml:3: rendition "a": keys: expected simpler patterns',
        ),
    ],
)
def test_what_is_wrong_is_named(text: str, message: str) -> None:
    """The message names file, line, rendition, key, what was expected and what was received."""
    with pytest.raises(ConfigError) as caught:
        parse_config(text, file="mine.toml")
    assert re.match(r"mine\.toml:[1-9]\d*: ", caught.value.message)
    assert message in caught.value.message


def test_a_byte_order_mark_says_nothing() -> None:
    """A file that an editor on Windows began with one is read as without it."""
    text = '[[renditions]]\nname = "a"'
    assert parse_config(f"\ufeff{text}", file="mine.toml") == parse_config(text, file="mine.toml")


def test_a_rendition_may_name_several_formats_and_a_quality_for_each() -> None:
    """What ``quality`` does not name has its format's default; PNG has none."""
    text = """
[[renditions]]
name = "a"
format = ["avif", "jpeg", "png"]
quality = { avif = 50 }
"""
    (spec,) = parse_config(text, file="mine.toml").renditions
    assert spec.formats == (OutputFormat.AVIF, OutputFormat.JPEG, OutputFormat.PNG)
    assert [spec.quality_of(output) for output in spec.formats] == [50, 85, None]


def test_a_further_format_makes_no_rendition_stale() -> None:
    """The digest is of one format: what the spec says of others does not change it."""
    jpeg, png = OutputFormat.JPEG, OutputFormat.PNG
    one = RenditionSpec(name="a", width=100, formats=(jpeg,))
    two = RenditionSpec(name="a", width=100, formats=(png, jpeg), quality={jpeg: 85})
    assert one.digest(jpeg) == two.digest(jpeg) != two.digest(png)
    assert one.digest(jpeg) != RenditionSpec(name="a", width=100, quality=84).digest(jpeg)


@pytest.mark.parametrize(
    "asked",
    [
        'format = "source"\nmax_bytes = 100000',
        'format = ["avif", "webp", "jpeg"]\nprogressive = true',
        'format = "source"\nprogressive = true',
        'format = ["webp", "jpeg"]\nanimated = true',
        'format = ["webp", "jpeg"]\nhdr = "keep"',
        'format = "source"\ncolour = "display-p3"',
    ],
)
def test_what_is_asked_of_some_formats_leaves_the_others_valid(asked: str) -> None:
    """A photo may become any format that the file names, each with a digest of its own."""
    text = f'[[renditions]]\nname = "a"\n{asked}'
    (spec,) = parse_config(text, file="mine.toml").renditions
    outputs = list(OutputFormat) if None in spec.formats else [o for o in spec.formats if o]
    assert [spec.only(output).formats for output in outputs] == [(output,) for output in outputs]
    assert len({spec.digest(output) for output in outputs}) == len(outputs)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('\n\ntruncated = 3\n[[renditions]]\nname = "a"', 3),
        ('[[renditions]]\nname = "a"\n\n[[renditions]]\n# here\nname = "b"\nwidth = 0\n', 7),
        ('[[renditions]]\nname = "a"\n[[renditions]]\nwidth = 1\n', 3),
        ('[[renditions]]\nname = "a"\n[[renditions]]\nwidth = 1\nname = "a"\n', 5),
        ('[[renditions]]\nname = "a"\nbackground = [\n1,\n2,\n300,\n]\nwidth = 9', 3),
        ('[[renditions]]\nname = "a"\n[limits]\nmax_pixels = 1\nother = """\na = 1\n"""', 5),
        ('[[renditions]]\nname = "a"\nwidth = = 1', 3),
        ('[[renditions]]\nname = "a"\nbackground = [', 3),
        ("# nothing\n", 1),
    ],
)
def test_the_line_is_the_one_to_change(text: str, line: int) -> None:
    """That of the key, of its table where the key is missing, and of what is no TOML."""
    with pytest.raises(ConfigError, match=rf"^mine\.toml:{line}: "):
        parse_config(text, file="mine.toml")


@given(
    st.lists(
        st.sampled_from(
            ["", "# x = 1", "{} = 1", "{} = [\n1,\n\n2]", '{} = """\na\n[b]\n"""', "[{}]"]
        ),
        min_size=1,
        max_size=12,
    )
)
def test_every_key_of_a_file_is_found_in_its_line(kinds: list[str]) -> None:
    """Whatever stands around it: comments, empty lines, values of several lines, tables."""
    lines = [kind.format(f"key{at}") for at, kind in enumerate(kinds)]
    text = "\n".join(lines)
    table: tuple[str, ...] = ()
    line = 1
    for at, kind in enumerate(kinds):
        if "{}" in kind:
            path = (f"key{at}",) if kind == "[{}]" else (*table, f"key{at}")
            table = path if kind == "[{}]" else table
            assert line_of(text, path) == line
        line += lines[at].count("\n") + 1
    assert tomllib.loads(text) is not None


_AVATAR = '[[renditions]]\nname = "a"\nwidth = 64\nkeys = "avatars/**"\n'


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ('keys = "a/**"\nexclude = ["**"]', 3, "keys: expected patterns of a key but received"),
        ('exclude = "**"', 3, "exclude: expected patterns of a key but received ['**'] without"),
        ('keys = ["x/*.png"]\nexclude = ["x/**"]', 3, "keys: expected patterns of a key but"),
        ("keys = []", 3, 'keys: expected a pattern such as "avatars/**", or a list of them'),
        ('keys = ["a", 3]', 3, "keys: expected a pattern"),
        ('keys = [""]', 3, "keys: expected a pattern"),
        (
            f'keys = "**/*.png"\n{_AVATAR}',
            7,
            "keys: expected keys that no other rendition of this name is for but received 'a",
        ),
        (f"{_AVATAR}", 6, "keys: expected keys that no other rendition of this name is for but"),
        (f'keys = "{"*a" * 9}"\n{_AVATAR.replace("avatars/**", "a*" * 60)}', 7, "keys: expected"),
    ],
)
def test_a_set_that_is_empty_or_collides_is_an_init_error(
    text: str, line: int, message: str
) -> None:
    """The message has a key that two renditions of one name would both write."""
    with pytest.raises(ConfigError) as caught:
        parse_config(f'[[renditions]]\nname = "a"\n{text}', file="mine.toml")
    assert f'mine.toml:{line}: rendition "a": {message}' in caught.value.message


def test_a_set_that_the_source_s_prefix_leaves_empty_is_an_init_error() -> None:
    """No photo of this function has such a key."""
    assert parse_config(_AVATAR, file="mine.toml", prefix="avatars/new/").renditions
    with pytest.raises(ConfigError, match=r"^mine.toml:4: .* a key that begins with 'photos/' but"):
        parse_config(_AVATAR, file="mine.toml", prefix="photos/")


def test_a_name_may_stand_for_other_pixels_under_other_keys() -> None:
    """Each photo has one rendition of the name, or none; one without patterns is for all."""
    other = _AVATAR.replace("avatars/**", "products/*.png").replace("64", "320")
    config = parse_config(f'{_AVATAR}{other}[[renditions]]\nname = "b"\n', file="mine.toml")

    def widths(key: str) -> dict[str, int | None]:
        return {spec.name: spec.width for spec in config.specs_of(key)}

    assert widths("avatars/1/me.jpg") == {"a": 64, "b": None}
    assert widths("products/1.png") == {"a": 320, "b": None}
    assert widths("products/1.jpg") == widths("products/x/1.png") == {"b": None}
    assert {spec.name for spec in config.asked().specs} == {"a", "b"}
