"""docs/image.md: what a deployment by hand is told is what the template does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from tests.roles import (
    ALWAYS,
    FEATURES,
    OPTIONAL,
    PAGE,
    features_of_the_page,
    role_of_the_page,
    role_of_the_template,
)
from tests.stack import Stack

_ROOT: Final = Path(__file__).parents[2]
_TEXT: Final = PAGE.read_text(encoding="utf-8")


def test_the_page_has_every_feature() -> None:
    """What the template can turn on has its permissions there, and nothing else has."""
    assert features_of_the_page() == {ALWAYS, *FEATURES}


@pytest.mark.parametrize("features", [(), OPTIONAL, *((one,) for one in OPTIONAL)], ids="+".join)
def test_a_role_made_by_hand_is_the_template_s(features: tuple[str, ...]) -> None:
    """Statement by statement: actions, resources and conditions, for each feature alone and all."""
    assert role_of_the_page(features) == role_of_the_template(features)


def _setting(of: str, name: str) -> str:
    found = re.search(rf"^\| {of} \| `{name}` \| (.*) \|$", _TEXT, re.MULTILINE)
    assert found, (of, name)
    return found[1]


@pytest.mark.parametrize("timeout", ["30", "60", "900"])
def test_settings_of_a_queue_are_the_template_s(timeout: str) -> None:
    """Each figure of the page's table is the one that the template sets."""
    made = Stack(SourceBucket="a", DestinationBucket="b", Timeout=timeout).resources
    queue, failures = (made[name]["Properties"] for name in ("Queue", "FailureQueue"))
    mapping = made["QueueMapping"]["Properties"]

    times = int(re.match(r"(\d+) times", _setting("the queue", "VisibilityTimeout"))[1])  # type: ignore[index]
    assert queue["VisibilityTimeout"] == times * int(timeout)
    assert _setting("the queue", "MessageRetentionPeriod").startswith(
        f"{queue['MessageRetentionPeriod']:,}"
    )
    assert _setting("the queue", "maxReceiveCount") == str(
        queue["RedrivePolicy"]["maxReceiveCount"]
    )
    assert _setting("the failure queue", "MessageRetentionPeriod") == (
        f"{failures['MessageRetentionPeriod']:,}"
    )
    for kind in mapping["FunctionResponseTypes"]:
        assert f"`{kind}`" in _setting("its mapping", "FunctionResponseTypes")
    assert _setting("its mapping", "BatchSize").startswith(f"{mapping['BatchSize']}:")


@pytest.mark.parametrize("trigger", ["direct", "sqs"])
def test_the_events_are_the_template_s(trigger: str) -> None:
    """The four events of a notification, as the page lists them."""
    listed = re.findall(r"`(s3:[^`]+)`", _TEXT.split("The four events: ")[1].split("Without")[0])
    source = Stack(SourceBucket="a", DestinationBucket="b", Trigger=trigger).resources["Source"]
    (configurations,) = source["Properties"]["NotificationConfiguration"].values()

    assert listed == [one["Event"] for one in configurations]


def test_every_label_is_on_the_page() -> None:
    """Those that the build sets, and those that the Dockerfile has."""
    build = (_ROOT / "Makefile").read_text(encoding="utf-8")
    names = {
        f"org.opencontainers.image.{name}" for name in re.findall(r"\(call LABEL,([\w.]+),", build)
    }
    names |= set(
        re.findall(r"^LABEL ([\w.]+)=", (_ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    )

    listed = re.findall(r"^\| `((?:org|com)\.[\w.]+)` \|", _TEXT, re.MULTILINE)
    assert set(listed) == names
