"""Synthesises deploy/cdk for some choices: run by the CDK's own environment, prints JSON.

For each choice: the template, and the construct's path for each logical ID.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "deploy" / "cdk"))

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_events as events
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from renditions_construct import Renditions, RenditionsProps

PLACES = {
    "digest": f"sha256:{'0' * 64}",
    "source_bucket": "photos",
    "destination_bucket": "renditions",
    "source_prefix": "in/",
    "destination_prefix": "out/",
}
KEY = "arn:aws:kms:us-east-1:000000000000:key"


def _bus(stack: cdk.Stack) -> dict[str, Any]:
    arn = "arn:aws:events:us-east-1:000000000000:event-bus/done"
    return {"completion_bus": events.EventBus.from_event_bus_arn(stack, "Bus", arn)}


def _topic(stack: cdk.Stack) -> dict[str, Any]:
    arn = "arn:aws:sns:us-east-1:000000000000:done"
    return {"completion_topic": sns.Topic.from_topic_arn(stack, "Topic", arn)}


def _key(stack: cdk.Stack, name: str, suffix: str) -> dict[str, Any]:
    return {name: kms.Key.from_key_arn(stack, name, f"{KEY}/{suffix}")}


def _vpc(stack: cdk.Stack) -> dict[str, Any]:
    vpc = ec2.Vpc.from_vpc_attributes(
        stack,
        "Vpc",
        vpc_id="vpc-a",
        availability_zones=["us-east-1a"],
        private_subnet_ids=["subnet-a"],
    )
    return {"vpc": vpc}


FEATURES: dict[str, Callable[[cdk.Stack], dict[str, Any]]] = {
    "`REJECTED_PREFIX`": lambda _: {"rejected_prefix": "refused/"},
    "`tags` or `copy_tags`": lambda _: {"tagging": True},
    "`RENDITIONS_CONFIG`, an object": lambda _: {
        "config_s3_uri": "s3://settings/app/renditions.toml"
    },
    "watermarks in S3": lambda _: {"watermarks_s3_uri": "s3://settings/app/marks/*"},
    "content credentials, by KMS": lambda stack: {
        **_key(stack, "signing_key", "c"),
        "certificates": "-----BEGIN CERTIFICATE-----",
    },
    "certificates in S3": lambda _: {"certificates": "s3://settings/app/chain.pem"},
    "`COMPLETION_TARGET`, a bus": _bus,
    "`COMPLETION_TARGET`, a topic": _topic,
    "the topic is encrypted": lambda stack: _key(stack, "completion_topic_key", "t"),
    "photos in SSE-KMS": lambda stack: _key(stack, "source_key", "s"),
    "renditions in SSE-KMS": lambda stack: _key(stack, "destination_key", "d"),
    "`URL_SIGNING_KEYS_ARN`": lambda _: {
        "url_signing_keys_arn": "arn:aws:ssm:us-east-1:000000000000:parameter/keys"
    },
    "signing keys under a key of yours": lambda stack: _key(stack, "url_signing_key", "k"),
    "a VPC": _vpc,
    "X-Ray": lambda _: {"tracing": True},
    "a reserve": lambda _: {"reserved_concurrency": 20},
}
"""What docs/image.md calls a feature -> the properties that turn it on."""


def synthesised(features: list[str]) -> dict[str, Any]:
    """Returns the template with these features on."""
    app = cdk.App()
    stack = cdk.Stack(app, "stack")
    props: dict[str, Any] = dict(PLACES)
    for name in features:
        props |= FEATURES[name](stack)
    repository = ecr.Repository.from_repository_name(stack, "Repository", "renditions")
    Renditions(stack, "Renditions", RenditionsProps(repository=repository, **props))
    paths = {
        stack.resolve(one.logical_id): one.node.path
        for one in stack.node.find_all()
        if isinstance(one, cdk.CfnResource)
    }
    return {"template": app.synth().get_stack_by_name("stack").template, "paths": paths}


if __name__ == "__main__":
    print(json.dumps([synthesised(features) for features in json.load(sys.stdin)]))
