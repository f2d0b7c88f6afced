"""The function as its role: moto enforces the template's policy, by bucket and by prefix.

Each thing that the function does with S3 is done once, with the role's credentials. Everything is
allowed then; and with any one permission taken from the policy, something is refused. What moto
does not enforce, the difference that `s3:ListBucket` makes, is read from its answers instead.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote_plus

import boto3
import moto.s3.models
import pytest
from botocore.exceptions import ClientError
from moto.core.authorization import enable_iam_authentication

import handler.s3.sink
from handler.errors import InvocationError
from tests.called import called_operations
from tests.photos import jpeg, text
from tests.roles import policy_from_role, role_of_the_page
from tests.servers import ACCESS_DENIED, REGION, Fault, FaultProxy, Request, open_uploads
from tests.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

Start = Callable[..., Any]

_CONFIG: Final = """
[[renditions]]
name = "small"
width = 16
copy_tags = true

[[renditions]]
name = "whole"
format = "png"
"""
_SMALL: Final = jpeg(64, 48)
# Its PNG takes more than one part.
_LARGE: Final = jpeg(160, 120)
_PART_BYTES: Final = 1 << 14


class Grant(NamedTuple):
    """One action that one statement allows."""

    sid: str
    action: str


def _statements() -> dict[str, dict[str, Any]]:
    """Return the statements of the function's role that are about S3, by their Sid."""
    stack = Stack(
        SourceBucket="photos",
        DestinationBucket="renditions",
        SourcePrefix="in/",
        DestinationPrefix="out/",
        RejectedPrefix="refused/",
        Tagging="true",
    )
    (policy,) = stack.resources["Role"]["Properties"]["Policies"]
    found = {}
    for one in policy["PolicyDocument"]["Statement"]:
        actions = [one["Action"]] if isinstance(one["Action"], str) else one["Action"]
        if any(action.startswith("s3:") for action in actions):
            found[one["Sid"]] = one | {"Action": actions}
    return found


_STATEMENTS: Final = _statements()
_ENFORCED: Final = [
    Grant(sid, action)
    for sid, statement in _STATEMENTS.items()
    for action in statement["Action"]
    # moto takes the tags of a PutObject from who may store the object.
    if action not in {"s3:ListBucket", "s3:PutObjectTagging"}
]


_BY_HAND: Final = {
    one["Sid"]: one
    for one in policy_from_role(role_of_the_page(["`REJECTED_PREFIX`", "`tags` or `copy_tags`"]))
    if any(action.startswith("s3:") for action in one["Action"])
}
"""What somebody allows who goes by docs/image.md."""


def _document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def _wanted_by(request: Request) -> Grant:
    """Return what has to allow a request.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
    """
    sid = {
        ("photos", "in"): "ReadPhotos",
        ("renditions", "out"): "KeepRenditions",
        ("renditions", "refused"): "KeepRefusals",
    }[request.bucket, request.key.split("/")[0]]
    match request.operation:
        case "GetObject" if "versionId" in request.query:
            return Grant(sid, "s3:GetObjectVersion")
        case "GetObjectTagging":
            return Grant("ReadTags", "s3:GetObjectTagging")
        case "GetObject" | "HeadObject":
            return Grant(sid, "s3:GetObject")
        case "PutObject" | "CreateMultipartUpload" | "UploadPart" | "CompleteMultipartUpload":
            return Grant(sid, "s3:PutObject")
        case operation:
            return Grant(sid, f"s3:{operation}")


class Function:
    """The function, started."""

    def __init__(self, lambda_handler: Callable[..., Any]) -> None:
        self._handler = lambda_handler

    def told(self, event: dict[str, Any]) -> list[str]:
        """Give it an event; returns the disposition of each of its records."""
        try:
            records = self._handler(event, None)["records"]
        except InvocationError:
            return ["retry"]
        return [record["disposition"] for record in records]

    def asked_for(self, path: str, **headers: str) -> str:
        """Send it an HTTP request through a Function URL; returns the status."""
        http = {"method": "GET", "path": path}
        event = {
            "version": "2.0",
            "rawPath": path,
            "headers": headers,
            "requestContext": {"http": http},
        }
        return str(self._handler(event, None)["statusCode"])


class Account:
    """Both buckets, who owns them, and the function with its role's credentials."""

    def __init__(self, store: FaultProxy, start: Start, config: Path) -> None:
        self._store = store
        self._start = start
        self._config = config
        anybody = boto3.Session(
            aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION
        )
        iam = anybody.client("iam", endpoint_url=store.endpoint_url)
        self._role = iam.create_role(RoleName="renditions", AssumeRolePolicyDocument="{}")["Role"]
        iam.create_user(UserName="owner")
        everything = _document({"Effect": "Allow", "Action": "*", "Resource": "*"})
        iam.put_user_policy(UserName="owner", PolicyName="all", PolicyDocument=everything)
        key = iam.create_access_key(UserName="owner")["AccessKey"]
        owner = boto3.Session(
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
            region_name=REGION,
        )
        self._iam = owner.client("iam", endpoint_url=store.endpoint_url)
        self.owner = owner.client("s3", endpoint_url=store.endpoint_url)
        sts = anybody.client("sts", endpoint_url=store.endpoint_url)
        self._taken = sts.assume_role(RoleArn=self._role["Arn"], RoleSessionName="function")[
            "Credentials"
        ]

    def allow(
        self, policy: Mapping[str, dict[str, Any]] = _STATEMENTS, *, but: Grant | None = None
    ) -> None:
        """Give the role a policy, the template's by default, without one of its grants."""
        statements = [
            one | {"Action": kept}
            for sid, one in policy.items()
            if (kept := [name for name in one["Action"] if Grant(sid, name) != but])
        ]
        self._iam.put_role_policy(
            RoleName="renditions", PolicyName="renditions", PolicyDocument=_document(*statements)
        )

    def as_role(self) -> S3Client:
        """Return a client with the function's credentials."""
        return boto3.client(
            "s3",
            endpoint_url=self._store.endpoint_url,
            aws_access_key_id=self._taken["AccessKeyId"],
            aws_secret_access_key=self._taken["SecretAccessKey"],
            aws_session_token=self._taken["SessionToken"],
            region_name=REGION,
        )

    def function(self) -> Function:
        """Start the function."""
        return Function(
            self._start(
                AWS_ACCESS_KEY_ID=self._taken["AccessKeyId"],
                AWS_SECRET_ACCESS_KEY=self._taken["SecretAccessKey"],
                AWS_SESSION_TOKEN=self._taken["SessionToken"],
                RENDITIONS_CONFIG=str(self._config),
                SOURCE_BUCKET="photos",
                SOURCE_PREFIX="in/",
                DESTINATION_KEY_TEMPLATE="out/{key}/{name}.{ext}",
                REJECTED_PREFIX="refused/",
            )
        )

    def put(self, key: str, body: bytes) -> dict[str, Any]:
        """Store a photo, and return the event of it."""
        answer = self.owner.put_object(Bucket="photos", Key=key, Body=body)
        return _event("ObjectCreated:Put", key, answer["VersionId"])

    def delete(self, key: str) -> dict[str, Any]:
        """Delete a photo, and return the event of it."""
        answer = self.owner.delete_object(Bucket="photos", Key=key)
        return _event("ObjectRemoved:DeleteMarkerCreated", key, answer["VersionId"])

    def asked(self) -> list[Request]:
        """Return what the function asked of S3 so far; only its credentials come with a token."""
        return [
            one
            for one in self._store.requests
            if one.headers.get("x-amz-security-token") == self._taken["SessionToken"]
        ]


def _event(name: str, key: str, version: str) -> dict[str, Any]:
    told = {"key": quote_plus(key), "versionId": version}
    s3 = {"bucket": {"name": "photos"}, "object": told}
    return {"Records": [{"eventVersion": "2.1", "eventName": name, "s3": s3}]}


@pytest.fixture
def account(
    store: FaultProxy, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Account]:
    """An account in which nothing is allowed that no policy allows."""
    monkeypatch.setattr(handler.s3.sink, "_PART_BYTES", _PART_BYTES)
    monkeypatch.setattr(moto.s3.models, "S3_UPLOAD_PART_MIN_SIZE", _PART_BYTES)
    config = tmp_path / "renditions.toml"
    config.write_text(_CONFIG)
    opened = Account(store, start, config)
    opened.allow()
    with enable_iam_authentication():
        yield opened


def _tour(account: Account, store: FaultProxy) -> list[list[str]]:
    """Have the function do everything once that it does with S3; returns what became of it."""
    function = account.function()
    handle = function.told
    done = [handle(account.put("in/a.jpg", _SMALL))]
    # Without a version, as a backfill's; then the photo is another one.
    done.append(handle({"bucket": "photos", "key": "in/a.jpg"}))
    done.append(handle(account.put("in/a.jpg", jpeg(48, 64))))
    done.append(handle(account.delete("in/a.jpg")))
    done.append(handle({"bucket": "photos", "key": "in/never.jpg"}))
    done.append(handle(account.put("in/notes.jpg", text())))
    done.append(handle(account.put("in/large.jpg", _LARGE)))
    # Whatever the cause, an upload in parts that cannot go on is given up.
    store.add(Fault(operation="UploadPart", action=ACCESS_DENIED))
    done.append(handle(account.put("in/unlucky.jpg", _LARGE)))
    # Over HTTP: the one that is there, to a client that may have it; then one that has to be made.
    done.append(
        [
            function.asked_for("/small/in/large.jpg", **{"if-none-match": "*"}),
            function.asked_for("/small/in/unlucky.jpg"),
        ]
    )
    return done


@pytest.mark.parametrize("policy", [_STATEMENTS, _BY_HAND], ids=["template", "page"])
def test_everything_it_does_is_allowed(
    account: Account, store: FaultProxy, policy: Mapping[str, dict[str, Any]]
) -> None:
    """Nothing is refused but the part that this test refuses, and each photo comes to its end."""
    account.allow(policy)

    assert _tour(account, store) == [
        ["written"],
        ["unchanged"],
        ["written"],
        ["removed"],
        ["superseded"],
        ["rejected"],
        ["written"],
        ["retry"],
        ["304", "200"],
    ]
    assert {one.operation for one in account.asked()} == called_operations("s3")
    assert [one.operation for one in account.asked() if one.status == 403] == ["UploadPart"]
    assert store.unused == ()
    assert open_uploads(account.owner, "renditions") == []


@pytest.mark.parametrize("grant", _ENFORCED, ids="-".join)
def test_everything_that_is_allowed_is_done(
    account: Account, store: FaultProxy, grant: Grant
) -> None:
    """Without this one permission, requests that want it are refused, and none but those."""
    account.allow(but=grant)

    _tour(account, store)

    refused = [one for one in account.asked() if one.status == 403 and not one.actions]
    assert refused
    assert {_wanted_by(one) for one in refused} == {grant}


def test_what_is_not_there_is_told_from_what_is_denied(account: Account, store: FaultProxy) -> None:
    """S3 says 404 to who may list the bucket, else 403: the function is told 404 by both."""
    _tour(account, store)

    missed = {one.bucket for one in account.asked() if one.status == 404}
    assert {f"arn:aws:s3:::{bucket}" for bucket in missed} == set(
        _STATEMENTS["TellGoneFromDenied"]["Resource"]
    )


def test_nothing_else_is_allowed(account: Account) -> None:
    """With the function's credentials no photo can be written, nor anything beside a prefix."""
    forbidden = [
        ("put_object", "photos", "in/a.jpg"),
        ("delete_object", "photos", "in/a.jpg"),
        ("create_multipart_upload", "photos", "in/a.jpg"),
        ("get_object", "photos", "elsewhere/a.jpg"),
        ("get_object", "renditions", "elsewhere/a.jpg"),
        ("put_object", "renditions", "elsewhere/a.jpg"),
        ("delete_object", "renditions", "elsewhere/a.jpg"),
        ("get_object", "renditions", "refused/in/a.jpg.json"),
        ("delete_object", "renditions", "refused/in/a.jpg.json"),
        ("put_object", "others", "out/a.jpg"),
    ]
    account.owner.create_bucket(Bucket="others")
    with closing(account.as_role()) as client:
        for operation, bucket, key in forbidden:
            with pytest.raises(ClientError) as caught:
                getattr(client, operation)(Bucket=bucket, Key=key)
            status = caught.value.response["ResponseMetadata"]["HTTPStatusCode"]
            assert status == 403, (operation, bucket, key)
