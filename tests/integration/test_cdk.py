"""deploy/cdk makes what deploy/template.yaml makes: role, policies, alarms, settings."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

from tests.roles import (
    OPTIONAL,
    Role,
    parameters_for,
    role_from_policy,
    role_of_the_page,
    role_of_the_template,
)
from tests.stack import Resolved, Stack

_ROOT: Final = Path(__file__).parents[2]
_PYTHON: Final = _ROOT / os.environ.get("CDK", ".cache/cdk/bin/python")
_RESERVE: Final = "a reserve"
_CHOICES: Final = [
    (),
    *((one,) for one in OPTIONAL if one != "events by SQS"),
    tuple(one for one in OPTIONAL if one != "events by SQS"),
    (_RESERVE,),
]
_NAMED: Final = {
    "Alias": "FunctionAliaslive",
    "AliasEventInvokeConfig": "FunctionEventInvokeConfig",
}
_TEMPLATE_ONLY: Final = {
    # The gradual deployment's, and what only people look at.
    "NewVersionErrorAlarm",
    "Dashboard",
}
"""What the CDK's construct leaves out."""
_APART: Final = {
    # The CDK waits for the queue's policy by DependsOn, the template by a tag.
    ("Source", "Tags"),
    # SAM's own; the description is the revision, which the CDK needs no word for.
    ("Function", "Tags"),
    ("Function", "Description"),
    # The same image, from a repository of the account.
    ("Function", "Code"),
    # None is what Lambda has without the property.
    ("Function", "SnapStart"),
    # The CDK makes a security group of its own.
    ("Function", "VpcConfig"),
}
"""The properties that are compared by nobody."""

_TAKEN_APART: Final = {
    # The CDK names function and alias by parts of the alias's ARN.
    "<6 of ['<FunctionAliaslive>']>:live": "<FunctionAliaslive>",
    "<7 of ['<FunctionAliaslive>']>": "live",
}

pytestmark = pytest.mark.skipif(
    not _PYTHON.is_file() or shutil.which("node") is None,
    reason="the CDK's environment is not there (make cdk), or node",
)


def _run(script: Path, *, stdin: str = "", **environ: str) -> str:
    """Run a script in the CDK's environment; returns what it prints."""
    done = subprocess.run(
        [_PYTHON, script],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environ},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@cache
def _synthesised() -> dict[tuple[str, ...], Resolved]:
    """Return what the CDK makes for each choice, under the template's names."""
    printed = _run(_ROOT / "tests" / "cdk" / "synth.py", stdin=json.dumps(_CHOICES))
    made = {}
    for choice, one in zip(_CHOICES, json.loads(printed), strict=True):
        text = json.dumps(one["template"])
        for logical, path in one["paths"].items():
            name = "".join(part for part in path.split("/")[2:] if part != "Resource")
            text = text.replace(f'"{logical}"', f'"{_NAMED.get(name, name)}"')
        made[choice] = Resolved(json.loads(text), {})
    return made


def _template(choice: tuple[str, ...]) -> Stack:
    features = ["events by SQS", *(one for one in choice if one != _RESERVE)]
    reserve = {"ReservedConcurrency": "20"} if _RESERVE in choice else {}
    return Stack(**parameters_for(features), Gradual="false", **reserve)


def _plain(value: Any) -> Any:  # noqa: ANN401 - of any template
    """Return a value as both write it: numbers as text, buckets by name, a list of one as one."""
    match value:
        case dict():
            return {name: _plain(one) for name, one in value.items()}
        case [one]:
            return _plain(one)
        case [{"Name": _, "Value": _}, *_]:
            return sorted(map(_plain, value), key=lambda one: str(one["Name"]))
        case list():
            return [_plain(one) for one in value]
        case bool() | None:
            return value
        case _:
            text = str(value)
    for apart, whole in _TAKEN_APART.items():
        text = text.replace(apart, whole)
    for name, bucket in (("Source", "photos"), ("Destination", "renditions")):
        text = text.replace(f"<{name}.Arn>", f"arn:aws:s3:::{bucket}")
        text = text.replace(f"<{name}>", bucket)
    return text


def _statements(policy: dict[str, Any]) -> list[Any]:
    """Return a resource's policy in whatever order, and whoever names its statements how."""
    found = []
    for one in policy["Statement"]:
        principal = {"AWS": "*"} if one["Principal"] == "*" else one["Principal"]
        kept = {name: value for name, value in one.items() if name != "Sid"}
        found.append(_plain({**kept, "Principal": principal}))
    return sorted(found, key=lambda one: json.dumps(one, sort_keys=True))


def _compared(stack: Resolved) -> dict[str, Any]:
    """Return each resource but roles, which are compared by themselves."""
    made = {}
    for name, resource in stack.resources.items():
        if name in _TEMPLATE_ONLY or resource["Type"] in {
            "AWS::IAM::Role",
            "AWS::EC2::SecurityGroup",
            "AWS::Lambda::Version",
        }:
            continue
        properties = {
            key: _statements(value) if key == "PolicyDocument" else _plain(value)
            for key, value in resource["Properties"].items()
            if (name, key) not in _APART
        }
        kept = {key: resource.get(key) for key in ("Type", "DeletionPolicy", "UpdateReplacePolicy")}
        text = json.dumps({**kept, **properties}, sort_keys=True)
        for version in stack.of_type("AWS::Lambda::Version"):
            text = text.replace(f"<{version}.Version>", "<version>")
        made[name] = json.loads(text)
    return made


def _role(stack: Resolved) -> Role:
    (policy,) = stack.resources["Role"]["Properties"]["Policies"]
    return role_from_policy(policy["PolicyDocument"])


@pytest.mark.parametrize("choice", _CHOICES, ids="+".join)
def test_one_role_in_three_places(choice: tuple[str, ...]) -> None:
    """The CDK's, the template's and the one that docs/image.md describes are equal."""
    features = ["events by SQS", *(one for one in choice if one != _RESERVE)]

    role = _role(_synthesised()[choice])

    assert role == role_of_the_template(features)
    assert role == role_of_the_page(features)
    # The CDK adds nothing of its own to it.
    assert "AWS::IAM::Policy" not in {
        one["Type"] for one in _synthesised()[choice].resources.values()
    }


@pytest.mark.parametrize("choice", _CHOICES, ids="+".join)
def test_the_cdk_makes_what_the_template_makes(choice: tuple[str, ...]) -> None:
    """Resource by resource, property by property; what differs is listed with its reason."""
    ours, cdks = _compared(_template(choice)), _compared(_synthesised()[choice])

    assert cdks.keys() == ours.keys()
    for name, resource in ours.items():
        assert cdks[name] == resource, name


def test_the_app_takes_its_names_from_the_command(tmp_path: Path) -> None:
    """As `cdk synth -c` hands them over: image by digest, both buckets."""
    given = {"digest": f"sha256:{'1' * 64}", "source": "ours", "destination": "theirs"}

    _run(
        _ROOT / "deploy" / "cdk" / "app.py",
        CDK_CONTEXT_JSON=json.dumps(given),
        CDK_OUTDIR=str(tmp_path),
    )

    template = json.loads((tmp_path / "renditions.template.json").read_text(encoding="utf-8"))
    made = Resolved(template, {})
    buckets = {one["BucketName"] for one in made.of_type("AWS::S3::Bucket").values()}
    assert buckets == {"ours", "theirs"}
    (function,) = made.of_type("AWS::Lambda::Function").values()
    assert function["Code"]["ImageUri"].endswith(f"/renditions@{given['digest']}")
