"""Every setting is checked at init, and its error names it."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from handler.errors import SettingsError
from handler.keys import KeyTemplate
from handler.settings import CompletionTarget, JobAttributes, read_settings
from handler.told.quarantine import quarantine_key
from handler.variables import NAMES
from imaging.errors import ConfigError

_REQUIRED = {"DESTINATION_BUCKET": "renditions", "AWS_REGION": "eu-central-1"}


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("COMPLETION_TARGET", "arn:aws:sqs:eu-central-1:123456789012:queue"),
        ("COMPLETION_TARGET", "arn:aws:sns:eu-central-1:123456789012:topic.fifo"),
        ("COMPLETION_TARGET", "arn:aws:sns:us-east-1:123456789012:topic"),
        ("COMPLETION_TARGET", "topic"),
        ("DYNAMODB_KEY_ATTRIBUTE", ""),
        ("CORS_ORIGINS", "example.org"),
        ("CORS_ORIGINS", "https://example.org/"),
        ("CORS_ORIGINS", "https://*.example.org"),
        ("SOURCE_REQUESTER_PAYS", "yes"),
        ("URL_SIGNING_KEYS_ARN", "/renditions/keys"),
        ("URL_SIGNING_KEYS_ARN", "arn:aws:ssm:us-east-1:123456789012:parameter/keys"),
        ("URL_SIGNING_KEYS_ARN", "arn:aws:ssm:eu-central-1:123456789012:document/keys"),
        ("URL_SIGNING_KEYS_ARN", "arn:aws:s3:::keys"),
        ("HTTP_BASE_PATH", "photos"),
        ("HTTP_BASE_PATH", "/photos/"),
        ("HTTP_BASE_PATH", "/"),
        ("HTTP_BASE_PATH", "/a b"),
    ],
)
def test_a_wrong_setting_is_named(variable: str, value: str) -> None:
    """The message has the variable first."""
    with pytest.raises(SettingsError, match=f"^{variable}: expected "):
        read_settings(_REQUIRED | {variable: value})


@pytest.mark.parametrize(
    ("variable", "nearest"),
    [
        ("LIMIT_MAX_FOO", "LIMIT_MAX_"),
        ("LIMIT_PIXELS", "LIMIT_MAX_PIXELS"),
        ("DESTINATION_PREFIX", "DESTINATION_"),
        ("URL_SIGNING_SECRET", "URL_SIGNING_KEYS"),
        ("SOURCE_BUCKETS", "SOURCE_BUCKET"),
        ("CORS_ORIGIN", "CORS_ORIGINS"),
        ("HTTP_BASEPATH", "HTTP_BASE_PATH"),
        ("RENDITIONS_CONF", "RENDITIONS_CONFIG"),
    ],
)
def test_a_variable_that_no_setting_has_is_named_with_the_nearest(
    variable: str, nearest: str
) -> None:
    """What it says may be a secret, and is not repeated."""
    with pytest.raises(
        SettingsError, match=rf"^{variable}: expected .* {nearest}\w* is the nearest"
    ) as raised:
        read_settings(_REQUIRED | {variable: "0123"})
    assert "0123" not in str(raised.value)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_slip_in_any_name_is_found(name: str) -> None:
    """A letter of it that is missing or twice there, wherever behind the first word."""
    for at in range(name.index("_") + 1, len(name)):
        for slip in (name[:at] + name[at + 1 :], name[:at] + name[at] + name[at:]):
            with pytest.raises(SettingsError, match=rf"^{slip}: .* {name} is the nearest"):
                read_settings(_REQUIRED | {slip: "1"})


def test_what_others_set_is_theirs() -> None:
    """Variables of Lambda, of SDKs, of shells and of other programs are ignored."""
    theirs = (
        *("AWS_LAMBDA_LOG_GROUP_NAME", "AWS_ENDPOINT_URL_DYNAMODB", "_HANDLER", "TZ", "PATH"),
        *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "LOGLEVEL", "LOG_FORMAT"),
        *("POWERTOOLS_LOG_LEVEL", "SOURCE_DATE_EPOCH", "SOURCE_REF", "CREDENTIALS_DIRECTORY"),
        *("DYNAMODB_ENDPOINT", "CACHE_DIR", "WORKER_ID", "RENDITIONS_IMAGE", "OTEL_LOG_LEVEL"),
    )
    assert read_settings(_REQUIRED | dict.fromkeys(theirs, "1")) == read_settings(_REQUIRED)


@pytest.mark.parametrize("prefix", ["in/rejected/", "i", "in/"])
def test_a_quarantine_under_the_trigger_s_prefix_is_an_init_error(prefix: str) -> None:
    """It would trigger the function with its own JSON, for ever."""
    environ = {
        "DESTINATION_BUCKET": "photos",
        "SOURCE_BUCKET": "photos",
        "SOURCE_PREFIX": "in/",
        "DESTINATION_KEY_TEMPLATE": "out/{key}/{name}.{ext}",
    }
    assert read_settings(environ | {"REJECTED_PREFIX": "rejected/"}).rejected_prefix == "rejected/"
    with pytest.raises(SettingsError, match="REJECTED_PREFIX"):
        read_settings(environ | {"REJECTED_PREFIX": prefix})


@pytest.mark.parametrize(
    ("service", "arn"),
    [
        ("sns", "arn:aws:sns:eu-central-1:123456789012:done"),
        ("events", "arn:aws-cn:events:eu-central-1:123456789012:event-bus/done"),
    ],
)
def test_a_completion_target_is_told_by_its_arn(service: str, arn: str) -> None:
    """A topic or a bus."""
    target = read_settings(_REQUIRED | {"COMPLETION_TARGET": arn}).completion_target
    assert isinstance(target, CompletionTarget)
    assert (target.service, target.arn) == (service, arn)


def test_the_attributes_of_a_job_have_defaults_each() -> None:
    """One may be renamed without the others."""
    settings = read_settings(_REQUIRED | {"DYNAMODB_KEY_ATTRIBUTE": "path"})
    assert settings.job_attributes == JobAttributes(key="path")


TEMPLATE = KeyTemplate("{key}/{name}.{ext}")


def test_a_rejection_never_has_the_key_of_a_manifest() -> None:
    """Not even of another photo, with another key: then it ends in a digest."""
    assert TEMPLATE.is_manifest("rejected/a/photo.json")
    kept = quarantine_key("rejected/", "a/photo", TEMPLATE)
    assert kept.startswith("rejected/")
    assert not TEMPLATE.is_manifest(kept)
    # Here even a digest could be the key of a photo.
    with pytest.raises(SettingsError, match="REJECTED_PREFIX"):
        read_settings(
            _REQUIRED
            | {"REJECTED_PREFIX": "photo/", "DESTINATION_KEY_TEMPLATE": "{name}/{key}.{ext}"}
        )


def test_several_source_buckets_want_places_of_their_own() -> None:
    """Without the bucket in the template, photos of one key would meet."""
    several = _REQUIRED | {"SOURCE_BUCKET": "photos, other"}
    with pytest.raises(SettingsError, match=r"DESTINATION_KEY_TEMPLATE.*\{bucket\}"):
        read_settings(several)
    settings = read_settings(several | {"DESTINATION_KEY_TEMPLATE": "{bucket}/{key}/{name}.{ext}"})
    assert settings.source_buckets == ("photos", "other")
    assert settings.is_source("other", "a.jpg")
    assert not settings.is_source("renditions", "a.jpg")


@pytest.mark.parametrize(
    ("template", "example"),
    [
        ("../{key}/{name}.{ext}", "'../a/x.jpg/small.jpg'"),
        ("a/../{key}/{name}.{ext}", "'a/../a/x.jpg/small.jpg'"),
        ("{key}/./{name}.{ext}", "'a/x.jpg/./small.jpg'"),
        ("{key}/{name}.{ext}/..", "'a/x.jpg/small.jpg/..'"),
        # Of a photo whose key begins with a slash, or has no extension, alone.
        ("..{key}/{name}.{ext}", "'../x.jpg/small.jpg'"),
        ("{prefix}{stem}/.{source_ext}/{name}.{ext}", "'a/x/./small.jpg'"),
    ],
)
def test_a_template_makes_no_relative_path(template: str, example: str) -> None:
    """The error has a photo and its key; what such a template left can be removed."""
    toml = {"RENDITIONS_TOML": '[[renditions]]\nname = "small"\n'}
    with pytest.raises(SettingsError) as raised:
        read_settings(_REQUIRED | toml | {"DESTINATION_KEY_TEMPLATE": template})
    assert str(raised.value).startswith("DESTINATION_KEY_TEMPLATE: expected ")
    assert str(raised.value).endswith(f" has {example}")
    former = read_settings(_REQUIRED | toml | {"FORMER_KEY_TEMPLATES": template})
    assert [one.text for one in former.former_key_templates] == [template]


@pytest.mark.parametrize("template", ["/{key}/{name}.{ext}", "..a//{key}//{name}...{ext}"])
def test_a_template_may_have_empty_segments_and_dots(template: str) -> None:
    """S3 stores them as they are."""
    settings = read_settings(_REQUIRED | {"DESTINATION_KEY_TEMPLATE": template})
    assert settings.key_template.text == template


@pytest.mark.parametrize("prefix", ["../", "./", "rejected/../", "..//", ".."])
def test_a_quarantine_is_no_relative_path(prefix: str) -> None:
    """S3 would refuse it for every rejected photo, which would be tried again for ever."""
    with pytest.raises(SettingsError, match=r"^REJECTED_PREFIX: expected .*segments"):
        read_settings(_REQUIRED | {"REJECTED_PREFIX": prefix})
    assert read_settings(_REQUIRED | {"REJECTED_PREFIX": "..."}).rejected_prefix == "..."


def test_a_former_template_is_another() -> None:
    """What is in use is not swept."""
    former = read_settings(_REQUIRED | {"FORMER_KEY_TEMPLATES": "old/{key}/{name}.{ext}"})
    assert [one.text for one in former.former_key_templates] == ["old/{key}/{name}.{ext}"]
    for text in ("{key}/{name}.{ext}", "{key}"):
        with pytest.raises(SettingsError, match="FORMER_KEY_TEMPLATES"):
            read_settings(_REQUIRED | {"FORMER_KEY_TEMPLATES": text})


def test_a_rejection_s_key_always_fits() -> None:
    """A photo may be rejected because its key is too long, and is kept under a digest then."""
    assert quarantine_key("rejected/", "a/b.jpg", TEMPLATE) == "rejected/a/b.jpg.json"
    one, other = (quarantine_key("rejected/", f"{'é' * 510}{end}", TEMPLATE) for end in "ab")
    assert one != other
    assert len(one.encode()) <= 1024


_TOML = '[[renditions]]\nname = "a"\nwidth = {}\n'


def test_a_configuration_may_be_the_text_of_a_variable() -> None:
    """It has a version of its own, another for each text; a wrong one is named with its line."""
    one, other = (read_settings(_REQUIRED | {"RENDITIONS_TOML": _TOML.format(n)}) for n in (1, 2))
    assert one.config.renditions[0].width == 1
    assert None is not one.config_version != other.config_version is not None
    assert read_settings(_REQUIRED).config_version is None
    with pytest.raises(ConfigError, match=r'^RENDITIONS_TOML:3: rendition "a": width: expected'):
        read_settings(_REQUIRED | {"RENDITIONS_TOML": _TOML.format(0)})
    both = {"RENDITIONS_TOML": _TOML.format(1), "RENDITIONS_CONFIG": "s3://a/b"}
    with pytest.raises(SettingsError, match=r"^RENDITIONS_TOML: expected it or RENDITIONS_CONFIG"):
        read_settings(_REQUIRED | both)


def test_a_fallback_is_one_of_the_photos() -> None:
    """Outside the prefix it would never be read."""
    environ = _REQUIRED | {"SOURCE_PREFIX": "in/", "HTTP_FALLBACK_KEY": "in/missing.png"}
    assert read_settings(environ).http_fallback_key == "in/missing.png"
    with pytest.raises(SettingsError, match=r"^HTTP_FALLBACK_KEY: expected a key that begins with"):
        read_settings(environ | {"HTTP_FALLBACK_KEY": "missing.png"})


_OF_WHO_ASKS: Final = (
    "handler.backfill",
    "handler.changes",
    "handler.check",
    "handler.collisions",
    "handler.http.cors",
    "handler.photo.current",
    "handler.s3.configuration",
    "imaging.lines",
    "imaging.patterns",
)


def test_nothing_is_imported_at_init_for_who_does_not_ask() -> None:
    """Configurations from elsewhere, patterns, free templates: their modules wait to be asked."""
    imports = "import handler.app, sys; print(*sys.modules)"
    environ = {"DESTINATION_BUCKET": "renditions", "AWS_DEFAULT_REGION": "us-east-1"}
    done = subprocess.run(
        [sys.executable, "-c", imports],
        cwd=Path(__file__).parents[2],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = done.stdout.split()
    assert "handler.photo.making" in loaded
    assert [name for name in loaded if name.startswith(_OF_WHO_ASKS)] == []
