"""deploy/template.yaml: what it makes under which parameters, and who may do what."""

from __future__ import annotations

import json
from functools import cache
from itertools import product
from typing import TYPE_CHECKING, Any, Final

import pytest
from samtranslator.yaml_helper import yaml_parse

from handler.deployed import settings_from
from handler.errors import Disposition
from handler.report import JobReport
from handler.settings import Function, read_settings
from handler.told.metrics import PhotoLog
from scripts.deploy import DeployError, packed, parse_parameters
from scripts.revision import revision
from tests.emf import metrics_of
from tests.stack import TEMPLATE, Stack, template_with

if TYPE_CHECKING:
    from pathlib import Path

CHOICES = {
    "Trigger": ("direct", "sqs"),
    "CreateSourceBucket": ("true", "false"),
    "Http": ("none", "iam", "cloudfront"),
}


def stack(**parameters: str) -> Stack:
    """Return the stack with both buckets named."""
    return Stack(SourceBucket="photos", DestinationBucket="renditions", **parameters)


def variables_of(made: Stack) -> dict[str, str]:
    """Return the function's environment."""
    found: dict[str, str] = made.resources["Function"]["Properties"]["Environment"]["Variables"]
    return found


def statements(policy: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a policy's statements, each with a list of actions."""
    found: list[dict[str, Any]] = policy["Statement"]
    return [
        one | {"Action": [one["Action"]] if isinstance(one["Action"], str) else one["Action"]}
        for one in found
    ]


@pytest.mark.parametrize("values", list(product(*CHOICES.values())), ids=str)
def test_every_choice_gives_a_whole_stack(values: tuple[str, ...]) -> None:
    """Whatever is chosen, nothing refers to a resource that this choice leaves out."""
    made = stack(**dict(zip(CHOICES, values, strict=True)))

    text = json.dumps(made.resources)
    named = {part.split(">")[0].split(".")[0] for part in text.split("<")[1:]}
    # SAM makes the version itself, under a name with a digest in it.
    absent = {name for name in named if name not in made.resources and " of " not in name}
    assert {name for name in absent if not name.startswith("FunctionVersion")} == set()


@pytest.mark.parametrize("values", list(product(*CHOICES.values())), ids=str)
def test_one_way_in(values: tuple[str, ...]) -> None:
    """An object's event takes exactly one way to the function."""
    parameters = dict(zip(CHOICES, values, strict=True))
    made = stack(**parameters)

    queued = bool(made.of_type("AWS::Lambda::EventSourceMapping"))
    rules = made.of_type("AWS::Events::Rule")
    notifications = [
        configurations
        for bucket in made.of_type("AWS::S3::Bucket").values()
        for configurations in bucket.get("NotificationConfiguration", {}).values()
    ]
    assert queued is (parameters["Trigger"] == "sqs")
    assert len(rules) + len(notifications) == 1
    assert bool(rules) is (parameters["CreateSourceBucket"] == "false")


def test_what_it_makes_is_private_and_encrypted() -> None:
    """Buckets and queues take TLS only, are encrypted, and the buckets outlive the stack."""
    made = stack()

    buckets = made.of_type("AWS::S3::Bucket")
    assert set(buckets) == {"Source", "Destination"}
    for name, bucket in buckets.items():
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        assert bucket["BucketEncryption"]
        assert made.resources[name]["DeletionPolicy"] == "RetainExceptOnCreate"
    for queue in made.of_type("AWS::SQS::Queue").values():
        assert queue["SqsManagedSseEnabled"] is True
    policies = {
        **made.of_type("AWS::S3::BucketPolicy"),
        **made.of_type("AWS::SQS::QueuePolicy"),
    }
    assert len(policies) == 4
    for policy in policies.values():
        (refused,) = (
            one for one in statements(policy["PolicyDocument"]) if one["Sid"] == "TlsOnly"
        )
        assert refused["Effect"] == "Deny"
        assert refused["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_keys_of_ones_own() -> None:
    """With keys named, buckets and logs use them, and the role may, through S3 alone."""
    keys = {
        "SourceKmsKeyArn": "arn:aws:kms:us-east-1:000000000000:key/s",
        "DestinationKmsKeyArn": "arn:aws:kms:us-east-1:000000000000:key/d",
        "LogsKmsKeyArn": "arn:aws:kms:us-east-1:000000000000:key/l",
    }
    made = stack(**keys)

    (log_group,) = made.of_type("AWS::Logs::LogGroup").values()
    assert log_group["KmsKeyId"] == keys["LogsKmsKeyArn"]
    for name in ("Source", "Destination"):
        (rule,) = made.resources[name]["Properties"]["BucketEncryption"][
            "ServerSideEncryptionConfiguration"
        ]
        assert rule["ServerSideEncryptionByDefault"] == {
            "SSEAlgorithm": "aws:kms",
            "KMSMasterKeyID": keys[f"{name}KmsKeyArn"],
        }
    role = made.resources["Role"]["Properties"]
    through_s3 = {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}
    allowed = {
        (action, one["Resource"])
        for one in statements(role["Policies"][0]["PolicyDocument"])
        if one.get("Condition") == through_s3
        for action in one["Action"]
    }
    assert allowed == {
        ("kms:Decrypt", keys["SourceKmsKeyArn"]),
        ("kms:Decrypt", keys["DestinationKmsKeyArn"]),
        ("kms:GenerateDataKey", keys["DestinationKmsKeyArn"]),
    }


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {
            "SourcePrefix": "in/",
            "DestinationPrefix": "out/",
            "RejectedPrefix": "refused/",
            "CompletionTopicArn": "arn:aws:sns:us-east-1:000000000000:done",
            "UrlSigningKeys": "00112233445566778899aabbccddeeff",
            "CacheControl": "no-store",
            "MaxPixels": "1000000",
            "LogLevel": "WARNING",
        },
    ],
    ids=["defaults", "all"],
)
def test_the_function_takes_what_it_is_given(parameters: dict[str, str]) -> None:
    """Its environment is one that the function starts with; each parameter arrives."""
    given = stack(**parameters).resources["Function"]["Properties"]["Environment"]["Variables"]

    settings = read_settings(given)

    assert settings.destination_bucket == "renditions"
    assert settings.source_buckets == ("photos",)
    assert settings.source_prefix == parameters.get("SourcePrefix", "")
    assert settings.key_template.prefix == parameters.get("DestinationPrefix", "")
    assert settings.rejected_prefix == parameters.get("RejectedPrefix")
    assert (settings.completion_target is not None) is bool(parameters)
    assert len(settings.url_signing_keys) == bool(parameters)
    assert settings.log_level == parameters.get("LogLevel", "INFO")
    assert settings.cache_control == parameters.get("CacheControl", "public, max-age=86400")
    assert (settings.config.limits.max_pixels == 1_000_000) is bool(parameters)


@pytest.mark.parametrize("trigger", ["direct", "sqs"])
def test_what_fails_is_kept(trigger: str) -> None:
    """Whichever the trigger, what is given up goes to the one queue that an alarm watches."""
    made = stack(Trigger=trigger)

    (invocations,) = made.of_type("AWS::Lambda::EventInvokeConfig").values()
    destination = invocations["DestinationConfig"]["OnFailure"]["Destination"]
    assert destination == "<FailureQueue.Arn>"
    if trigger == "sqs":
        queue = made.resources["Queue"]["Properties"]
        assert queue["RedrivePolicy"]["deadLetterTargetArn"] == "<FailureQueue.Arn>"
        function = made.resources["Function"]["Properties"]
        kept = made.resources["FailureQueue"]["Properties"]["MessageRetentionPeriod"]
        # A message is as old in the failure queue as it was in the queue.
        assert kept >= 2 * queue["MessageRetentionPeriod"]
        assert queue["VisibilityTimeout"] == 6 * int(function["Timeout"])
    alarm = made.resources["DeadLetterAlarm"]["Properties"]
    assert alarm["Dimensions"] == [{"Name": "QueueName", "Value": "<FailureQueue.QueueName>"}]


def test_gradual_deployment_rolls_back_on_errors_of_the_new_version_alone() -> None:
    """A failing version before it keeps no fix from taking over."""
    made = stack()

    (group,) = made.of_type("AWS::CodeDeploy::DeploymentGroup").values()
    assert group["AutoRollbackConfiguration"]["Enabled"] is True
    assert group["AlarmConfiguration"]["Alarms"] == [{"Name": "<NewVersionErrorAlarm>"}]
    assert not stack(Gradual="false").of_type("AWS::CodeDeploy::DeploymentGroup")


def test_only_the_distribution_may_call_a_function_behind_it() -> None:
    """With CloudFront before it, the Function URL takes requests of that distribution alone."""
    made = stack(Http="cloudfront")

    (url,) = made.of_type("AWS::Lambda::Url").values()
    assert url["AuthType"] == "AWS_IAM"
    permissions = [
        one
        for one in made.of_type("AWS::Lambda::Permission").values()
        if one["Principal"] == "cloudfront.amazonaws.com"
    ]
    assert {one["Action"] for one in permissions} == {
        "lambda:InvokeFunctionUrl",
        "lambda:InvokeFunction",
    }
    for permission in permissions:
        assert permission["SourceArn"].endswith(":distribution/<Distribution>")


def test_snapstart() -> None:
    """SnapStart is on the published versions, where it is asked for."""
    for asked, expected in {"true": "PublishedVersions", "false": "None"}.items():
        function = stack(SnapStart=asked).resources["Function"]["Properties"]
        assert function["SnapStart"] == {"ApplyOn": expected}


def test_every_alarm_that_wakes_somebody_names_the_runbook() -> None:
    """Each alarm says where the runbook deals with it; all but the canary's tell the topic."""
    made = stack()

    for name, alarm in made.of_type("AWS::CloudWatch::Alarm").items():
        assert "docs/runbook.md" in alarm["AlarmDescription"], name
        assert alarm["TreatMissingData"] == "notBreaching", name
        assert bool(alarm.get("AlarmActions")) is (name != "NewVersionErrorAlarm"), name


def test_what_batch_operations_acts_as() -> None:
    """It may invoke this function, and read and write what a backfill keeps beside renditions."""
    key = "arn:aws:kms:us-east-1:000000000000:key/d"
    made = stack(Backfill="true", DestinationKmsKeyArn=key).resources
    role = made["BackfillRole"]["Properties"]
    alias = made["QueueMapping"]["Properties"]["FunctionName"]

    assert {
        (action, one["Resource"])
        for one in statements(role["Policies"][0]["PolicyDocument"])
        for action in one["Action"]
    } == {
        ("lambda:InvokeFunction", alias),
        ("s3:GetObject", "arn:aws:s3:::renditions/backfill/*"),
        ("s3:PutObject", "arn:aws:s3:::renditions/backfill/*"),
        ("kms:Decrypt", key),
        ("kms:GenerateDataKey", key),
    }
    assert "BackfillRole" not in stack().resources


def test_the_template_fits_a_request() -> None:
    """CloudFormation takes 51,200 bytes in a request: what is sent fits, and is the template."""
    text = TEMPLATE.read_text("utf-8")
    sent = packed(text)
    assert len(sent.encode()) <= 51_200
    assert yaml_parse(sent) == yaml_parse(text)


def test_keys_are_what_the_parameters_say() -> None:
    """The template of keys stands behind the prefix; the function reads it, and former ones."""
    given = stack(
        DestinationPrefix="out/",
        KeyTemplate="{name}/{key}.{ext}",
        FormerKeyTemplates="out/{key}/{name}.{ext}",
        SourceRequesterPays="true",
    )
    settings = read_settings(variables_of(given))
    assert settings.key_template.text == "out/{name}/{key}.{ext}"
    assert [former.text for former in settings.former_key_templates] == ["out/{key}/{name}.{ext}"]
    assert settings.source_requester_pays
    # And so do the commands that work beside the stack.
    there = settings_from(given.outputs)
    assert there == {name: variables_of(given)[name] for name in there}
    assert {"DESTINATION_KEY_TEMPLATE", "FORMER_KEY_TEMPLATES"} <= set(there)
    variables = variables_of(stack())
    assert variables["DESTINATION_KEY_TEMPLATE"] == "{key}/{name}.{ext}"
    assert not {"FORMER_KEY_TEMPLATES", "SOURCE_REQUESTER_PAYS"} & set(variables)


def test_buckets_that_are_one_are_refused() -> None:
    """The template has CloudFormation refuse a destination that is the source."""
    rule = template_with({"SourceBucket": "a", "DestinationBucket": "a"})["Rules"]["TwoBuckets"]

    assert rule["Assertions"][0]["Assert"] == {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "SourceBucket"}, {"Ref": "DestinationBucket"}]}]
    }


def test_a_configuration_in_s3_may_be_read_by_the_function() -> None:
    """That object alone, and only where it is named; the variable arrives."""
    made = stack(ConfigS3Uri="s3://settings/app/renditions.toml").resources
    role = made["Role"]["Properties"]["Policies"][0]["PolicyDocument"]
    (allowed,) = (one for one in statements(role) if one["Sid"] == "ReadConfiguration")
    assert allowed["Action"] == ["s3:GetObject"]
    assert allowed["Resource"] == "arn:aws:s3:::settings/app/renditions.toml"
    variables = made["Function"]["Properties"]["Environment"]["Variables"]
    assert variables["RENDITIONS_CONFIG"] == "s3://settings/app/renditions.toml"
    without = stack().resources
    assert "ReadConfiguration" not in json.dumps(without)
    assert not {"RENDITIONS_CONFIG", "RENDITIONS_TOML"} & set(
        without["Function"]["Properties"]["Environment"]["Variables"]
    )


def test_watermarks_in_s3_may_be_read_by_the_function() -> None:
    """Those alone, and only where they are named."""
    role = stack(WatermarksS3Uri="s3://settings/app/marks/*").resources["Role"]
    document = role["Properties"]["Policies"][0]["PolicyDocument"]
    (allowed,) = (one for one in statements(document) if one["Sid"] == "ReadWatermarks")
    assert allowed["Action"] == ["s3:GetObject"]
    assert allowed["Resource"] == "arn:aws:s3:::settings/app/marks/*"
    assert "ReadWatermarks" not in json.dumps(stack().resources)


def test_a_configuration_may_be_a_parameter(tmp_path: Path) -> None:
    """`make deploy PARAMS='RenditionsToml=@file'` takes the text, and the function reads it."""
    file = tmp_path / "mine.toml"
    file.write_text('[[renditions]]\nname = "mine"\n', "utf-8")
    given = parse_parameters([f"RenditionsToml=@{file}"])
    variables = stack(**given).resources["Function"]["Properties"]["Environment"]["Variables"]
    assert [spec.name for spec in read_settings(variables).config.renditions] == ["mine"]
    with pytest.raises(DeployError, match="Expected a readable file after NAME=@"):
        parse_parameters([f"RenditionsToml=@{tmp_path}/none"])


def test_parameters() -> None:
    """`make deploy` takes NAME=VALUE, with further equals signs in the value."""
    assert parse_parameters(["A=b", "C=d=e", "F="]) == {"A": "b", "C": "d=e", "F": ""}
    with pytest.raises(DeployError, match="Expected NAME=VALUE but received 'A'"):
        parse_parameters(["A"])


def test_alarms_see_what_lambda_counts_as_a_success() -> None:
    """Retries of any code, and the share of rejections, are metrics that the function writes."""
    made = stack(MaxRejectedPercent="25")

    retries = made.resources["RetryAlarm"]["Properties"]
    assert (retries["MetricName"], retries["Statistic"]) == ("Retries", "Sum")
    rejections = made.resources["RejectionAlarm"]["Properties"]
    # The 75th percentile of zeros and ones is 1 where more than a quarter are.
    assert (rejections["MetricName"], rejections["ExtendedStatistic"]) == ("Rejections", "p75")
    assert rejections["EvaluateLowSampleCountPercentile"] == "ignore"
    report = JobReport(bucket="photos", key="a.jpg", disposition=Disposition.RETRY)
    lines: list[str] = []
    PhotoLog(Function(name="renditions"), lines.append).photo(report, "request")
    of_function = frozenset({("FunctionName", "renditions")})
    values = {one.name: one.value for one in metrics_of(lines[0]) if one.dimensions == of_function}
    assert (values["Retries"], values["Rejections"]) == (1, 0)


@pytest.mark.parametrize("values", list(product(*CHOICES.values())), ids=str)
def test_a_restored_photo_s_event_arrives(values: tuple[str, ...]) -> None:
    """Whichever way events come, the end of a restore comes by it."""
    text = json.dumps(stack(**dict(zip(CHOICES, values, strict=True))).resources)
    assert "s3:ObjectRestore:Completed" in text or "Object Restore Completed" in text


def test_the_queue_leaves_room_in_the_reserve() -> None:
    """Requests over HTTP and Lambda's own retries find some of the concurrency free."""
    allowed = template_with({})["Parameters"]["ReservedConcurrency"]["AllowedValues"]

    for reserve in allowed:
        mapping = stack(ReservedConcurrency=reserve).resources["QueueMapping"]["Properties"]
        if reserve == "none":
            assert "ScalingConfig" not in mapping
        else:
            assert 2 <= mapping["ScalingConfig"]["MaximumConcurrency"] < int(reserve)


def test_a_url_is_made_after_its_alias() -> None:
    """Its qualifier is a text, from which CloudFormation does not see that it waits for one."""
    resources = stack(Http="iam").resources

    assert resources["Url"]["DependsOn"] == "FunctionAliaslive"
    assert resources["FunctionAliaslive"]["Properties"]["Name"] == "live"


@pytest.mark.parametrize("service", ["ssm", "secretsmanager"])
def test_signing_keys_may_stay_where_they_are_kept(service: str) -> None:
    """The function gets their ARN, and may read what it names; the keys are in no configuration."""
    kind = {"ssm": "parameter/keys", "secretsmanager": "secret:keys-a1b2c3"}[service]
    arn = f"arn:aws:{service}:us-east-1:000000000000:{kind}"
    made = stack(UrlSigningKeysArn=arn).resources

    variables = made["Function"]["Properties"]["Environment"]["Variables"]
    settings = read_settings(variables, read_secret={arn: "00" * 16}.__getitem__)
    assert settings.url_signing_keys == (bytes(16),)
    (policy,) = made["Role"]["Properties"]["Policies"]
    allowed = {one["Sid"]: one for one in statements(policy["PolicyDocument"])}
    assert allowed["ReadSigningKeys"]["Resource"] == arn
    assert "ReadSigningKeys" not in {
        one["Sid"]
        for one in statements(
            stack().resources["Role"]["Properties"]["Policies"][0]["PolicyDocument"]
        )
    }


def test_an_encrypted_topic_can_be_told() -> None:
    """The role may use the completion topic's key, through SNS alone; alarms have theirs."""
    key = "arn:aws:kms:us-east-1:000000000000:key/t"
    made = stack(CompletionTopicArn="topic", CompletionTopicKmsKeyArn=key, AlarmsKmsKeyArn=key)

    role = made.resources["Role"]["Properties"]["Policies"][0]["PolicyDocument"]
    (statement,) = (one for one in statements(role) if one["Resource"] == key)
    assert set(statement["Action"]) == {"kms:GenerateDataKey", "kms:Decrypt"}
    assert statement["Condition"] == {
        "StringEquals": {"kms:ViaService": "sns.us-east-1.amazonaws.com"}
    }
    assert made.resources["AlarmTopic"]["Properties"]["KmsMasterKeyId"] == key
    assert "KmsMasterKeyId" not in stack().resources["AlarmTopic"]["Properties"]


def test_a_network_and_a_boundary_of_ones_own() -> None:
    """The role may join a network only where there is one; both roles get the boundary."""
    given = {
        "SubnetIds": "subnet-a,subnet-b",
        "SecurityGroupIds": "sg-a",
        "PermissionsBoundaryArn": "arn:aws:iam::000000000000:policy/boundary",
        "Backfill": "true",
    }
    made, plain = stack(**given).resources, stack(Backfill="true").resources

    assert made["Function"]["Properties"]["VpcConfig"] == {
        "SubnetIds": ["subnet-a", "subnet-b"],
        "SecurityGroupIds": ["sg-a"],
    }
    assert "VpcConfig" not in plain["Function"]["Properties"]
    assert "ec2:CreateNetworkInterface" in json.dumps(made["Role"])
    assert "ec2:" not in json.dumps(plain["Role"])
    for role in ("Role", "BackfillRole"):
        assert made[role]["Properties"]["PermissionsBoundary"] == given["PermissionsBoundaryArn"]
        assert "PermissionsBoundary" not in plain[role]["Properties"]


def test_what_cloudfront_hands_on_and_waits_for() -> None:
    """Of a query only what signs it; and it waits longer than the function may take."""
    for timeout in ("30", "60"):
        made = stack(Http="cloudfront", Timeout=timeout).resources
        policy = made["CachePolicy"]["Properties"]["CachePolicyConfig"]
        forwarded = policy["ParametersInCacheKeyAndForwardedToOrigin"]
        assert forwarded["QueryStringsConfig"] == {
            "QueryStringBehavior": "whitelist",
            "QueryStrings": ["signature", "expires"],
        }
        (origin,) = made["Distribution"]["Properties"]["DistributionConfig"]["Origins"]
        assert int(timeout) < origin["CustomOriginConfig"]["OriginReadTimeout"] <= 120
    rule = template_with({})["Rules"]["AnswersInTime"]
    assert rule["Assertions"][0]["Assert"] == {"Fn::Contains": [["30", "60"], {"Ref": "Timeout"}]}


_PARAMETERS: Final = yaml_parse(TEMPLATE.read_text("utf-8"))["Parameters"]
_OTHER: Final = {
    "ImageUri": f"registry/image@sha256:{1:064x}",
    "MemorySize": "512",
    "Timeout": "30",
    "SourceBucket": "others",
    "DestinationBucket": "elsewhere",
    "SubnetIds": "subnet-a",
    "SecurityGroupIds": "sg-a",
    "BatchSize": "2",
    "MaxAgeSeconds": "60",
    "LogRetentionDays": "7",
}
"""A value for each parameter that does not take any text, or whose default is not empty."""


def _another(name: str, declared: dict[str, Any]) -> str:
    allowed = [str(one) for one in declared.get("AllowedValues", [])]
    others = [one for one in allowed if one != str(declared.get("Default", ""))]
    return _OTHER.get(name) or next(iter(others), "another")


@cache
def _function(**given: str) -> tuple[dict[str, Any], str]:
    """Return the function's properties, and which version of it a deployment publishes."""
    template = yaml_parse(TEMPLATE.read_text("utf-8"))
    resources = Stack(**given, Revision=revision(template, given)).resources
    properties = dict(resources["Function"]["Properties"])
    del properties["Description"]
    (version,) = (one for one in resources if one.startswith("FunctionVersion"))
    return properties, version


@pytest.mark.parametrize("name", sorted(_PARAMETERS.keys() - {"Revision"}))
def test_a_version_is_published_where_the_function_changes(name: str) -> None:
    """Whichever parameter does it: the alias would else keep the version before, for good."""
    basic = {
        "ImageUri": f"registry/image@sha256:{0:064x}",
        "SourceBucket": "photos",
        "DestinationBucket": "renditions",
        # A network takes both of its parameters, and so does a signer.
        "SubnetIds": "subnet-b",
        "CredentialsKeyArn": "arn:aws:kms:us-east-1:000000000000:key/c",
    }
    other = _another(name, _PARAMETERS[name])

    before, version = _function(**basic)
    after, next_version = _function(**basic | {name: other})

    is_about_its_deployment = name in {"Gradual", "DeploymentType"}
    assert (version != next_version) is (before != after or is_about_its_deployment)


def test_replaced_photos_may_expire() -> None:
    """Versions cost money until they are gone; without the parameter none is ever deleted."""
    (rule,) = stack(SourceNoncurrentDays="30").resources["Source"]["Properties"][
        "LifecycleConfiguration"
    ]["Rules"]

    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": "30"}
    assert "LifecycleConfiguration" not in stack().resources["Source"]["Properties"]
