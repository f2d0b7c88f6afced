"""The function, its buckets, queues, role and alarms, for a stack of the CDK.

Beside deploy/template.yaml it leaves out events without a queue, HTTP, the backfill's role and the
gradual deployment. What it makes is what the template makes: tests/integration/test_cdk.py compares
the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aws_cdk import Aws, CfnDeletionPolicy, Duration, RemovalPolicy
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import aws_ec2 as ec2

_EVENTS: Final = (
    "s3:ObjectCreated:*",
    "s3:ObjectRemoved:*",
    "s3:LifecycleExpiration:*",
    "s3:ObjectRestore:Completed",
)
_AT_LEAST: Final = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
_ABOVE: Final = cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD


@dataclass(frozen=True, kw_only=True)
class RenditionsProps:
    """What a deployment chooses.

    Attributes:
        repository: Where the image is, in ECR.
        digest: Which image: ``sha256:...``, as ``make push`` prints it.
        source_bucket: The name of the bucket that photos arrive in; it is made.
        destination_bucket: The name of the bucket that renditions go to; it is made.
        source_prefix: Only objects whose key begins with this are read.
        destination_prefix: Every rendition's key begins with this; ends in a slash, or is empty.
        rejected_prefix: Where a small JSON for each rejected photo is kept; empty for none.
        config_s3_uri: ``s3://bucket/key`` of a renditions.toml; empty for the image's.
        watermarks_s3_uri: The same of watermarks' pictures, ``*`` for any text; empty for none.
        signing_key: Signs content credentials that are carried on: ECC_NIST_P256; None for none.
        certificates: That key's chain, as PEM or as ``s3://bucket/key``.
        tagging: Whether it may read photos' tags, and tag renditions.
        completion_bus: Gets an event for each finished photo.
        completion_topic: The same; one of the two at most.
        completion_topic_key: What that topic is encrypted with.
        source_key: What photos are encrypted with; None for S3's own.
        destination_key: What renditions are encrypted with; None for S3's own.
        url_signing_keys_arn: Of the parameter or the secret that holds keys for signed URLs.
        url_signing_key: What that is encrypted with; None for AWS's own.
        architecture: What the image was built for.
        memory_mb: 1,769 buys one whole vCPU.
        timeout: Of one invocation.
        batch_size: Photos that one invocation takes from the queue.
        reserved_concurrency: How many invocations may run at once; None for the account's limit.
        vpc: Where the function runs; None for outside any.
        tracing: Whether requests are sampled into X-Ray.
        environment: More of docs/reference.md's settings.
        max_age: A photo that is older when it is done, or still waits then, is an alarm.
        max_rejected_percent: A larger share of rejected photos is an alarm.
        log_retention: How long log lines are kept.
    """

    repository: ecr.IRepository
    digest: str
    source_bucket: str
    destination_bucket: str
    source_prefix: str = ""
    destination_prefix: str = ""
    rejected_prefix: str = ""
    config_s3_uri: str = ""
    watermarks_s3_uri: str = ""
    signing_key: kms.IKey | None = None
    certificates: str = ""
    tagging: bool = False
    completion_bus: events.IEventBus | None = None
    completion_topic: sns.ITopic | None = None
    completion_topic_key: kms.IKey | None = None
    source_key: kms.IKey | None = None
    destination_key: kms.IKey | None = None
    url_signing_keys_arn: str = ""
    url_signing_key: kms.IKey | None = None
    architecture: lambda_.Architecture = lambda_.Architecture.X86_64
    memory_mb: int = 1769
    timeout: Duration = Duration.seconds(60)  # noqa: RUF009 - immutable
    batch_size: int = 1
    reserved_concurrency: int | None = None
    vpc: ec2.IVpc | None = None
    tracing: bool = False
    environment: Mapping[str, str] | None = None
    max_age: Duration = Duration.minutes(15)  # noqa: RUF009 - immutable
    max_rejected_percent: int = 50
    log_retention: logs.RetentionDays = logs.RetentionDays.ONE_MONTH


def _allow(
    sid: str, to: list[str], on: list[str], through: str | list[str] = ""
) -> iam.PolicyStatement:
    """Return a statement of the role; `through` is the service whose use of a key it allows."""
    conditions = {"StringEquals": {"kms:ViaService": through}} if through else None
    return iam.PolicyStatement(sid=sid, actions=to, resources=on, conditions=conditions)


def _outlives_its_successor(resource: Construct) -> None:
    """Has CloudFormation keep what it replaces: failed events, and log lines."""
    resource.node.default_child.cfn_options.update_replace_policy = CfnDeletionPolicy.RETAIN


class Renditions(Construct):
    """Everything between the two buckets, and both buckets.

    Attributes:
        function: What makes the renditions.
        alias: What is invoked: its version `live`.
        queue: What stands between the source and the function.
        failure_queue: What was given up.
        alarm_topic: What every alarm tells.
    """

    def __init__(self, scope: Construct, name: str, props: RenditionsProps) -> None:
        """Makes it, below `scope`."""
        super().__init__(scope, name)
        self._props = props
        self.failure_queue = sqs.Queue(
            self,
            "FailureQueue",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            retention_period=Duration.days(14),
            enforce_ssl=True,
        )
        _outlives_its_successor(self.failure_queue)
        self.queue = sqs.Queue(
            self,
            "Queue",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            # A message must stay hidden for six times as long as the function may take.
            visibility_timeout=Duration.seconds(6 * int(props.timeout.to_seconds())),
            # Half of what the failure queue keeps: a message there is as old as it was here.
            retention_period=Duration.days(7),
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.failure_queue, max_receive_count=5),
            enforce_ssl=True,
        )
        self._buckets()
        self._log_group = logs.LogGroup(
            self, "LogGroup", retention=props.log_retention, removal_policy=RemovalPolicy.DESTROY
        )
        _outlives_its_successor(self._log_group)
        self.function = self._function()
        self.alias = lambda_.Alias(
            self,
            "Alias",
            alias_name="live",
            version=self.function.current_version,
            retry_attempts=2,
            max_event_age=Duration.hours(6),
            on_failure=destinations.SqsDestination(self.failure_queue),
        )
        reserve = props.reserved_concurrency
        lambda_.EventSourceMapping(
            self,
            "QueueMapping",
            target=self.alias,
            event_source_arn=self.queue.queue_arn,
            batch_size=props.batch_size,
            report_batch_item_failures=True,
            # What is left of the reserve is for what Lambda tries again itself.
            max_concurrency=max(2, reserve - max(1, reserve // 10)) if reserve else None,
        )
        self.alarm_topic = sns.Topic(self, "AlarmTopic", display_name=f"{Aws.STACK_NAME} alarms")
        self._alarms()

    def _bucket(self, name: str, bucket: str, key: kms.IKey | None, **more: Any) -> s3.Bucket:  # noqa: ANN401 - of s3.Bucket
        made = s3.Bucket(
            self,
            name,
            bucket_name=bucket,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            encryption=s3.BucketEncryption.KMS if key else s3.BucketEncryption.S3_MANAGED,
            encryption_key=key,
            bucket_key_enabled=True,
            enforce_ssl=True,
            removal_policy=RemovalPolicy.RETAIN,
            **more,
        )
        resource = made.node.default_child
        # A first deployment that fails takes its empty bucket with it, and can be tried again.
        resource.cfn_options.deletion_policy = CfnDeletionPolicy.RETAIN_EXCEPT_ON_CREATE
        return made

    def _buckets(self) -> None:
        """Makes both, and has the source tell the queue.

        By the bucket's own property: `add_event_notification` would add a function of the CDK's.
        """
        props = self._props
        # With versions, each event names the very bytes that it is about.
        source = self._bucket("Source", props.source_bucket, props.source_key, versioned=True)
        abort = s3.LifecycleRule(
            id="abort-uploads", abort_incomplete_multipart_upload_after=Duration.days(1)
        )
        self._bucket(
            "Destination", props.destination_bucket, props.destination_key, lifecycle_rules=[abort]
        )
        notification: dict[str, Any] = {"Queue": self.queue.queue_arn}
        if props.source_prefix:
            prefix = {"Name": "prefix", "Value": props.source_prefix}
            notification["Filter"] = {"S3Key": {"Rules": [prefix]}}
        resource = source.node.default_child
        resource.add_property_override(
            "NotificationConfiguration.QueueConfigurations",
            [{"Event": event, **notification} for event in _EVENTS],
        )
        arn = f"arn:{Aws.PARTITION}:s3:::{props.source_bucket}"
        self.queue.add_to_resource_policy(
            iam.PolicyStatement(
                sid="EventsIn",
                principals=[iam.ServicePrincipal("s3.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[self.queue.queue_arn],
                conditions={
                    "ArnEquals": {"aws:SourceArn": arn},
                    "StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID},
                },
            )
        )
        # S3 takes a notification only if it may deliver it.
        resource.node.add_dependency(self.queue.node.find_child("Policy"))

    def _about_tags(self, photos: str, renditions: str) -> list[iam.PolicyStatement]:
        if not self._props.tagging:
            return []
        return [
            _allow("ReadTags", ["s3:GetObjectTagging"], [photos]),
            _allow("TagRenditions", ["s3:PutObjectTagging"], [renditions]),
        ]

    def _about_signing_keys(self) -> list[iam.PolicyStatement]:
        props, found = self._props, []
        if props.url_signing_keys_arn:
            # Of the two actions, the one that the ARN's service has.
            read = ["ssm:GetParameter", "secretsmanager:GetSecretValue"]
            found.append(_allow("ReadSigningKeys", read, [props.url_signing_keys_arn]))
        if props.url_signing_key:
            services = [f"{one}.{Aws.REGION}.amazonaws.com" for one in ("ssm", "secretsmanager")]
            key = props.url_signing_key.key_arn
            found.append(_allow("DecryptSigningKeys", ["kms:Decrypt"], [key], services))
        return found

    def _signs(self) -> list[iam.PolicyStatement]:
        if not self._props.signing_key:
            return []
        return [
            iam.PolicyStatement(
                sid="SignCredentials",
                actions=["kms:Sign"],
                resources=[self._props.signing_key.key_arn],
                conditions={"StringEquals": {"kms:SigningAlgorithm": "ECDSA_SHA_256"}},
            )
        ]

    def _statements(self) -> list[iam.PolicyStatement]:
        """Returns what docs/image.md lists, for the features that are on."""
        props = self._props
        bucket = f"arn:{Aws.PARTITION}:s3:::"
        source, destination = (
            f"{bucket}{props.source_bucket}",
            f"{bucket}{props.destination_bucket}",
        )
        renditions = f"{destination}/{props.destination_prefix}*"
        through_s3 = f"s3.{Aws.REGION}.amazonaws.com"
        kept = ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:DeleteObject"]
        taken = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
        used = ["kms:GenerateDataKey", "kms:Decrypt"]
        found = [
            _allow("ReadPhotos", ["s3:GetObject"], [f"{source}/{props.source_prefix}*"]),
            _allow("TellGoneFromDenied", ["s3:ListBucket"], [source, destination]),
            _allow("KeepRenditions", kept, [renditions]),
            _allow(
                "Log",
                ["logs:CreateLogStream", "logs:PutLogEvents"],
                [self._log_group.log_group_arn],
            ),
            _allow("HandOverFailures", ["sqs:SendMessage"], [self.failure_queue.queue_arn]),
            _allow("TakeMessages", taken, [self.queue.queue_arn]),
        ]
        if props.rejected_prefix:
            refused = f"{destination}/{props.rejected_prefix}*"
            found.append(_allow("KeepRefusals", ["s3:PutObject"], [refused]))
        named = {
            "ReadConfiguration": props.config_s3_uri,
            "ReadWatermarks": props.watermarks_s3_uri,
            "ReadCertificates": props.certificates if props.certificates[:5] == "s3://" else "",
        }
        found += [
            _allow(sid, ["s3:GetObject"], [bucket + uri.removeprefix("s3://")])
            for sid, uri in named.items()
            if uri
        ]
        found += self._signs()
        found += self._about_tags(f"{source}/{props.source_prefix}*", renditions)
        if props.completion_bus:
            bus = props.completion_bus.event_bus_arn
            found.append(_allow("TellBus", ["events:PutEvents"], [bus]))
        if props.completion_topic:
            topic = props.completion_topic.topic_arn
            found.append(_allow("TellTopic", ["sns:Publish"], [topic]))
        if props.completion_topic_key:
            key = props.completion_topic_key.key_arn
            through = f"sns.{Aws.REGION}.amazonaws.com"
            found.append(_allow("EncryptCompletions", used, [key], through))
        if props.source_key:
            key = props.source_key.key_arn
            found.append(_allow("DecryptPhotos", ["kms:Decrypt"], [key], through_s3))
        if props.destination_key:
            key = props.destination_key.key_arn
            found.append(_allow("EncryptRenditions", used, [key], through_s3))
        found += self._about_signing_keys()
        if props.vpc:
            interfaces = ["Create", "Delete", "Describe"]
            joined = [f"ec2:{verb}NetworkInterface" for verb in interfaces]
            joined = [*joined[:2], f"{joined[2]}s", "ec2:DescribeSubnets"]
            found.append(_allow("JoinNetwork", joined, ["*"]))
        if props.tracing:
            traced = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
            found.append(_allow("Trace", traced, ["*"]))
        return found

    def _function(self) -> lambda_.DockerImageFunction:
        props = self._props
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            inline_policies={"renditions": iam.PolicyDocument(statements=self._statements())},
        )
        target = ""
        if props.completion_bus:
            target = props.completion_bus.event_bus_arn
        elif props.completion_topic:
            target = props.completion_topic.topic_arn
        return lambda_.DockerImageFunction(
            self,
            "Function",
            code=lambda_.DockerImageCode.from_ecr(props.repository, tag_or_digest=props.digest),
            architecture=props.architecture,
            memory_size=props.memory_mb,
            timeout=props.timeout,
            # The CDK would add permissions of its own making to those above.
            role=role.without_policy_updates(),
            reserved_concurrent_executions=props.reserved_concurrency,
            tracing=lambda_.Tracing.ACTIVE if props.tracing else lambda_.Tracing.PASS_THROUGH,
            logging_format=lambda_.LoggingFormat.JSON,
            log_group=self._log_group,
            vpc=props.vpc,
            environment={
                "DESTINATION_BUCKET": props.destination_bucket,
                "DESTINATION_KEY_TEMPLATE": f"{props.destination_prefix}{{key}}/{{name}}.{{ext}}",
                "SOURCE_BUCKET": props.source_bucket,
                "SOURCE_PREFIX": props.source_prefix,
                "REJECTED_PREFIX": props.rejected_prefix,
                "COMPLETION_TARGET": target,
                "CACHE_CONTROL": "public, max-age=86400",
                "LOG_LEVEL": "INFO",
                **{
                    name: value
                    for name, value in {
                        "RENDITIONS_CONFIG": props.config_s3_uri,
                        "URL_SIGNING_KEYS_ARN": props.url_signing_keys_arn,
                    }.items()
                    if value
                },
                **(
                    {
                        "CREDENTIALS_KEY": props.signing_key.key_arn,
                        "CREDENTIALS_CERTIFICATES": props.certificates,
                    }
                    if props.signing_key
                    else {}
                ),
                **(props.environment or {}),
            },
        )

    def _alarm(  # noqa: PLR0913 - an alarm has as many
        self,
        name: str,
        description: str,
        metric: tuple[str, str],
        dimensions: Mapping[str, str],
        *,
        statistic: str = "Sum",
        minutes: int = 5,
        periods: int = 1,
        of_them: int | None = None,
        threshold: float = 1,
        comparison: cloudwatch.ComparisonOperator = _AT_LEAST,
        **more: Any,  # noqa: ANN401 - of cloudwatch.Alarm
    ) -> None:
        alarm = cloudwatch.Alarm(
            self,
            name,
            alarm_description=f"{description}. docs/runbook.md, {more.pop('heading')}",
            metric=cloudwatch.Metric(
                namespace=metric[0],
                metric_name=metric[1],
                dimensions_map=dict(dimensions),
                statistic=statistic,
                period=Duration.minutes(minutes),
            ),
            evaluation_periods=periods,
            datapoints_to_alarm=of_them,
            threshold=threshold,
            comparison_operator=comparison,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            **more,
        )
        tell = actions.SnsAction(self.alarm_topic)
        alarm.add_alarm_action(tell)
        alarm.add_ok_action(tell)

    def _alarms(self) -> None:
        """Makes an alarm for each heading of docs/runbook.md."""
        props = self._props
        name = self.function.function_name
        function = {"FunctionName": name}
        max_age_s = int(props.max_age.to_seconds())
        # fmt: off
        self._alarm("ErrorAlarm", "Invocations fail", ("AWS/Lambda", "Errors"),
                    {**function, "Resource": f"{name}:live"},
                    minutes=1, periods=5, of_them=3, heading='"Errors"')
        self._alarm("ThrottleAlarm", "More invocations than may run at once",
                    ("AWS/Lambda", "Throttles"), function, periods=3, heading='"Throttles"')
        self._alarm("AgeAlarm", "Photos are done late", ("Renditions", "Age"), function,
                    statistic="p95", periods=3, threshold=max_age_s, comparison=_ABOVE,
                    heading='"Age"')
        self._alarm("BacklogAlarm", "Photos wait in the queue",
                    ("AWS/SQS", "ApproximateAgeOfOldestMessage"),
                    {"QueueName": self.queue.queue_name}, statistic="Maximum", periods=3,
                    threshold=max_age_s, comparison=_ABOVE, heading='"Age"')
        self._alarm("DeadLetterAlarm", "Photos failed for good",
                    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
                    {"QueueName": self.failure_queue.queue_name}, statistic="Maximum",
                    heading='"Dead letters"')
        self._alarm("MemoryAlarm", "A photo took nearly all memory", ("Renditions", "PeakMemory"),
                    function, statistic="Maximum", threshold=90, comparison=_ABOVE,
                    heading='"Memory"')
        self._alarm("RetryAlarm", "Photos want another attempt", ("Renditions", "Retries"),
                    function, periods=3, of_them=2, heading='"Retries"')
        # A percentile of zeros and ones is one where more than that share are ones.
        self._alarm("RejectionAlarm", "Many photos are rejected", ("Renditions", "Rejections"),
                    function, statistic=f"p{100 - props.max_rejected_percent}", periods=3,
                    of_them=2, evaluate_low_sample_count_percentile="ignore",
                    heading='"Rejections"')
        self._alarm("DeniedAlarm", "S3 refuses to return photos", ("Renditions", "Photos"),
                    {**function, "Disposition": "retry", "Code": "source-access-denied"},
                    heading='"source-access-denied"')
        # fmt: on
