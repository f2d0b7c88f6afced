"""The function's role, as each place that describes it has it: by feature, in one form.

A role is its statements by their Sid. What the template resolves, such as an ARN, docs/image.md
has in words; :data:`_ARNS` and :data:`_NAMES` say which word is which.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tests.stack import REGION, Stack

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

PAGE: Final = Path(__file__).parents[1] / "docs" / "image.md"
ALWAYS: Final = "always"
PLACES: Final = {
    "SourceBucket": "photos",
    "DestinationBucket": "renditions",
    "SourcePrefix": "in/",
    "DestinationPrefix": "out/",
}
_BUS: Final = "arn:aws:events:us-east-1:000000000000:event-bus/done"
_TOPIC: Final = "arn:aws:sns:us-east-1:000000000000:done"
_KEYS: Final = "arn:aws:ssm:us-east-1:000000000000:parameter/keys"
_KEY: Final = "arn:aws:kms:us-east-1:000000000000:key"

FEATURES: Final[Mapping[str, Mapping[str, str]]] = {
    "a failure queue": {},
    "events by SQS": {"Trigger": "sqs"},
    "`REJECTED_PREFIX`": {"RejectedPrefix": "refused/"},
    "`tags` or `copy_tags`": {"Tagging": "true"},
    "`RENDITIONS_CONFIG`, an object": {"ConfigS3Uri": "s3://settings/app/renditions.toml"},
    "watermarks in S3": {"WatermarksS3Uri": "s3://settings/app/marks/*"},
    "content credentials, by KMS": {
        "CredentialsKeyArn": f"{_KEY}/c",
        "CredentialsCertificates": "-----BEGIN CERTIFICATE-----",
    },
    "certificates in S3": {"CredentialsCertificates": "s3://settings/app/chain.pem"},
    "`COMPLETION_TARGET`, a bus": {"CompletionBusArn": _BUS},
    "`COMPLETION_TARGET`, a topic": {"CompletionTopicArn": _TOPIC},
    "the topic is encrypted": {"CompletionTopicKmsKeyArn": f"{_KEY}/t"},
    "photos in SSE-KMS": {"SourceKmsKeyArn": f"{_KEY}/s"},
    "renditions in SSE-KMS": {"DestinationKmsKeyArn": f"{_KEY}/d"},
    "`URL_SIGNING_KEYS_ARN`": {"UrlSigningKeysArn": _KEYS},
    "signing keys under a key of yours": {"UrlSigningKmsKeyArn": f"{_KEY}/k"},
    "a VPC": {"SubnetIds": "subnet-a", "SecurityGroupIds": "sg-a"},
    "X-Ray": {"Tracing": "Active"},
}
"""What docs/image.md calls a feature -> the parameters that turn it on in the template."""

OPTIONAL: Final = tuple(name for name in FEATURES if name != "a failure queue")
"""The template always has the failure queue."""

_ARNS: Final = {
    "the log group's ARN": "<LogGroup.Arn>",
    "the failure queue's ARN": "<FailureQueue.Arn>",
    "the queue's ARN": "<Queue.Arn>",
    "the bus's ARN": _BUS,
    "the topic's ARN": _TOPIC,
    "the signing key's ARN": f"{_KEY}/c",
    "the topic's key's ARN": f"{_KEY}/t",
    "the source's key's ARN": f"{_KEY}/s",
    "the destination's key's ARN": f"{_KEY}/d",
    "the signing keys' ARN": _KEYS,
    "the signing keys' key's ARN": f"{_KEY}/k",
}
_NAMES: Final = {
    "SOURCE_PREFIX": PLACES["SourcePrefix"],
    "REJECTED_PREFIX": "refused/",
    "CONFIG": "settings/app/renditions.toml",
    "WATERMARKS": "settings/app/marks/*",
    "CERTIFICATES": "settings/app/chain.pem",
    "DESTINATION": PLACES["DestinationBucket"],
    "SOURCE": PLACES["SourceBucket"],
    "PREFIX": PLACES["DestinationPrefix"],
    "REGION": REGION,
}
_WORD: Final = re.compile(rf"\b({'|'.join(_NAMES)})(?![A-Z_])")


class Statement(NamedTuple):
    """One statement, in whatever order its lists were written."""

    actions: frozenset[str]
    resources: frozenset[str]
    condition: tuple[tuple[str, str, frozenset[str]], ...] = ()


Role = dict[str, Statement]


def parameters_for(features: Collection[str]) -> dict[str, str]:
    """Return the template's parameters that turn on these features and no others."""
    given = {"Trigger": "direct", **PLACES}
    for name in features:
        given |= FEATURES[name]
    return given


def _listed(value: str | list[str]) -> frozenset[str]:
    return frozenset([value] if isinstance(value, str) else value)


def role_from_policy(document: Mapping[str, Any]) -> Role:
    """Return the role of a policy document, in which every statement allows and is named."""
    role = {}
    for one in document["Statement"]:
        assert one["Effect"] == "Allow"
        condition = [
            (operator, name, _listed(value))
            for operator, tests in one.get("Condition", {}).items()
            for name, value in tests.items()
        ]
        role[one["Sid"]] = Statement(
            _listed(one["Action"]), _listed(one["Resource"]), tuple(condition)
        )
    assert len(role) == len(document["Statement"])
    return role


def policy_from_role(role: Role) -> list[dict[str, Any]]:
    """Return the statements of a role as IAM takes them."""
    made = []
    for sid, one in role.items():
        statement: dict[str, Any] = {"Sid": sid, "Effect": "Allow"}
        statement |= {"Action": sorted(one.actions), "Resource": sorted(one.resources)}
        for operator, name, values in one.condition:
            statement |= {"Condition": {operator: {name: sorted(values)}}}
        made.append(statement)
    return made


def role_of_the_template(features: Collection[str]) -> Role:
    """Return the role that deploy/template.yaml makes."""
    resources = Stack(**parameters_for(features)).resources
    (policy,) = resources["Role"]["Properties"]["Policies"]
    return role_from_policy(policy["PolicyDocument"])


def _rows() -> list[list[str]]:
    section = PAGE.read_text(encoding="utf-8").split("## Permissions of the role\n")[1]
    table = section.split("| for | statement |", 1)[1].split("\n\n")[0]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()[2:]]


def features_of_the_page() -> set[str]:
    """Return what docs/image.md has permissions for."""
    return {row[0] for row in _rows()}


def _placed(text: str) -> str:
    return _WORD.sub(lambda found: _NAMES[found[1]], text)


def role_of_the_page(features: Collection[str]) -> Role:
    """Return the role that somebody makes by hand from docs/image.md."""
    role = {}
    for feature, sid, actions, resources, condition in _rows():
        if feature not in {ALWAYS, "a failure queue", *features}:
            continue
        named = re.findall(r"`([^`]+)`", resources)
        where = frozenset(map(_placed, named)) if named else frozenset({_ARNS[resources]})
        terms = [_placed(term) for term in re.findall(r"`([^`]+)`", condition)]
        role[sid.strip("`")] = Statement(
            frozenset(re.findall(r"`([^`]+)`", actions)),
            where,
            ((terms[0], terms[1], frozenset(terms[2:])),) if terms else (),
        )
    return role
