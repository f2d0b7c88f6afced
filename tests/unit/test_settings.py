"""Every setting is checked at init, and its error names it."""

import pytest

from handler.errors import SettingsError
from handler.settings import CompletionTarget, JobAttributes, read_settings
from handler.told.quarantine import quarantine_key

_REQUIRED = {"DESTINATION_BUCKET": "renditions", "AWS_REGION": "eu-central-1"}


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("COMPLETION_TARGET", "arn:aws:sqs:eu-central-1:123456789012:queue"),
        ("COMPLETION_TARGET", "arn:aws:sns:eu-central-1:123456789012:topic.fifo"),
        ("COMPLETION_TARGET", "arn:aws:sns:us-east-1:123456789012:topic"),
        ("COMPLETION_TARGET", "topic"),
        ("DYNAMODB_KEY_ATTRIBUTE", ""),
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


def test_a_rejection_s_key_always_fits() -> None:
    """A photo may be rejected because its key is too long, and is kept under a digest then."""
    assert quarantine_key("rejected/", "a/b.jpg") == "rejected/a/b.jpg.json"
    one, other = (quarantine_key("rejected/", f"{'é' * 510}{end}") for end in "ab")
    assert one != other
    assert len(one.encode()) <= 1024
